"""A step: how it says itself, once, beside its function; and what it is in one recipe, with a fingerprint."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from reelproof.pipeline.disk.fingerprint import fingerprint
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.teachers.kinds import TEACHER_CONFIGS, TeacherConfig, gpus_a_server, teacher_identity
from reelproof.schemas.record import Record
from reelproof.schemas.settings import Settings
from reelproof.stages.teachers import prompts
from reelproof.stages.teachers.protocol import ServerTeacherConfig, TeacherNeeds

Slot = Literal["CPU", "LIGHT", "TEACHER", "GPU"]
"""The worker resource that a step takes where one is declared: CPU fills a core, LIGHT takes little of one,
TEACHER waits for a server, GPU holds one."""


class Ask(NamedTuple):
    """A model that a step puts requests to, and the most that one of them takes."""

    teacher: TeacherConfig
    needs: TeacherNeeds
    share: float = 1.0
    """Of the step's completions, relative to the other models that it asks."""


class Expected(NamedTuple):
    """How much there is to ask about: counted, or as far as is known."""

    clips: int
    questions: int


class Outside(NamedTuple):
    """What a step over all parts takes from elsewhere than from parts and recipe."""

    value: Any
    counts: Any
    """What of it counts for the fingerprint."""


class Ahead(NamedTuple):
    """How tasks side by side begin a step's work on one long film; the step takes up the files they leave."""

    plan: Callable[..., None]
    """(part at work, place of the film among its sources, *sections)"""
    do: Callable[..., None]
    """(part at work, place, share, of so many shares, *sections), once it is planned."""


def _none(*_: Any) -> tuple[Any, ...]:
    return ()


def _no_bound(_recipe: Any) -> bool:
    return False


def _no_calls(_recipe: Any, _expected: Expected) -> int:
    return 0


def _from_nowhere(_build: Any) -> Outside:
    return Outside(None, None)


def _always(_store: Store, _outcome: Any) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class StepKind:
    """What every step says of itself, whatever the recipe."""

    name: str
    version: int
    """Bumped by hand when the output changes for the same input."""
    run: Callable[..., Any]
    """Given what it works on, then the sections' values."""
    sections: tuple[str, ...] = ()
    """Names in the recipe, dotted where they lie deeper. Where one of them is null, there is no such step."""
    aside: tuple[str, ...] = ()
    """Those of the sections that its results do not depend on."""
    after: tuple["StepKind", ...] = ()
    """The steps that it is made from; without one of them, it is not there either."""
    also: tuple["StepKind", ...] = ()
    """Those that it is made from where the recipe has them."""
    versions: tuple[int, ...] = ()
    """Of further code that its results depend on."""
    prompts: tuple[str, ...] = ()
    """Names, in `stages/teachers/prompts.py`, of those that it asks with."""
    extra: str | None = None
    """The one of our extras that brings the libraries it needs."""
    heavy: bool = False
    """Whether it fills a core; light steps do not queue behind it."""


@dataclass(frozen=True, kw_only=True)
class PartStep(StepKind):
    """A step over parts: each part goes through it once."""

    run: Callable[..., Iterator[Record]]
    """(part at work, *sections) -> records."""
    makes: type[Record]
    leaves_out: Callable[..., tuple[str, ...]] = _none
    """(*sections) -> fields of the record that nothing is kept in, and its file has no columns for."""
    asks: Callable[[Any], tuple[Ask, ...]] = _none
    """(recipe) -> the models that it puts requests to."""
    calls: Callable[[Any, Expected], int] = _no_calls
    """(recipe, how much there is) -> how many completions that takes, at most."""
    varies: bool = False
    """Whether that is only a bound, so that earlier builds tell better."""
    bound: Callable[[Any], bool] = _no_bound
    """(recipe) -> whether it is a bound there that earlier builds do not tell better."""
    rests_on_given: bool = False
    """Whether the questions that came with the videos are among its inputs."""
    rests_on_subtitles: bool = False
    """Whether the subtitles beside the videos are."""
    rows_at_once: int = 512
    """Records in memory, and in a row group of its file."""
    ahead: Ahead | None = None


