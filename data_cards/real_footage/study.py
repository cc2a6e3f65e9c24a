"""Does curation help on real footage? Films in two halves: who learns from one is asked about the other.

    python -m reelproof.data_cards.real_footage.study --out build/study-real --films build/footage build/films

A seed is labelled traces, teacher, verifier, traces, rows and students anew, once for each half. What seeds
share is the base model, the clips, and the questions about them. All that is done is kept in --out.
"""

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from reelproof.data_cards.checks_apart.arms import ARMS, BALANCED, Choice, Heed, choices, draw
from reelproof.data_cards.checks_apart.measure import answer_greedily, keep
from reelproof.data_cards.checks_apart.plan import DEVELOPMENT_SEEDS, sha256_of
from reelproof.data_cards.checks_apart.seeds import (
    load_model,
    means,
    once,
    rows_told,
    run_build,
    same_plan,
    sft_config,
    told,
    train_arm,
)
from reelproof.data_cards.checks_apart.server import TEACHER, VERIFIER, Reading, serve
from reelproof.data_cards.moving_shapes.arms import Asked, read_asked
from reelproof.data_cards.real_footage.eye import MEMORY, picture
from reelproof.data_cards.real_footage.footage import FILMS, FRAMES, WIDE, film_of, films_in, write_clips
from reelproof.data_cards.real_footage.models import (
    draw_labelled,
    load_verifier,
    share_true,
    train_base,
    train_teacher,
    train_verifier,
)
from reelproof.data_cards.real_footage.plan import PLAN
from reelproof.data_cards.real_footage.report import write_report
from reelproof.data_cards.small_films import LOOKED_AT

HERE = Path(__file__).parent
EVERY_CLAIM = {**BALANCED, "min_grounded_share": 1.0}
"""`balanced`, and the verifier believes all that is claimed. (`strict` keeps nothing here: it wants controls
that speak against each claim, and most frames of a clip are as natural as those they are held against.)"""
HALVES = {"a": "b", "b": "a"}
"""Whose films students learn from -> whose they are asked about."""


def main() -> None:
    """Clips, questions and the base once, then every seed and half, then the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("build/study-real"))
    parser.add_argument("--films", type=Path, nargs="+", default=[Path("build/footage"), Path("build/films")])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument(
        "--halves", nargs="+", choices=list(HALVES), default=list(HALVES), help="To learn from."
    )
    parser.add_argument("--report-only", action="store_true", help="Of the seeds that are there.")
    args = parser.parse_args()
    out = args.out.absolute()
    torch.set_num_threads(1)
    if not args.report_only:
        world = build_world(out, args.films)
        for seed in args.seeds:
            for half in args.halves:
                run_half(world, seed, half)
    write_report(out, HERE, args.halves)


HEEDED: Mapping[str, Heed] = {
    "sft_raw": ARMS["sft_raw"],
    "sft_right": ARMS["sft_right"],
    "sft_curated": ARMS["sft_curated"],
    "sft_every_claim": ARMS["sft_strict"],
}
"""Arm -> whether it takes a row."""


class World(NamedTuple):
    """What seeds share."""

    out: Path
    asked: Sequence[Asked]
    """All questions, of which a clip's name tells the film, and whether it is one of the labelled."""

    @property
    def base(self) -> Path:
        """The model that all begin as."""
        return self.out / "base"

    def questions(self, half: str, kind: str) -> list[Asked]:
        """About the `labelled` or the `asked` clips of a half's films."""
        films = {film.name for film in FILMS if film.half == half}
        return [each for each in self.asked if film_of(each.film) in films and f"-{kind}-" in each.film]


def build_world(out: Path, folders: Sequence[Path]) -> World:
    """Clips of the films that are there, the questions that the pipeline asks of them, and the base model."""
    out.mkdir(parents=True, exist_ok=True)
    films = films_in(folders)
    settings = PLAN._asdict()
    mine = {"sha256": sha256_of(settings), "films": [film.name for film in films], **settings}
    same_plan(out / "plan.json", mine)
    for film, files in films.items():
        folder = out / "clips" / film.half
        folder.mkdir(parents=True, exist_ok=True)
        for kind, count in (("labelled", PLAN.labelled_clips), ("asked", PLAN.asked_clips)):
            if not (folder / f"{film.name}-{kind}-{count - 1:02d}.mp4").is_file():
                write_clips(film, files, folder, kind, count, PLAN.clip_seed)
    signals = {"teachers": [{"teacher": {"kind": "signals"}}], "rollouts": {"rollouts": 1}}
    if not (out / "questions" / "dataset" / "manifest.json").is_file():
        run_build(out, "questions", {**_recipe(f"{out}/clips"), **signals})
    asked = read_asked(out / "questions")
    _see(asked, out / "eye.npz")
    world = World(out, asked)
    once(world.base / "done", lambda: train_base(world.base, world.questions("dev", "labelled")))
    return world


