"""A build's or a dataset's folder -> every file that is not as it was written, and what mends it."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple, TypeVar

from reelproof.pipeline.dataset.left_files import Left, changed_files
from reelproof.pipeline.dataset.sums import SUMS, wrong_files
from reelproof.pipeline.disk.sealed import damage, json_damage, open_parquet, text_is_whole
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.disk.store import ABOUT, MARKER, Store
from reelproof.pipeline.errors import Damaged, UsageError
from reelproof.pipeline.parts.run_step import RESTS_ON
from reelproof.pipeline.parts.whole import OUTCOME, WholeTask, read_outcome, undone
from reelproof.pipeline.progress.run_progress import PROGRESS
from reelproof.pipeline.progress.run_summary import RUN
from reelproof.pipeline.teachers.completions import CompletionLog
from reelproof.pipeline.workplace import (
    FILES,
    LOST,
    PLAN,
    PLAN_COPY,
    QUESTIONS,
    RECIPE,
    RECIPE_COPY,
    SOURCES,
    Workplace,
    is_build,
    open_workplace,
)
from reelproof.schemas.counted import counted
from reelproof.schemas.published import MANIFEST, DatasetError, read_contents

R = TypeVar("R")

_MADE_AGAIN = ("parts/", "blocks/", "whole/", "sources/", "spans/")
"""What the next build makes where it is not there."""
_EXPECTED = (RECIPE, RECIPE_COPY, PLAN, PLAN_COPY, SOURCES, QUESTIONS, FILES, LOST, MARKER)


class Fault(NamedTuple):
    """A file that is gone, or is not as it was written."""

    name: str
    """From the folder."""
    why: str
    mend: str
    """What to do about it."""
    take_away: tuple[str, ...] = ()
    """Files that a build makes again once they are gone."""
    lost: bool = False
    """It is gone for good, and all that there is stands without it."""
    outdated: bool = False
    """Nothing is damaged: what is there was made by other settings, or by another version."""


def holds_ours(store: Store) -> bool:
    """Whether a folder is a build's or a dataset's."""
    return is_build(store) or any(store.exists(name) for name in (MARKER, MANIFEST, f"dataset/{MANIFEST}"))


def find_faults(store: Store) -> Iterator[Fault]:
    """Read every file of a build, or of a dataset in a folder of its own, and tell what is wrong."""
    if not (is_build(store) or store.exists(MARKER)):
        yield from _dataset_faults(store, ".", "fetch the dataset again, or publish it here again")
        return
    mend = f"reelproof build RECIPE --out {store.url} --check"
    sizes = store.sizes("")
    names = sorted(sizes)
    yield from _unlike(store, names, mend)
    yield from (Fault(name, "it is gone", mend) for name in _EXPECTED if name not in names)
    yield from _bad_records(store, sizes, mend)
    missing = list(_missing(store, mend))
    yield from missing
    if any(name.startswith("dataset/") for name in names):
        by_list = f"dataset/{SUMS}" not in {fault.name for fault in missing}
        for fault in _dataset_faults(store, "dataset", mend, by_list):
            yield fault._replace(take_away=(fault.name,))
        if RUN not in names:
            yield Fault(RUN, "it is gone", mend)


def take_away(store: Store, faults: Iterable[Fault], say: Callable[[str], None]) -> None:
    """Take away what is damaged, so that the next build makes it again; tell each."""
    logs: dict[str, None] = {}
    for fault in list(faults):  # all are found before the first goes
        say(f"{fault.name}: {fault.why}")
        for name in fault.take_away:
            store.remove(name)
        if fault.name.startswith("completions/"):
            logs[str(PurePosixPath(fault.name).parent)] = None
    for log in logs:
        CompletionLog(store.fs, store.path(log)).drop_damaged()


def mended(store: Store, work: Callable[[], R], say: Callable[[str], None] = lambda _: None) -> R:
    """What the work comes to: files that it finds damaged are taken away, and it begins again.

    Raises Damaged for a file that no build makes again, and for one that is damaged a second time.
    """
    gone: set[str] = set()
    while True:
        try:
            return work()
        except Damaged as error:
            if error.name in gone or not error.name.startswith(_MADE_AGAIN):
                raise
            say(f"{error.name} is damaged and made again: {error.why}")
            for name in (error.name, *error.with_it):
                store.remove(name)
                gone.add(name)


def _unlike(store: Store, names: Iterable[str], mend: str) -> Iterator[Fault]:
    """Files that carry a checksum and do not match it."""
    for name, why in side_by_side(store, lambda name: (name, _unlike_itself(store, name)), names):
        if why:
            outcome = str(PurePosixPath(name).with_name(OUTCOME))
            with_it = (outcome,) if name.startswith("whole/") and not name.endswith(OUTCOME) else ()
            again = name.startswith(_MADE_AGAIN) or name in (RUN, PROGRESS)
            yield Fault(name, why, mend, (name, *with_it) if again else ())


def _unlike_itself(store: Store, name: str) -> str:
    if name.endswith(".parquet") and name.startswith(_MADE_AGAIN):
        return damage(store, name)
    if name in (PLAN, PLAN_COPY, RUN, PROGRESS) or (name.endswith(".json") and name.startswith(_MADE_AGAIN)):
        return json_damage(store.read_bytes(name), name)
    if name == MARKER:
        return "" if store.read_bytes(name) == ABOUT else "it is not as it was written"
    if name in (RECIPE, RECIPE_COPY):
        whole = text_is_whole(store.read_bytes(name).decode(errors="replace"))
        return "" if whole else "its last line holds no checksum of it: it was changed by hand, or damaged"
    return ""


def _bad_records(store: Store, sizes: Mapping[str, int], mend: str) -> Iterator[Fault]:
    """Lines of the logs that are no records, and logs that steps rested on and that are gone."""
    for part in store.names("completions"):
        log = CompletionLog(store.fs, store.path(f"completions/{part}"))
        for name, count in log.damaged().items():
            yield Fault(
                f"completions/{part}/{name}", f"{count} lines are no records: cut off, or damaged", mend
            )
    expected: dict[str, int] = {}
    for name in sizes:
        if name.startswith("parts/") and name.endswith(".parquet"):
            expected |= {each: max(size, expected.get(each, 0)) for each, size in _rests_on(store, name)}
    for name, size in sorted(expected.items()):
        if sizes.get(name, 0) < size:
            why = f"{size - sizes.get(name, 0)} bytes of completions are gone that steps rested on"
            yield Fault(name, why, "put it back from a copy; what is needed is asked again", lost=True)


def _rests_on(store: Store, name: str) -> Iterator[tuple[str, int]]:
    """Files of completions, and how long they were when a step's file was written."""
    try:
        with open_parquet(store, name) as file:
            held = json.loads((file.metadata.metadata or {}).get(RESTS_ON.encode(), b"{}"))
    except (Damaged, FileNotFoundError):
        return
    part = PurePosixPath(name).name[: len("part-00000")]
    yield from ((f"completions/{part}/{each}", size) for each, size in held.items())


