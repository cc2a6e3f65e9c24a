"""One seed of a study: films, teacher, verifier, builds, and students that are asked what is held out."""

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
import yaml

from reelproof.data_cards.checks_apart.arms import (
    BALANCED,
    Choice,
    choices,
)
from reelproof.data_cards.checks_apart.measure import (
    Truly,
    answer_greedily,
    keep,
    places_of,
    told_truly,
)
from reelproof.data_cards.checks_apart.models import (
    PROMPT,
    load_verifier,
    train_verifier,
)
from reelproof.data_cards.checks_apart.plan import DEVELOPMENT_SEEDS, PLAN
from reelproof.data_cards.checks_apart.server import (
    MAX_TOKENS,
    TEACHER,
    VERIFIER,
    Reading,
    as_seen,
    believing,
    serve,
)
from reelproof.data_cards.checks_apart.world import Film, draw_films, manifest_rows, write_film
from reelproof.data_cards.moving_shapes.arms import Asked, read_asked, sample, write_rows
from reelproof.data_cards.small_films import LOOKED_AT
from reelproof.data_cards.tiny_model import TinyModel
from reelproof.training.preflight import load_processor
from reelproof.training.settings.rows import ShardsConfig
from reelproof.training.settings.runs import OptimizerConfig, SftConfig
from reelproof.training.sft import train_sft

F = TypeVar("F")

KINDS = ("way", "middle", "coin")
"""Of questions."""


class Arguments(NamedTuple):
    """What a study is told on its command line."""

    out: Path
    seeds: list[int]
    report_only: bool
    """Whether only what is finished is to be told of."""


def read_arguments(study: str | None, out: str) -> Arguments:
    """Of a study with that docstring, whose results go to `out` by default; torch then has one thread."""
    parser = argparse.ArgumentParser(description=(study or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(out))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(8)))
    parser.add_argument("--report-only", action="store_true", help="Of the seeds that are there.")
    told = parser.parse_args()
    folder: Path = told.out.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    return Arguments(folder, told.seeds, told.report_only)


def same_plan(file: Path, mine: Mapping[str, Any]) -> None:
    """Stops where there are results of other settings, or of other films."""
    if file.is_file() and json.loads(file.read_text()) != json.loads(json.dumps(mine)):
        raise SystemExit(f"{file} tells other settings or films; give another --out, or put them back")
    keep(file, mine)


def once(marker: Path, work: Callable[[], object]) -> Any:
    """Does it unless `marker` is there, which then holds what came of it and how long that took."""
    if not marker.is_file():
        began, spent = time.time(), _cpu_seconds()
        found = work()
        marker.parent.mkdir(parents=True, exist_ok=True)
        took = {"seconds": round(time.time() - began, 1), "cpu_seconds": round(_cpu_seconds() - spent, 1)}
        keep(marker, {"found": found, **took, "load": round(os.getloadavg()[0], 1)})
    return json.loads(marker.read_text())["found"]


def _cpu_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def train_films(seed: int) -> list[Film]:
    """With shortcuts, and squares that hide."""
    return draw_films("train", PLAN.train_films, seed, PLAN.shortcut, PLAN.hidden)


def held_out_films() -> list[Film]:
    """On other paths, without shortcuts, and nothing hides."""
    dev = draw_films("dev", PLAN.dev_films, PLAN.held_out_seed, 0.0, 0.0)
    test = draw_films("test", PLAN.test_films, PLAN.held_out_seed, 0.0, 0.0)
    shifted = draw_films("shifted", PLAN.shifted_films, PLAN.held_out_seed, 0.0, 0.0, PLAN.shifted_jitter)
    return dev + test + shifted


def build_held_out(out: Path, base: Path) -> list[Asked]:
    """Development and test films as a build shows them; what its teacher says of them is not used."""
    verifier = out / "held_out-verifier.pt"
    once(out / "held_out-verifier.json", lambda: train_verifier(verifier, PLAN.base_seed)._asdict())
    build(out, "held_out", held_out_films(), base, verifier, rollouts=1)
    return read_asked(out / "held_out")


