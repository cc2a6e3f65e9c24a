"""A recipe and a folder -> what a build would do there, why, and at what cost; nothing is run or written."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from pipeline.accounting import TeacherUse
from pipeline.completions import CompletionLog
from pipeline.ingest import ingest
from pipeline.part import PartInputs
from pipeline.part_files import read_metadata
from pipeline.recipe import Recipe
from pipeline.run_summary import RUN, RunSummary
from pipeline.schedule import Todo
from pipeline.step import Step
from pipeline.store import Store
from pipeline.workplace import RECIPE, Workplace

NOT_WORK = ("cluster", "limits", "parts", "max_quarantined_share")
"""Sections of the recipe that no step's result depends on."""


def dry_run(recipe: Recipe, out: str, retry_quarantined: bool, console: Console) -> None:
    """Print what would run. Raises UsageError and SourceError, as the build itself would."""
    store = Store(out)
    workplace = ingest(store, recipe, retry_quarantined, console.print).workplace
    todos = workplace.todos()
    changed = list(changed_settings(store, recipe))
    if changed:
        console.print("changed since the last build: " + "; ".join(changed), highlight=False, markup=False)
    if not todos:
        console.print("every step of every part is done; policy, shards and card would be made anew")
        return
    console.print(_table(workplace, todos))
    console.print(f"to decode: {_decode_text(workplace, todos)}", highlight=False)
    console.print(f"to ask: {_ask_text(workplace, todos)}", highlight=False)


def changed_settings(store: Store, recipe: Recipe) -> Iterator[str]:
    """`section.field: old -> new` of every setting in which the folder's build differs from the recipe."""
    if not store.exists(RECIPE):
        return
    before = dict(_leaves(yaml.safe_load(store.read_bytes(RECIPE))))
    now = dict(_leaves(recipe.model_dump(mode="json")))
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name) and not name.startswith(NOT_WORK):
            yield f"{name}: {before.get(name)} -> {now.get(name)}"


def _leaves(settings: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    items: Iterator[tuple[Any, Any]] | None = None
    if isinstance(settings, Mapping):
        items = iter(settings.items())
    elif isinstance(settings, list):
        items = iter(enumerate(settings))
    if items is None:
        yield name, settings
        return
    for key, value in items:
        yield from _leaves(value, f"{name}.{key}" if name else str(key))


def _table(workplace: Workplace, todos: Sequence[Todo]) -> Table:
    known = {step.name: _parts_known(workplace, step) for step in workplace.dag.steps}
    table = Table("step", "parts to do", "because", box=None, pad_edge=False)
    for step in workplace.dag.steps:
        mine = [todo.inputs.name for todo in todos if step in todo.steps]
        reasons = Counter(
            "settings or what is above changed" if name in known[step.name] else "not done yet"
            for name in mine
        )
        if mine:
            because = ", ".join(f"{reason} ({count})" for reason, count in reasons.items())
            table.add_row(step.name, f"{len(mine)} of {len(workplace.parts)}", because)
    return table


def _parts_known(workplace: Workplace, step: Step) -> set[str]:
    """Names of parts that the step did before, with whatever settings."""
    store = workplace.store
    folders = [name for name in store.names("parts") if name.rpartition("-")[0] == step.name]
    files = (name for folder in folders for name in store.names(f"parts/{folder}"))
    return {"-".join(name.removesuffix(".parquet").split("-")[:2]) for name in files}


def _decode_text(workplace: Workplace, todos: Sequence[Todo]) -> str:
    parts = [todo.inputs for todo in todos if workplace.dag.footage in todo.steps]
    sizes = [source.file.size_bytes for part in parts for source in part.sources]
    return f"{len(sizes)} videos, {sum(sizes) / 1e6:,.1f} MB"


def _ask_text(workplace: Workplace, todos: Sequence[Todo]) -> str:
    """Rollouts to ask, and what the logs hold; by other parts' average where questions are not known yet."""
    parts = [todo.inputs for todo in todos if any(step.name == "traces" for step in todo.steps)]
    if not parts:
        return "nothing"
    known = {
        part.name: count
        for part in workplace.parts
        if (count := _question_count(workplace, part)) is not None
    }
    per_video = _questions_per_video(workplace, known)
    unknown = [part for part in parts if part.name not in known]
    if unknown and per_video is None:
        return f"{len(parts)} parts; how many questions they have is not known before they are decoded"
    questions = sum(known.get(part.name, round(len(part.sources) * (per_video or 0))) for part in parts)
    logged = sum(len(CompletionLog(workplace.store.fs, _log(workplace, part)).ids()) for part in parts)
    calls = questions * workplace.recipe.rollouts.rollouts
    text = f"up to {calls:,} rollouts of {questions:,} questions; the logs hold {logged:,} completions"
    expected = _last_use(workplace.store).expected(calls)
    if expected is not None:
        text += (
            f"; like those of the last run, {expected.prompt_tokens + expected.completion_tokens:,} tokens"
        )
    return text


def _question_count(workplace: Workplace, part: PartInputs) -> int | None:
    path = workplace.dag.named("questions").file(part)
    return read_metadata(workplace.store, path).num_rows if workplace.store.exists(path) else None


def _questions_per_video(workplace: Workplace, known: Mapping[str, int]) -> float | None:
    videos = sum(len(part.sources) for part in workplace.parts if part.name in known)
    return sum(known.values()) / videos if videos else None


def _log(workplace: Workplace, part: PartInputs) -> str:
    return workplace.store.path(f"completions/{part.name}")


def _last_use(store: Store) -> TeacherUse:
    return RunSummary.model_validate_json(store.read_bytes(RUN)).use if store.exists(RUN) else TeacherUse()
