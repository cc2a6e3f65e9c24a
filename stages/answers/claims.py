"""Thoughts -> claims, put to a verifier with the frames of the times that they cite, and with others."""

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence

from reelproof.schemas.answers.quotes import said_quotes
from reelproof.schemas.answers.statements import cited_frames, cited_statements, timed
from reelproof.schemas.draws import hash32
from reelproof.schemas.frame_names import decimals_apart
from reelproof.schemas.question import ShownFrame
from reelproof.schemas.trace import Case, Claim, ClaimKind
from reelproof.stages.answers.controls import (
    Control,
    PicturesOfClips,
    claim_kind,
    control_frames,
    pictures_elsewhere,
    pictures_of_clips,
)
from reelproof.stages.answers.panel import Judged, Panel, as_panel
from reelproof.stages.answers.places import Around, put_boxes
from reelproof.stages.answers.put_claims import (
    Answered,
    ClaimConfig,
    Put,
    Thought,
    answered,
    drawn_claims,
    matter_of,
    put_observations,
)
from reelproof.stages.answers.quoted import judge_speech, judge_writing
from reelproof.stages.footage.crops import Pictures
from reelproof.stages.teachers.protocol import Teacher

VERSION = 23


_UNSEEN = Judged("", (0.0,))
"""A claim about a time at which no frame was shown, for a thought that is rewarded."""

_BELIEVED = 0.5
"""From this belief on an observation of a thought that is rewarded is believed."""


def verify_claims(
    cases: Iterable[Case], verifier: Teacher | Panel, cfg: ClaimConfig, frames: Mapping[str, bytes]
) -> Iterator[Claim]:
    """Every claim that cites a time, in the order of the traces and of their sentences; after those of a
    trace what it observes and cites no time for, with all frames that its question shows, and no others.

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
    for each, judged, places in answered(put, panel, cfg, frames):
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
    such. Nor to pad a thought with what is true of any film: an observation that cites no time counts where
    it is not believed, and for nothing where it is. Errors as there.
    """
    pictures = Pictures(frames)
    put = [list(_put_cited(each, pictures, cfg)) for each in thoughts]
    every = [each for claims in put for each in claims]
    judged = answered(every, as_panel(verifier), cfg, frames)
    return [tuple(_beliefs(itertools.islice(judged, len(claims)))) for claims in put]


def _beliefs(claims: Iterable[Answered]) -> Iterator[float]:
    for each in claims:
        belief = each.claim.beliefs[0]
        if belief is not None and (each.put.kind is not ClaimKind.OBSERVATION or belief < _BELIEVED):
            yield belief
        for place in each.places:
            if place.fault is not None or place.belief is not None:
                yield place.belief or 0.0


def _put_claims(
    case: Case, clips: PicturesOfClips, pictures: Pictures, panel: Panel, cfg: ClaimConfig
) -> Iterator[Put]:
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
        drawn = drawn_claims(statements, cfg)
        for index, statement in enumerate(statements):
            if index not in drawn:
                yield Put(trace.trace_id, index, statement)
                continue
            if quotes := said_quotes(statement.text, statement.cited, case.lines):
                known = judge_speech(quotes, panel)
                yield Put(trace.trace_id, index, statement, known=known, kind=ClaimKind.QUOTE, quotes=quotes)
                continue
            boxes = put_boxes(
                statement.things, shown, pictures, around if cfg.controls else None, cfg.box_unit, near_s
            )
            placed = itertools.islice(boxes, cfg.places_per_claim)
            put = Put(trace.trace_id, index, statement, places=tuple(placed))
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
        thought = Thought(trace.thought, case.question.frames, case.lines, case.question.options)
        yield from put_observations(trace.trace_id, thought, statements, panel, cfg)


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


def _put(put: Put, places: Sequence[int], controls: Sequence[Control], shown: Sequence[ShownFrame]) -> Put:
    decimals = decimals_apart(each.shown_s for each in shown)
    cited, otherwise = [shown[place] for place in places], [each.frames for each in controls]
    matter = matter_of(put.statement, cited, otherwise, decimals)
    return _with_frames(put._replace(matter=matter), places, controls, shown)


def _with_frames(
    put: Put, places: Sequence[int], controls: Sequence[Control], shown: Sequence[ShownFrame]
) -> Put:
    return put._replace(
        control=controls[0].kind if controls else None,
        frames=tuple(shown[place].sha256 for place in places),
        control_frames=tuple(frame.sha256 for each in controls for frame in each.frames),
    )


def _put_cited(thought: Thought, pictures: Pictures, cfg: ClaimConfig) -> Iterator[Put]:
    """A thought's claims as they are put to the verifier with the frames that they cite."""
    shown = timed(thought.shown)
    decimals = decimals_apart(each.shown_s for each in shown)
    statements = cited_statements(thought.text, whole_quotes=bool(thought.lines))
    for statement in (statements[index] for index in drawn_claims(statements, cfg)):
        if quotes := said_quotes(statement.text, statement.cited, thought.lines):
            yield Put("", 0, statement, known=judge_speech(quotes, Panel(())), quotes=quotes)
            continue
        boxes = put_boxes(statement.things, shown, pictures, None, cfg.box_unit, cfg.frame_tolerance_s)
        put = Put("", 0, statement, places=tuple(itertools.islice(boxes, cfg.places_per_claim)))
        places = cited_frames(statement.cited, shown, cfg.frame_tolerance_s, cfg.frames_per_claim)
        if places is None:
            yield put._replace(known=_UNSEEN) if shown else put
            continue
        yield put._replace(matter=matter_of(statement, [shown[place] for place in places], (), decimals))
    yield from put_observations("", thought, statements, Panel(()), cfg)
