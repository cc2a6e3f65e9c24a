"""What a study's seeds left -> each arm's figures, one arm over another, and both as tables."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from reelproof.data_cards.checks_apart.arms import BLIND, WRONG
from reelproof.data_cards.checks_apart.intervals import coverage, crossed_interval
from reelproof.data_cards.checks_apart.plan import DEVELOPMENT_SEEDS, sha256_of
from reelproof.schemas.intervals import Interval
from reelproof.training.tables import text_table


class Measure(NamedTuple):
    """A figure of the answers to the films of one split."""

    caption: str
    figure: str
    split: str = "test-"


MEASURES: Mapping[str, Measure] = {
    "right": Measure("answers right", "right"),
    "cited": Measure("claims true", "cited"),
    "agrees": Measure("concluded", "agrees"),
    "proven": Measure("right and all true", "proven"),
    "shifted": Measure("right, other colours", "right", "shifted-"),
}
HEADS = tuple(each.caption for each in MEASURES.values())


class Arm(NamedTuple):
    """One arm over all seeds: measure -> (seeds, films of its split)."""

    scores: Mapping[str, np.ndarray]
    rows: Mapping[str, float] | None
    seeds: Sequence[int]


def seeds_with(
    out: Path, names: Sequence[str], wanted: Sequence[int] | None = None, what: str = "arm"
) -> tuple[list[int], list[int]]:
    """The seeds that have all of these arms, and those that are only begun."""
    begun = [int(each.name.partition("-")[2]) for each in out.glob("seed-*") if each.is_dir()]
    asked = sorted(each for each in begun if each < DEVELOPMENT_SEEDS) if wanted is None else list(wanted)
    done = [
        each
        for each in asked
        if all((out / f"seed-{each}" / f"{what}-{name}.json").is_file() for name in names)
    ]
    return done, [each for each in asked if each not in done]


def found_in(file: Path) -> Any:
    """What came of the work that `once` left there."""
    return json.loads(file.read_text())["found"]


def read_arm(out: Path, name: str, seeds: Sequence[int]) -> Arm:
    """An arm's answers of those seeds."""
    held = [found_in(out / f"seed-{seed}" / f"arm-{name}.json") for seed in seeds]
    scores = {
        name: np.stack([by_film(one["films"], one[each.figure], each.split) for one in held])
        for name, each in MEASURES.items()
    }
    rows = [one["rows"] for one in held if "rows" in one]
    mean = {key: round(float(np.mean([one[key] for one in rows])), 3) for key in rows[0]} if rows else None
    return Arm(scores, mean, seeds)


def by_film(films: Sequence[str], scores: Sequence[float], split: str) -> np.ndarray:
    """Means of a film's questions, of which each has as many, over the films of a split."""
    mine = [(film, score) for film, score in zip(films, scores, strict=True) if film.startswith(split)]
    names, places = np.unique([film for film, _ in mine], return_inverse=True)
    totals = np.bincount(places, [score for _, score in mine], minlength=len(names))
    return totals / np.bincount(places, minlength=len(names))


def told_of_arms(
    plan: Mapping[str, Any], seeds: Sequence[int], unfinished: Sequence[int], arms: Mapping[str, Arm]
) -> dict[str, Any]:
    """What every study tells first: its plan, its seeds, and each arm's measures."""
    films = next(iter(arms.values())).scores["right"].shape[1]
    return {
        "plan_sha256": sha256_of(plan),
        "plan": plan,
        "seeds": seeds,
        "unfinished_seeds": unfinished,
        "films": films,
        "coverage_of_95": coverage(len(seeds), films, 2000, np.random.default_rng(0)),
        "arms": {
            name: {
                "seeds": arm.seeds,
                "rows": arm.rows,
                **{each: _told(arm.scores[each]) for each in MEASURES},
            }
            for name, arm in arms.items()
        },
    }


