"""Adaptive frames against many at once, on films whose answers are known, with `signals` as the model."""

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from reelproof.pipeline.asking.ask import ask_film
from reelproof.pipeline.asking.film import AskedFilm
from reelproof.pipeline.asking.settings import AskConfig
from reelproof.schemas.answers.conclusion import Posed
from reelproof.schemas.answers.scores import is_right, lenient_score
from reelproof.schemas.intervals import wilson
from reelproof.schemas.question import Task
from reelproof.stages.teachers.embedded.signals import SignalsTeacher
from tests.benchmarks.rows import Rows, at_least, at_most
from tests.films import Shot, make_film

FPS, LENGTH_S, EACH = 5, 90.0, 20
WAYS = {
    "fixed 32": AskConfig(first_frames=32, most_frames=32),
    "fixed 64": AskConfig(first_frames=64, most_frames=64),
    "adaptive": AskConfig(),
}


class Asked(NamedTuple):
    """A film, what is asked of it, and the answer that was made."""

    kind: str
    shots: list[Shot]
    posed: Posed
    gold: str


def questions() -> Iterator[Asked]:
    """Of each kind as many, the same ones each time."""
    rng = random.Random(7)
    for number in range(EACH):
        look = 100 * number
        yield _scenes(rng, look)
        yield _half(rng, look + 20)
        yield _foreign(rng, look + 40)
        yield _first_cut(rng, look + 60)


def _scenes(rng: random.Random, look: int) -> Asked:
    count = rng.randint(1, 8)
    borders = _apart(rng, count - 1, 5.0)
    shots = _shots(look, borders)
    text = "How many scenes does the clip consist of? A scene runs from one cut to the next."
    return Asked("scene count", shots, Posed(Task.NUMERICAL, text), str(count))


def _half(rng: random.Random, look: int) -> Asked:
    is_first = rng.random() < 0.5
    motion = (2.0, 0.4) if is_first else (0.4, 2.0)
    shots = [Shot(look, LENGTH_S / 2, motion[0]), Shot(look, LENGTH_S / 2, motion[1])]
    options = ("the first half", "the second half")
    text = "Which half of the clip holds more motion? Cuts do not count."
    return Asked("motion half", shots, Posed(Task.MULTIPLE_CHOICE, text, options), "A" if is_first else "B")


def _foreign(rng: random.Random, look: int) -> Asked:
    start_s, length_s = round(rng.uniform(15, 55), 1), round(rng.uniform(4, 16), 1)
    shots = [Shot(look, start_s, 0.3), Shot(look + 1, length_s, 0.3)]
    shots.append(Shot(look, LENGTH_S - start_s - length_s, 0.3))
    text = "From when to when does the clip show footage of another video?"
    gold = f"[{start_s:.1f}, {start_s + length_s:.1f}]"
    return Asked("foreign span", shots, Posed(Task.TEMPORAL_GROUNDING, text), gold)


def _first_cut(rng: random.Random, look: int) -> Asked:
    borders = _apart(rng, 3, 8.0)
    shots = _shots(look, borders)
    text = "At what second is the first cut?"
    return Asked("first cut", shots, Posed(Task.REGRESSION, text), f"{borders[0]:.1f}")


def _shots(look: int, borders: list[float]) -> list[Shot]:
    ends = pairwise([0.0, *borders, LENGTH_S])
    return [Shot(look + number, end_s - start_s, 0.2) for number, (start_s, end_s) in enumerate(ends)]


def _apart(rng: random.Random, count: int, least_s: float) -> list[float]:
    while True:
        found = sorted(round(rng.uniform(least_s, LENGTH_S - least_s), 1) for _ in range(count))
        if all(later - earlier >= least_s for earlier, later in pairwise(found)):
            return found


class Outcome(NamedTuple):
    """One way on one question."""

    kind: str
    right: bool
    frames: int
    """Over all looks."""
    distinct: int
    """Of the film."""
    settled: bool


def outcomes(folder: Path) -> dict[str, list[Outcome]]:
    """Each way on every question."""
    found: dict[str, list[Outcome]] = {name: [] for name in WAYS}
    for number, asked in enumerate(questions()):
        path = folder / f"asked-{number}.mp4"
        if not path.exists():
            make_film(path, asked.shots, fps=FPS)
        for name, cfg in WAYS.items():
            film = AskedFilm(path, 0.0, None, cfg)
            answered = ask_film(film, path.name, asked.posed, SignalsTeacher(), cfg, None, lambda _: None)
            right = _is_right(asked, answered.answer)
            found[name].append(
                Outcome(asked.kind, right, answered.cost.frames_shown, len(film.jpegs), answered.is_settled)
            )
    return found


def _is_right(asked: Asked, answer: str | None) -> bool:
    """A moment within a second, a stretch by half of both together."""
    if answer is None:
        return False
    if asked.posed.task is Task.REGRESSION:
        return lenient_score(Task.NUMERICAL, answer, asked.gold, (), 1.0) == 1
    score = lenient_score(asked.posed.task, answer, asked.gold, asked.posed.options)
    return is_right(asked.posed.task, score, 0.5)


def bench_ask(folder: Path) -> Rows:
    """Accuracy not below that of 64 frames from the start, at half of them at most."""
    found = outcomes(folder)
    for name, each in found.items():
        for kind in ("", *dict.fromkeys(one.kind for one in each)):
            mine = [one for one in each if kind in ("", one.kind)]
            share = wilson(sum(one.right for one in mine), len(mine))
            frames = sum(one.frames for one in mine) / len(mine)
            distinct = sum(one.distinct for one in mine) / len(mine)
            settled = sum(one.settled for one in mine)
            told = f"{share.value:.3f} [{share.low:.3f}, {share.high:.3f}]"
            counts = f"{distinct:5.1f} frames, {frames:5.1f} shown, {settled} of {len(mine)} settled"
            print(f"{name:<22}{kind or 'all':<14}{told}  {counts}")
    right = {name: sum(one.right for one in each) / len(each) for name, each in found.items()}
    looked = sum(each.distinct for each in found["adaptive"]) / len(found["adaptive"])
    shown = sum(each.frames for each in found["adaptive"]) / len(found["adaptive"])
    less = right["fixed 64"] - right["adaptive"]
    more = right["adaptive"] - right["fixed 32"]
    return {
        "asking: accuracy lost against 64 frames": at_most(less, 0.0, "share", "64 frames at once"),
        "asking: frames of the film": at_most(looked, 32, "frames", "64 frames at once"),
        "asking: frames shown over all looks": at_most(shown, 32, "frames", "64 frames at once"),
        "asking: accuracy won against 32 frames": at_least(more, 0.0, "share", "32 frames at once"),
    }
