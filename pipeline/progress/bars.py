"""Receipts, and looks at what goes on -> how far each step has come: bars on a terminal, lines elsewhere."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from reelproof.pipeline.accounts.use_figures import tell_seconds
from reelproof.pipeline.parts.run_step import Receipt
from reelproof.pipeline.parts.todo import Todo
from reelproof.pipeline.progress.run_progress import RunProgress
from reelproof.schemas.counted import counted

PLAIN_LINE_EVERY_S = 10.0
_TOGETHER = "all steps"


class Shown(NamedTuple):
    """What is called as a build goes on."""

    advance: Callable[[Receipt], None]
    """With each receipt."""
    look: Callable[[RunProgress], None]
    """Every few seconds, with what steps are at inside their parts."""


@contextmanager
def show_progress(todos: Sequence[Todo], console: Console) -> Iterator[Shown]:
    """A bar a step where the console is a terminal, else a line now and then."""
    totals = Counter(step.name for todo in todos for step in todo.steps)
    if console.is_terminal:
        with _bars(totals, console) as shown:
            yield shown
    else:
        yield _plain_lines(totals, console)


@contextmanager
def _bars(totals: Counter[str], console: Console) -> Iterator[Shown]:
    columns = (
        TextColumn("{task.description:<17}"),
        BarColumn(bar_width=10),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as progress:
        bars = {name: progress.add_task(name, total=total, note="") for name, total in totals.items()}
        if totals:
            bars[_TOGETHER] = progress.add_task(_TOGETHER, total=totals.total(), note="")
        rows: Counter[str] = Counter()

        def done(step: str) -> str:
            return counted(rows[step], "row") if step in rows else ""

        def advance(receipt: Receipt) -> None:
            if receipt.part is None:
                bars[receipt.step] = progress.add_task(receipt.step, total=1, note="over all parts")
                progress.update(bars[receipt.step], advance=1)
                return
            rows[receipt.step] += receipt.rows
            progress.update(bars[receipt.step], advance=1, note=done(receipt.step))
            progress.update(bars[_TOGETHER], advance=1)

        def look(now: RunProgress) -> None:
            at_work = now.at_work.by_step()
            for step in totals:
                told = at_work[step].told if step in at_work else ""
                progress.update(bars[step], note="; ".join(filter(None, (done(step), told))))
            if totals:
                passed = tell_seconds(now.updated_s - now.started_s)
                progress.update(bars[_TOGETHER], note=f"{passed}, {now.told_left}")

        yield Shown(advance, look)


def _plain_lines(totals: Counter[str], console: Console) -> Shown:
    done: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    said_at = time.monotonic()

    def is_time() -> bool:
        nonlocal said_at
        if time.monotonic() - said_at <= PLAIN_LINE_EVERY_S:
            return False
        said_at = time.monotonic()
        return True

    def advance(receipt: Receipt) -> None:
        nonlocal said_at
        if receipt.part is None:
            console.print(f"{receipt.step}: over all parts, {receipt.seconds:.1f} s", highlight=False)
            return
        done[receipt.step] += 1
        rows[receipt.step] += receipt.rows
        if done[receipt.step] == totals[receipt.step] or is_time():
            said_at = time.monotonic()
            parts = f"{done[receipt.step]}/{totals[receipt.step]} parts"
            console.print(f"{receipt.step}: {parts}, {counted(rows[receipt.step], 'row')}")

    def look(now: RunProgress) -> None:
        told = [f"{step}: {each.told}" for step, each in now.at_work.by_step().items() if each.told]
        if told and is_time():
            console.print(f"{'; '.join(told)}; {now.told_left}", highlight=False)

    return Shown(advance, look)