def _see(asked: Sequence[Asked], file: Path) -> None:
    MEMORY.load(file)
    held = len(MEMORY.seen)
    for each in asked:
        MEMORY.features([picture(image) for image in each.images])
    if len(MEMORY.seen) > held:
        MEMORY.keep(file)


def run_half(world: World, seed: int, half: str) -> None:
    """Teacher, verifier and build on one half's films, and every arm's student, asked about the other's."""
    folder = world.out / f"seed-{seed}-{half}"
    folder.mkdir(exist_ok=True)
    few = draw_labelled(world.questions(half, "labelled"), seed)
    teacher, verifier = folder / "teacher", folder / "verifier.pt"
    once(folder / "teacher.json", lambda: train_teacher(load_model(world.base), teacher, few, seed))
    once(folder / "verifier.json", lambda: train_verifier(verifier, few, seed)._asdict())
    once(folder / "build.json", lambda: _build(world, folder, half, seed))
    every = choices(folder / "build", EVERY_CLAIM)
    keep(folder / "traces.json", [told(each, share_true) for each in every])
    held_out = world.questions("dev" if seed >= DEVELOPMENT_SEEDS else HALVES[half], "asked")
    ask = partial(answer_greedily, asked=held_out, told=share_true, max_tokens=PLAN.max_tokens)
    once(folder / "arm-teacher.json", lambda: ask(teacher)._asdict())
    for name, rows in arm_rows(every, seed).items():
        found = once(folder / f"arm-{name}.json", partial(_arm, world, folder, name, rows, seed, ask))
        print(f"seed {seed}, half {half}: {name}: {means(found)} {found['rows']}", flush=True)  # noqa: T201


def arm_rows(every: Sequence[Choice], seed: int) -> dict[str, list[Choice]]:
    """Equal rows for each arm, or as many as a filter leaves."""
    return {
        name: draw([each for each in every if heed(each)], PLAN.rows, seed) for name, heed in HEEDED.items()
    }


def _arm(
    world: World, folder: Path, name: str, rows: Sequence[Choice], seed: int, ask: Any
) -> dict[str, Any]:
    cfg = sft_config(PLAN, seed).model_copy(update={"allow_resize": True})  # to a patch of features
    run = train_arm(folder, name, rows, world.base, cfg)
    return {**ask(run)._asdict(), "rows": rows_told(rows, share_true)}


def _build(world: World, folder: Path, half: str, seed: int) -> None:
    """The pipeline over one half's clips, with a learned teacher and a learned verifier behind a server."""
    believe = load_verifier(folder / "verifier.pt")
    with serve(folder / "teacher", believe, Reading(lambda frame: frame, PLAN.max_tokens)) as url:
        server = {"kind": "server", "urls": [url], "concurrency": 64, "revision": f"{seed}{half}"}
        asking = {
            "teachers": [{"teacher": {**server, "model": TEACHER}}],
            "claims": {
                "verifier": {**server, "model": VERIFIER},
                "claims_per_trace": FRAMES,
                "votes": PLAN.votes,
                "temperature": 1.0,
            },
            "rollouts": {
                "rollouts": PLAN.rollouts,
                "temperature": PLAN.temperature,
                "top_p": 1.0,
                "max_tokens": PLAN.max_tokens,
            },
        }
        taught = f"{world.out}/clips/{half}/*-asked-0[0-{PLAN.taught_clips - 1}].mp4"
        run_build(folder, "build", {**_recipe(taught), **asking})


def _recipe(clips: str) -> dict[str, object]:
    edited = {"kinds": [PLAN.kind], "repeats": PLAN.repeats, "hue_turn_deg": PLAN.hue_turn_deg}
    return {
        "name": "real_footage",
        "sources": {"videos": clips, "license": "see the films"},
        "parts": {"videos": 40},
        "cluster": {"workers": 1},
        "card": {"plots": False},
        "footage": {**LOOKED_AT["footage"], "long_side_px": WIDE, "candidate_every_s": 0.5},
        "storyboard": LOOKED_AT["storyboard"],
        "clips": {
            "timeline_every_s": 1.0,
            "max_timeline": FRAMES,
            "min_keyframes": 1,
            "max_keyframes": 1,
        },
        "questions": {"computed": {"kinds": []}, "edited": edited},
        "probes": {"probes": []},
        # Clips of one film look alike; films are what is split.
        "duplicates": {"frame_bits": 0, "clip_share": 1.0, "video_share": 1.0, "most_owners": 2},
        "policy": BALANCED,
    }


if __name__ == "__main__":
    main()
