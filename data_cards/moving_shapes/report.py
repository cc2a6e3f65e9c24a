"""Every seed's answers -> study.json, study.md, study.png: accuracy, intervals, paired differences."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from over_seeds import mean_over_seeds, paired_difference

from reelproof.schemas.intervals import Interval
from reelproof.training.tables import new_figure, text_table

ARMS = (
    "base",
    "sft_raw",
    "sft_raw_same_budget",
    "sft_random",
    "sft_curated",
    "sft_curated_more",
    "sft_curated_rl",
    "sft_curated_rl_outcome_only",
    "sft_curated_rl_vote8",
    "sft_curated_rl_weighted8",
    "sft_direct",
)
CONTROLS = (
    "sft_curated_sample1",
    "sft_curated_vote8",
    "sft_curated_weighted8",
    "sft_curated_rl_sample1",
    "sft_curated_rl_best8",
    "noise_sft_raw",
    "noise_sft_curated",
)
PAIRS = (
    ("sft_curated", "sft_raw"),
    ("sft_curated", "sft_raw_same_budget"),
    ("sft_curated", "sft_random"),
    ("noise_sft_curated", "noise_sft_raw"),
    ("sft_curated", "sft_direct"),
    ("sft_curated_rl", "sft_curated"),
    ("sft_curated_rl", "sft_curated_more"),
    ("sft_curated_rl", "sft_curated_rl_outcome_only"),
    ("sft_curated_vote8", "sft_curated_sample1"),
    ("sft_curated_vote8", "sft_curated"),
    ("sft_curated_weighted8", "sft_curated_vote8"),
    ("sft_curated_rl_vote8", "sft_curated_rl_sample1"),
    ("sft_curated_rl_vote8", "sft_curated_rl"),
    ("sft_curated_rl_weighted8", "sft_curated_rl_vote8"),
    ("sft_curated_rl_weighted8", "sft_curated_rl"),
    ("sft_curated_rl_weighted8", "sft_raw"),
)
WATCHED = ("sft_curated", "sft_curated_more", "sft_curated_rl", "sft_curated_rl_outcome_only")
"""Runs whose accuracy on the development set is shown as it went."""


class Arm(NamedTuple):
    """One arm over all seeds, each (seeds, questions)."""

    right: list[list[float]]
    cited: list[list[float]] | None


def write_report(out: Path, card: Path, seeds: Sequence[int]) -> None:
    """Write the figures of the seeds whose arms are there into the card's folder."""
    arms = {name: arm for name in (*ARMS, *CONTROLS) if (arm := _read(out, name, seeds)) is not None}
    summary = {name: _summary(arm) for name, arm in arms.items()}
    _write(card / "study.json", {name: summary[name] for name in ARMS if name in summary})
    pairs = {
        f"{one} - {other}": _gap(arms[one].right, arms[other].right)
        for one, other in PAIRS
        if {one, other} <= {*arms}
    }
    cited = {
        f"{one} - {other}": _gap(arms[one].cited, arms[other].cited)
        for one, other in PAIRS
        if {one, other} <= {*arms} and arms[one].cited and arms[other].cited
    }
    controls = {name: summary[name] for name in CONTROLS if name in summary}
    _write(
        card / "study_details.json",
        {
            "controls": controls,
            "accuracy_differences": pairs,
            "citation_differences": cited,
            "accuracy_by_seed": {name: [_mean(seed) for seed in arm.right] for name, arm in arms.items()},
            "training_cpu_seconds": _seconds(out, seeds),
            "development_accuracy": {name: _progress(out, name, seeds) for name in WATCHED},
            "commands": [json.loads(line) for line in (out / "commands.jsonl").open()],
        },
    )
    (card / "study.md").write_text(_markdown(summary, pairs, cited))
    intervals = [Interval(each["accuracy"], each["low"], each["high"]) for each in summary.values()]
    _plot_bars(
        list(summary), intervals, card / "study.png", "test accuracy, 95 % interval over seeds and questions"
    )


def _read(out: Path, name: str, seeds: Sequence[int]) -> Arm | None:
    files = [out / f"seed-{seed}" / f"{name}.json" for seed in seeds]
    held = [json.loads(file.read_text()) for file in files if file.is_file()]
    if len(held) < len(seeds):
        return None
    cited = [each["cited"] for each in held]
    return Arm([each["right"] for each in held], None if None in cited else cited)


def _summary(arm: Arm) -> dict[str, float]:
    accuracy = mean_over_seeds(arm.right)
    cited = None if arm.cited is None else round(sum(map(_mean, arm.cited)) / len(arm.cited), 4)
    return {
        "accuracy": round(accuracy.value, 4),
        "low": round(accuracy.low, 4),
        "high": round(accuracy.high, 4),
        "citation_accuracy": cited,
        "n": len(arm.right[0]),
        "seeds": len(arm.right),
    }


def _gap(ours, theirs) -> dict[str, float]:  # type: ignore[no-untyped-def]
    gap = paired_difference(ours, theirs)
    return {"difference": round(gap.value, 4), "low": round(gap.low, 4), "high": round(gap.high, 4)}


def _markdown(summary, pairs, cited) -> str:  # type: ignore[no-untyped-def]
    rows = [
        [
            name,
            f"{each['accuracy']:.3f}",
            f"{each['low']:.3f}–{each['high']:.3f}",
            "–" if each["citation_accuracy"] is None else f"{each['citation_accuracy']:.3f}",
            str(each["n"]),
            str(each["seeds"]),
        ]
        for name, each in summary.items()
    ]
    table = text_table(["arm", "accuracy", "95 %", "citations right", "questions", "seeds"], rows)
    gaps = [
        [
            name,
            f"{each['difference']:+.3f}",
            f"{each['low']:+.3f} to {each['high']:+.3f}",
            _cited_gap(cited.get(name)),
        ]
        for name, each in pairs.items()
    ]
    return table + "\n" + text_table(["paired difference", "accuracy", "95 %", "citations right"], gaps)


def _cited_gap(gap: dict[str, float] | None) -> str:
    return "–" if gap is None else f"{gap['difference']:+.3f} ({gap['low']:+.3f} to {gap['high']:+.3f})"


def _seconds(out: Path, seeds: Sequence[int]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for seed in seeds:
        for file in sorted((out / f"seed-{seed}").glob("*/cpu_seconds")):
            found.setdefault(file.parent.name, []).append(float(file.read_text()))
    return found


def _progress(out: Path, name: str, seeds: Sequence[int]) -> list[list[dict[str, float]]]:
    files = [out / f"seed-{seed}" / name / "progress.json" for seed in seeds]
    return [json.loads(file.read_text()) for file in files if file.is_file()]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _write(file: Path, content: object) -> None:
    file.write_text(json.dumps(content, indent=1) + "\n")


def _plot_bars(names: Sequence[str], values: Sequence[Interval], file: Path, value_name: str) -> None:
    """One bar a name, with its interval."""
    figure, axes = new_figure(8, 0.45 * len(names) + 1.2)
    places = range(len(names))
    errors = [[each.value - each.low for each in values], [each.high - each.value for each in values]]
    axes.barh(places, [each.value for each in values], xerr=errors, capsize=3, color="#5b8db8")
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel(value_name)
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(file, dpi=110, metadata={"Software": None})
