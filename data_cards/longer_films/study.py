"""Does a filter by all checks beat one by the right answer, on longer films and six kinds of tasks?

    python -m reelproof.data_cards.longer_films.study --out build/study-longer --seeds 0 1 2 3

As `checks_apart.asked_on`: a base model for each seed, a learned teacher and a learned verifier, one build
whose completions all arms draw from, equal rows and steps. All that is done is kept in --out, and a second
run goes on.
"""

import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from reelproof.data_cards.checks_apart.arms import ARMS, BALANCED, Choice, choices, draw
from reelproof.data_cards.checks_apart.figures import (
    arms_table,
    gaps_of_pairs,
    gaps_table,
    kept_by,
    read_arm,
    seeds_with,
    told_of_arms,
    took,
)
from reelproof.data_cards.checks_apart.measure import Truly, answer_greedily, keep
from reelproof.data_cards.checks_apart.models import load_verifier
from reelproof.data_cards.checks_apart.plan import DEVELOPMENT_SEEDS, sha256_of
from reelproof.data_cards.checks_apart.seeds import (
    Rounds,
    asking_recipe,
    load_model,
    means,
    once,
    read_arguments,
    rows_told,
    run_build,
    same_plan,
    sft_config,
    told,
    train_arm,
    write_sources,
)
from reelproof.data_cards.checks_apart.server import Reading, as_seen, believing, serve
from reelproof.data_cards.checks_apart.world import ANY_COLOUR
from reelproof.data_cards.longer_films.models import train_base, train_judge, train_teacher, train_verifier
from reelproof.data_cards.longer_films.plan import PLAN
from reelproof.data_cards.longer_films.world import (
    KINDS,
    SLOTS,
    Film,
    held_out_films,
    manifest_rows,
    train_films,
    true_places,
    write_film,
)
from reelproof.data_cards.moving_shapes.arms import Asked, read_asked

HERE = Path(__file__).parent
NAMES = ("sft_right", "sft_curated", "sft_without_luck", "sft_luck_counted", "sft_raw")
COUNTED = {**BALANCED, "luck_by_evidence": False}
"""`balanced`, where luck is told by how often the teacher is right, and not by what is vouched for."""
HEEDED = {name: ARMS["sft_strict" if name == "sft_luck_counted" else name] for name in NAMES}
PAIRS = (
    ("sft_curated", "sft_right"),
    ("sft_without_luck", "sft_right"),
    ("sft_curated", "sft_without_luck"),
    ("sft_luck_counted", "sft_right"),
    ("sft_curated", "sft_luck_counted"),
    ("sft_right", "sft_raw"),
    ("sft_curated", "sft_raw"),
)
SHOWN = {
    "clips": {
        "target_s": 8.0,
        "max_s": 4.0 * SLOTS + 1.0,
        "scene_s": 4.0,
        "whole": False,
        "timeline_every_s": 1.0,
        "max_timeline": 64,
        "min_keyframes": SLOTS,
        "max_keyframes": SLOTS,
    },
    "questions": {"given": {"min_frames": SLOTS, "max_frames": SLOTS}, "computed": {"kinds": []}},
}
"""Sections of the recipe: a shot is a clip, of which so many frames are shown."""
_CLAIM = re.compile(rf"\[(\d+)\.0 s\] ({ANY_COLOUR}) ([a-c] [1-3])\b")
_ABOUT = re.compile(r"the (\w+) square")


def main() -> None:
    """Every seed with a base of its own, and the held-out films once; then the report."""
    out, numbers, report_only = read_arguments(__doc__, "build/study-longer")
    same_plan(out / "plan.json", {"sha256": sha256_of(PLAN._asdict()), **PLAN._asdict()})
    if not report_only:
        verifier = out / "held_out-verifier.pt"
        once(out / "held_out-verifier.json", lambda: train_verifier(verifier, 0)._asdict())
        judge = out / "judge"
        once(out / "judge.json", lambda: train_judge(judge))
        # What its teacher says is not heard: any base does.
        asking = Asking(rounds(out, numbers[0]).base(1), verifier, judge)
        build(out, "held_out", held_out_films(), asking, 1)
        held_out = read_asked(out / "held_out")
        for number in numbers:
            run_seed(out, number, held_out)
    write_report(out, HERE)


