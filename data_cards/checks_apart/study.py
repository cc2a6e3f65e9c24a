"""What do claims, luck, agreement and control frames add to a filter by the right answer, without an oracle?

    python -m reelproof.data_cards.checks_apart.study --out build/study --seeds 0 1 2 3 4 5 6 7

A seed is all of it anew: films, labelled traces, teacher, verifier, build, rows and students. What they share
is the model that sees and the held-out films. All that is done is kept in --out, and a second run goes on.
"""

import json
from pathlib import Path

from reelproof.data_cards.checks_apart.arms import (
    ARMS,
    FLYWHEELS,
    VOTERS,
    arm_rows,
    draw,
)
from reelproof.data_cards.checks_apart.measure import (
    answer_by_votes,
    answer_greedily,
    keep,
    places_of,
    told_truly,
)
from reelproof.data_cards.checks_apart.models import (
    train_base,
    train_teacher,
    train_verifier,
)
from reelproof.data_cards.checks_apart.plan import PLAN, sha256_of
from reelproof.data_cards.checks_apart.report import write_report
from reelproof.data_cards.checks_apart.seeds import (
    Seed,
    build_held_out,
    held_out_films,
    load_model,
    once,
    read_arguments,
    same_plan,
    told,
    train_films,
)

HERE = Path(__file__).parent


def main() -> None:
    """The model that sees and the held-out films once, then every seed, then the report."""
    out, numbers, report_only = read_arguments(__doc__, "build/study")
    same_plan(out / "plan.json", {"sha256": sha256_of(PLAN._asdict()), **PLAN._asdict()})
    if not report_only:
        base = out / "base"
        once(base / "done", lambda: train_base(base, PLAN.base_seed))
        held_out = build_held_out(out, base)
        for seed in numbers:
            run_seed(Seed(out, seed, base, held_out))
        for seed in numbers:
            spin(Seed(out, seed, base, held_out))
    write_report(out, HERE)


def run_seed(seed: Seed) -> None:
    """Teacher, verifier, build and every arm; each is asked the held-out questions once."""
    folder, films = seed.folder, train_films(seed.number)
    once(folder / "teacher.json", lambda: train_teacher(load_model(seed.base), seed.teacher, seed.number))
    once(folder / "verifier.json", lambda: train_verifier(seed.verifier, seed.number)._asdict())
    every = seed.build("build", films, seed.teacher)
    truly = told_truly(places_of([*films, *held_out_films()]))
    keep(folder / "traces.json", [told(each, truly) for each in every])
    once(folder / "arm-teacher.json", lambda: answer_greedily(seed.teacher, seed.asked, truly)._asdict())
    taught: dict[tuple[str, ...], str] = {}
    for name, rows in arm_rows(every, seed.number).items():
        # Arms that a check does not set apart take the same rows in the same order: they are one student.
        seed.arm(name, taught.setdefault(tuple(each.trace.trace_id for each in rows), name), rows, films)
    for name in VOTERS:
        student = json.loads((folder / f"arm-{name}.json").read_text())["found"]["student"]
        once(
            folder / f"votes-{name}.json",
            lambda student=student: {
                "films": [each.film for each in seed.asked],
                **answer_by_votes(folder / student, seed.verifier, seed.asked, seed.number),
            },
        )


def spin(seed: Seed) -> None:
    """The flywheel: a student teaches the next round, on films of its own, and the arm's filter goes on."""
    for name in FLYWHEELS:
        teacher = seed.folder / name
        for number in range(2, PLAN.rounds + 1):
            films = train_films(seed.number + 1000 * number)
            every = seed.build(f"{name}-{number}-build", films, teacher)
            rows = draw([each for each in every if ARMS[name](each)], PLAN.rows, seed.number)
            round_name = f"{name}_round_{number}"
            seed.arm(round_name, round_name, rows, films)
            teacher = seed.folder / round_name


if __name__ == "__main__":
    main()