def gaps_of_pairs(arms: Mapping[str, Arm], pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """One arm over another, for the pairs of which some seed has both."""
    return {
        f"{one} - {other}": gaps_of(arms[one], arms[other])
        for one, other in pairs
        if {one, other} <= {*arms} and {*arms[one].seeds} & {*arms[other].seeds}
    }


def mean_and_ends(scores: np.ndarray) -> dict[str, float | None]:
    """`value`, `low` and `high` of (seeds, films); no ends of too few seeds."""
    found = crossed_interval(scores) or Interval(float(scores.mean()), np.nan, np.nan)
    return {key: None if np.isnan(each) else round(each, 4) for key, each in found._asdict().items()}


def gaps_of(one: Arm, other: Arm) -> dict[str, Any]:
    """One arm over another in every measure, paired, over the seeds that have both."""
    both = [seed for seed in one.seeds if seed in other.seeds]

    def scores(arm: Arm, measure: str) -> np.ndarray:
        return arm.scores[measure][[arm.seeds.index(seed) for seed in both]]

    return {"seeds": both, **{each: _told(scores(one, each) - scores(other, each)) for each in MEASURES}}


def _told(scores: np.ndarray) -> dict[str, Any]:
    """The mean of (seeds, films), its ends, and each seed's own."""
    return {**mean_and_ends(scores), "by_seed": scores.mean(1).round(4).tolist()}


def kept_by(traces: Sequence[Mapping[str, Any]], beside: str = "strict") -> dict[str, Any]:
    """How many of the traces each filter keeps, and the right ones that a reason rejects, are all true.

    `beside` is what the policy that was decided beside `balanced` is called.
    """
    right = [each for each in traces if not WRONG & {*each["balanced"]}]
    kept = {
        "all": traces,
        "right": right,
        "right_seen": [each for each in right if not BLIND & {*each["balanced"]}],
        "balanced": [each for each in traces if not each["balanced"]],
        beside: [each for each in traces if not each["strict"]],
    }
    return {
        "kept": {name: {"traces": len(rows), "true": _true(rows)} for name, rows in kept.items()},
        "of_right_rejected_by": {
            reason: {"traces": count, "true": _true([each for each in right if reason in each["balanced"]])}
            for reason, count in Counter(
                reason for each in right for reason in each["balanced"]
            ).most_common()
        },
    }


def _true(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Share of them in which all that is said of the frames is so, by the world's own state."""
    return round(sum(each["true"] == 1 for each in rows) / len(rows), 4) if rows else None


def took(folder: Path) -> dict[str, float]:
    """What all work of a seed took."""
    held = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json")) if file.stem != "traces"]
    return {
        "seconds": round(sum(each["seconds"] for each in held), 1),
        "cpu_seconds": round(sum(each["cpu_seconds"] for each in held), 1),
        "mean_load": round(float(np.mean([each["load"] for each in held])), 1),
    }


def arms_table(arms: Mapping[str, Arm]) -> str:
    """A line an arm: how many rows, how many of them are true, and each measure with its interval."""
    rows = [
        [
            name,
            str(len(arm.seeds)),
            *([f"{arm.rows['rows']:.0f}", f"{arm.rows['true']:.3f}"] if arm.rows else ["–", "–"]),
            *(in_words(mean_and_ends(arm.scores[each])) for each in MEASURES),
        ]
        for name, arm in arms.items()
    ]
    return text_table(["arm", "seeds", "rows", "rows all true", *HEADS], rows)


def gaps_table(pairs: Mapping[str, Any]) -> str:
    """A line a pair of arms: one over the other."""
    rows = [
        [name, str(len(found["seeds"])), *(in_words(found[each], "+") for each in MEASURES)]
        for name, found in pairs.items()
    ]
    return text_table(["paired difference", "seeds", *HEADS], rows)


def in_words(found: Mapping[str, float | None], sign: str = "") -> str:
    """`0.519 (0.489 to 0.548)`"""
    told = f"{found['value']:{sign}.3f}"
    return told if found["low"] is None else f"{told} ({found['low']:{sign}.3f} to {found['high']:{sign}.3f})"
