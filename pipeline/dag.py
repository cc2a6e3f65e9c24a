"""The whole DAG, top to bottom, and all there is: each step says beside its function what it is made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

from reelproof.pipeline.parts.step import PartStep, Step, WholeStep
from reelproof.pipeline.recipe import Recipe
from reelproof.pipeline.steps.answers import CLAIMS, PROBES, PROVENANCE, SUFFICIENCY, TRACES
from reelproof.pipeline.steps.calibration import CALIBRATION, KNOWN_CLAIMS
from reelproof.pipeline.steps.clip_quality import CLIP_QUALITY
from reelproof.pipeline.steps.clip_sound import CLIP_SOUND
from reelproof.pipeline.steps.dataset import CARD, CHECKSUMS, CROISSANT, SHARDS, STATISTICS
from reelproof.pipeline.steps.edited import EDITED
from reelproof.pipeline.steps.embedding import EMBEDDING, QUESTION_EMBEDDING, SEMANTIC_DUPLICATES
from reelproof.pipeline.steps.footage import CLIPS, FOOTAGE, STORYBOARDS, TRANSITIONS
from reelproof.pipeline.steps.questions import ASKED, QUESTIONS
from reelproof.pipeline.steps.scores import REPEATS, SCORES
from reelproof.pipeline.steps.speech import CLIP_SPEECH, SPEECH
from reelproof.pipeline.steps.whole_set import CONTAMINATION, NEAR_DUPLICATES, POLICY, SPLITS
from reelproof.pipeline.steps.written import TEXT
from reelproof.pipeline.teachers.kinds import TeacherConfig
from reelproof.stages.teachers.protocol import TeacherNeeds

OVER_PARTS: tuple[PartStep, ...] = (
    FOOTAGE,
    TRANSITIONS,
    STORYBOARDS,
    CLIPS,
    CLIP_QUALITY,
    EMBEDDING,
    EDITED,
    TEXT,
    SPEECH,
    CLIP_SPEECH,
    CLIP_SOUND,
    ASKED,
    QUESTIONS,
    QUESTION_EMBEDDING,
    TRACES,
    PROBES,
    KNOWN_CLAIMS,
    CALIBRATION,
    CLAIMS,
    PROVENANCE,
    SUFFICIENCY,
    *SCORES,
    REPEATS,
)
OVER_ALL: tuple[WholeStep, ...] = (
    SEMANTIC_DUPLICATES,
    NEAR_DUPLICATES,
    CONTAMINATION,
    SPLITS,
    POLICY,
    SHARDS,
    STATISTICS,
    CARD,
    CROISSANT,
    CHECKSUMS,
)


@dataclass(frozen=True)
class Dag:
    """A recipe's steps, each after those it is made from."""

    steps: tuple[Step[PartStep], ...]
    """Those that every part goes through."""
    whole: tuple[Step[WholeStep], ...]
    """Those over all parts."""

    @property
    def footage(self) -> Step[PartStep]:
        """The step that decodes."""
        return self.named(FOOTAGE.name)

    def named(self, name: str) -> Step[PartStep]:
        """The step over parts of that name. Raises KeyError."""
        return {step.name: step for step in self.steps}[name]

    def edges(self) -> dict[str, tuple[str, ...]]:
        """Each step and what it is made from: the picture on the dataset's card."""
        return {step.name: tuple(above.name for above in step.after) for step in (*self.steps, *self.whole)}

    @cached_property
    def teachers(self) -> tuple[TeacherConfig, ...]:
        """Every model that is asked, each once."""
        return tuple(dict.fromkeys(ask.teacher for step in self.steps for ask in step.asks))

    def needs_of(self, teacher: TeacherConfig) -> TeacherNeeds:
        """The most that one request can take of it, in whatever it is asked for."""
        needs = [ask.needs for step in self.steps for ask in step.asks if ask.teacher == teacher]
        return TeacherNeeds(*(max(values) for values in zip(*needs, strict=True)))


def build_dag(
    recipe: Recipe,
    over_parts: Sequence[PartStep] = OVER_PARTS,
    over_all: Sequence[WholeStep] = OVER_ALL,
) -> Dag:
    """The recipe's steps with their fingerprints; other steps take the place of those of their names.

    Opens nothing.
    """
    there: dict[str, Step[Any]] = {}
    steps = tuple(step for kind in over_parts if (step := _step(kind, recipe, there)))
    return Dag(steps, tuple(step for kind in over_all if (step := _step(kind, recipe, there))))


def _step(kind: Any, recipe: Recipe, there: dict[str, Step[Any]]) -> Step[Any] | None:
    """The step in this recipe, put to those that are `there`; None where the recipe does without it."""
    values = {name: _section(recipe, name) for name in kind.sections}
    if None in values.values() or any(each.name not in there for each in kind.after):
        return None
    above = [there[each.name] for each in (*kind.after, *kind.also) if each.name in there]
    asks = kind.asks(recipe) if isinstance(kind, PartStep) else ()
    there[kind.name] = Step(kind, tuple(values.values()), tuple(above), asks)
    return there[kind.name]


def _section(recipe: Recipe, name: str) -> Any:
    """What a dotted name stands for; None where anything on the way is null."""
    return reduce(lambda value, field: value and getattr(value, field), name.split("."), recipe)
