"""Figures with their intervals -> a Markdown table and a plot."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from schemas.intervals import Interval


class Point(NamedTuple):
    """One named measurement at a cost."""

    name: str
    cost: float
    accuracy: Interval


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its columns aligned for reading as text."""
    widths = [max(len(str(row[column])) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in (head, *rows)
    ]
    rule = "|".join("-" * (width + 2) for width in widths)
    return (
        "\n".join(
            f"| {lines[0]} |\n|{rule}|" if not place else f"| {line} |" for place, line in enumerate(lines)
        )
        + "\n"
    )


def plot_points(points: Sequence[Point], file: Path, cost_name: str, value_name: str) -> None:
    """Accuracy with its interval against cost, on a logarithmic axis."""
    figure, axes = _figure(7, 4.5)
    for point in points:
        low, high = point.accuracy.value - point.accuracy.low, point.accuracy.high - point.accuracy.value
        axes.errorbar(point.cost, point.accuracy.value, [[low], [high]], fmt="o", capsize=3)
        axes.annotate(
            point.name, (point.cost, point.accuracy.value), xytext=(6, 4), textcoords="offset points"
        )
    axes.set_xscale("log")
    axes.set_xlabel(cost_name)
    axes.set_ylabel(value_name)
    axes.grid(alpha=0.3)
    figure.savefig(file, dpi=110, metadata={"Software": None})


def plot_bars(names: Sequence[str], values: Sequence[Interval], file: Path, value_name: str) -> None:
    """One bar a name, with its interval."""
    figure, axes = _figure(8, 0.45 * len(names) + 1.2)
    places = range(len(names))
    errors = [[each.value - each.low for each in values], [each.high - each.value for each in values]]
    axes.barh(places, [each.value for each in values], xerr=errors, capsize=3, color="#5b8db8")
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel(value_name)
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(file, dpi=110, metadata={"Software": None})


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()
