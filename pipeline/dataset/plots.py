"""Stats and measurements -> the pictures of a card: yield, scores, thresholds, tasks, scenes, probes."""

import hashlib
import io
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reelproof.pipeline.dataset.reading import open_dataset
from reelproof.pipeline.dataset.stats_files import (
    PLOTS,
    Plot,
    PlotList,
    known_stats,
    put_file,
    stats_sha256,
)
from reelproof.pipeline.dataset.sweep import sweeps
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.stats import Histogram, Stats, VerifierTrust
from reelproof.stages.measurements import complete
from reelproof.stages.rates import BLIND_PASS_RATE, PASS_RATE, above_luck

KEPT, ALL, LINE, INK, PAPER = "#1b7f79", "#b9c4cc", "#c8452f", "#1f2a33", "#ffffff"
RL = "#5b6f9e"
"""Dark on an opaque light ground: legible on light and on dark pages."""

SWEPT = ("max_blind_pass_rate", "min_grounded_share", "max_repetition")
"""Policy fields whose range 0 … 1 is swept."""
SWEPT_VALUES = 11

STYLE: Any = {
    "figure.facecolor": PAPER, "axes.facecolor": PAPER, "savefig.facecolor": PAPER, "text.color": INK,
    "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "font.size": 10,
    "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "reelproof",
}  # fmt: skip


class Drawing(NamedTuple):
    """A picture, and what is said under it."""

    name: str
    caption: str
    figure: Figure


def write_plots(store: Store, rows: Collection[pl.DataFrame]) -> tuple[Plot, ...]:
    """Leave `plots/*.png` and their list beside the stats that they show.

    `rows` are the measurements of those that count, some parts' at a time. Raises UsageError where there are
    no stats.
    """
    manifest, stats = open_dataset(store).manifest(), known_stats(store)
    with mpl.rc_context(STYLE):
        drawings = draw_all(stats, rows, manifest.policy)
        pictures = [(f"plots/{each.name}.png", picture_of(each.figure)) for each in drawings]
    side_by_side(store, lambda each: put_file(store, f"dataset/{each[0]}", each[1]), pictures)
    plots = [
        Plot(file=file, caption=each.caption, sha256=hashlib.sha256(picture).hexdigest())
        for each, (file, picture) in zip(drawings, pictures, strict=True)
    ]
    listed = PlotList(stats_sha256=stats_sha256(stats), plots=tuple(plots))
    put_file(store, f"dataset/{PLOTS}", (listed.model_dump_json(indent=2) + "\n").encode())
    return listed.plots


