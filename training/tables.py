"""Figures with their intervals -> a Markdown table and a plot."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reelproof.schemas.intervals import Interval


class Point(NamedTuple):
    """One named measurement at a cost."""

    name: str
    cost: float
    accuracy: Interval
    curve: tuple[tuple[float, ...], ...] = ()
    """Other costs, each with what it brings."""


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its columns aligned for reading as text."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |\n"
        for row in (head, *rows)
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|\n")
    return "".join(lines)


def plot_points(points: Sequence[Point], file: Path, cost_name: str, value_name: str) -> None:
    """Accuracy with its interval against cost, on a logarithmic axis, and the curve of each that has one."""
    figure, axes = new_figure(7, 4.5)
    for point in points:
        low, high = point.accuracy.value - point.accuracy.low, point.accuracy.high - point.accuracy.value
        drawn = axes.errorbar(point.cost, point.accuracy.value, [[low], [high]], fmt="o", capsize=3)
        if point.curve:
            axes.plot(
                *zip(*sorted(point.curve), strict=True), "-", alpha=0.6, color=drawn.lines[0].get_color()
            )
        axes.annotate(
            point.name, (point.cost, point.accuracy.value), xytext=(6, 4), textcoords="offset points"
        )
    axes.set_xscale("log")
    axes.set_xlabel(cost_name)
    axes.set_ylabel(value_name)
    axes.grid(alpha=0.3)
    figure.savefig(file, dpi=110, metadata={"Software": None})


def new_figure(width: float, height: float) -> tuple[Figure, Any]:
    """An empty one, its size in inches, and its axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()
