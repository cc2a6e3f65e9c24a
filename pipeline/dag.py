"""The whole DAG, top to bottom: what each step makes, out of what, and what its results depend on."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from reelproof.pipeline.parts import step_functions as steps
from reelproof.pipeline.parts.step import Step
from reelproof.pipeline.recipe import Recipe
from reelproof.pipeline.settings import AskedSource
from reelproof.pipeline.teachers.kinds import teacher_identity
from reelproof.schemas.footage import Clip, Footage, Storyboard
from reelproof.schemas.question import Question, WrittenQuestion
from reelproof.schemas.scores import RepeatScore
from reelproof.schemas.trace import Claim, ProbeResult, Sufficiency, Trace
from reelproof.stages.answers import claims, given_traces, probes, sufficiency, traces
from reelproof.stages.checks.registry import CHECKS
from reelproof.stages.duplicates import near as duplicates
from reelproof.stages.footage import clips, storyboard
from reelproof.stages.footage import scan as footage
from reelproof.stages.questions import computed
from reelproof.stages.questions import given as questions
from reelproof.stages.questions import written as asked
from reelproof.stages.teachers import prompts


@dataclass(frozen=True)
class Dag:
    """The steps that every part goes through, each after those it rests on."""

    steps: tuple[Step, ...]
    footage: Step

    def named(self, name: str) -> Step:
        """The step of that name. Raises KeyError."""
        return {step.name: step for step in self.steps}[name]


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
        settings=recipe.clips_to_cut,
        makes=Clip,
        run=steps.clip_videos,
        after=(scan, boards),
    )
    written = _asked(recipe.questions.asked, scan, cut)
    posed = Step(
        name="questions",
        version=questions.VERSION,
        settings=recipe.questions,
        identity=(computed.VERSION, _posed(recipe)),
        makes=Question,
        run=steps.pose_questions,
        after=(cut, *written),
        rests_on_given=True,
    )
    answered = Step(
        name="traces",
        version=traces.VERSION,
        settings=steps.TraceSettings(
            given=recipe.given_traces, teachers=recipe.teachers, rollouts=recipe.rollouts
        ),
        identity=(
            (given_traces.VERSION, recipe.given_traces),
            _identities(recipe),
            recipe.rollouts,
            prompts.ROLLOUT.prompt_id,
        ),
        makes=Trace,
        run=steps.trace_questions,
        after=(scan, cut, posed),
        asks=tuple(each.teacher for each in recipe.teachers),
    )
    probed = Step(
        name="probes",
        version=probes.VERSION,
        settings=steps.ProbeSettings(teacher=recipe.prober, probes=recipe.probes),
        identity=(teacher_identity(recipe.prober), recipe.probes, prompts.ROLLOUT.prompt_id),
        makes=ProbeResult,
        run=steps.probe_part,
        after=(scan, cut, posed),
        asks=(recipe.prober,),
    )
    verified = Step(
        name="claims",
        version=claims.VERSION,
        settings=steps.ClaimSettings(verifier=recipe.verifier, claims=recipe.claims),
        identity=(teacher_identity(recipe.verifier), recipe.claims, prompts.CLAIM.prompt_id),
        makes=Claim,
        run=steps.verify_part,
        after=(scan, cut, posed, answered),
        asks=(recipe.verifier,),
    )
    judged = _judged(recipe, cut, posed, answered)
    needs = {"traces": (), "probes": (probed,), "claims": (verified,), "sufficiency": judged}
    scores = tuple(
        Step(
            name=f"score.{check.name}",
            version=check.version,
            settings=getattr(recipe.checks, check.name),
            makes=check.score,
            run=partial(steps.measure, check),
            after=(cut, posed, answered, *needs[check.needs]),
        )
        for check in CHECKS
        if judged or check.needs != "sufficiency"
    )
    repeats = Step(
        name="score.repeats",
        version=duplicates.VERSION,
        settings=recipe.duplicates,
        makes=RepeatScore,
        run=steps.find_repeats,
        after=(answered,),
    )
    in_order = (scan, boards, cut, *written, posed, answered, probed, verified, *judged, *scores, repeats)
    return Dag(steps=in_order, footage=scan)


def edges(dag: Dag) -> dict[str, tuple[str, ...]]:
    """Each step and what it is made from, those over all parts as well: the picture on the dataset's card."""
    scores = [step.name for step in dag.steps if step.name.startswith("score.")]
    over_all_parts = {
        "near-duplicates": ("footage", "clips", "questions"),
        "policy": (*scores, "near-duplicates"),
        "splits": ("near-duplicates",),
        "shards": ("footage", "clips", "questions", "traces", "policy", "splits"),
        "card": ("shards",),
    }
    return {step.name: tuple(above.name for above in step.after) for step in dag.steps} | over_all_parts


def _judged(recipe: Recipe, *above: Step) -> tuple[Step, ...]:
    """The step in which a judge answers from observations alone, where the recipe names one."""
    if recipe.judge is None:
        return ()
    step = Step(
        name="sufficiency",
        version=sufficiency.VERSION,
        settings=steps.SufficiencySettings(judge=recipe.judge, sufficiency=recipe.sufficiency),
        identity=(teacher_identity(recipe.judge), recipe.sufficiency, prompts.SUFFICIENCY.prompt_id),
        makes=Sufficiency,
        run=steps.judge_part,
        after=above,
        asks=(recipe.judge,),
    )
    return (step,)


def _asked(source: AskedSource | None, scan: Step, cut: Step) -> tuple[Step, ...]:
    """The step in which a teacher writes questions, where the recipe wants any."""
    if source is None:
        return ()
    models = (source.writer, source.answerer or source.writer)
    step = Step(
        name="asked",
        version=asked.VERSION,
        settings=source,
        identity=(
            [teacher_identity(each) for each in models],
            source.wanted,
            prompts.WRITER.prompt_id,
            prompts.ROLLOUT.prompt_id,
        ),
        makes=WrittenQuestion,
        run=steps.write_asked,
        after=(scan, cut),
        asks=models,
    )
    return (step,)


def _posed(recipe: Recipe) -> dict[str, Any]:
    """What of the questions' settings this step rests on; who writes some is for the step above."""
    return recipe.questions.model_dump(mode="json", exclude={"asked": {"writer", "answerer", "wanted"}})


def _identities(recipe: Recipe) -> list[tuple[str, float]]:
    """Models and shares: what of the teachers' settings decides who says what."""
    return [(teacher_identity(each.teacher), each.share) for each in recipe.teachers]