def _missing(store: Store, mend: str) -> Iterator[Fault]:
    """What a finished build would hold."""
    try:
        workplace = open_workplace(store)
        yield from _missing_in(workplace, mend)
    except Damaged as error:  # told already, unless it is what could not even be begun with
        yield Fault(error.name, error.why, mend)
    except UsageError as error:
        yield Fault(RECIPE, str(error), mend)


def _missing_in(workplace: Workplace, mend: str) -> Iterator[Fault]:
    todos = workplace.todos()
    outdated = _outdated(workplace) if todos else []
    for todo in todos:
        missing = [step for step in todo.steps if step.name not in outdated]
        yield from (Fault(step.file(todo.inputs), "it is not there", mend) for step in missing)
    if outdated:
        why = f"{counted(len(outdated), 'step')} to do, `{outdated[0]}` first: what is there was made with"
        why += " other settings, or by another version of reelproof"
        yield Fault("parts", why, mend.removesuffix(" --check"), outdated=True)
    for video in workplace.unaccounted():
        yield Fault(workplace.dag.footage.folder, f"neither it nor the quarantine holds video {video}", mend)
    if not todos:
        for task in undone(workplace.store, workplace.whole_tasks()):
            for name in _gone_of(workplace.store, task):
                yield Fault(name, "it is gone, or not as it was left", mend, (name,))


def _outdated(workplace: Workplace) -> list[str]:
    """Steps that have left nothing as they are now, but have as they were. Where a step over all parts was
    done since, from what they are now, that is no longer so: then what they left is gone.
    """
    store, dag = workplace.store, workplace.dag
    folders = store.names("parts")
    made = {folder.rpartition("-")[0] for folder in folders}
    new = [each.name for each in dag.steps if PurePosixPath(each.folder).name not in folders]
    done = [task.step for task in workplace.whole_tasks() if store.exists(f"{task.folder}/{OUTCOME}")]
    since = {above.name for step in done for above in step.ancestors}
    return [name for name in new if name in made and name not in since]


def _gone_of(store: Store, task: WholeTask) -> list[str]:
    """What an undone step over all parts would have left."""
    try:
        outcome = read_outcome(store, task)
    except (FileNotFoundError, Damaged):
        return [f"{task.folder}/{OUTCOME}"]
    there = store.names(task.folder)
    tables = [f"{each}.parquet" for each in task.step.kind.leaves(outcome)]
    gone = [f"{task.folder}/{each}" for each in tables if each not in there]
    return gone + (changed_files(store, outcome) if isinstance(outcome, Left) else [])


def _dataset_faults(store: Store, folder: str, mend: str, by_list: bool = True) -> Iterator[Fault]:
    def named(name: str) -> str:
        return name if folder == "." else f"{folder}/{name}"

    shards: dict[str, str] = {}
    try:
        contents = read_contents(store.read_bytes(named(MANIFEST)), MANIFEST)
        shards = {each.path: each.sha256 for each in contents.shards}
    except FileNotFoundError:
        yield Fault(named(MANIFEST), "it is gone", mend)
    except DatasetError as error:
        yield Fault(named(MANIFEST), str(error), mend)
    for wrong in wrong_files(store, folder, shards, by_list):
        yield Fault(named(wrong.name), wrong.why, mend)
