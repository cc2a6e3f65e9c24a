"""Does a filter by all checks teach more than one by the right answer, at an equal teacher budget?

    python -m reelproof.data_cards.checks_apart.asked_on --out build/study-asked-on --seeds 0 1 2 3

A plan of its own beside that of `study.py`, in the same world. Each seed begins with a base model of its own,
so that intervals over seeds are over bases too. Its build is gone on with by `rollouts.max_rollouts`, so that
the first rollouts of a question are the same ones; arms called `…_on` draw from all of them. A filter by the
right answer gets the same completions, and all arms have equal rows and steps.
"""

import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from reelproof.data_cards.checks_apart.arms import ARMS, WRONG, Choice, choices, draw
from reelproof.data_cards.checks_apart.figures import (
    arms_table,
    found_in,
    gaps_of_pairs,
    gaps_table,
    read_arm,
    seeds_with,
    told_of_arms,
    took,
)
from reelproof.data_cards.checks_apart.measure import answer_greedily, places_of, told_truly
from reelproof.data_cards.checks_apart.models import train_base, train_teacher, train_verifier
from reelproof.data_cards.checks_apart.plan import ASKED_ON, PLAN, sha256_of
from reelproof.data_cards.checks_apart.seeds import (
    KINDS,
    Rounds,
    Seed,
    build,
    build_held_out,
    held_out_films,
    load_model,
    once,
    read_arguments,
    same_plan,
    train_films,
)
from reelproof.data_cards.checks_apart.world import Film
from reelproof.data_cards.moving_shapes.arms import Asked
from reelproof.training.tables import text_table

HERE = Path(__file__).parent
NAMES = ("sft_curated_on", "sft_right_on", "sft_without_luck_on", "sft_curated", "sft_right")
FIRST = NAMES[:2]
"""Trained with each seed; the others when all seeds have these, so that what is finished has many seeds."""
PAIRS = (
    ("sft_curated_on", "sft_right_on"),
    ("sft_curated", "sft_right"),
    ("sft_curated_on", "sft_curated"),
    ("sft_right_on", "sft_right"),
    ("sft_curated_on", "sft_without_luck_on"),
    ("sft_without_luck_on", "sft_right_on"),
)
SETTINGS: Mapping[str, Any] = {**PLAN._asdict(), **ASKED_ON._asdict()}


def main() -> None:
    """Every seed with a base of its own, and the held-out films once; then the report."""
    out, numbers, report_only = read_arguments(__doc__, "build/study-asked-on")
    same_plan(out / "plan.json", {"sha256": sha256_of(SETTINGS), **SETTINGS})
    if not report_only:
        seeds = []
        for seed in each_seed(out, numbers):
            run_arms(seed, FIRST)
            seeds.append(seed)
        for name in NAMES[len(FIRST) :]:
            for seed in seeds:
                run_arms(seed, (name,))
    write_report(out, HERE)


def each_seed(out: Path, numbers: Sequence[int]) -> Iterator[Seed]:
    """One after the other, with its base model. The held-out build's teacher is not heard: any base does."""
    held_out = build_held_out(out, rounds(out / f"seed-{numbers[0]}", numbers[0]).base(1))
    for number in numbers:
        yield Seed(out, number, own_base(out / f"seed-{number}", number, held_out), held_out)


def own_base(folder: Path, seed: int, held_out: Sequence[Asked]) -> Path:
    """The model that a seed's teacher and students begin as: trained until it names enough cells."""
    asked = [each for each in held_out if each.film.startswith("dev-")]

    def cells(base: Path) -> float:
        return mean(answer_greedily(base, asked, told_truly(places_of(held_out_films()))).cited)

    return rounds(folder, seed).until(cells, ASKED_ON.least_cells)


def rounds(folder: Path, seed: int) -> Rounds:
    """In which a seed's base model is trained."""
    return Rounds(folder, train_base, ASKED_ON.base_seeds_from, seed)


