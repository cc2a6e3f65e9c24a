"""Thoughts -> claims with cited times, put to a verifier with the cited frames and with others."""

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from pydantic import Field

from reelproof.schemas.answers.placed import BoxUnit, in_plain_words
from reelproof.schemas.answers.quotes import ClaimedQuote, said_quotes
from reelproof.schemas.answers.statements import Statement, cited_frames, cited_statements, timed
from reelproof.schemas.answers.subjects import subject_of
from reelproof.schemas.chat import ChatRequest, Sampling
from reelproof.schemas.draws import hash32
from reelproof.schemas.frame_names import decimals_apart
from reelproof.schemas.question import Shown, ShownFrame
from reelproof.schemas.settings import Settings
from reelproof.schemas.speech import SpeechLine
from reelproof.schemas.trace import Case, Claim, ClaimedPlace, ClaimKind, ControlKind
from reelproof.stages.answers.controls import (
    Control,
    PicturesOfClips,
    claim_kind,
    control_frames,
    pictures_elsewhere,
    pictures_of_clips,
)
from reelproof.stages.answers.panel import Judged, Matter, Messages, Panel, as_panel, judge
from reelproof.stages.answers.places import Around, PutPlace, put_boxes, with_cutouts
from reelproof.stages.answers.quoted import judge_speech, judge_writing
from reelproof.stages.footage.crops import Pictures
from reelproof.stages.teachers.messages import claim_messages
from reelproof.stages.teachers.protocol import Teacher

VERSION = 15


class ClaimConfig(Settings):
    """Which claims are judged, with which frames, and how often."""

    claims_per_trace: int = Field(default=8, ge=1, le=256)
    """At most so many of a thought's claims are put to the verifier. Chance draws them, so that no place in a
    thought is safe from it; others count as not judged."""
    frame_tolerance_s: float = Field(default=0.25, ge=0)
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


class _Put(NamedTuple):
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


_UNSEEN = Judged("", (0.0,))
"""A claim about a time at which no frame was shown, for a thought that is rewarded."""


class _Answered(NamedTuple):
    """A claim, and each of its places, with what came of it."""

    put: _Put
    claim: Judged
    places: tuple[ClaimedPlace, ...]


def verify_claims(
    cases: Iterable[Case], verifier: Teacher | Panel, cfg: ClaimConfig, frames: Mapping[str, bytes]
) -> Iterator[Claim]:
    """Every claim that cites a time, in the order of the traces and of their sentences.

    Control frames stand under the cited frames' times: both requests differ in pictures only. They are
    chosen so that they can tell (`controls.py`); where none can, the claim is put with the cited frames
    alone. A claim that no shown frame can stand for is not put to the verifier: its scores are null, as
    they are where the verifier cannot tell. What a claim puts into a box is put by itself, cut out of the
    frame, and held against the same box of another frame and another box of the same (`places.py`).
    What a claim quotes is held against the lines of speech, and no verifier is asked; nor is one of a panel
    that reads text where what was read tells whether a quote is written there.

    Args:
        cases: Questions with their clips and traces.
        verifier: Who judges, one or a panel.
        cfg: Which claims, with which frames, how often.
        frames: sha256 -> JPEG bytes of every frame that the questions show.

    Raises:
        RuntimeError: The verifier left requests unanswered.
    """
    cases = list(cases)
    clips, pictures = pictures_of_clips(cases), Pictures(frames)
    panel = as_panel(verifier)
    put = [each for case in cases for each in _put_claims(case, clips, pictures, panel, cfg)]
    for each, judged, places in _answered(put, panel, cfg, frames):
        cited, control = judged.beliefs
        yield Claim(
            trace_id=each.trace_id,
            index=each.place,
            text=each.statement.text,
            cited=each.statement.cited,
            cited_score=cited,
            control_score=control,
            kind=each.kind,
            control=each.control,
            frames=each.frames,
            control_frames=each.control_frames,
            verifier=judged.verifier,
            quotes=each.quotes,
            places=places,
        )


