"""Claims as they are put to a verifier: which are drawn, the request for a verdict, and what came of each."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from pydantic import Field

from reelproof.schemas.answers.placed import BoxUnit, in_plain_words
from reelproof.schemas.answers.quotes import ClaimedQuote, said_quotes, tells_what_is_said
from reelproof.schemas.answers.statements import Statement
from reelproof.schemas.answers.stating import uncited_claims
from reelproof.schemas.answers.subjects import subject_of
from reelproof.schemas.answers.thought import NEAR_FRAME_S
from reelproof.schemas.chat import ChatRequest, Sampling
from reelproof.schemas.draws import hash32
from reelproof.schemas.footage import Span
from reelproof.schemas.frame_names import decimals_apart
from reelproof.schemas.question import Shown
from reelproof.schemas.settings import Settings
from reelproof.schemas.speech import SpeechLine
from reelproof.schemas.trace import ClaimedPlace, ClaimKind, ControlKind
from reelproof.stages.answers.panel import Judged, Matter, Messages, Panel, judge
from reelproof.stages.answers.places import PutPlace, with_cutouts
from reelproof.stages.answers.quoted import judge_speech
from reelproof.stages.teachers.messages import claim_messages


class ClaimConfig(Settings):
    """Which claims are judged, with which frames, and how often."""

    claims_per_trace: int = Field(default=8, ge=1, le=256)
    """At most so many of a thought's claims are put to the verifier. Chance draws them, so that no place in a
    thought is safe from it; others count as not judged."""
    observations_per_trace: int = Field(default=8, ge=0, le=64)
    """At most so many sentences of a thought that observe something and cite no time are put to the verifier
    as well, with all frames that the question shows; chance draws them. At 0 nobody judges such."""
    frames_per_observation: int = Field(default=64, ge=1, le=512)
    """At most so many frames are shown with such a sentence. Where a question shows more, nobody judges it:
    some of the frames cannot deny what the others may show."""
    frame_tolerance_s: float = Field(default=NEAR_FRAME_S, ge=0)
    """How far from a cited time a shown frame may be to stand for it."""
    frames_per_claim: int = Field(default=8, ge=1, le=64)
    """At most so many frames with one claim; a long span is thinned out evenly."""
    controls: int = Field(default=1, ge=0, le=8)
    """Sets of control frames for each claim; their beliefs are averaged."""
    control_bits: int = Field(default=8, ge=1, le=64)
    """How much control frames must differ from the cited ones, in bits of their perceptual hashes."""
    places_per_claim: int = Field(default=4, ge=0, le=64)
    """At most so many of the boxes that a claim names are cut out and put to the verifier, the first ones."""
    box_unit: BoxUnit = "pixels"
    """Corners of boxes that thoughts name are `pixels` of the frame as it is shown, or `thousandths` of its
    sides, as Qwen3-VL writes them; those of 2 and less are shares of the sides by themselves."""
    votes: int = Field(default=1, ge=1, le=64)
    """Answers to each request; their share of yes is the belief."""
    temperature: float = Field(default=0.0, ge=0, le=2)
    """0 is greedy; more than one vote needs more."""
    max_tokens: int = Field(default=256, ge=16, le=131_072)
    """One verdict may have so many tokens."""
    seed: int = Field(default=0, ge=0)
    """The draws, and the choice of control frames, follow from it."""


class Thought(NamedTuple):
    """What someone thinks, and the frames that it can cite."""

    text: str
    shown: Sequence[Shown]
    lines: Sequence[SpeechLine] = ()
    """What is said, as far as it is shown."""
    options: Sequence[str] = ()
    """What the question lets choose among, where that is known."""


class Put(NamedTuple):
    """A claim as it is put to the verifier, or as it was judged without one."""

    trace_id: str
    place: int
    statement: Statement
    matter: Matter = Matter()
    known: Judged | None = None
    """By what is said, or by what was read."""
    kind: ClaimKind | None = None
    control: ControlKind | None = None
    frames: tuple[str, ...] = ()
    control_frames: tuple[str, ...] = ()
    places: tuple[PutPlace, ...] = ()
    quotes: tuple[ClaimedQuote, ...] = ()


class Answered(NamedTuple):
    """A claim, and each of its places, with what came of it."""

    put: Put
    claim: Judged
    places: tuple[ClaimedPlace, ...]


def answered(
    put: Sequence[Put], panel: Panel, cfg: ClaimConfig, frames: Mapping[str, bytes]
) -> Iterator[Answered]:
    """Each claim in order, with what the panel makes of it and of its places."""
    places = [place for each in put for place in each.places]
    matters = [each.matter for each in put] + [place.matter for place in places]
    sampling = Sampling(temperature=cfg.temperature, max_tokens=cfg.max_tokens, seed=cfg.seed)
    asked = partial(_asked, sampling=sampling, votes=cfg.votes)
    judged = judge(matters, panel, asked, with_cutouts(places, frames))
    of_places = map(PutPlace.claimed, places, judged[len(put) :])
    for each, found in zip(put, judged, strict=False):
        claim = each.known or Judged(found.verifier, found.beliefs or (None, None))
        yield Answered(each, claim, tuple(itertools.islice(of_places, len(each.places))))


def drawn_claims(statements: Sequence[Statement], cfg: ClaimConfig) -> list[int]:
    """The places of those that are judged, in order: whole sentences that nobody takes back, by chance where
    they are too many.
    """
    whole = [index for index, each in enumerate(statements) if each.is_whole and not each.is_taken_back]
    return _drawn(whole, [each.text for each in statements], cfg.claims_per_trace, cfg.seed)


def _drawn(places: Sequence[int], texts: Sequence[str], most: int, seed: int) -> list[int]:
    """At most so many of the places, in order, by chance that follows from the texts."""
    return sorted(sorted(places, key=lambda place: hash32(seed, place, texts[place]))[:most])


def put_observations(
    trace_id: str,
    thought: Thought,
    cited: Sequence[Statement],
    panel: Panel,
    cfg: ClaimConfig,
) -> Iterator[Put]:
    """What a thought states and cites no time for, after its claims that do (`cited`), in order.

    What it says that somebody says is held against the lines of speech, and put to nobody where none are
    shown: frames cannot tell.
    """
    shown = thought.shown
    if not shown or not cfg.observations_per_trace:
        return
    texts = uncited_claims(thought.text, cited, thought.options)
    seen = [place for place, text in enumerate(texts) if not tells_what_is_said(text)]
    if len(shown) > cfg.frames_per_observation:
        seen = []
    drawn = _drawn(seen, texts, cfg.observations_per_trace, cfg.seed)
    decimals = decimals_apart(each.shown_s for each in shown)
    for place, text in enumerate(texts):
        statement = Statement(text, ())
        put = Put(trace_id, len(cited) + place, statement, kind=ClaimKind.OBSERVATION)
        if place in drawn:
            put = put._replace(matter=matter_of(statement, shown, (), decimals))
        elif thought.lines and tells_what_is_said(text):
            whenever = Span(start_s=thought.lines[0].start_s, end_s=max(each.end_s for each in thought.lines))
            quotes = said_quotes(text, (whenever,), thought.lines)
            put = put._replace(known=judge_speech(quotes, panel), quotes=quotes)
        yield put


def matter_of(
    statement: Statement, shown: Sequence[Shown], controls: Sequence[Sequence[Shown]], decimals: int
) -> Matter:
    """A claim with the frames that are to bear it out, and with each set of those that it is held against."""
    cited, *otherwise = (
        claim_messages(in_plain_words(statement.text, decimals), frames, decimals)
        for frames in (shown, *controls)
    )
    return Matter(([cited], otherwise), subject_of(statement.text))


def _asked(messages: Messages, model: str, sampling: Sampling, votes: int) -> list[ChatRequest]:
    return [
        ChatRequest(model=model, messages=messages, sampling=sampling, sample_index=vote)
        for vote in range(votes)
    ]
