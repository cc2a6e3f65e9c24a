"""Thoughts -> claims with cited times, put to a verifier with the cited frames and with others."""

import math
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from pydantic import Field

from reelproof.schemas.answers.scores import cited_spans, read_completion
from reelproof.schemas.answers.truths import lenient_truth
from reelproof.schemas.chat import ChatRequest, Completion, Sampling
from reelproof.schemas.draws import hash32
from reelproof.schemas.footage import FrameRef, Span
from reelproof.schemas.question import Shown, ShownFrame
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case, Claim, ClaimKind, ControlKind
from reelproof.stages.answers.controls import Control, claim_kind, control_frames
from reelproof.stages.teachers.prompts import claim_messages
from reelproof.stages.teachers.protocol import Teacher

VERSION = 5

S = TypeVar("S", bound=Shown)

_SENTENCE_END = re.compile(r"(?<=[.!?;。！？])\s+|(?<=[。！？])|\n+")
_LONGEST_CLAIM = 1000


class ClaimConfig(Settings):
    """Which claims are judged, with which frames, and how often."""

    claims_per_trace: int = Field(default=8, ge=1, le=256)
    """At most so many of a thought's claims are put to the verifier, the first ones."""
    frame_tolerance_s: float = Field(default=0.25, ge=0)
    """How far from a cited time a shown frame may be to stand for it."""
    frames_per_claim: int = Field(default=8, ge=1, le=64)
    """At most so many frames with one claim; a long span is thinned out evenly."""
    controls: int = Field(default=1, ge=0, le=8)
    """Sets of control frames for each claim; their beliefs are averaged."""
    control_bits: int = Field(default=8, ge=1, le=64)
    """How much control frames must differ from the cited ones, in bits of their perceptual hashes."""
    votes: int = Field(default=1, ge=1, le=64)
    """Answers to each request; their share of yes is the belief."""
    temperature: float = Field(default=0.0, ge=0, le=2)
    """0 is greedy; more than one vote needs more."""
    max_tokens: int = Field(default=256, ge=16, le=131_072)
    """One verdict may have so many tokens."""
    seed: int = Field(default=0, ge=0)
    """The draws, and the choice of control frames, follow from it."""


class Statement(NamedTuple):
    """A sentence of a thought, and the times that it cites."""

    text: str
    cited: tuple[Span, ...]


class Thought(NamedTuple):
    """What someone thinks, and the frames that it can cite."""

    text: str
    shown: Sequence[Shown]


class _Shot(NamedTuple):
    video_id: str
    clip_id: str


class _Put(NamedTuple):
    """A claim as it is put to the verifier."""

    trace_id: str
    place: int
    statement: Statement
    with_cited: Sequence[ChatRequest] = ()
    with_controls: Sequence[ChatRequest] = ()
    kind: ClaimKind | None = None
    control: ControlKind | None = None
    frames: tuple[str, ...] = ()
    control_frames: tuple[str, ...] = ()


def verify_claims(
    cases: Iterable[Case], verifier: Teacher, cfg: ClaimConfig, frames: Mapping[str, bytes]
) -> Iterator[Claim]:
    """Every claim that cites a time, in the order of the traces and of their sentences.

    Control frames stand under the cited frames' times: both requests differ in pictures only. They are
    chosen so that they can tell (`controls.py`); where none can, the claim is put with the cited frames
    alone. A claim that no shown frame can stand for is not put to the verifier: its scores are null, as
    they are where the verifier cannot tell.

    Args:
        cases: Questions with their clips and traces.
        verifier: Who judges.
        cfg: Which claims, with which frames, how often.
        frames: sha256 -> JPEG bytes of every frame that the questions show.

    Raises:
        RuntimeError: The verifier left requests unanswered.
    """
    cases = list(cases)
    clips = _pictures_of_clips(cases)
    put = [each for case in cases for each in _put_claims(case, clips, verifier.model, cfg)]
    requests = (request for each in put for request in (*each.with_cited, *each.with_controls))
    completions = _completions(requests, verifier, frames)
    for each in put:
        yield Claim(
            trace_id=each.trace_id,
            index=each.place,
            text=each.statement.text,
            cited=each.statement.cited,
            cited_score=_belief(each.with_cited, completions),
            control_score=_belief(each.with_controls, completions),
            kind=each.kind,
            control=each.control,
            frames=each.frames,
            control_frames=each.control_frames,
            verifier=verifier.model,
        )


def verify(
    thoughts: Iterable[Thought], verifier: Teacher, cfg: ClaimConfig, frames: Mapping[str, bytes]
) -> list[tuple[float, ...]]:
    """The beliefs in each thought's claims by the frames that they cite, where they could be judged.

    They are the `cited_score` of `verify_claims`, which this is without controls; errors as there.
    """
    put = [list(_put_cited(each, verifier.model, cfg)) for each in thoughts]
    requests = (request for claims in put for claim in claims for request in claim)
    completions = _completions(requests, verifier, frames)
    beliefs = ((_belief(claim, completions) for claim in claims) for claims in put)
    return [tuple(each for each in claims if each is not None) for claims in beliefs]


def cited_statements(thought: str) -> tuple[Statement, ...]:
    """The sentences of a thought that cite a time, in order."""
    sentences = (each.strip() for each in _SENTENCE_END.split(thought))
    statements = (Statement(each[:_LONGEST_CLAIM], cited_spans(each)) for each in sentences)
    return tuple(each for each in statements if each.cited)


