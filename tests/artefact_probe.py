"""Questions about edited frames -> how often JPEG sizes and noise levels alone answer them. Also a script.

The probe is a linear model (a conditional logit: McFadden 1974) of every answer that a question leaves open.
It learns from some films and is asked about the others. `python -m tests.artefact_probe VIDEOS` tells how it
does on films.
"""

import hashlib
import io
import itertools
import re
import resource
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from reelproof.schemas.answers.chance import open_guess_rate
from reelproof.schemas.answers.scores import is_right, strict_score
from reelproof.schemas.intervals import wilson_low
from reelproof.schemas.question import Question, Task
from reelproof.stages.questions.computed import ComputedConfig, computed_questions
from reelproof.stages.questions.computed_stretches import STRETCHES
from reelproof.stages.questions.edited import EditedConfig, edited_questions
from tests.signals_on_footage import scan

_FOLDS = 5
_RIDGE = 1.0
_EDGES = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
"""Source: Immerkær 1996, Fast noise variance estimation."""


class Choice(NamedTuple):
    """One question as the probe sees it."""

    film: str
    candidates: np.ndarray
    """(answers, features)"""
    right: int


class Probed(NamedTuple):
    """How the probe does on a kind."""

    questions: int
    right: int
    luck: float
    """Mean share of the answers that are right."""

    @property
    def accuracy(self) -> float:
        """Share of questions that it answers."""
        return self.right / self.questions

    def is_at_luck(self, quantile: float = 2.33) -> bool:
        """Whether its accuracy is not surely above luck; at the default, one in a hundred is so by chance."""
        return wilson_low(self.accuracy, float(self.questions), quantile) <= self.luck


def levels(jpeg: bytes) -> tuple[float, float]:
    """Logarithms of a file's size and of its picture's noise."""
    luma = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE).astype(np.float32)
    noise = float(np.abs(cv2.filter2D(luma, -1, _EDGES)).mean())
    return float(np.log(len(jpeg))), float(np.log(noise + 0.1))


def choices(questions: Iterable[Question], files: Mapping[str, bytes]) -> list[Choice]:
    """What sizes and noise levels say of each answer."""
    known = {sha256: levels(jpeg) for sha256, jpeg in files.items()}
    return [
        _choice(each, np.array([known[frame.sha256] for frame in each.frames], np.float64))
        for each in questions
    ]


def _choice(question: Question, told: np.ndarray) -> Choice:
    scaled = (told - told.mean(axis=0)) / (told.std(axis=0) + 1e-6)
    if question.task is Task.NUMERICAL:
        each = np.concatenate([told.mean(0), told.std(0), np.ptp(told, 0), [1.0]])
        values = np.arange(1, min(len(question.frames), 10) + 1)
        return Choice(question.video_id, values[:, None] * each, int(question.answer) - 1)
    right = "ABCDEFGH".find(question.answer)
    if question.kind == "zoomed_place":
        where = np.array([[f"{end} " in f"{each} " for end in ("upper", "lower", "left", "right")]
                          for each in question.options], float)  # fmt: skip
        return Choice(question.video_id, np.hstack([where, *(where * each for each in scaled[-1])]), right)
    runs = _runs(question)
    if question.task is Task.TEMPORAL_GROUNDING:
        gold = [float(each) for each in re.findall(r"\d+\.\d", question.answer)]
        ends = [float(f"{each.shown_s:.1f}") for each in question.frames]
        right = runs.index(range(ends.index(gold[0]), ends.index(gold[1]) + 1))
    return Choice(question.video_id, np.array([_features(scaled, run) for run in runs]), right)


def _runs(question: Question) -> list[Sequence[int]]:
    """The places of the frames that each answer speaks of; of spans, all of the right one's length."""
    times = [f"{each.shown_s:.1f}" if each.shown_s is not None else "" for each in question.frames]
    if question.task is Task.TEMPORAL_GROUNDING:
        first, last = (times.index(each) for each in re.findall(r"\d+\.\d", question.answer))
        length = last - first + 1
        return [range(start, start + length) for start in range(len(times) - length + 1)]
    if "Frame" in question.options[0]:
        spans = [[int(each) - 1 for each in re.findall(r"\d+", option)] for option in question.options]
    else:
        spans = [
            [times.index(each) for each in re.findall(r"\d+\.\d", option)] for option in question.options
        ]
    is_stretch = question.kind in ("reversed_stretch", "faster_stretch")
    return [range(span[0], span[-1] + 1) if is_stretch else span for span in spans]


def _features(scaled: np.ndarray, run: Sequence[int]) -> np.ndarray:
    """Mean levels of the frames, how far they are from the mean, and how far from those beside them."""
    inside = scaled[list(run)]
    beside = [place for place in (run[0] - 1, run[-1] + 1) if 0 <= place < len(scaled)]
    step = inside.mean(0) - scaled[beside].mean(0) if beside else np.zeros(scaled.shape[1])
    return np.concatenate([inside.mean(0), np.abs(inside).mean(0), step])