def picture_of(figure: Figure) -> bytes:
    """A figure as PNG; the same bytes for the same figure."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110, metadata={"Software": None})
    return picture.getvalue()


def draw_all(stats: Stats, rows: Collection[pl.DataFrame], policy: PolicyConfig) -> list[Drawing]:
    """All pictures that there is something to show in."""
    drawings = [draw_funnel(stats), draw_tasks(stats), draw_scores(stats)]
    drawings.append(draw_sweep(rows, policy))
    if stats.build.scenes:
        drawings.append(draw_scene_lengths(stats.build.scene_lengths_s))
    if any(each.reliability for each in stats.build.verifiers):
        drawings.append(draw_reliability(stats.build.verifiers))
    if any(complete(each)["blind_passes"].count() for each in rows):
        drawings.append(draw_blind(rows, policy))
    return drawings


def draw_funnel(stats: Stats) -> Drawing:
    """Traces left after each rule that applies to any."""
    rules = [each for each in stats.policy.funnel if each.set == "sft" and each.fires]
    names = ["all traces", *(each.rule.replace("_", " ") for each in rules)]
    left = [stats.policy.traces, *(each.left for each in rules)]
    figure, axes = canvas(height=1.2 + 0.34 * len(names))
    axes.barh(names, left, color=[ALL] * (len(left) - 1) + [KEPT])
    axes.invert_yaxis()
    for place, count in enumerate(left):
        axes.text(count, place, f" {count:,}", va="center")
    axes.set_xlabel("traces left after this rule and all above it")
    axes.margins(x=0.12)
    return Drawing("funnel", "Traces left after each rule of the policy, in its order.", figure)


def draw_tasks(stats: Stats) -> Drawing:
    """Questions by task, stacked by where they come from."""
    tasks = sorted({each.task for each in stats.policy.kinds})
    figure, axes = canvas(height=1.4 + 0.4 * len(tasks))
    left = np.zeros(len(tasks))
    colours = {"computed": KEPT, "given": "#5b6f9e", "asked": "#d6a13b"}
    for source, colour in colours.items():
        mine = [each for each in stats.policy.kinds if each.source == source]
        counts = np.array([sum(each.questions for each in mine if each.task == task) for task in tasks])
        if counts.any():
            axes.barh(
                [task.replace("_", " ") for task in tasks], counts, left=left, color=colour, label=source
            )
            left = left + counts
    axes.invert_yaxis()
    axes.set_xlabel("questions")
    axes.legend(frameon=False)
    return Drawing("tasks", "Questions by task and source.", figure)


def draw_scores(stats: Stats) -> Drawing:
    """A histogram of each measurement, with the policy's threshold."""
    shown = stats.policy.histograms
    figure, panels = _panels(len(shown), columns=2, height=2.1, below=0.55)
    for axes, histogram in zip(panels, shown, strict=True):
        _bars(axes, histogram)
        axes.set_title(histogram.column.replace("_", " "), fontsize=10, loc="left")
        if histogram.threshold is not None and histogram.low <= histogram.threshold <= histogram.high:
            axes.axvline(histogram.threshold, color=LINE, linewidth=1.5, label="threshold")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=3, frameon=False)
    return Drawing(
        "scores", "Measurements of all traces and of those kept, with the thresholds drawn in.", figure
    )


def draw_sweep(rows: Collection[pl.DataFrame], policy: PolicyConfig) -> Drawing:
    """Rows kept in `sft` as one threshold moves and the others stay."""
    figure, panels = _panels(len(SWEPT), columns=3, height=2.6)
    values = np.linspace(0, 1, SWEPT_VALUES).round(6).tolist()
    for axes, (setting, found) in zip(
        panels, sweeps(rows, policy, dict.fromkeys(SWEPT, values)).items(), strict=True
    ):
        _sweep_curves(axes, found, setting, getattr(policy, setting), ("sft",))
    return Drawing(
        "sweep", "Rows in `sft` as one threshold moves; the line is where the policy stands.", figure
    )


def sweep_picture(found: pl.DataFrame, setting: str, policy: PolicyConfig) -> bytes:
    """What `sweep` found of one setting, as PNG: rows in `sft` and in `rl`, and where the policy stands."""
    name = setting.removeprefix("policy.")
    with mpl.rc_context(STYLE):
        figure, axes = canvas(height=3.6)
        _sweep_curves(axes, found, name, getattr(policy, name), ("sft", "rl"))
        axes.set_ylabel("rows kept")
        axes.legend(frameon=False)
        return picture_of(figure)


def _sweep_curves(
    axes: Axes, found: pl.DataFrame, setting: str, standing: object, cuts: tuple[str, ...]
) -> None:
    for cut, colour in zip(cuts, (KEPT, RL), strict=False):
        axes.plot(found["value"], found[cut], color=colour, marker="o", markersize=3, label=cut)
    if isinstance(standing, (int, float)):  # a quota may be none
        axes.axvline(standing, color=LINE, linewidth=1.5)
    axes.set_title(setting.replace("_", " "), fontsize=10, loc="left")
    axes.set_ylim(bottom=0)


