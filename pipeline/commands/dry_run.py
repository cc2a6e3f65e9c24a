"""A recipe and a folder -> what a build would do there, why, and at what cost; nothing is run or written."""

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from reelproof.pipeline.accounts.use_figures import tell_cost, tell_seconds, tell_size
from reelproof.pipeline.commands.forecast import Forecast, KnownQuestions, forecast
from reelproof.pipeline.dataset.part_files import read_metadata
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.ingest import Again, ingest
from reelproof.pipeline.inputs.sources import list_sources
from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.parts.step import PartStep, Step
from reelproof.pipeline.parts.todo import Todo
from reelproof.pipeline.parts.whole import WholeTask, is_done
from reelproof.pipeline.progress.run_progress import read_progress
from reelproof.pipeline.recipe import Recipe
from reelproof.pipeline.recipe_changes import changed_settings, going_on
from reelproof.pipeline.teachers.completions import CompletionLog
from reelproof.pipeline.workplace import Workplace
from reelproof.schemas.counted import counted

_CHANGED, _NEW = "settings or what is above changed", "not done yet"
_BESIDE = "questions, subtitles or retries changed"


def dry_run(recipe: Recipe, out: str, again: Again, console: Console) -> None:
    """Print what would run. Raises UsageError and SourceError, as the build itself would."""
    store = Store(out)
    store.require_free()
    recipe = going_on(store, recipe)
    workplace = ingest(store, recipe, list_sources(recipe.sources), again, console.print).workplace
    todos = workplace.todos()
    changed = list(changed_settings(store, recipe))
    if changed:
        console.print("changed since the last build: " + "; ".join(changed))
    whole = [task for task in workplace.whole_tasks() if not is_done(store, task)]
    if not todos and not whole:
        console.print("every step is done, over every part and over all")
        return
    console.print(_table(workplace, todos, whole))
    console.print(f"to decode: {_decode_text(workplace, todos)}")
    for line in tell_forecast(forecast_of(workplace, todos)):
        console.print(line)


def _table(workplace: Workplace, todos: Sequence[Todo], whole: Sequence[WholeTask]) -> Table:
    table = Table("step", "parts to do", "because", box=None, pad_edge=False)
    for step in workplace.dag.steps:
        mine = [todo.inputs.name for todo in todos if step in todo.steps]
        known = _parts_known(workplace, step)
        reasons = Counter(known.get(name, _NEW) for name in mine)
        if mine:
            because = ", ".join(f"{reason} ({count})" for reason, count in reasons.items())
            table.add_row(step.name, f"{len(mine)} of {len(workplace.parts)}", because)
    before = {name.rpartition("-")[0] for name in workplace.store.names("whole")}
    for task in whole:
        known_before = task.step.name in before
        table.add_row(task.step.name, "over all", _CHANGED if known_before else _NEW)
    return table


def _parts_known(workplace: Workplace, step: Step[PartStep]) -> dict[str, str]:
    """Names of parts that the step did before -> why that counts no more."""
    store = workplace.store
    folders = [f"parts/{name}" for name in store.names("parts") if name.rpartition("-")[0] == step.name]
    found = {}
    for folder in sorted(folders, key=lambda each: each == step.folder):  # its own last
        for file in store.names(folder):
            name = "-".join(file.removesuffix(".parquet").split("-")[:2])
            found[name] = _BESIDE if folder == step.folder else _CHANGED
    return found


def _decode_text(workplace: Workplace, todos: Sequence[Todo]) -> str:
    parts = [todo.inputs for todo in todos if workplace.dag.footage in todo.steps]
    sizes = [source.file.size_bytes for part in parts for source in part.sources]
    return f"{counted(len(sizes), 'video')}, {tell_size(sum(sizes))}" if sizes else "nothing"


def forecast_of(workplace: Workplace, todos: Sequence[Todo]) -> Forecast:
    """What the steps to do are expected to take, from what the folder knows."""
    counted = {
        part.name: count
        for part in workplace.parts
        if (count := _question_count(workplace, part)) is not None
    }
    videos = sum(len(part.sources) for part in workplace.parts if part.name in counted)
    logged = sum(len(CompletionLog(workplace.store.fs, _log(workplace, each.inputs)).ids()) for each in todos)
    before = read_progress(workplace.store)
    return forecast(workplace.recipe, todos, KnownQuestions(counted, videos), before, logged)


def tell_forecast(found: Forecast) -> Iterator[str]:
    """A forecast in lines for a person."""
    if not found.steps:
        yield "to ask: nothing"
    for each in found.steps:
        tokens = f"{each.prompt_tokens:,} tokens in, {each.completion_tokens:,} out"
        bound = "as in earlier builds" if each.measured else "at most"
        cost = "" if each.cost is None else f", cost {tell_cost(each.cost)}"
        how = "at most " if each.at_most else "" if each.counted else "about "
        calls = f"{how}{counted(each.calls, 'completion')}"
        yield f"to ask, {each.step}: {calls}; {bound} {tokens}{cost}"
    if found.steps:
        prompt, completion = found.tokens
        cost = "no price given" if found.cost is None else f"cost {tell_cost(found.cost)}"
        yield (
            f"to ask in all: {counted(found.calls, 'completion')}, "
            f"{prompt:,} tokens in, {completion:,} out, {cost}; "
            f"the logs hold {counted(found.logged, 'completion')}, and what they hold is not asked for again"
        )
    known = found.seconds is not None
    yield f"time: about {tell_seconds(found.seconds or 0)}" if known else "time: no earlier build tells"


def _question_count(workplace: Workplace, part: PartInputs) -> int | None:
    path = workplace.dag.named("questions").file(part)
    return read_metadata(workplace.store, path).num_rows if workplace.store.exists(path) else None


def _log(workplace: Workplace, part: PartInputs) -> str:
    return workplace.store.path(part.part.completions)
