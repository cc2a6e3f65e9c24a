"""Sentences that `signals` says and the frames that they cite -> borne out or not: its side as a verifier.

Only the shown frames count. They are matched to the cited times by their labels, or by their order where they
carry other labels: control frames stand in for the cited ones and must be judged as if they were.
"""

import re
from collections.abc import Callable, Sequence
from typing import Literal

from reelproof.schemas.answers.writing import is_written
from reelproof.stages.teachers.embedded.eye import Eye
from reelproof.stages.teachers.embedded.measure import Differences
from reelproof.stages.teachers.embedded.read import AskedClaim, Shown

Verdict = Literal["yes", "no", "unknown"]

_SHARP = 28.0
"""Below the threshold of the teacher: a claim that is nearly right is borne out."""
_MOVES = 14.0
"""Grey levels, on average of a part: below that of the teacher, too."""
_SAME = 0.05
"""Above that of the teacher, for the same reason."""
_TIME = r"\[(\d+(?:\.\d+)?) s\]"
_MOVING_PART = re.compile(r"from the first to the second, this part shows motion")
_READS = re.compile(r'(?:text reads|this part shows) "([^"]+)"')


def verify_claim(asked: AskedClaim, eye: Eye) -> Verdict:
    """`unknown` for a sentence of another kind, or with fewer frames than it cites."""
    if _MOVING_PART.search(asked.text):
        return _moves(asked.shown, eye)
    if written := _READS.search(asked.text):
        return _is_read(written[1], asked.shown, eye)
    for pattern, is_true in _KINDS:
        if said := pattern.search(asked.text):
            places = _places([float(time) for time in said.groups()], asked.shown)
            if places is None:
                return "unknown"
            return _as_verdict(is_true(eye.compare(asked.shown), places))
    return "unknown"


def _moves(shown: Sequence[Shown], eye: Eye) -> Verdict:
    """Of a part that was cut out of two frames."""
    if len(shown) < 2:
        return "unknown"
    return _as_verdict(bool(eye.compare(shown).motion_steps().max() > _MOVES))


def _is_read(words: str, shown: Sequence[Shown], eye: Eye) -> Verdict:
    if not eye.reads or not shown:
        return "unknown"
    return _as_verdict(any(is_written(words, eye.read(each)) for each in shown))


def _as_verdict(is_true: bool) -> Verdict:
    return "yes" if is_true else "no"


def _changes_sharply(measured: Differences, places: Sequence[int]) -> bool:
    return bool(measured.content[places[0], places[1]] > _SHARP)


def _looks_unlike(measured: Differences, places: Sequence[int]) -> bool:
    odd, before, after = places
    nearest = min(measured.content[odd, before], measured.content[odd, after])
    return bool(nearest > max(_SHARP / 2, 1.2 * measured.content[before, after]))


def _moves_more(measured: Differences, places: Sequence[int]) -> bool:
    a, b, c, d = places
    return bool(measured.motion[a, b] > measured.motion[c, d])


def _changes_more(measured: Differences, places: Sequence[int]) -> bool:
    a, b, c, d = places
    return bool(measured.content[a, b] > measured.content[c, d])


def _is_same(measured: Differences, places: Sequence[int]) -> bool:
    return bool(measured.content[places[0], places[1]] < _SAME)


_KINDS: tuple[tuple[re.Pattern[str], Callable[[Differences, Sequence[int]], bool]], ...] = (
    (re.compile(rf"changes sharply between {_TIME} and {_TIME}"), _changes_sharply),
    (re.compile(rf"frame at {_TIME} looks unlike those at {_TIME} and {_TIME}"), _looks_unlike),
    (re.compile(rf"moves more between {_TIME} and {_TIME} than between {_TIME} and {_TIME}"), _moves_more),
    (re.compile(rf"picture at {_TIME} is the same as that at {_TIME}"), _is_same),
    (re.compile(rf"From {_TIME} to {_TIME} the picture stands still"), _is_same),
    (
        re.compile(rf"changes more between {_TIME} and {_TIME} than between {_TIME} and {_TIME}"),
        _changes_more,
    ),
)


def _places(times: Sequence[float], shown: Sequence[Shown]) -> list[int] | None:
    """Which shown frame each cited time means: the one with its label, else the one in its turn."""
    labelled = [[i for i, each in enumerate(shown) if each.time_s == time] for time in times]
    if all(labelled):
        return [found[0] for found in labelled]
    distinct = sorted(set(times))
    if len(shown) != len(distinct):
        return None
    turn = {time: place for place, time in enumerate(distinct)}
    return [turn[time] for time in times]
