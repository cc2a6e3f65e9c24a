"""Receipts -> how far each step has come: bars on a terminal, plain lines elsewhere."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from reelproof.pipeline.parts.run_step import Receipt
from reelproof.pipeline.parts.todo import Todo

PLAIN_LINE_EVERY_S = 10.0

Advance = Callable[[Receipt], None]


@contextmanager
def show_progress(todos: Sequence[Todo], console: Console) -> Iterator[Advance]:
    """Call what it yields with each receipt."""
    totals = Counter(step.name for todo in todos for step in todo.steps)
    if console.is_terminal:
        with _bars(totals, console) as advance:
            yield advance
    else:
        yield _plain_lines(totals, console)


@contextmanager
def _bars(totals: Counter[str], console: Console) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description:<20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("parts"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as progress:
        bars = {name: progress.add_task(name, total=total, note="") for name, total in totals.items()}
        rows: Counter[str] = Counter()

        def advance(receipt: Receipt) -> None:
            if receipt.part is None:
                bars[receipt.step] = progress.add_task(receipt.step, total=1, note="over all parts")
                progress.update(bars[receipt.step], advance=1)
                return
            rows[receipt.step] += receipt.rows
            progress.update(bars[receipt.step], advance=1, note=f"{rows[receipt.step]:,} rows")

        yield advance


def _plain_lines(totals: Counter[str], console: Console) -> Advance:
    done: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    said_at = time.monotonic()

    def advance(receipt: Receipt) -> None:
        nonlocal said_at
        if receipt.part is None:
            console.print(f"{receipt.step}: over all parts, {receipt.seconds:.1f} s", highlight=False)
            return
        done[receipt.step] += 1
        rows[receipt.step] += receipt.rows
        finished = done[receipt.step] == totals[receipt.step]
        if finished or time.monotonic() - said_at > PLAIN_LINE_EVERY_S:
            said_at = time.monotonic()
            parts = f"{done[receipt.step]}/{totals[receipt.step]} parts"
            console.print(f"{receipt.step}: {parts}, {rows[receipt.step]:,} rows")

    return advance
