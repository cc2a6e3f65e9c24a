"""Times at which a film was looked at, and what was cited or answered -> the times to look at next."""

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from reelproof.schemas.answers.places import Interval
from reelproof.schemas.footage import Span


class _Gap(NamedTuple):
    start_s: float
    end_s: float
    cited: int
    """How many of its ends were."""


def even_times(span: Span, count: int) -> list[float]:
    """Each the middle of its share of the stretch; fewer where two would be printed as the same tenth."""
    share_s = (span.end_s - span.start_s) / count
    return sorted({round(span.start_s + (place + 0.5) * share_s, 1) for place in range(count)})


def nearer_times(shown: Sequence[float], cited: Collection[float], more: int) -> list[float]:
    """The same times, and `more` next to those that were cited: something happens between two frames.

    Gaps between two cited neighbours come first: there a thought says that something changes. Without any
    citation there is nothing to go nearer to, and nothing is added; nor where two frames would be printed as
    of the same tenth of a second.
    """
    gaps = [_Gap(one, other, (one in cited) + (other in cited)) for one, other in pairwise(sorted(shown))]
    most = max((gap.cited for gap in gaps), default=0)
    if not most:
        return list(shown)
    return sorted({*shown, *_within([gap for gap in gaps if gap.cited == most], more)})


def gaps_around(shown: Sequence[float], moments: Collection[float]) -> list[Interval]:
    """Where two neighbours of `shown` have one of the moments between them, or at an end."""
    pairs = pairwise(sorted(shown))
    return [Interval(*gap) for gap in pairs if any(gap[0] <= each <= gap[1] for each in moments)]


def closer_times(shown: Sequence[float], gaps: Sequence[Interval], count: int) -> list[float]:
    """The ends of these gaps, a quarter of `count` between them, and of the others as many as there is room
    for, evenly: enough of the rest to tell what is usual there.
    """
    inside = _within([_Gap(*gap, 0) for gap in gaps], count // 4)
    near = {*inside, *(end for gap in gaps for end in gap)}
    others = [each for each in sorted(shown) if each not in near]
    room = min(max(count - len(near), 0), len(others))
    return sorted({*near, *(others[int((place + 0.5) * len(others) / room)] for place in range(room))})


def _within(gaps: Sequence[_Gap], count: int) -> Iterator[float]:
    """Times in the gaps, each next one in the gap that is then the coarsest."""
    parts = [1] * len(gaps)
    for _ in range(count):
        coarsest = max(range(len(gaps)), key=lambda at: (gaps[at].end_s - gaps[at].start_s) / parts[at])
        parts[coarsest] += 1
    for gap, into in zip(gaps, parts, strict=True):
        step_s = (gap.end_s - gap.start_s) / into
        yield from (round(gap.start_s + place * step_s, 1) for place in range(1, into))
