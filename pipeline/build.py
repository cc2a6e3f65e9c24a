"""A recipe and a folder -> a dataset: plan the parts, do what is missing, decide, publish."""

import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from rich.console import Console

from reelproof.pipeline.accounts.accounting import total_use
from reelproof.pipeline.accounts.memory import peak_rss_mb
from reelproof.pipeline.accounts.server_load import ServerLoad
from reelproof.pipeline.accounts.use_figures import use_figures
from reelproof.pipeline.curate import curate, curated
from reelproof.pipeline.dag import Dag
from reelproof.pipeline.disk.remembering import RememberingStore
from reelproof.pipeline.disk.sealed import sealed_json
from reelproof.pipeline.disk.side_by_side import begun
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import BuildFailed, UsageError
from reelproof.pipeline.health import find_faults, mended, take_away
from reelproof.pipeline.ingest import Again, ingest, save_ingested
from reelproof.pipeline.inputs.sources import list_sources
from reelproof.pipeline.parts.run_step import Receipt
from reelproof.pipeline.parts.todo import check_extras, teachers_of
from reelproof.pipeline.progress.run_progress import read_progress
from reelproof.pipeline.progress.run_summary import RUN, Kept, RunSummary
from reelproof.pipeline.recipe import Recipe
from reelproof.pipeline.recipe_changes import changed_settings, going_on
from reelproof.pipeline.steps.whole_set import POLICY
from reelproof.pipeline.teachers.kinds import TeacherConfig, check_teacher, servers_of_ours
from reelproof.pipeline.teachers.listener import check_engine
from reelproof.pipeline.teachers.vllm_settings import sharing_gpus
from reelproof.pipeline.workplace import Workplace, open_workplace, require_build
from reelproof.stages.teachers.protocol import TeacherUnavailable

SHOWN_CHANGES = 6
SHOWN_FAILURES = 5


def build(recipe: Recipe, out: str, again: Again, console: Console, check: bool = False) -> RunSummary:
    """Make the dataset that the recipe describes, doing only what is not done yet.

    What it finds damaged it makes again; with `check`, it reads every file first.

    Raises UsageError for what cannot be done as asked, BuildFailed where the work stopped short of its end.
    """
    started = time.monotonic()
    store = Store(out)
    recipe = going_on(store, recipe)
    listed = list_sources(recipe.sources)  # before a folder is made
    store.claim()
    receipts: list[Receipt] = []

    def work() -> RunSummary:
        ingested = ingest(store, recipe, listed, again, console.print)
        _tell_changes(list(changed_settings(store, recipe)), console)
        if not ingested.workplace.parts:
            told = "; ".join(f"{each.name}: {each.detail}" for each in ingested.lost[:SHOWN_FAILURES])
            raise BuildFailed(f"none of the sources could be read ({told}); mend them, and build again")
        workplace = ingested.workplace
        todos = workplace.todos()
        if recipe.cluster.scheduler is None:  # else workers have what they have
            check_extras(todos)
        if todos and recipe.speech and recipe.speech.engine:
            check_engine(recipe.speech.engine)
        checked = begun(partial(check_teachers, workplace.dag, teachers_of(todos)))

        def begin() -> None:
            nonlocal again
            for told in checked.result():
                console.print(told)
            save_ingested(ingested)
            again = Again()  # it is planned, should all this begin anew

        if todos:
            from reelproof.pipeline.work_through import work_through  # half a second that only work is worth

            if checked.done():
                checked.result()  # what is known to fail opens no cluster
            work_through(workplace, todos, console, receipts, begin)
        else:
            begin()
        receipts.extend(curate(workplace))  # what no cluster was opened for
        return summarise("build", started, workplace, receipts)

    with store.lock():
        if check:
            take_away(store, find_faults(store), console.print)
        return mended(store, work, console.print)


def _tell_changes(changed: Sequence[str], console: Console) -> None:
    if changed:
        more = f"; … and {len(changed) - SHOWN_CHANGES} more" if len(changed) > SHOWN_CHANGES else ""
        console.print("changed since the last build: " + "; ".join(changed[:SHOWN_CHANGES]) + more)


def refilter(build_dir: str, overrides: Sequence[str]) -> tuple[RunSummary, Recipe]:
    """Decide anew from the scores that a build left, and publish. Returns also the recipe as it is now.

    Raises UsageError where there is no build, or where the overrides call for more than deciding.
    """
    started = time.monotonic()
    store = RememberingStore(build_dir)
    require_build(store)
    with store.lock():
        workplace = open_workplace(store, overrides)
        receipts: list[Receipt] = []

        def work() -> RunSummary:
            memo: dict[str, Any] = {}
            receipts.extend(curate(workplace, until=POLICY.name, memo=memo))
            workplace.save_recipe()  # only now: a recipe that cannot be decided with must not stay behind
            receipts.extend(curate(workplace, memo=memo))
            return summarise("refilter", started, workplace, receipts)

        return mended(workplace.store, work), workplace.recipe


def check_teachers(dag: Dag, asked: Iterable[TeacherConfig]) -> list[str]:
    """Ask those of its teachers for a sign of life, before a video is decoded; returns what is worth telling.

    Raises UsageError.
    """
    try:
        sharing_gpus(servers_of_ours(cfgs := list(asked)))
        checked = [begun(partial(check_teacher, cfg, dag.needs_of(cfg))) for cfg in cfgs]
        return [told for each in checked if (told := each.result())]
    except TeacherUnavailable as error:
        raise UsageError(str(error)) from None


def summarise(command: str, started: float, workplace: Workplace, receipts: Sequence[Receipt]) -> RunSummary:
    """Write and return what the command did."""
    found = curated(workplace, receipts)
    use = total_use(receipt.use for receipt in receipts)
    servers = _servers(workplace) if use.needed else ()
    quarantined = workplace.quarantined()
    unread = sum(each.video_id.startswith("unread-") for each in quarantined)
    summary = RunSummary(
        command=command,
        seconds=round(time.monotonic() - started, 3),
        videos=len(workplace.sources) + unread,
        quarantined=len(quarantined),
        videos_decoded=sum(receipt.videos_decoded for receipt in receipts),
        teacher_calls=use.calls,
        completions_reused=use.reused,
        kept=Kept(sft=found.decided.sft, rl=found.decided.rl, dpo=found.decided.dpo),
        rejected=found.decided.rejected,
        traces=found.decided.traces,
        shards_written=found.written,
        shards_unchanged=found.unchanged,
        peak_rss_mb=round(max([peak_rss_mb(), *(receipt.peak_rss_mb for receipt in receipts)]), 1),
        dataset_sha256=found.published.dataset_sha256,
        use=use,
        figures=use_figures(use, servers),
        servers=servers,
    )
    workplace.store.write_bytes(RUN, sealed_json(summary, RUN))
    return summary


def _servers(workplace: Workplace) -> tuple[ServerLoad, ...]:
    """As they were last seen in this build."""
    progress = read_progress(workplace.store)
    return progress.servers if progress else ()