@dataclass(frozen=True, kw_only=True)
class WholeStep(StepKind):
    """A step over all parts: one task that rests on the files of every part."""

    run: Callable[..., Record]
    """(all parts at work, *sections) -> what it came to; its files are written through the first."""
    makes: type[Record]
    """What it came to, as its receipt keeps it."""
    outside: Callable[[Any], Outside] = _from_nowhere
    """(workplace) -> what it takes from elsewhere, read by the client."""
    leaves: Callable[[Any], tuple[str, ...]] = _none
    """(what it came to) -> names of the tables that it left."""
    intact: Callable[[Store, Any], bool] = _always
    """(store, what it came to) -> whether what it published is still there."""


K = TypeVar("K", bound=StepKind, covariant=True)


@dataclass(frozen=True)
class Step(Generic[K]):
    """A step in a recipe: its settings, and the steps above it."""

    kind: K
    settings: tuple[Any, ...]
    """Handed to `run`: the sections' values."""
    after: tuple["Step[StepKind]", ...] = ()
    asks: tuple[Ask, ...] = ()

    @property
    def name(self) -> str:
        """What the step is called."""
        return self.kind.name

    @property
    def slot(self) -> Slot:
        """Where it runs: beside a server of ours, waiting for one, or as plain work."""
        if gpus_a_server(each.teacher for each in self.asks):
            return "GPU"
        if any(isinstance(each.teacher, ServerTeacherConfig) for each in self.asks):
            return "TEACHER"
        return "CPU" if self.asks or self.kind.heavy else "LIGHT"

    @cached_property
    def counts(self) -> Any:
        """What the fingerprint takes of settings and wording.

        Raises TeacherUnavailable where a model is a folder that is not there.
        """
        named = zip(self.kind.sections, self.settings, strict=True)
        sections = [_counted(value) for name, value in named if name not in self.kind.aside]
        asked_with = [getattr(prompts, name).prompt_id for name in self.kind.prompts]
        more = [*self.kind.versions, *asked_with]
        return sections[0] if len(sections) == 1 and not more else [*sections, *more]

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that name its results."""
        above = [step.fingerprint for step in self.after]
        return fingerprint(self.name, self.kind.version, self.counts, above)

    @cached_property
    def ancestors(self) -> tuple["Step[StepKind]", ...]:
        """Every step above it, each once."""
        above = {each.name: each for step in self.after for each in (*step.ancestors, step)}
        return tuple(above.values())

    @cached_property
    def sees_given(self) -> bool:
        """Whether it, or a step above it, rests on given questions."""
        mine = isinstance(self.kind, PartStep) and self.kind.rests_on_given
        return mine or any(step.sees_given for step in self.after)

    @cached_property
    def sees_subtitles(self) -> bool:
        """Whether it, or a step above it, rests on subtitles."""
        mine = isinstance(self.kind, PartStep) and self.kind.rests_on_subtitles
        return mine or any(step.sees_subtitles for step in self.after)

    @cached_property
    def sees_replies(self) -> bool:
        """Whether it, or a step above it, rests on what a model replied."""
        return bool(self.asks) or any(step.sees_replies for step in self.after)

    @cached_property
    def folder(self) -> str:
        """Where its files lie, within the build's folder."""
        return f"parts/{self.name}-{self.fingerprint}"

    def file(self, part: PartInputs) -> str:
        """The file that it leaves for a part."""
        given = part.given_key if self.sees_given else ""
        said = part.subtitles_key if self.sees_subtitles else ""
        again = part.again_key if self.sees_replies else ""
        return f"{self.folder}/{part.name}{given}{said}{again}.parquet"


def _counted(value: Any) -> Any:
    """A section as fingerprints take it: a teacher counts by who it is, not by where it is found."""
    if isinstance(value, TEACHER_CONFIGS):
        return teacher_identity(value)
    if isinstance(value, tuple):
        return [_counted(each) for each in value]
    if isinstance(value, Settings) and any(_names_teachers(each) for _, each in value):
        return {name: _counted(each) for name, each in value}
    return value


def _names_teachers(value: Any) -> bool:
    every = value if isinstance(value, tuple) else (value,)
    return any(isinstance(each, TEACHER_CONFIGS) for each in every)