def cited_frames(cited: Sequence[Span], shown: Sequence[Shown], cfg: ClaimConfig) -> list[int] | None:
    """Places in `shown` (in order of time) that stand for the cited times; None where one has no frame."""
    places: set[int] = set()
    for span in cited:
        away_s = [_distance_s(each, span) for each in shown]
        nearest_s = min(away_s, default=math.inf)
        if nearest_s > cfg.frame_tolerance_s:
            return None
        if span.end_s == span.start_s:
            places.add(away_s.index(nearest_s))
        else:
            places.update(place for place, each_s in enumerate(away_s) if each_s <= nearest_s)
    return _thinned(sorted(places), cfg.frames_per_claim)


def _pictures_of_clips(cases: Sequence[Case]) -> dict[_Shot, list[FrameRef]]:
    """The most frames of each clip that one of its questions shows under their own times, in order."""
    clips: dict[_Shot, list[FrameRef]] = {}
    for case in cases:
        shot = _Shot(case.clip.video_id, case.clip.clip_id)
        own = [each.frame for each in _timed(case.question.frames) if each.frame.video_id == shot.video_id]
        if len(own) > len(clips.get(shot, ())):
            clips[shot] = own
    return clips


def _put_claims(
    case: Case, clips: Mapping[_Shot, Sequence[FrameRef]], model: str, cfg: ClaimConfig
) -> Iterator[_Put]:
    shown = _timed(case.question.frames)
    own = _Shot(case.clip.video_id, case.clip.clip_id)
    # of the same video only: what is said of one must not change when another is taken away
    elsewhere = [frames for shot, frames in clips.items() if shot.video_id == own.video_id and shot != own]
    for trace in case.traces:
        for index, statement in enumerate(cited_statements(trace.thought)[: cfg.claims_per_trace]):
            places = cited_frames(statement.cited, shown, cfg)
            if places is None:
                yield _Put(trace.trace_id, index, statement)
                continue
            rng = random.Random(hash32(cfg.seed, statement.text, *places))  # noqa: S311 - draws that repeat
            kind = claim_kind(statement.cited, places)
            controls = list(control_frames(kind, places, shown, elsewhere, cfg.control_bits, rng))[
                : cfg.controls
            ]
            cited = [shown[place] for place in places]
            yield _put(_Put(trace.trace_id, index, statement, kind=kind), cited, controls, model, cfg)


def _put(
    put: _Put, cited: Sequence[ShownFrame], controls: Sequence[Control], model: str, cfg: ClaimConfig
) -> _Put:
    requests = [_requests(put.statement, each.frames, model, cfg) for each in controls]
    return put._replace(
        with_cited=_requests(put.statement, cited, model, cfg),
        with_controls=[request for group in requests for request in group],
        control=controls[0].kind if controls else None,
        frames=tuple(shown.sha256 for shown in cited),
        control_frames=tuple(shown.sha256 for each in controls for shown in each.frames),
    )


def _put_cited(thought: Thought, model: str, cfg: ClaimConfig) -> Iterator[list[ChatRequest]]:
    """A thought's claims as they are put to the verifier with the frames that they cite."""
    shown = _timed(thought.shown)
    for statement in cited_statements(thought.text)[: cfg.claims_per_trace]:
        places = cited_frames(statement.cited, shown, cfg)
        if places is not None:
            yield _requests(statement, [shown[place] for place in places], model, cfg)


def _timed(frames: Iterable[S]) -> list[S]:
    return sorted((each for each in frames if each.shown_s is not None), key=lambda each: each.shown_s or 0.0)


def _requests(
    statement: Statement, shown: Sequence[Shown], model: str, cfg: ClaimConfig
) -> list[ChatRequest]:
    messages = claim_messages(statement.text, shown)
    sampling = Sampling(temperature=cfg.temperature, max_tokens=cfg.max_tokens, seed=cfg.seed)
    return [
        ChatRequest(model=model, messages=messages, sampling=sampling, sample_index=vote)
        for vote in range(cfg.votes)
    ]


def _completions(
    requests: Iterable[ChatRequest], verifier: Teacher, frames: Mapping[str, bytes]
) -> dict[str, Completion]:
    asked = {each.request_id: each for each in requests}  # rollouts say the same: ask once
    completions = {each.request_id: each for each in verifier.complete(list(asked.values()), frames)}
    if missing := len(asked.keys() - completions.keys()):
        raise RuntimeError(
            f"verifier {verifier.model} left {missing} of {len(asked)} claims unjudged; expected one "
            "completion each"
        )
    return completions


def _belief(requests: Sequence[ChatRequest], completions: Mapping[str, Completion]) -> float | None:
    verdicts = [_verdict(completions[each.request_id]) for each in requests]
    known = [each for each in verdicts if each is not None]
    return sum(known) / len(known) if known else None


def _verdict(completion: Completion) -> bool | None:
    """Yes or no; None for `unknown`, for a failure, and for anything else."""
    if completion.finish_reason == "error":
        return None
    answer = read_completion(completion.text).stated
    return None if answer is None else lenient_truth(answer)


def _distance_s(shown: Shown, span: Span) -> float:
    """Seconds from a frame to a span; 0 inside."""
    time_s = shown.shown_s or 0.0
    return max(span.start_s - time_s, time_s - span.end_s, 0.0)


def _thinned(places: Sequence[int], most: int) -> list[int]:
    """At most so many, the first and the last among them."""
    if len(places) <= most:
        return list(places)
    if most == 1:
        return [places[len(places) // 2]]
    return [places[round(i * (len(places) - 1) / (most - 1))] for i in range(most)]