def run_arms(seed: Seed, names: Sequence[str]) -> None:
    """Teacher, verifier and builds where they are not there, and those arms."""
    folder, films = seed.folder, train_films(seed.number)
    once(folder / "teacher.json", lambda: train_teacher(load_model(seed.base), seed.teacher, seed.number))
    once(folder / "verifier.json", lambda: train_verifier(seed.verifier, seed.number)._asdict())
    builds = {"": seed.build("build", films, seed.teacher), "_on": go_on(seed, films)}
    for suffix, every in builds.items():
        once(folder / f"questions{suffix}.json", partial(questions_told, every))
    for name in names:
        heed = ARMS[name.removesuffix("_on")]
        every = builds["_on" if name.endswith("_on") else ""]
        rows = draw([each for each in every if heed(each)], PLAN.rows, seed.number)
        seed.arm(name, name, rows, films)


def go_on(seed: Seed, films: Sequence[Film]) -> list[Choice]:
    """The seed's build with more rollouts of undecided questions; what it has is not asked for again."""
    folder = seed.folder / "on"
    if not folder.exists():
        beside = shutil.ignore_patterns("traces-*", "dataset")
        shutil.copytree(seed.folder / "build", seed.folder / "on.new", ignore=beside, dirs_exist_ok=True)
        (seed.folder / "on.new").rename(folder)
    most = ASKED_ON.most_rollouts
    work = partial(build, seed.folder, "on", films, seed.teacher, seed.verifier, PLAN.rollouts, most)
    once(seed.folder / "on.json", work)
    return choices(folder)


def questions_told(every: Sequence[Choice]) -> dict[str, dict[str, int]]:
    """Of each kind: questions, completions, questions with a right answer, and those it is no luck of."""
    by_question = defaultdict[str, list[Choice]](list)
    for each in every:
        by_question[each.asked.question.question_id].append(each)
    counts = {kind: Counter[str]() for kind in KINDS}
    for mine in by_question.values():
        right = [each for each in mine if not each.balanced & WRONG]
        counts[mine[0].asked.question.kind].update(
            questions=1,
            completions=len(mine),
            right=bool(right),
            not_luck=any("lucky" not in each.balanced for each in right),
        )
    return {kind: dict(count) for kind, count in counts.items()}


def write_report(out: Path, card: Path) -> None:
    """`asked_on.json` and `asked_on.md`, of the seeds that have the first arms."""
    seeds, unfinished = seeds_with(out, FIRST)
    if not seeds:
        print("no seed is finished: no report")  # noqa: T201
        return
    having = {name: seeds_with(out, (name,), seeds)[0] for name in NAMES}
    arms = {name: read_arm(out, name, mine) for name, mine in having.items() if mine}
    pairs = gaps_of_pairs(arms, PAIRS)
    questions = {suffix: _summed(out, seeds, suffix) for suffix in ("", "_on")}
    content = {
        **told_of_arms(SETTINGS, seeds, unfinished, arms),
        "differences": pairs,
        "questions": questions,
        "cells_named_by_base": {seed: _cells(out / f"seed-{seed}") for seed in seeds},
        "took": {seed: took(out / f"seed-{seed}") for seed in seeds},
    }
    (card / "asked_on.json").write_text(json.dumps(content, indent=1) + "\n")
    (card / "asked_on.md").write_text(
        "\n".join([arms_table(arms), gaps_table(pairs), _questions_table(questions)])
    )


def _cells(folder: Path) -> list[float]:
    """Share of them, on development films, after each round of the base's stages."""
    rounds = range(1, len([*folder.glob("base-*-cells.json")]) + 1)
    return [round(found_in(folder / f"base-{each}-cells.json"), 4) for each in rounds]


def _summed(out: Path, seeds: Sequence[int], suffix: str) -> dict[str, dict[str, int]]:
    """What is told of questions, over all seeds."""
    told = [found_in(out / f"seed-{seed}" / f"questions{suffix}.json") for seed in seeds]
    return {kind: {key: sum(each[kind][key] for each in told) for key in told[0][kind]} for kind in KINDS}


def _questions_table(questions: Mapping[str, Mapping[str, Mapping[str, int]]]) -> str:
    names = {"": f"{PLAN.rollouts} rollouts", "_on": f"asked on, to {ASKED_ON.most_rollouts} at most"}
    heads = ["questions", "completions", "with a right answer", "not put down to luck"]
    rows = [
        [names[suffix], kind, *(str(each) for each in counts.values())]
        for suffix, kinds in questions.items()
        for kind, counts in kinds.items()
    ]
    return text_table(["build", "kind", *heads], rows)


if __name__ == "__main__":
    main()
