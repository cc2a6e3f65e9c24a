"""What the seeds left -> study.json, study.md, study.png: every arm, and what each check adds."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reelproof.data_cards.checks_apart.arms import CHECKS, FLYWHEELS, VOTERS
from reelproof.data_cards.checks_apart.figures import (
    MEASURES,
    Arm,
    arms_table,
    by_film,
    found_in,
    gaps_of_pairs,
    gaps_table,
    in_words,
    kept_by,
    mean_and_ends,
    read_arm,
    seeds_with,
    told_of_arms,
    took,
)
from reelproof.data_cards.checks_apart.plan import PLAN
from reelproof.training.tables import new_figure, text_table

ARMS = (
    "teacher",
    "sft_raw",
    "sft_random",
    "sft_right",
    "sft_right_seen",
    "sft_curated",
    "sft_strict",
    "sft_right_all",
    "sft_all",
)
ROUNDS = tuple(f"{name}_round_{each}" for each in range(2, PLAN.rounds + 1) for name in FLYWHEELS)
PAIRS = (
    ("sft_right", "sft_raw"),
    ("sft_right_seen", "sft_right"),
    ("sft_curated", "sft_raw"),
    ("sft_curated", "sft_random"),
    ("sft_curated", "sft_right"),
    ("sft_curated", "sft_right_seen"),
    ("sft_strict", "sft_right"),
    ("sft_strict", "sft_right_seen"),
    ("sft_strict", "sft_curated"),
    ("sft_all", "sft_right_all"),
    ("sft_all", "sft_curated"),
    *(("sft_curated", f"sft_without_{check}") for check in CHECKS),
    *((f"{name}_round_{PLAN.rounds}", name) for name in FLYWHEELS),
    (f"sft_curated_round_{PLAN.rounds}", f"sft_right_round_{PLAN.rounds}"),
)
STRATEGIES = ("one_sample", "majority", "weighted_evidence", "best_of_n")
CORE = ("sft_raw", "sft_right", "sft_right_seen", "sft_curated", "sft_strict")
"""A seed is told of when these arms of it are there; an arm is told of by the seeds that have it."""


def write_report(out: Path, card: Path) -> None:
    """Write the figures of the seeds that are finished into the card's folder, and say which are not."""
    all_names = (*ARMS, *(f"sft_without_{check}" for check in CHECKS), *ROUNDS)
    seeds, unfinished = seeds_with(out, CORE)
    if not seeds:
        print("no seed is finished: no report")  # noqa: T201
        return
    having = {name: seeds_with(out, (name,), seeds)[0] for name in all_names}
    arms = {name: read_arm(out, name, mine) for name, mine in having.items() if mine}
    pairs = gaps_of_pairs(arms, PAIRS)
    voting = {name: seeds_with(out, (name,), seeds, "votes")[0] for name in VOTERS}
    votes = {name: _votes(out, name, mine) for name, mine in voting.items() if mine}
    content = {
        **told_of_arms(PLAN._asdict(), seeds, unfinished, arms),
        "unfinished_arms": {name: [*{*seeds} - {*mine}] for name, mine in having.items() if mine != seeds},
        "differences": pairs,
        "votes_over_greedy": votes,
        "voting_seeds": voting,
        "teacher_traces": _traces(out, seeds),
        "verifier": [found_in(out / f"seed-{seed}" / "verifier.json") for seed in seeds],
        "took": {seed: took(out / f"seed-{seed}") for seed in seeds},
    }
    (card / "study.json").write_text(json.dumps(content, indent=1) + "\n")
    (card / "study.md").write_text(_markdown(arms, pairs, votes, content["teacher_traces"]))
    _plot(arms, card / "study.png")


def _votes(out: Path, name: str, seeds: Sequence[int]) -> dict[str, Any]:
    """Each strategy: its right answers in both splits, and by how much that is more than greedily."""
    held = [found_in(out / f"seed-{seed}" / f"votes-{name}.json") for seed in seeds]

    def scores(strategy: str, split: str) -> np.ndarray:
        return np.stack([by_film(one["films"], one[strategy], split) for one in held])

    return {
        strategy: {
            key: {
                "right": mean_and_ends(scores(strategy, split)),
                "over_greedy": mean_and_ends(scores(strategy, split) - scores("greedy", split)),
            }
            for key, split in (("test", "test-"), ("shifted", "shifted-"))
        }
        for strategy in STRATEGIES
    }


def _traces(out: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """How many of the teacher's traces a filter keeps, and how many of those are all true."""
    files = (out / f"seed-{seed}" / "traces.json" for seed in seeds)
    return kept_by([each for file in files for each in json.loads(file.read_text())])


def _markdown(
    arms: Mapping[str, Arm], pairs: Mapping[str, Any], votes: Mapping[str, Any], traces: Mapping[str, Any]
) -> str:
    kept = [
        [name, str(each["traces"]), f"{each['true']:.3f}"]
        for name, each in traces["kept"].items()
        if each["traces"]
    ]
    of_right = [
        [name, str(each["traces"]), f"{each['true']:.3f}"]
        for name, each in traces["of_right_rejected_by"].items()
    ]
    voted = [
        [name, strategy, *(in_words(each[split]["over_greedy"], "+") for split in ("test", "shifted"))]
        for name, found in votes.items()
        for strategy, each in found.items()
    ]
    return "\n".join(
        [
            arms_table(arms),
            gaps_table(pairs),
            text_table(["student", "eight samples, over greedy", "test", "other colours"], voted),
            text_table(["the teacher's traces kept by", "traces", "all true"], kept),
            text_table(["right traces that `balanced` rejects for", "traces", "all true"], of_right),
        ]
    )


def _plot(arms: Mapping[str, Arm], file: Path) -> None:
    """Two bars an arm: answers, and claims that are true."""
    figure, axes = new_figure(8, 0.5 * len(arms) + 1.2)
    for shift, (measure, colour) in zip(
        (-0.2, 0.2), (("right", "#5b8db8"), ("cited", "#c98f4e")), strict=True
    ):
        told = [mean_and_ends(arm.scores[measure]) for arm in arms.values()]
        errors = [0 if each["low"] is None else each["value"] - each["low"] for each in told]
        places = [place + shift for place in range(len(arms))]
        values = [each["value"] for each in told]
        axes.barh(places, values, 0.38, xerr=errors, capsize=2, color=colour, label=MEASURES[measure].caption)
    axes.set_yticks(range(len(arms)), list(arms))
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(file, dpi=110, metadata={"Software": None})
