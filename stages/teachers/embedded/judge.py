"""Sentences that `signals` says, without frames -> the answer that follows from them: its side as a judge.

It reads numbers and times off the kinds of sentences that it makes itself, and says `unknown` to all others.
"""

import re
import string
from collections.abc import Callable, Sequence

from reelproof.stages.teachers.embedded.read import AskedObservations

UNKNOWN = "unknown"

_TIME = r"\[(\d+(?:\.\d+)?) s\]"
_SHARP = re.compile(rf"changes sharply between {_TIME} and {_TIME}")
_MORE_SHARP = re.compile(r"changes sharply (\d+) more times")
_LITTLE = re.compile(r"even there it changes little")
_LARGEST = re.compile(rf"largest change is that from {_TIME} to {_TIME}")
_WAY = re.compile(r"smoothest way through the frames is ((?:Frame \d+(?:, )?)+)")
_HALVES = re.compile(
    r"(\d+(?:\.\d+)?) grey levels on average in the first half, (\d+(?:\.\d+)?) in the second"
)
_MORE = re.compile(rf"changes more between {_TIME} and {_TIME} than")
_SAME = re.compile(rf"picture at {_TIME} is the same as that at {_TIME}")
_STILL = re.compile(rf"From {_TIME} to {_TIME} the picture stands still")
_UNLIKE = re.compile(rf"frame at {_TIME} looks unlike")


def conclude(asked: AskedObservations) -> str:
    """The answer in the form of its task, or `unknown`."""
    question = asked.text.lower()
    for words, read in _READERS:
        if words in question:
            return read(asked) or UNKNOWN
    return UNKNOWN


def _scenes(asked: AskedObservations) -> str | None:
    cuts = len(_SHARP.findall(asked.observations))
    cuts += sum(int(more) for more in _MORE_SHARP.findall(asked.observations))
    return str(cuts + 1) if cuts or _LITTLE.search(asked.observations) else None


def _first_cut(asked: AskedObservations) -> str | None:
    found = _SHARP.search(asked.observations) or _LARGEST.search(asked.observations)
    return f"{(float(found[1]) + float(found[2])) / 2:.1f}" if found else None


def _order(asked: AskedObservations) -> str | None:
    found = _WAY.search(asked.observations)
    return ", ".join(re.findall(r"\d+", found[1])) if found else None


def _motion_half(asked: AskedObservations) -> str | None:
    found = _HALVES.search(asked.observations)
    if not found or found[1] == found[2]:
        return None
    return _letter(asked.options, "first half" if float(found[1]) > float(found[2]) else "second half")


def _odd_frame(asked: AskedObservations) -> str | None:
    found = _UNLIKE.search(asked.observations)
    return _letter(asked.options, f" {found[1]} s") if found else None


def _largest_change(asked: AskedObservations) -> str | None:
    found = _MORE.search(asked.observations)
    return _letter(asked.options, f"from {found[1]} s to {found[2]} s") if found else None


def _foreign_span(asked: AskedObservations) -> str | None:
    """Only where both its ends are told: one at the edge of the clip is not a change."""
    ends = _SHARP.findall(asked.observations)
    return f"[{ends[0][1]}, {ends[1][0]}]" if len(ends) == 2 else None


def _same_picture(asked: AskedObservations) -> str | None:
    found = _SAME.search(asked.observations)
    return _letter(asked.options, f"{found[2]} s and {found[1]} s") if found else None


def _frozen_span(asked: AskedObservations) -> str | None:
    found = _STILL.search(asked.observations)
    return f"[{found[1]}, {found[2]}]" if found else None


def _letter(options: Sequence[str], words: str) -> str | None:
    held = [place for place, option in enumerate(options) if words in f" {option}"]
    return string.ascii_uppercase[held[0]] if len(held) == 1 else None


_READERS: tuple[tuple[str, Callable[[AskedObservations], str | None]], ...] = (
    ("how many scenes", _scenes),
    ("first cut", _first_cut),
    ("frames are shown in random order", _order),
    ("more motion", _motion_half),
    ("picture change the most", _largest_change),
    ("comes from another video", _odd_frame),
    ("footage of another video", _foreign_span),
    ("exactly the same picture", _same_picture),
    ("picture stands still", _frozen_span),
)
"""Words of a question, lower case, and who reads its answer off what was observed. Whether a clip is played
backwards, `signals` can only guess.
"""
