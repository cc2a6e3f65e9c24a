"""An audit's report -> its pictures: rows by kind, letters of the key, what is right without looking."""

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np

from reelproof.pipeline.audit.report import AuditReport
from reelproof.pipeline.dataset.plots import ALL, INK, KEPT, LINE, STYLE, Drawing, canvas, picture_of


def draw_audit(report: AuditReport) -> Iterator[tuple[str, str, bytes]]:
    """Name, caption and PNG of each picture that there is something to show in."""
    with mpl.rc_context(STYLE):
        drawings = [draw(report) for draw in (_kinds, _letters, _baselines)]
        for drawing in drawings:
            if drawing:
                yield drawing.name, drawing.caption, picture_of(drawing.figure)


def _kinds(report: AuditReport) -> Drawing | None:
    if not report.kinds:
        return None
    names = [each.kind.replace("_", " ") for each in report.kinds]
    shares = [100 * each.share for each in report.kinds]
    figure, axes = canvas(height=1.2 + 0.34 * len(names))
    axes.barh(names, shares, color=LINE)
    for place, each in enumerate(report.kinds):
        if each.low is not None and each.high is not None:
            axes.plot([100 * each.low, 100 * each.high], [place, place], color=INK, linewidth=1)
        axes.text(max(shares[place], 100 * (each.high or 0)), place, f" {each.rows:,}", va="center")
    axes.invert_yaxis()
    axes.set_xlabel("% of the rows for which it could be told")
    axes.margins(x=0.12)
    return Drawing("kinds", "Rows by what is wrong with them; the line is the 95 % interval.", figure)


def _letters(report: AuditReport) -> Drawing | None:
    key = next((each for each in report.answer_keys if each.letters), None)
    if key is None:
        return None
    figure, axes = canvas(height=2.8)
    places = np.arange(len(key.letters))
    axes.bar(places, [each.right for each in key.letters], color=LINE if key.alarm else KEPT, label="right")
    axes.step(
        np.append(places, len(places)) - 0.5,
        [*(each.expected for each in key.letters), key.letters[-1].expected],
        where="post", color=INK, linewidth=1, label="expected by chance",
    )  # fmt: skip
    axes.set_xticks(places, [each.letter for each in key.letters])
    axes.set_ylabel("questions")
    axes.legend(frameon=False)
    return Drawing("letters", "How often each option letter is the right one.", figure)


def _baselines(report: AuditReport) -> Drawing | None:
    told = report.baselines
    if not told:
        return None
    figure, axes = canvas(height=1.2 + 0.34 * len(told))
    places = np.arange(len(told))
    colours = [LINE if each.alarm else ALL for each in told]
    axes.barh(places, [100 * each.score for each in told], color=colours)
    axes.set_yticks(places, [each.how.replace("_", " ") for each in told])
    for place, each in enumerate(told):
        if each.low is not None and each.high is not None:
            axes.plot([100 * each.low, 100 * each.high], [place, place], color=INK, linewidth=1)
        if each.chance is not None:
            axes.plot([100 * each.chance] * 2, [place - 0.4, place + 0.4], color=INK, linewidth=2)
    axes.invert_yaxis()
    axes.set_xlabel("% right; the bar across is what chance gives, red is more than it explains")
    return Drawing("baselines", "What is right without looking at a film.", figure)