def run_seed(out: Path, number: int, held_out: Sequence[Asked]) -> None:
    """Base, teacher, verifier, build, and every arm's student."""
    folder, films = out / f"seed-{number}", train_films(number)
    truly = told_truly([*films, *held_out_films()])
    dev = [each for each in held_out if each.film.startswith("dev-")]

    def cells(base: Path) -> float:
        return mean(answer_greedily(base, dev, truly, PLAN.max_tokens).cited)

    base = rounds(out, number).until(cells, PLAN.least_cells)
    teacher, verifier = folder / "teacher", folder / "verifier.pt"
    once(folder / "teacher.json", lambda: train_teacher(load_model(base), teacher, number))
    once(folder / "verifier.json", lambda: train_verifier(verifier, number)._asdict())
    asking = Asking(teacher, verifier, out / "judge")
    work = partial(build, folder, "build", films, asking, PLAN.rollouts, PLAN.most_rollouts)
    once(folder / "build.json", work)
    every = choices(folder / "build", COUNTED)
    keep(folder / "traces.json", [told(each, truly) for each in every])
    splits = ("dev-",) if number >= DEVELOPMENT_SEEDS else ("test-", "shifted-")
    asked = [each for each in held_out if each.film.startswith(splits)]
    ask = partial(answer_greedily, asked=asked, told=truly, max_tokens=PLAN.max_tokens)
    once(folder / "arm-teacher.json", lambda: ask(teacher)._asdict())
    for name in NAMES:
        rows = draw([each for each in every if HEEDED[name](each)], PLAN.rows, number)
        found = once(folder / f"arm-{name}.json", partial(_arm, folder, name, rows, base, number, ask, truly))
        print(f"seed {number}: {name}: {means(found)} {found['rows']}", flush=True)  # noqa: T201


def _arm(
    folder: Path, name: str, rows: Sequence[Choice], base: Path, seed: int, ask: Any, truly: Truly
) -> dict[str, Any]:
    run = train_arm(folder, name, rows, base, sft_config(PLAN, seed))
    return {**ask(run)._asdict(), "rows": rows_told(rows, truly, (*KINDS, "coin"))}


def rounds(out: Path, seed: int) -> Rounds:
    """In which a seed's base model is trained."""
    return Rounds(out / f"seed-{seed}", train_base, PLAN.base_seeds_from, seed)


def told_truly(films: Sequence[Film]) -> Truly:
    """Of claims about the square that was asked for: one for each frame, or as many as there are."""
    places = {film.name: true_places(film) for film in films}

    def share(each: Asked, thought: str) -> float:
        about = _ABOUT.search(each.question.text)
        claims = _CLAIM.findall(thought)
        shown = {int(frame.shown_s or 0.0) for frame in each.question.frames}
        held = {
            int(second)
            for second, colour, cell in claims
            if about and colour == about[1] and places[each.film].get((int(second), colour)) == cell
        }
        return len(held & shown) / max(len(shown), len(claims))

    return share


class Asking(NamedTuple):
    """Who is asked in a build, all learned."""

    teacher: Path
    verifier: Path
    judge: Path


def build(
    out: Path, name: str, films: Sequence[Film], asking: Asking, rollouts: int, most: int | None = None
) -> None:
    """The whole pipeline over the films, with its models behind servers."""
    if (out / name / "dataset" / "manifest.json").is_file():
        return
    folder = out / f"{name}-films"
    write_sources(folder, films, write_film, manifest_rows)
    believe, reading = believing(load_verifier(asking.verifier)), Reading(as_seen, PLAN.max_tokens)
    with serve(asking.teacher, believe, reading) as url, serve(asking.judge, believe, reading) as judge_url:
        recipe = asking_recipe("longer_films", folder, url, PLAN, (rollouts, most), PLAN.max_tokens)
        judge = {**recipe["teachers"][0]["teacher"], "urls": [judge_url], "revision": "judge"}
        recipe["claims"]["claims_per_trace"] = SLOTS
        judged = {"sufficiency": {"judge": judge}} if rollouts > 1 else {}
        run_build(out, name, {**recipe, **SHOWN, **judged})


def write_report(out: Path, card: Path) -> None:
    """`study.json` and `study.md`, of the seeds that have the first two arms."""
    seeds, unfinished = seeds_with(out, NAMES[:2])
    if not seeds:
        print("no seed is finished: no report")  # noqa: T201
        return
    having = {name: seeds_with(out, (name,), seeds)[0] for name in ("teacher", *NAMES)}
    arms = {name: read_arm(out, name, mine) for name, mine in having.items() if mine}
    pairs = gaps_of_pairs(arms, PAIRS)
    traces = [row for seed in seeds for row in json.loads((out / f"seed-{seed}/traces.json").read_text())]
    content = {
        **told_of_arms(PLAN._asdict(), seeds, unfinished, arms),
        "differences": pairs,
        "traces": kept_by(traces, "luck_counted"),
        "took": {seed: took(out / f"seed-{seed}") for seed in seeds},
    }
    (card / "study.json").write_text(json.dumps(content, indent=1) + "\n")
    (card / "study.md").write_text("\n".join([arms_table(arms), gaps_table(pairs)]))


if __name__ == "__main__":
    main()
