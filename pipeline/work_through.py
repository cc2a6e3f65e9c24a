"""Parts with steps to do -> receipts: a cluster is opened, and every step that is missing is done on it."""

from collections.abc import Callable, Iterable, Sequence

from distributed import Client
from rich.console import Console

from reelproof.pipeline.cluster.asking_share import AskingShare, asking_workers
from reelproof.pipeline.cluster.loading import load_ahead
from reelproof.pipeline.cluster.local_or_remote import dashboard_of, open_cluster
from reelproof.pipeline.cluster.same_code import refuse_strangers
from reelproof.pipeline.cluster.schedule import StepFailed, run_todos, run_whole_tasks
from reelproof.pipeline.commands.forecast import parts_at_servers
from reelproof.pipeline.disk.files import absolute
from reelproof.pipeline.errors import BrokenHere, BuildFailed, Damaged
from reelproof.pipeline.parts.run_step import Receipt, ScannedAhead, StepBroken
from reelproof.pipeline.parts.todo import Todo, teachers_of
from reelproof.pipeline.parts.whole import undone
from reelproof.pipeline.progress.bars import show_progress
from reelproof.pipeline.progress.watch import ProgressWatch, watched_progress
from reelproof.pipeline.teachers.kinds import gpus_a_server, server_urls, teacher_plugins
from reelproof.pipeline.workplace import Workplace

SHOWN_FAILURES = 5


def work_through(
    workplace: Workplace,
    todos: Sequence[Todo],
    console: Console,
    receipts: list[Receipt],
    begin: Callable[[], None] = lambda: None,
) -> None:
    """Do every step that is missing, on the recipe's cluster, those over all parts last; add the receipts.

    `begin` is called once the cluster is there, before anything is done. Raises BuildFailed, the others being
    done, and Damaged where files could not be read.
    """
    teachers = teachers_of(todos)
    at_servers = parts_at_servers(workplace.recipe, todos)
    with open_cluster(workplace.recipe.cluster, gpus_a_server(teachers), at_servers) as client:
        if client.cluster:
            load_ahead(client, todos)
        begin()
        failures = _work_with(client, workplace, todos, console, receipts)
    _raise_if_any(failures)


def _work_with(
    client: Client,
    workplace: Workplace,
    todos: Sequence[Todo],
    console: Console,
    receipts: list[Receipt],
) -> list[StepFailed]:
    """Returns the steps that failed, and those that rest on them were not tried."""
    cluster, store = workplace.recipe.cluster, workplace.store
    failures: list[StepFailed] = []
    teachers = teachers_of(todos)
    with (
        show_progress(todos, console) as shown,
        watched_progress(store, client, todos, server_urls(teachers), shown.look, console.print) as progress,
    ):
        if cluster.scheduler is not None:
            refuse_strangers(client, store)
            client.register_plugin(AskingShare(asking_workers(client)))
        for plugin in teacher_plugins(teachers):
            client.register_plugin(plugin)
        is_shown = cluster.scheduler is not None or cluster.dashboard is not None
        if is_shown and (dashboard := dashboard_of(client)):
            console.print(f"dashboard: {dashboard}")

        def take(outcomes: Iterable[Receipt | ScannedAhead | StepFailed]) -> None:
            for outcome in outcomes:
                if isinstance(outcome, ScannedAhead):
                    progress.count_film(outcome.film_s)
                elif isinstance(outcome, StepFailed):
                    failures.append(outcome)
                    _count_failure(outcome, progress)
                else:
                    receipts.append(outcome)
                    progress.count(outcome)
                    shown.advance(outcome)

        url = absolute(store.url)  # workers have working folders of their own
        take(run_todos(client, todos, url, cluster.parts_ahead))
        if not failures:
            whole = undone(store, workplace.whole_tasks())
            take(run_whole_tasks(client, whole, workplace.parts, url))
    return failures


def _raise_if_any(failures: Sequence[StepFailed]) -> None:
    """Raise Damaged with all files that could not be read, or else BuildFailed."""
    errors = [each.error.damaged if isinstance(each.error, StepBroken) else each.error for each in failures]
    damaged = [each for each in errors if isinstance(each, Damaged)]
    if damaged:
        first, *others = damaged
        more = [name for each in others for name in (each.name, *each.with_it)]
        raise Damaged(first.place, first.name, first.why, *first.with_it, *more)
    if failures:
        raise BuildFailed(_explained(failures))


def _count_failure(failed: StepFailed, progress: ProgressWatch) -> None:
    """What it had asked for is paid for. Raises BuildFailed where it would fail on every part."""
    if isinstance(failed.error, BrokenHere):
        raise BuildFailed(str(failed.error))
    if isinstance(failed.error, StepBroken):
        progress.count_broken(failed.error.use)
        if failed.error.for_all:
            raise BuildFailed(f"{failed.step} works for no video here: {failed.error}")


def _explained(failures: Sequence[StepFailed]) -> str:
    """What was told of each, once, with where it happened."""
    places: dict[str, list[str]] = {}
    for each in failures:
        places.setdefault(str(each.error), []).append(f"{_where(each)}, {each.step}")
    told = [f"  {_first('; ', where)}: {what}" for what, where in places.items()]
    kept = "all else is kept, and the same command goes on from here"
    parts = {each.part for each in failures}
    what = "a step over all parts" if None in parts else f"{len(parts)} part(s)"
    return f"{what} could not be finished; {kept}:\n" + _first("\n", told)


def _first(separator: str, items: Sequence[str]) -> str:
    more = [f"… and {len(items) - SHOWN_FAILURES} more"] if len(items) > SHOWN_FAILURES else []
    return separator.join([*items[:SHOWN_FAILURES], *more])


def _where(failed: StepFailed) -> str:
    return "all parts" if failed.part is None else f"part {failed.part}"
