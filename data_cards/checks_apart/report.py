"""What the seeds left -> study.json, study.md, study.png: every arm, and what each check adds."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from reelproof.data_cards.checks_apart.arms import CHECKS, FLYWHEELS, VOTERS, WRONG
from reelproof.data_cards.checks_apart.intervals import coverage, crossed_interval
from reelproof.data_cards.checks_apart.plan import DEVELOPMENT_SEEDS, PLAN, sha256_of
from reelproof.schemas.intervals import Interval
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
STRATEGIES = ("one_sample", "majority", "weighted_evidence", "best_of_n")


CORE = ("sft_raw", "sft_right", "sft_right_seen", "sft_curated", "sft_strict")
"""A seed is told of when these arms of it are there; an arm is told of by the seeds that have it."""


class Arm(NamedTuple):
    """One arm over all seeds: measure -> (seeds, films of its split)."""

    scores: Mapping[str, np.ndarray]
    rows: Mapping[str, float] | None
    seeds: Sequence[int]


def write_report(out: Path, card: Path) -> None:
    """Write the figures of the seeds that are finished into the card's folder, and say which are not."""
    all_names = (*ARMS, *(f"sft_without_{check}" for check in CHECKS), *ROUNDS)
    seeds, unfinished = seeds_with(out, CORE)
    if not seeds:
        print("no seed is finished: no report")  # noqa: T201
        return
    having = {name: seeds_with(out, (name,), seeds)[0] for name in all_names}
    arms = {name: read_arm(out, name, mine) for name, mine in having.items() if mine}
    pairs = {
        f"{one} - {other}": gaps_of(arms[one], arms[other])
        for one, other in PAIRS
        if {one, other} <= {*arms} and {*arms[one].seeds} & {*arms[other].seeds}
    }
    films = arms["sft_raw"].scores["right"].shape[1]
    voting = {name: seeds_with(out, (name,), seeds, "votes")[0] for name in VOTERS}
    votes = {name: _votes(out, name, mine) for name, mine in voting.items() if mine}
    content = {
        "plan_sha256": sha256_of(PLAN._asdict()),
        "plan": PLAN._asdict(),
        "seeds": seeds,
        "unfinished_seeds": unfinished,
        "unfinished_arms": {name: [*{*seeds} - {*mine}] for name, mine in having.items() if mine != seeds},
        "films": films,
        "coverage_of_95": coverage(len(seeds), films, 2000, np.random.default_rng(0)),
        "arms": {
            name: {
                "seeds": arm.seeds,
                "rows": arm.rows,
                **{each: mean_and_ends(arm.scores[each]) for each in MEASURES},
            }
            for name, arm in arms.items()
        },
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


def mean_and_ends(scores: np.ndarray) -> dict[str, float | None]:
    """`value`, `low` and `high` of (seeds, films); no ends of too few seeds."""
    found = crossed_interval(scores) or Interval(float(scores.mean()), np.nan, np.nan)
    return {key: None if np.isnan(each) else round(each, 4) for key, each in found._asdict().items()}


def gaps_of(one: Arm, other: Arm) -> dict[str, Any]:
    """One arm over another in every measure, paired, over the seeds that have both."""
    both = [seed for seed in one.seeds if seed in other.seeds]

    def scores(arm: Arm, measure: str) -> np.ndarray:
        return arm.scores[measure][[arm.seeds.index(seed) for seed in both]]

    gaps = {each: scores(one, each) - scores(other, each) for each in MEASURES}
    told = {
        each: {**mean_and_ends(gap), "by_seed": gap.mean(1).round(4).tolist()} for each, gap in gaps.items()
    }
    return {"seeds": both, **told}


def _traces(out: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """Shares of the teacher's traces: by kind, and how many of those that a filter keeps are all true."""
    files = (out / f"seed-{seed}" / "traces.json" for seed in seeds)
    return kept_by([each for file in files for each in json.loads(file.read_text())])


def kept_by(traces: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many of the traces each filter keeps, and the right ones that a reason rejects, are all true."""
    right = [each for each in traces if not WRONG & {*each["balanced"]}]
    kept = {
        "all": traces,
        "right": right,
        "right_seen": [each for each in right if "answered_blind" not in each["balanced"]],
        "balanced": [each for each in traces if not each["balanced"]],
        "strict": [each for each in traces if not each["strict"]],
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
