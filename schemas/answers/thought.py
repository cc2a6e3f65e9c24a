"""A thought -> how long it is, how much it repeats itself, whether its citations point at what was shown.

What filter, reward and evaluation share.
"""

from collections.abc import Sequence

from reelproof.schemas.answers.wording import words
from reelproof.schemas.footage import Clip, Span
from reelproof.schemas.speech import SpeechLine

NEAR_FRAME_S = 0.5
"""A frame shown so near to a cited time may stand for it: thoughts round to whole seconds."""


def thought_words(thought: str) -> int:
    """Its words; characters of scripts without spaces count as words."""
    return len(words(thought))


def repetition(thought: str, gram_words: int = 4) -> float:
    """Share of the runs of words that occurred before. 0 says nothing twice, 1 one thing for ever."""
    said = words(thought)
    grams = [tuple(said[place : place + gram_words]) for place in range(len(said) - gram_words + 1)]
    return (len(grams) - len(set(grams))) / len(grams) if grams else 0.0


def lies_in_clip(span: Span, clip: Clip, tolerance_s: float) -> bool:
    """Whether both ends of the cited span lie in the clip."""
    return clip.start_s - tolerance_s <= span.start_s and span.end_s <= clip.end_s + tolerance_s


def cited_near_frames(
    cited: Sequence[Span],
    times_s: Sequence[float],
    tolerance_s: float,
    lines: Sequence[SpeechLine] = (),
) -> float | None:
    """Share of the cited times and spans within the tolerance of a shown frame, or of a shown line of what is
    said; None where none is cited.
    """
    near = [
        _lies_near(span, times_s, tolerance_s) or _lies_in_a_line(span, lines, tolerance_s) for span in cited
    ]
    return sum(near) / len(near) if near else None


def _lies_in_a_line(span: Span, lines: Sequence[SpeechLine], tolerance_s: float) -> bool:
    """Whether something is said within the tolerance of the span."""
    return any(
        line.start_s - tolerance_s <= span.end_s and span.start_s <= line.end_s + tolerance_s
        for line in lines
    )


def _lies_near(span: Span, times_s: Sequence[float], tolerance_s: float) -> bool:
    """Whether a shown frame lies in the span, or within the tolerance of it."""
    return any(span.start_s - tolerance_s <= time_s <= span.end_s + tolerance_s for time_s in times_s)
