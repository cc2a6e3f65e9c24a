"""A recipe and a folder -> a dataset: plan the parts, do what is missing, decide, publish."""

import time
from collections.abc import Sequence

from rich.console import Console

from pipeline.cluster import open_cluster
from pipeline.errors import BuildFailed
from pipeline.ingest import ingest, save_ingested
from pipeline.progress import show_progress
from pipeline.recipe import Recipe
from pipeline.schedule import StepFailed, Todo, run_todos
from pipeline.store import Store
from pipeline.work import Receipt
from pipeline.workplace import Workplace

SHOWN_FAILURES = 5


def build(recipe: Recipe, out: str, retry_quarantined: bool, console: Console) -> list[Receipt]:
    """Make the dataset that the recipe describes, doing only what is not done yet.

    Raises UsageError for what cannot be done as asked, BuildFailed where the work stopped short of its end.
    """
    started = time.monotonic()
    store = Store(out)
    store.claim()
    with store.lock():
        ingested = ingest(store, recipe, retry_quarantined, console.print)
        save_ingested(ingested)
        workplace = ingested.workplace
        receipts = work_through(workplace, workplace.todos(), console)
    print(time.monotonic()-started)
    return receipts


def work_through(workplace: Workplace, todos: Sequence[Todo], console: Console) -> list[Receipt]:
    """Do every step that is missing, on the recipe's cluster. Raises BuildFailed after the others are done."""
    if not todos:
        return []
    cluster = workplace.recipe.cluster
    receipts: list[Receipt] = []
    failures: list[StepFailed] = []
    with open_cluster(cluster) as client, show_progress(todos, console) as advance:
        console.print(f"dashboard: {client.dashboard_link}", highlight=False)
        for outcome in run_todos(client, todos, workplace.store.url, cluster.parts_ahead):
            if isinstance(outcome, StepFailed):
                failures.append(outcome)
            else:
                receipts.append(outcome)
                advance(outcome)
    if failures:
        raise BuildFailed(_explained(failures))
    return receipts


def _explained(failures: Sequence[StepFailed]) -> str:
    lines = [f"  part {each.part}, {each.step}: {each.error}" for each in failures[:SHOWN_FAILURES]]
    if len(failures) > SHOWN_FAILURES:
        lines.append(f"  … and {len(failures) - SHOWN_FAILURES} more")
    kept = "all else is kept, and the same command goes on from here"
    return "\n".join([f"{len(failures)} part(s) could not be finished; {kept}:", *lines])