def draw_scene_lengths(lengths: Histogram) -> Drawing:
    """How long scenes are."""
    figure, axes = canvas(height=2.8)
    _bars(axes, lengths)
    axes.set_xlabel(f"seconds (the last bar holds all from {lengths.high - _width(lengths):g} s up)")
    axes.set_ylabel("scenes")
    return Drawing("scene_lengths", "Lengths of the scenes.", figure)


def draw_reliability(verifiers: Iterable[VerifierTrust]) -> Drawing:
    """How often claims were true against how far they were believed; who is right lies on the diagonal."""
    figure, axes = canvas(height=4.0, width=5.0)
    axes.plot([0, 1], [0, 1], color=ALL, linestyle="--")
    for each in verifiers:
        bins = [held for held in each.reliability if held.claims]
        if bins:
            believed, true = (
                [getattr(held, name) / held.claims for held in bins] for name in ("believed", "true")
            )
            name = each.verifier.partition("@")[0]
            axes.plot(believed, true, marker="o", label=f"{name}, {each.subject}", alpha=0.8)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="belief", ylabel="share of claims that are true")
    axes.legend(frameon=False, fontsize=8)
    return Drawing("reliability", "Verifiers' calibrated beliefs, and how often they were right.", figure)


def draw_blind(rows: Iterable[pl.DataFrame], policy: PolicyConfig) -> Drawing:
    """Pass rate with the frames against pass rate without, a circle for each pair of rates."""
    told = {"blind": BLIND_PASS_RATE, "shown": PASS_RATE, "guessed": above_luck(policy, "blind")}
    asked = [complete(each).unique("question_id").select(**told).drop_nulls() for each in rows]
    found = pl.concat([each.group_by("blind", "shown", "guessed").len() for each in asked])
    counted = found.group_by("blind", "shown", "guessed").agg(pl.col("len").sum())
    counted = counted.sort("blind", "shown", "guessed")
    figure, axes = canvas(height=4.6, width=5.4)
    areas = 700 * counted["len"] / max(counted["len"].max() or 1, 1)
    colours = [LINE if guessed else KEPT for guessed in counted["guessed"]]
    axes.scatter(counted["blind"], counted["shown"], s=areas, color=colours, alpha=0.7)
    axes.plot([0, 1], [0, 1], color=ALL, linewidth=1, zorder=0)
    axes.set(
        xlim=(-0.07, 1.07),
        ylim=(-0.07, 1.07),
        xlabel="pass rate without frames",
        ylabel="pass rate with frames",
    )
    caption = "Questions by pass rate with and without frames; the red ones count as answered blind."
    return Drawing("blind", caption, figure)


def canvas(height: float, width: float = 8.0) -> tuple[Figure, Axes]:
    """A figure of so many inches with one pair of axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _panels(count: int, columns: int, height: float, below: float = 0.0) -> tuple[Figure, list[Axes]]:
    """Axes side by side in rows of so many inches, with room for a title and for ticks about each.

    Where everything lies is said here: a layout that measures every label draws the figure twice.
    """
    rows = -(-count // columns)
    width, total = 8.0, rows * height + below
    figure = Figure(figsize=(width, total))
    figure.subplots_adjust(
        left=0.6 / width,
        right=1 - 0.15 / width,
        bottom=(below + 0.3) / total,
        top=1 - 0.3 / total,
        wspace=0.6 / (width / columns - 0.6),
        hspace=0.65 / (height - 0.65),
    )
    return figure, [figure.add_subplot(rows, columns, place + 1) for place in range(count)]


def _bars(axes: Axes, histogram: Histogram) -> None:
    edges = np.linspace(histogram.low, histogram.high, len(histogram.all) + 1)
    axes.stairs(histogram.all, edges, fill=True, color=ALL, label="all traces")
    if histogram.kept:
        axes.stairs(histogram.kept, edges, fill=True, color=KEPT, label="kept in sft")


def _width(histogram: Histogram) -> float:
    return (histogram.high - histogram.low) / len(histogram.all)