def verify(
    thoughts: Iterable[Thought], verifier: Teacher | Panel, cfg: ClaimConfig, frames: Mapping[str, bytes]
) -> list[tuple[float, ...]]:
    """The beliefs in each thought's claims by the frames that they cite, where they could be judged.

    They are the `cited_score` of `verify_claims`, and the `belief` of the places, which this is without
    controls; a faulty box is believed 0, and so is a claim that cites a time at which no frame was shown,
    where any is shown with its time: frames cannot bear it out, and who is rewarded must not learn to write
    such. Errors as there.
    """
    pictures = Pictures(frames)
    put = [list(_put_cited(each, pictures, cfg)) for each in thoughts]
    every = [each for claims in put for each in claims]
    answered = _answered(every, as_panel(verifier), cfg, frames)
    return [tuple(_beliefs(itertools.islice(answered, len(claims)))) for claims in put]


def _beliefs(claims: Iterable[_Answered]) -> Iterator[float]:
    for each in claims:
        if (belief := each.claim.beliefs[0]) is not None:
            yield belief
        for place in each.places:
            if place.fault is not None or place.belief is not None:
                yield place.belief or 0.0


def _answered(
    put: Sequence[_Put], panel: Panel, cfg: ClaimConfig, frames: Mapping[str, bytes]
) -> Iterator[_Answered]:
    """Each claim in order, with what the panel makes of it and of its places."""
    places = [place for each in put for place in each.places]
    matters = [each.matter for each in put] + [place.matter for place in places]
    sampling = Sampling(temperature=cfg.temperature, max_tokens=cfg.max_tokens, seed=cfg.seed)
    asked = partial(_asked, sampling=sampling, votes=cfg.votes)
    judged = judge(matters, panel, asked, with_cutouts(places, frames))
    of_places = map(PutPlace.claimed, places, judged[len(put) :])
    for each, found in zip(put, judged, strict=False):
        claim = each.known or Judged(found.verifier, found.beliefs or (None, None))
        yield _Answered(each, claim, tuple(itertools.islice(of_places, len(each.places))))


def _put_claims(
    case: Case, clips: PicturesOfClips, pictures: Pictures, panel: Panel, cfg: ClaimConfig
) -> Iterator[_Put]:
    shown, near_s = timed(case.question.frames), cfg.frame_tolerance_s
    elsewhere = pictures_elsewhere(case.clip, clips)
    around = Around(
        own=[each.sha256 for each in shown],
        others=[[each.sha256 for each in frames] for frames in elsewhere],
        least_bits=cfg.control_bits,
    )
    whole_quotes = panel.reads_text or bool(case.lines)
    for trace in case.traces:
        statements = cited_statements(trace.thought, whole_quotes)
        drawn = _drawn(statements, cfg)
        for index, statement in enumerate(statements):
            if index not in drawn:
                yield _Put(trace.trace_id, index, statement)
                continue
            if quotes := said_quotes(statement.text, statement.cited, case.lines):
                known = judge_speech(quotes, panel)
                yield _Put(trace.trace_id, index, statement, known=known, kind=ClaimKind.QUOTE, quotes=quotes)
                continue
            boxes = put_boxes(
                statement.things, shown, pictures, around if cfg.controls else None, cfg.box_unit, near_s
            )
            placed = itertools.islice(boxes, cfg.places_per_claim)
            put = _Put(trace.trace_id, index, statement, places=tuple(placed))
            places = cited_frames(statement.cited, shown, near_s, cfg.frames_per_claim)
            if places is None:
                yield put
                continue
            rng = random.Random(hash32(cfg.seed, statement.text, *places))  # noqa: S311 - draws that repeat
            if read := judge_writing(statement, shown, case.texts, panel, cfg.box_unit, near_s):
                put = put._replace(kind=ClaimKind.WRITING, known=read)
                yield _with_frames(put, places, _read_controls(read, case, places, rng, cfg), shown)
                continue
            kind = claim_kind(statement.cited, places)
            found = control_frames(kind, places, shown, elsewhere, cfg.control_bits, rng)
            controls = list(itertools.islice(found, cfg.controls))
            yield _put(put._replace(kind=kind), places, controls, shown)


