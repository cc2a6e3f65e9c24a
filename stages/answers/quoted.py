"""What a claim quotes -> beliefs without a verifier: by the lines of speech, or by the text that was read."""

from collections.abc import Mapping, Sequence
from functools import partial

from reelproof.schemas.answers.placed import BoxUnit, places_of
from reelproof.schemas.answers.quotes import QUOTE_JUDGE, ClaimedQuote, quote_beliefs
from reelproof.schemas.answers.statements import Statement
from reelproof.schemas.answers.subjects import Subject
from reelproof.schemas.answers.writing import quoted_writing, writing_beliefs
from reelproof.schemas.question import ShownFrame
from reelproof.schemas.written import FrameText
from reelproof.stages.answers.panel import Judged, Panel


def judge_speech(quotes: tuple[ClaimedQuote, ...], panel: Panel) -> Judged:
    """By what is said in the clip, for as much as that is worth."""
    return panel.weighed(Judged(QUOTE_JUDGE, quote_beliefs(quotes) or (None, None)), Subject.QUOTE)


def judge_writing(
    statement: Statement,
    shown: Sequence[ShownFrame],
    texts: Mapping[str, FrameText],
    panel: Panel,
    unit: BoxUnit,
    tolerance_s: float,
) -> Judged | None:
    """By what was read in the frames, for as much as that is worth; None where the claim quotes nothing
    written, where nobody knows, and for a panel that does not read.

    Args:
        statement: The claim.
        shown: What can be cited, in order of time.
        texts: sha256 -> what is written in that frame.
        panel: Who judges.
        unit: How corners of boxes above 1 are counted.
        tolerance_s: How far from a cited time a frame may be to stand for it.
    """
    mine = {each.sha256: texts[each.sha256] for each in shown if each.sha256 in texts}
    if not mine or not panel.reads_text:
        return None
    frame = shown[0].frame
    boxes = partial(places_of, width=frame.width, height=frame.height, unit=unit)
    beliefs = writing_beliefs(quoted_writing(statement.text, shown, mine, boxes, tolerance_s))
    read = panel.weighed(Judged(next(iter(mine.values())).reader, beliefs), Subject.WRITING)
    return None if read.beliefs[0] is None else read
