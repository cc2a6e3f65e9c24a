"""What the seeds left -> study.json and study.md: every arm on films that its students never saw."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reelproof.data_cards.checks_apart.figures import (
    by_film,
    found_in,
    in_words,
    kept_by,
    mean_and_ends,
    took,
)
from reelproof.data_cards.checks_apart.intervals import coverage
from reelproof.data_cards.checks_apart.plan import DEVELOPMENT_SEEDS
from reelproof.data_cards.real_footage.footage import film_of
from reelproof.training.tables import text_table

ARMS = ("teacher", "sft_raw", "sft_right", "sft_curated", "sft_every_claim")
PAIRS = (
    ("sft_right", "sft_raw"),
    ("sft_curated", "sft_raw"),
    ("sft_curated", "sft_right"),
    ("sft_every_claim", "sft_right"),
    ("sft_every_claim", "sft_curated"),
    ("sft_every_claim", "sft_raw"),
)
Run = Sequence[Path]
"""A seed's folders, one for each half that was learned from."""
MEASURES = {
    "right": "score of answers",
    "cited": "claims true",
    "agrees": "concluded",
    "proven": "right and all true",
}


def write_report(out: Path, card: Path, halves: Sequence[str] = "ab") -> None:
    """Write the figures of the seeds that are finished, and say which are not.

    `halves`: those whose films students learned from; of a seed all of them must be there.
    """
    begun = sorted({int(each.name.split("-")[1]) for each in out.glob("seed-*-*") if each.is_dir()})
    asked = [each for each in begun if each < DEVELOPMENT_SEEDS]
    seeds = [each for each in asked if _is_finished(out, each, halves)]
    if not seeds:
        print("no seed is finished: no report")  # noqa: T201
        return
    runs = [[out / f"seed-{seed}-{half}" for half in halves] for seed in seeds]
    folders = [folder for run in runs for folder in run]
    arms = {name: {each: _scores(runs, name, each) for each in MEASURES} for name in ARMS}
    rows = {name: _rows(runs, name) for name in ARMS if name != "teacher"}
    pairs = {
        f"{one} - {other}": {each: arms[one][each] - arms[other][each] for each in MEASURES}
        for one, other in PAIRS
    }
    films = arms["teacher"]["right"].shape[1]
    content = {
        "plan": json.loads((out / "plan.json").read_text()),
        "seeds": seeds,
        "unfinished_seeds": [each for each in asked if each not in seeds],
        "learned_from": list(halves),
        "films": films,
        "coverage_of_95": coverage(len(seeds), films, 2000, np.random.default_rng(0)),
        "arms": {name: {"rows": rows.get(name), **_each_told(each)} for name, each in arms.items()},
        "differences": {name: _each_told(each) for name, each in pairs.items()},
        "by_film": _by_film(runs[0], arms),
        "teacher_traces": kept_by(_traces(folders)),
        "verifier": [found_in(folder / "verifier.json") for folder in folders],
        "cpu_seconds": [took(folder)["cpu_seconds"] for folder in folders],
    }
    (card / "study.json").write_text(json.dumps(content, indent=1) + "\n")
    (card / "study.md").write_text(_markdown(arms, rows, pairs, content["teacher_traces"]))


def _is_finished(out: Path, seed: int, halves: Sequence[str]) -> bool:
    return all(
        (out / f"seed-{seed}-{half}" / f"arm-{name}.json").is_file() for half in halves for name in ARMS
    )


def _answers(run: Run, name: str) -> tuple[list[str], dict[str, list[float]]]:
    """The film of each question of a seed, and each measure's figures."""
    parts = [found_in(folder / f"arm-{name}.json") for folder in run]
    films = [film_of(clip) for part in parts for clip in part["films"]]
    return films, {each: [figure for part in parts for figure in part[each]] for each in MEASURES}


def _scores(runs: Sequence[Run], name: str, measure: str) -> np.ndarray:
    """(seeds, films)"""
    held = [_answers(run, name) for run in runs]
    return np.stack([by_film(films, figures[measure], "") for films, figures in held])


def _by_film(run: Run, arms: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """Film -> each arm's answers, over all seeds."""
    films = sorted(set(_answers(run, "teacher")[0]))
    means = {name: each["right"].mean(0).round(4).tolist() for name, each in arms.items()}
    return {film: {name: mean[place] for name, mean in means.items()} for place, film in enumerate(films)}


def _rows(runs: Sequence[Run], name: str) -> dict[str, float]:
    every = [found_in(folder / f"arm-{name}.json")["rows"] for run in runs for folder in run]
    return {key: round(float(np.mean([each[key] for each in every])), 3) for key in every[0]}


def _traces(folders: Sequence[Path]) -> list[dict[str, Any]]:
    return [each for folder in folders for each in json.loads((folder / "traces.json").read_text())]


def _each_told(scores: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {measure: mean_and_ends(each) for measure, each in scores.items()}


def _markdown(
    arms: Mapping[str, Mapping[str, np.ndarray]],
    rows: Mapping[str, Mapping[str, float]],
    pairs: Mapping[str, Mapping[str, np.ndarray]],
    traces: Mapping[str, Any],
) -> str:
    def figures(scores: Mapping[str, np.ndarray], sign: str = "") -> list[str]:
        return [in_words(mean_and_ends(each), sign) for each in scores.values()]

    def taken(name: str) -> list[str]:
        return [f"{rows[name]['rows']:.0f}", f"{rows[name]['true']:.3f}"] if name in rows else ["–", "–"]

    heads = list(MEASURES.values())
    kept = [
        [name, str(each["traces"]), f"{each['true']:.3f}"]
        for name, each in {**traces["kept"], **traces["of_right_rejected_by"]}.items()
        if each["traces"]
    ]
    return "\n".join(
        [
            text_table(
                ["arm", "rows", "rows all true", *heads],
                [[name, *taken(name), *figures(each)] for name, each in arms.items()],
            ),
            text_table(
                ["paired difference", *heads], [[name, *figures(each, "+")] for name, each in pairs.items()]
            ),
            text_table(["traces kept by; right ones rejected for", "traces", "all true"], kept),
        ]
    )
