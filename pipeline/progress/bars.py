"""Receipts -> how far each step has come: bars on a terminal, plain lines elsewhere."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

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
FIRST = "footage"
"""The step that may take minutes for one film."""


class Shown(NamedTuple):
    """What is called as a build goes on."""

    advance: Callable[[Receipt], None]
    """With each receipt."""
    film: Callable[[float], None]
    """With the seconds of film that were scanned so far, every few seconds."""


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

        def film(seconds: float) -> None:
            if seconds and FIRST in bars and not rows[FIRST]:
                progress.update(bars[FIRST], note=f"{seconds:,.0f} s of film")

        yield Shown(advance, film)


def _plain_lines(totals: Counter[str], console: Console) -> Shown:
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

    def film(seconds: float) -> None:
        nonlocal said_at
        if seconds > 0 and done[FIRST] < totals[FIRST] and time.monotonic() - said_at > PLAIN_LINE_EVERY_S:
            said_at = time.monotonic()
            console.print(f"{FIRST}: {seconds:,.0f} s of film scanned")

    return Shown(advance, film)
