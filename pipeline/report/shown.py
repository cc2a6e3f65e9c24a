"""What a row's page shows of it, ready for the page's template."""

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

from reelproof.pipeline.report.places import ShownBox, ShownPlace
from reelproof.schemas.answers.quotes import ClaimedQuote


class Piece(NamedTuple):
    """A stretch of text; a citation names the frames that it points at, by their places among the row's."""

    text: str
    frames: tuple[int, ...] = ()


class ShownFrame(NamedTuple):
    """One frame of the strip."""

    sha256: str
    caption: str
    name: str
    """What it is, for who does not see it."""
    boxes: tuple[ShownBox, ...] = ()


class ShownOption(NamedTuple):
    """One option of a multiple choice."""

    letter: str
    text: str
    is_gold: bool
    is_predicted: bool


class ShownClaim(NamedTuple):
    """A sentence that cites a time or observes without one, and what a verifier made of it."""

    pieces: tuple[Piece, ...]
    is_timed: bool
    frames: tuple[int, ...]
    """The frames that were put to the verifier, by their places among the row's."""
    verdict: str
    is_borne_out: bool | None
    """By the cited frames and by no others; None where nobody can tell."""
    cited: float | None
    control: float | None
    verifier: str
    places: tuple[ShownPlace, ...]
    quotes: tuple[ClaimedQuote, ...]


class Threshold(NamedTuple):
    """A rule that a measurement is held against."""

    rule: str
    setting: str
    """Field of the policy, where it has one."""
    limit: str
    breaks: bool


class ShownScore(NamedTuple):
    """One measurement."""

    name: str
    value: str
    share: float | None
    """The value, where it lies in [0, 1] and a bar says more than its digits."""
    thresholds: tuple[Threshold, ...]


class ScoreGroup(NamedTuple):
    """The measurements of one check."""

    caption: str
    scores: tuple[ShownScore, ...]


class ShownReason(NamedTuple):
    """Why a row was not kept."""

    name: str
    told: str
    """What that means; the threshold and what was measured, where there is one."""


class ShownPart(NamedTuple):
    """A piece of a message: text, or a frame by its hash; the other one is empty."""

    text: str = ""
    sha256: str = ""


class ShownTurn(NamedTuple):
    """One message of a request."""

    role: str
    parts: tuple[ShownPart, ...]


class ShownRequest(NamedTuple):
    """What a teacher was asked, as sent."""

    request_id: str
    is_proven: bool
    settings: Mapping[str, str]
    turns: tuple[ShownTurn, ...]


class ShownRow(NamedTuple):
    """One row as its page shows it."""

    fields: Mapping[str, Any]
    frames: tuple[ShownFrame, ...]
    options: tuple[ShownOption, ...]
    thought: tuple[Piece, ...]
    claims: tuple[ShownClaim, ...]
    groups: tuple[ScoreGroup, ...]
    reasons: tuple[ShownReason, ...]
    request: ShownRequest | None
    speech: tuple[tuple[Piece, ...], ...] = ()
    """What is said, a line each."""

    @property
    def opens_on(self) -> int:
        """The frame that a claim was judged by, or else the first one cited, by its place; or the first."""
        judged = (place for each in self.claims for place in each.frames)
        cited = (place for each in self.thought for place in each.frames)
        return next(itertools.chain(judged, cited), 0)

    @property
    def is_right(self) -> bool | None:
        """Whether the policy takes the answer for right; None where nobody knows, or none was asked."""
        if self.fields.get("answer_strict") is None:
            return None
        return all(reason.name != "wrong_answer" for reason in self.reasons)
