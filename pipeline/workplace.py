"""A build's folder -> what it knows: its recipe, its sources, its parts, and which steps are done."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import yaml

from reelproof.pipeline.dag import Dag, build_dag
from reelproof.pipeline.dataset.part_files import read_columns
from reelproof.pipeline.disk.sealed import read_record, sealed_json, sealed_text
from reelproof.pipeline.disk.side_by_side import side_by_side, together
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import Damaged, UsageError
from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.parts.plan import Plan
from reelproof.pipeline.parts.run_step import failures_in, quarantine_file
from reelproof.pipeline.parts.todo import Todo
from reelproof.pipeline.parts.whole import WholeTask, plan_whole
from reelproof.pipeline.recipe import Recipe, recipe_of_build
from reelproof.pipeline.recipe_changes import RECIPE as RECIPE
from reelproof.pipeline.recipe_changes import RECIPE_COPY as RECIPE_COPY
from reelproof.schemas.footage import Quarantine
from reelproof.schemas.question import GivenRow
from reelproof.schemas.record import Record
from reelproof.schemas.source import SourceIdentity, SubtitleFile
from reelproof.schemas.tables import from_table, to_table

PLAN = "plan.json"
PLAN_COPY = ".reelproof/plan.json"
"""Without a plan, nobody knows which part holds what: it is there twice."""
SOURCES, QUESTIONS = "sources/videos.parquet", "sources/questions.parquet"
FILES, LOST = "sources/files.parquet", "sources/lost.parquet"
SUBTITLES = "sources/subtitles.parquet"

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Workplace:
    """What a build's folder holds, as one command sees it."""

    store: Store
    recipe: Recipe
    plan: Plan
    sources: tuple[SourceIdentity, ...]
    """One a video, in order of video_id: those that the sources hold now."""
    given: tuple[GivenRow, ...]
    steps_of: Callable[[Recipe], Dag] = build_dag
    """Recipe -> its steps: those of a build, or some with another ending."""
    subtitles: tuple[SubtitleFile, ...] = ()
    """Those beside the sources, one a video that has some."""

    @cached_property
    def dag(self) -> Dag:
        """The recipe's steps."""
        return self.steps_of(self.recipe)

    @cached_property
    def parts(self) -> tuple[PartInputs, ...]:
        """Every part that holds a video of the sources, with that part's files and given questions."""
        by_id = {source.video_id: source for source in self.sources}
        owner = self.plan.owner()
        rows: defaultdict[str, list[GivenRow]] = defaultdict(list)
        for row in self.given:
            rows[row.video_id].append(row)
        said = {each.video_id: each for each in self.subtitles}
        parts = []
        for part in self.plan.parts:
            mine = [each for each in part.video_ids if each in by_id and owner[each] == part.number]
            if mine:
                sources = tuple(by_id[each] for each in mine)
                asked = tuple(row for each in mine for row in rows[each])
                again = self.plan.asked_again.get(part.number, 0)
                beside = tuple(said[each] for each in mine if each in said)
                parts.append(
                    PartInputs(part=part, sources=sources, given=asked, subtitles=beside, asked_again=again)
                )
        return tuple(parts)

    def todos(self) -> list[Todo]:
        """The parts that have steps to do, in order, with those steps."""
        steps = self.dag.steps
        listed = side_by_side(self.store, lambda step: set(self.store.names(step.folder)), steps)
        present = {step.name: names for step, names in zip(steps, listed, strict=True)}
        todos = []
        for part in self.parts:
            missing = tuple(step for step in steps if _name(step.file(part)) not in present[step.name])
            if missing:
                todos.append(Todo(part, missing))
        return todos

    def whole_tasks(self, until: str | None = None) -> list[WholeTask]:
        """The steps over all parts as tasks, done or not, in order; `until` names the last one wanted.

        Raises UsageError where something that they take from elsewhere cannot be read.
        """
        steps = self.dag.whole
        last = [step.name for step in steps].index(until) + 1 if until else len(steps)
        return plan_whole(self, steps[:last], self.parts)

    def require_finished(self) -> None:
        """Raises UsageError where a part has a step to do."""
        todos = self.todos()
        if todos:
            raise UsageError(
                f"{len(todos)} part(s) of {self.store.url} have steps to do, {todos[0].steps[0].name} first; "
                "run `reelproof build` to do them"
            )

    def quarantined(self) -> list[Quarantine]:
        """Every source that cannot be used: files that could not be read, then those of the parts."""
        found = together(
            self.store, lambda: [read_records(self.store, LOST, Quarantine)], self._quarantined_by_part
        )
        return [each for several in found for some in several for each in some]

    def quarantined_in(self, part: PartInputs) -> list[Quarantine]:
        """The part's videos that could not be used, without those that a later part tried again."""
        mine = {source.video_id for source in part.sources}
        found = read_records(self.store, quarantine_file(self.dag.footage, part), Quarantine)
        return [each for each in found if each.video_id in mine]

    def _quarantined_by_part(self) -> list[list[Quarantine]]:
        """The same of every part, looking only where there is something."""
        files = [quarantine_file(self.dag.footage, part) for part in self.parts]
        folders = {file.rpartition("/")[0] for file in files}
        there = {f"{folder}/{name}" for folder in folders for name in self.store.names(folder)}

        def found(place: int) -> list[Quarantine]:
            return self.quarantined_in(self.parts[place]) if files[place] in there else []

        return side_by_side(self.store, found, range(len(files)))

    def failed_requests(self) -> dict[str, int]:
        """Step -> requests of it that failed for good, of those that asked for something that never came."""
        asking = [step for step in self.dag.steps if step.asks]
        files = [(step.name, step.file(part)) for step in asking for part in self.parts]
        counts = side_by_side(self.store, lambda each: failures_in(self.store, each[1]), files)
        failed: Counter[str] = Counter()
        for (name, _), count in zip(files, counts, strict=True):
            failed[name] += count
        return dict(+failed)

    def unaccounted(self) -> list[str]:
        """Videos that their part's footage neither holds nor has in quarantine: absent when it was made."""
        footage = self.dag.footage
        there = set(self.store.names(footage.folder))
        made = [part for part in self.parts if _name(footage.file(part)) in there]
        held = side_by_side(self.store, self._held_in, made)
        lost = dict(zip((part.name for part in self.parts), self._quarantined_by_part(), strict=True))
        return [
            source.video_id
            for part, videos in zip(made, held, strict=True)
            for source in part.sources
            if source.video_id not in videos | {each.video_id for each in lost[part.name]}
        ]

    def _held_in(self, part: PartInputs) -> set[str]:
        table = read_columns(self.store, self.dag.footage.file(part), ["video.video_id"])
        return {row["video"]["video_id"] for row in table.to_pylist()}

    def save(self) -> None:
        """Write down the recipe, the sources with their questions, and, last, the plan."""
        store = self.store
        writes: list[Callable[[], None]] = [
            self.save_recipe,
            lambda: store.write_table(SOURCES, to_table(self.sources, SourceIdentity)),
            lambda: store.write_table(QUESTIONS, to_table(self.given, GivenRow)),
        ]
        if self.subtitles or store.exists(SUBTITLES):
            writes.append(lambda: store.write_table(SUBTITLES, to_table(self.subtitles, SubtitleFile)))
        side_by_side(store, lambda write: write(), writes)
        for name in (PLAN_COPY, PLAN):
            store.write_bytes(name, sealed_json(self.plan, name))

    def save_recipe(self) -> None:
        """Write down the recipe as resolved, with every default."""
        recipe = yaml.safe_dump(self.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        for name in (RECIPE_COPY, RECIPE):
            self.store.write_bytes(name, sealed_text(recipe).encode())


def open_workplace(build: str | Store, overrides: Sequence[str] = ()) -> Workplace:
    """The build in a folder, its recipe with overrides applied.

    Raises UsageError where there is no build.
    """
    store = Store(build) if isinstance(build, str) else build
    try:
        recipe_text, plan, sources, given, subtitles = together(
            store,
            lambda: store.read_bytes(RECIPE),
            lambda: read_plan(store),
            lambda: _must_be_there(store, SOURCES, SourceIdentity),
            lambda: _must_be_there(store, QUESTIONS, GivenRow),
            lambda: tuple(read_records(store, SUBTITLES, SubtitleFile)),
        )
    except (FileNotFoundError, NotADirectoryError):
        require_build(store)
        raise Damaged(store.url, RECIPE, "it is gone") from None
    recipe = recipe_of_build(recipe_text, overrides, where=f"{store.url}/{RECIPE}")
    return Workplace(store, recipe, plan or Plan(), sources, given, subtitles=subtitles)


def require_build(store: Store) -> None:
    """Raises UsageError where no build was planned."""
    if not is_build(store):
        raise UsageError(f"{store.url} holds no build (no {RECIPE} there); make one with `reelproof build`")


def is_build(store: Store) -> bool:
    """Whether a build was planned in the folder."""
    return store.exists(PLAN) or store.exists(PLAN_COPY)


def read_plan(store: Store) -> Plan | None:
    """The build's plan: its copy where one of the two is gone or not as it was; None where there is none.

    Raises Damaged where neither is whole.
    """
    found: list[Damaged] = []
    for name in (PLAN, PLAN_COPY):
        try:
            return read_record(store, name, Plan)
        except FileNotFoundError:
            continue
        except Damaged as error:
            found.append(error)
    if found:
        raise found[0]
    if store.names("parts"):
        raise Damaged(store.url, PLAN, "it is gone, and so is its copy")
    return None


def _must_be_there(store: Store, path: str, record: type[R]) -> tuple[R, ...]:
    try:
        return tuple(from_table(store.read_table(path), record))
    except FileNotFoundError:
        if is_build(store):
            raise Damaged(store.url, path, "it is gone") from None
        raise


def read_records(store: Store, path: str, record: type[R]) -> list[R]:
    """The records in a file; none where there is no such file."""
    try:
        return list(from_table(store.read_table(path), record))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _name(path: str) -> str:
    return path.rpartition("/")[2]
