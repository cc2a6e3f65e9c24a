"""What a claim quotes -> beliefs without a verifier: by the lines of speech, or by the text that was read."""

from collections.abc import Mapping, Sequence
from functools import partial

from reelproof.schemas.answers.placed import BoxUnit, places_of
from reelproof.schemas.answers.quotes import QUOTE_JUDGE, ClaimedQuote, quote_beliefs
from reelproof.schemas.answers.statements import Statement
from reelproof.schemas.answers.writing import quoted_writing, writing_beliefs
from reelproof.schemas.question import ShownFrame
from reelproof.schemas.written import FrameText
from reelproof.stages.answers.panel import Judged


def judge_speech(quotes: tuple[ClaimedQuote, ...]) -> Judged:
    """By what is said in the clip."""
    return Judged(QUOTE_JUDGE, quote_beliefs(quotes) or (None, None))


def judge_writing(
    statement: Statement,
    shown: Sequence[ShownFrame],
    texts: Mapping[str, FrameText],
    unit: BoxUnit,
    tolerance_s: float,
) -> Judged | None:
    """By what was read in the frames; None where the claim quotes nothing written, or nobody knows.

    Args:
        statement: The claim.
        shown: What can be cited, in order of time.
        texts: sha256 -> what is written in that frame.
        unit: How corners of boxes above 1 are counted.
        tolerance_s: How far from a cited time a frame may be to stand for it.
    """
    mine = {each.sha256: texts[each.sha256] for each in shown if each.sha256 in texts}
    if not mine:
        return None
    frame = shown[0].frame
    boxes = partial(places_of, width=frame.width, height=frame.height, unit=unit)
    beliefs = writing_beliefs(quoted_writing(statement.text, shown, mine, boxes, tolerance_s))
    return None if beliefs[0] is None else Judged(next(iter(mine.values())).reader, beliefs)