class Seed:
    """One seed's folder, its films, and the held-out questions that it is asked."""

    def __init__(self, out: Path, seed: int, base: Path, held_out: Sequence[Asked]) -> None:
        self.number, self.base, self.folder = seed, base, out / f"seed-{seed}"
        self.folder.mkdir(exist_ok=True)
        self.teacher, self.verifier = self.folder / "teacher", self.folder / "verifier.pt"
        splits = ("dev-",) if seed >= DEVELOPMENT_SEEDS else ("test-", "shifted-")
        self.asked = [each for each in held_out if each.film.startswith(splits)]
        self._held_out = places_of(held_out_films())

    def build(self, name: str, films: Sequence[Film], teacher: Path) -> list[Choice]:
        """All traces that a teacher gave of films, once."""
        work = partial(build, self.folder, name, films, teacher, self.verifier, PLAN.rollouts)
        once(self.folder / f"{name}.json", work)
        return choices(self.folder / name)

    def arm(self, name: str, student: str, rows: Sequence[Choice], films: Sequence[Film]) -> None:
        """Train a student on the rows, unless it is another arm's, and ask it."""
        truly = told_truly({**self._held_out, **places_of(films)})

        def trained_and_asked() -> dict[str, Any]:
            run = train_arm(self.folder, student, rows, self.base, sft_config(PLAN, self.number))
            answers = answer_greedily(run, self.asked, truly)._asdict()
            return {**answers, "rows": rows_told(rows, truly, KINDS), "student": student}

        found = once(self.folder / f"arm-{name}.json", trained_and_asked)
        print(f"seed {self.number}: {name} ({student}): {means(found)} {found['rows']}", flush=True)  # noqa: T201


