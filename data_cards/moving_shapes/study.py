"""Does curation pay? Films of a known world -> the whole pipeline -> training arms -> a table and a plot.

    python data_cards/moving_shapes/study.py --out build/study-stages --seeds 0 1 2 --jobs 2

Everything that is done is kept in --out, and a second run goes on from there.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml
from report import write_report
from server import MODEL, serve
from teacher import RANDOM_ONLY, Faults
from world import draw_films, manifest_rows, write_film

from reelproof.data_cards.small_films import LOOKED_AT

HERE = Path(__file__).parent
FILMS = {"train": 100, "dev": 20, "test": 90}
FILM_SEED = 31
ROLLOUTS = 4
NOISE = "noise"
"""The build whose teacher has random faults only."""


def main() -> None:
    """Films and builds once, then every seed in a process of its own, then the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("build/study-stages"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=3, help="Seeds trained at a time, one thread each.")
    parser.add_argument("--only-seed", type=int, help="Internal: train this seed's arms and stop.")
    parser.add_argument("--build-only", action="store_true")
    args = parser.parse_args()
    out = args.out.absolute()
    if args.only_seed is not None:
        # Heavy imports stay out of the process that only renders and builds.
        from train_arms import run_seed

        run_seed(out, args.only_seed, out / NOISE)
        return
    began, before = time.time(), _cpu_seconds()
    render(out / "films")
    build(out, "build", Faults())
    build(out, NOISE, RANDOM_ONLY)
    if not args.build_only:
        _run_seeds(out, args.seeds, args.jobs)
        spent = {"wall_seconds": time.time() - began, "cpu_seconds": _cpu_seconds() - before}
        with (out / "commands.jsonl").open("a") as file:
            file.write(json.dumps(spent) + "\n")
        write_report(out, HERE, args.seeds)
        shutil.copy(HERE / "study.json", out / "build" / "study.json")
        _reelproof("card", str(out / "build"))


def _cpu_seconds() -> float:
    """Of this process and of those it waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def render(folder: Path) -> None:
    """All films, and the manifest with their questions."""
    manifest = folder / "manifest.jsonl"
    if manifest.is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for split, count in FILMS.items():
        for film in draw_films(split, count, FILM_SEED):
            write_film(film, folder)
            lines += [json.dumps(row) + "\n" for row in manifest_rows(film)]
    manifest.write_text("".join(lines))


def build(out: Path, name: str, faults: Faults) -> None:
    """The whole pipeline over the films, with the faulty teacher behind a server."""
    if (out / name / "dataset" / "manifest.json").is_file():
        return
    with serve(faults) as url:
        recipe = out / f"{name}.yaml"
        recipe.write_text(yaml.safe_dump(_recipe(out, name, url), sort_keys=False))
        _reelproof("build", str(recipe), "--out", str(out / name))


def _reelproof(*arguments: str) -> None:
    """The command of this very checkout."""
    start = [sys.executable, "-c", "from reelproof.pipeline.cli import main; main()"]
    subprocess.run([*start, *arguments], check=True)  # noqa: S603 - our own command


def _recipe(out: Path, name: str, url: str) -> dict[str, object]:
    server = {"kind": "server", "model": MODEL, "revision": name, "urls": [url], "concurrency": 8}
    return {
        "name": "moving_shapes",
        "sources": {"manifest": str(out / "films" / "manifest.jsonl"), "license": "CC0-1.0"},
        "parts": {"videos": 16},
        **LOOKED_AT,
        "clips": {"target_s": 4.0, "max_s": 6.0, "whole": False, "min_keyframes": 4, "max_keyframes": 4},
        "questions": {"given": {"min_frames": 4, "max_frames": 4}, "computed": {"kinds": []}},
        "teachers": [{"teacher": server}],
        "claims": {"verifier": server},
        "rollouts": {"rollouts": ROLLOUTS},
        "probes": {"rollouts": 2},
        # All films are of one small world and look alike; the manifest says which are held out.
        "duplicates": {"frame_bits": 0, "clip_share": 1.0, "video_share": 1.0, "most_owners": 2},
        "policy": {
            "preset": "strict",
            "keep_duplicates": True,
            "max_traces_per_question": 1,
            "max_blind_pass_rate": 1.0,
        },
    }


def _run_seeds(out: Path, seeds: Sequence[int], jobs: int) -> None:
    """Each seed in a process with one thread, `jobs` at a time."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    waiting, running = list(seeds), []
    while waiting or running:
        while waiting and len(running) < jobs:
            command = [
                sys.executable,
                str(HERE / "study.py"),
                "--out",
                str(out),
                "--only-seed",
                str(waiting.pop(0)),
            ]
            running.append(subprocess.Popen(command, env=environment))  # noqa: S603 - our own command
        if running.pop(0).wait():
            for other in running:
                other.terminate()
            raise SystemExit("a seed failed; its messages are above. The same command goes on from here")


if __name__ == "__main__":
    main()
