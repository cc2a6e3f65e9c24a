"""The whole DAG, top to bottom: what each step makes, out of what, and what its results depend on."""

from dataclasses import dataclass

from pipeline import steps
from pipeline.recipe import Recipe
from pipeline.step import Step
from schemas.footage import Clip, Footage, Storyboard
from stages import clips, footage, storyboard


@dataclass(frozen=True)
class Dag:
    """The steps that every part goes through, each after those it rests on."""

    steps: tuple[Step, ...]
    footage: Step


def build_dag(recipe: Recipe) -> Dag:
    """The recipe's steps with their fingerprints. Opens nothing."""
    scan = Step(
        name="footage",
        version=footage.VERSION,
        settings=steps.ScanSettings(footage=recipe.footage, limits=recipe.limits),
        identity=recipe.footage,
        makes=Footage,
        run=steps.scan_videos,
        rows_at_once=1,
    )
    boards = Step(
        name="storyboards",
        version=storyboard.VERSION,
        settings=recipe.storyboard,
        makes=Storyboard,
        run=steps.board_videos,
        after=(scan,),
    )
    cut = Step(
        name="clips",
        version=clips.VERSION,
        settings=recipe.clips,
        makes=Clip,
        run=steps.clip_videos,
        after=(scan, boards),
    )
    return Dag(steps=(scan, boards, cut), footage=scan)