def means(found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Of an arm's answers, for whoever looks on."""
    return {
        key: round(sum(found[key]) / len(found[key]), 3) for key in ("right", "cited", "agrees", "proven")
    }


Cells = Callable[[Path], float]
"""A base model -> the share of the frames asked about whose cell it names right."""


class Rounds(NamedTuple):
    """How a seed's base model is trained: through all of its stages, until it names enough cells."""

    folder: Path
    train: Callable[[Path, int, TinyModel | None], None]
    """To a folder, from draws of a seed, going on from a model where there is one."""
    seeds_from: int
    """A round is drawn from this times its number, plus the seed's number."""
    seed: int

    def base(self, number: int) -> Path:
        """The model after so many rounds; each goes on from the round before."""
        base, before = (self.folder / f"base-{each}" for each in (number, number - 1))
        drawn = self.seeds_from * number + self.seed

        def train() -> None:
            self.train(base, drawn, load_model(before) if number > 1 else None)

        once(self.folder / f"{base.name}.json", train)
        return base

    def until(self, cells: Cells, least: float) -> Path:
        """The model of the first round that names so many."""
        bases = map(self.base, itertools.count(1))
        return next(base for base in bases if _named(base, cells) >= least)


def _named(base: Path, cells: Cells) -> float:
    named: float = once(base.with_name(f"{base.name}-cells.json"), partial(cells, base))
    return named


def load_model(model: Path) -> TinyModel:
    """A saved one, to go on from."""
    from transformers import AutoModelForImageTextToText

    return TinyModel(AutoModelForImageTextToText.from_pretrained(model), load_processor(str(model)))


def told(each: Choice, truly: Truly) -> dict[str, Any]:
    """A trace by what is true of it, and why it was rejected."""
    true, kind = truly(each.asked, each.trace.thought), each.asked.question.kind
    return {"kind": kind, "true": true, "balanced": sorted(each.balanced), "strict": sorted(each.strict)}


def rows_told(rows: Sequence[Choice], truly: Truly, kinds: Sequence[str] = ()) -> dict[str, float]:
    """How many rows, how many of them are true in all that they say, and how many of some kinds."""
    true = [truly(each.asked, each.trace.thought) == 1 for each in rows]
    count = {kind: sum(each.asked.question.kind == kind for each in rows) for kind in kinds}
    return {"rows": len(rows), "true": round(sum(true) / len(rows), 4), **count}


def sft_config(plan: Any, seed: int) -> SftConfig:
    """How a student learns by a plan's `steps`, `batch_rows` and `rate`."""
    return SftConfig(
        shards=ShardsConfig(seed=seed),
        prompt=PROMPT,
        steps=plan.steps,
        batch_rows=plan.batch_rows,
        optimizer=OptimizerConfig(learning_rate=plan.rate, schedule="cosine", warmup_steps=10),
        checkpoint_every_steps=plan.steps,
        log_every_steps=plan.steps,
        seed=seed,
    )


def train_arm(folder: Path, name: str, rows: Sequence[Choice], base: Path, cfg: SftConfig) -> Path:
    """Fine-tune the base model on the rows; what is trained is not trained again."""
    dataset = write_rows([sample(each.asked, each.trace) for each in rows], folder / f"{name}-rows")
    train_sft(dataset, str(base), folder / name, cfg)
    return folder / name


def build(
    out: Path,
    name: str,
    films: Sequence[Film],
    teacher: Path,
    verifier: Path,
    rollouts: int,
    most: int | None = None,
) -> None:
    """The whole pipeline over the films, with a learned teacher and a learned verifier behind a server.

    `most` is how many rollouts a question may get that luck may explain; None for as many of all.
    """
    if (out / name / "dataset" / "manifest.json").is_file():
        return
    folder = out / f"{name}-films"
    write_sources(folder, films, write_film, manifest_rows)
    with serve(teacher, believing(load_verifier(verifier)), Reading(as_seen, MAX_TOKENS)) as url:
        shown = {
            "clips": {"target_s": 3.0, "max_s": 5.0, "whole": False, "min_keyframes": 3, "max_keyframes": 3},
            "questions": {"given": {"min_frames": 3, "max_frames": 3}, "computed": {"kinds": []}},
        }
        recipe = asking_recipe("checks_apart", folder, url, PLAN, (rollouts, most), 64)
        run_build(out, name, {**recipe, **shown})


def write_sources(
    folder: Path,
    films: Sequence[F],
    write: Callable[[F, Path], None],
    rows: Callable[[F], Iterable[Mapping[str, object]]],
) -> None:
    """A world's films, and its questions about them as a manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    for film in films:
        write(film, folder)
    lines = [json.dumps(row) + "\n" for film in films for row in rows(film)]
    (folder / "manifest.jsonl").write_text("".join(lines))


def run_build(out: Path, name: str, recipe: Mapping[str, object]) -> None:
    """What a recipe says, in a process of its own: `out/name.yaml` -> `out/name`."""
    file = out / f"{name}.yaml"
    file.write_text(yaml.safe_dump(recipe, sort_keys=False))
    start = [sys.executable, "-c", "from reelproof.pipeline.cli import main; main()"]
    command = [*start, "build", str(file), "--out", str(out / name)]
    subprocess.run(command, check=True)  # noqa: S603 - our own command


def asking_recipe(
    name: str, films: Path, url: str, plan: Any, rollouts: tuple[int, int | None], max_tokens: int
) -> dict[str, Any]:
    """What a study's recipes have in common: who is asked, how often, and what is kept.

    `rollouts` are how many a question gets, and how many one may get that luck may explain.
    """
    server = {"kind": "server", "urls": [url], "concurrency": 64, "revision": films.parent.name}
    is_studied = rollouts[0] > 1
    return {
        "name": name,
        "sources": {"manifest": str(films / "manifest.jsonl"), "license": "CC0-1.0"},
        "parts": {"videos": 20},
        "cluster": {"workers": 1},
        "card": {"plots": False},
        **LOOKED_AT,
        "teachers": [{"teacher": {**server, "model": TEACHER}}],
        "claims": {
            "verifier": {**server, "model": VERIFIER},
            "votes": plan.votes,
            "temperature": 1.0,
        },
        "rollouts": {
            "rollouts": rollouts[0],
            "max_rollouts": rollouts[1],
            "temperature": plan.temperature,
            "top_p": 1.0,
            "max_tokens": max_tokens,
        },
        "probes": {
            "probes": ["blind"] if is_studied else [],
            "rollouts": plan.blind_rollouts,
            "max_rollouts": 2 * plan.blind_rollouts,
            "max_tokens": max_tokens,
        },
        # All films are of one small world and look alike; the manifest says which are held out.
        "duplicates": {"frame_bits": 0, "clip_share": 1.0, "video_share": 1.0, "most_owners": 2},
        "policy": BALANCED,
    }