def _read_controls(
    read: Judged, case: Case, cited: Sequence[int], rng: random.Random, cfg: ClaimConfig
) -> list[Control]:
    """Frames that were read and do not show what is quoted; none where some do that are not cited."""
    if read.beliefs[1] is None:
        return []
    shown = timed(case.question.frames)
    found = control_frames(ClaimKind.WRITING, cited, shown, (), 1, rng)
    were_read = (each for each in found if all(frame.sha256 in case.texts for frame in each.frames))
    return list(itertools.islice(were_read, cfg.controls))


def _put(put: _Put, places: Sequence[int], controls: Sequence[Control], shown: Sequence[ShownFrame]) -> _Put:
    decimals = decimals_apart(each.shown_s for each in shown)
    cited = [_about_claim(put.statement, [shown[place] for place in places], decimals)]
    otherwise = [_about_claim(put.statement, each.frames, decimals) for each in controls]
    matter = Matter((cited, otherwise), subject_of(put.statement.text))
    return _with_frames(put._replace(matter=matter), places, controls, shown)


def _with_frames(
    put: _Put, places: Sequence[int], controls: Sequence[Control], shown: Sequence[ShownFrame]
) -> _Put:
    return put._replace(
        control=controls[0].kind if controls else None,
        frames=tuple(shown[place].sha256 for place in places),
        control_frames=tuple(frame.sha256 for each in controls for frame in each.frames),
    )


def _put_cited(thought: Thought, pictures: Pictures, cfg: ClaimConfig) -> Iterator[_Put]:
    """A thought's claims as they are put to the verifier with the frames that they cite."""
    shown = timed(thought.shown)
    decimals = decimals_apart(each.shown_s for each in shown)
    statements = cited_statements(thought.text, whole_quotes=bool(thought.lines))
    for statement in (statements[index] for index in _drawn(statements, cfg)):
        if quotes := said_quotes(statement.text, statement.cited, thought.lines):
            yield _Put("", 0, statement, known=judge_speech(quotes, Panel(())), quotes=quotes)
            continue
        boxes = put_boxes(statement.things, shown, pictures, None, cfg.box_unit, cfg.frame_tolerance_s)
        put = _Put("", 0, statement, places=tuple(itertools.islice(boxes, cfg.places_per_claim)))
        places = cited_frames(statement.cited, shown, cfg.frame_tolerance_s, cfg.frames_per_claim)
        if places is None:
            yield put._replace(known=_UNSEEN) if shown else put
            continue
        asked = _about_claim(statement, [shown[place] for place in places], decimals)
        yield put._replace(matter=Matter(([asked],), subject_of(statement.text)))


def _drawn(statements: Sequence[Statement], cfg: ClaimConfig) -> list[int]:
    """The places of those that are judged, in order: whole sentences, by chance where they are too many."""
    whole = [index for index, each in enumerate(statements) if each.is_whole]
    whole.sort(key=lambda index: hash32(cfg.seed, index, statements[index].text))
    return sorted(whole[: cfg.claims_per_trace])


def _about_claim(statement: Statement, shown: Sequence[Shown], decimals: int) -> Messages:
    return claim_messages(in_plain_words(statement.text, decimals), shown, decimals)


def _asked(messages: Messages, model: str, sampling: Sampling, votes: int) -> list[ChatRequest]:
    return [
        ChatRequest(model=model, messages=messages, sampling=sampling, sample_index=vote)
        for vote in range(votes)
    ]
