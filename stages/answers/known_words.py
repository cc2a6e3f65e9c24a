"""Words written into frames, and lines of speech -> claims that quote them and whose truth is known."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from rapidfuzz import fuzz

from reelproof.schemas.answers.placed import BoxUnit
from reelproof.schemas.answers.quotes import NEAR_S
from reelproof.schemas.answers.subjects import Subject
from reelproof.schemas.calibration import Plant
from reelproof.schemas.footage import Clip
from reelproof.schemas.question import ShownFrame
from reelproof.schemas.speech import SpeechLine
from reelproof.schemas.written import FrameText
from reelproof.stages.answers.known import Known

_FEWEST_WORDS = 3
_NOT_SAID = 60.0
"""Ratio of characters below which a line surely does not hold a quote."""


class Planted(NamedTuple):
    """A clip that shows a frame with words in it."""

    clip: Clip
    shown: tuple[ShownFrame, ...]
    place: int
    """Of that frame among the shown ones."""
    words: str
    box: tuple[float, float, float, float]
    """Left, top, right and bottom of the words, in pixels of the frame."""
    texts: Mapping[str, FrameText]
    """sha256 -> what was read in the shown frames, this one among them."""


def known_of_writing(planted: Iterable[Planted], unit: BoxUnit, rng: random.Random) -> Iterator[Known]:
    """Of words that were written into frames: then, there and these; or else."""
    every = list(planted)
    for each in every:
        others = [words for words in (other.words for other in every) if words != each.words]
        times = [place for place in range(len(each.shown)) if place != each.place]
        box = _in_unit(each.box, each, unit)
        moved = _in_unit(_elsewhere(each), each, unit)
        yield _written(each, Plant.TRUE, each.words, each.place)
        yield _written(each, Plant.TRUE, each.words, each.place, box)
        if times:
            yield _written(each, Plant.OTHER_TIME, each.words, rng.choice(times))
        if others:
            yield _written(each, Plant.OTHER_WORDS, rng.choice(others), each.place)
        yield _written(each, Plant.OTHER_PLACE, each.words, each.place, moved)


def _written(each: Planted, plant: Plant, words: str, place: int, box: str = "") -> Known:
    time_s = f"{each.shown[place].shown_s:.1f}"
    plain = f'The text at [{time_s} s] reads "{words}".'
    boxed = f'The <obj>text</obj><box>{box}</box>at<t>{time_s}</t>s reads "{words}".'
    return Known(Subject.WRITING, plant, boxed if box else plain, each.clip, each.shown, texts=each.texts)


def _elsewhere(each: Planted) -> tuple[float, float, float, float]:
    """A box as high and half as wide as the frame at most, in the half above or below the words."""
    frame = each.shown[each.place].frame
    left, top, right, bottom = each.box
    in_lower = top + bottom > frame.height
    height = min(bottom - top, 0.4 * frame.height)
    above = 0.02 * frame.height if in_lower else 0.98 * frame.height - height
    return left, above, right, above + height


def _in_unit(box: Sequence[float], each: Planted, unit: BoxUnit) -> str:
    frame = each.shown[each.place].frame
    sides = (frame.width, frame.height, frame.width, frame.height)
    scales = [1000 / side if unit == "thousandths" else 1.0 for side in sides]
    corners = (str(round(corner * scale)) for corner, scale in zip(box, scales, strict=True))
    return f"[{','.join(corners)}]"


def known_of_speech(
    clips: Iterable[Clip], lines: Mapping[str, Sequence[SpeechLine]], rng: random.Random
) -> Iterator[Known]:
    """Of what is said: then and so, at another time, or in other words.

    Args:
        clips: Those that hold the lines.
        lines: clip_id -> what is said there, in order of time.
        rng: Draws the other times and words.
    """
    every = [line.text for said in lines.values() for line in said if '"' not in line.text]
    for clip in clips:
        said = tuple(lines.get(clip.clip_id, ()))
        absent = [each for each in every if not any(_holds(own.text, each) for own in said)]
        for line in said:
            for words in _excerpts(line.text):
                far = [each for each in said if _is_far(each, line)]
                yield _quoted(clip, said, Plant.TRUE, words, line)
                if far and sum(_holds(each.text, words) for each in said) == 1:
                    yield _quoted(clip, said, Plant.OTHER_TIME, words, rng.choice(far))
                if absent:
                    yield _quoted(clip, said, Plant.OTHER_WORDS, rng.choice(absent), line)


def _excerpts(text: str) -> Iterator[str]:
    """A line, its first half and its second, where they are long enough to be told from others."""
    words = text.split()
    half = len(words) // 2
    parts = (words, words[:half], words[half:]) if '"' not in text else ()
    yield from (" ".join(each) for each in parts if len(each) >= _FEWEST_WORDS)


def _quoted(clip: Clip, said: tuple[SpeechLine, ...], plant: Plant, words: str, at: SpeechLine) -> Known:
    time_s = (at.start_s + at.end_s) / 2
    text = f'Someone says "{words}" at [{time_s:.1f} s].'
    return Known(Subject.QUOTE, plant, text, clip, (), lines=said)


def _is_far(one: SpeechLine, other: SpeechLine) -> bool:
    """Whether nothing of one is said near the other."""
    return one.start_s > other.end_s + 2 * NEAR_S or other.start_s > one.end_s + 2 * NEAR_S


def _holds(line: str, quote: str) -> bool:
    return fuzz.partial_ratio(line.casefold(), quote.casefold()) >= _NOT_SAID