def probe(asked: Sequence[Choice]) -> Probed:
    """Learn from the films of all folds but one, and answer those of that one."""
    films = sorted({each.film for each in asked}, key=lambda film: hashlib.sha256(film.encode()).digest())
    fold = {film: place % _FOLDS for place, film in enumerate(films)}
    right = 0
    for held_out in range(_FOLDS):
        learnt = [each for each in asked if fold[each.film] != held_out]
        weights = _fitted(learnt) if learnt else None
        for each in asked:
            if fold[each.film] == held_out and weights is not None:
                right += int(np.argmax(each.candidates @ weights)) == each.right
    return Probed(len(asked), right, float(np.mean([1 / len(each.candidates) for each in asked])))


def _fitted(asked: Sequence[Choice], steps: int = 25) -> np.ndarray:
    """Newton's method on the ridge-penalised likelihood. (features,)"""
    weights = np.zeros(asked[0].candidates.shape[1])
    for _ in range(steps):
        slope, bend = -_RIDGE * weights, _RIDGE * np.eye(len(weights))
        for each in asked:
            worth = each.candidates @ weights
            chance = np.exp(worth - worth.max())
            chance /= chance.sum()
            mean = chance @ each.candidates
            slope = slope + each.candidates[each.right] - mean
            bend = bend + (each.candidates.T * chance) @ each.candidates - np.outer(mean, mean)
        weights = weights + np.linalg.solve(bend, slope)
    return weights


def worse_encoded(jpeg: bytes, quality: int) -> bytes:
    """A planted artefact: the file encoded again."""
    file = io.BytesIO()
    Image.open(io.BytesIO(jpeg)).save(file, "JPEG", quality=quality)
    return file.getvalue()


def guesser_rate(questions: Sequence[Question], seed: int = 0, rollouts: int = 8) -> tuple[float, float]:
    """Share of right answers of who draws among those that a question leaves open, and the stated one."""
    rng, right = np.random.default_rng(seed), 0
    for each in questions:
        for _ in range(rollouts):
            said = _guess(each, rng)
            score = strict_score(each.task, said, each.answer, each.options, each.tolerance)
            right += is_right(each.task, score or 0.0, 0.5)
    stated = [open_guess_rate(each) or 0.0 for each in questions]
    return right / (rollouts * len(questions)), float(np.mean(stated))


def _guess(question: Question, rng: np.random.Generator) -> str:
    match question.task:
        case Task.MULTIPLE_CHOICE:
            return "ABCDEFGH"[rng.integers(len(question.options))]
        case Task.NUMERICAL:
            return str(rng.integers(1, min(len(question.frames), 10) + 1))
        case Task.ORDERING:
            return ", ".join(str(each + 1) for each in rng.permutation(question.answer.count(",") + 1))
        case _:
            times = [each.shown_s for each in question.frames]
            spans = list(itertools.combinations(times, 2))
            first, last = spans[rng.integers(len(spans))]
            return f"[{first}, {last}]"


def main(folder: str) -> None:
    """One line a kind: how many, the key, the guesser's rate and the stated one, and the probe's."""
    part = scan(each for each in sorted(Path(folder).iterdir()) if each.suffix != ".md")
    before = resource.getrusage(resource.RUSAGE_SELF)
    files = dict(part.jpegs)
    by_kind: dict[str, list[Question]] = defaultdict(list)
    made = list(edited_questions(part.clips, part.jpegs, EditedConfig(repeats=8)))
    after = resource.getrusage(resource.RUSAGE_SELF)
    for each in made:
        files |= {frame.frame.sha256: frame.jpeg for frame in each.frames}
        by_kind[each.question.kind].append(each.question)
    for question in computed_questions(part.clips, ComputedConfig(kinds=tuple(STRETCHES), repeats=8)):
        by_kind[question.kind].append(question)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    films = len({clip.video_id for clip in part.clips})
    stored = sum(len(frame.jpeg) for each in made for frame in each.frames)
    print(f"{len(made)} of edited frames: {seconds / films:.2f} CPU s, {stored / films / 1e6:.1f} MB a film")
    for kind, asked in by_kind.items():
        keys = defaultdict(int)
        for each in asked:
            keys[each.answer] += 1
        balance = dict(sorted(keys.items())) if len(keys) <= 10 else f"{len(keys)} answers"
        guessed, stated = guesser_rate(asked)
        line = f"{kind}: {len(asked)} of {len({each.video_id for each in asked})} films, {balance}; "
        line += f"guesser {guessed:.3f}, stated {stated:.3f}"
        if kind != "stretch_order":
            probed = probe(choices(asked, files))
            line += f"; probe {probed.accuracy:.3f} of luck {probed.luck:.3f}"
            line += " (at luck)" if probed.is_at_luck() else " (ABOVE LUCK)"
        print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
