"""A small build's part files, as its steps would leave them, with real JPEGs and scores of every check."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from PIL import Image

from reelproof.pipeline.dataset.part_files import PartFiles
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.footage import (
    Clip,
    ClipKind,
    CutKind,
    Footage,
    FrameRef,
    FrameSignals,
    Keyframe,
    Scene,
    Span,
    Video,
)
from reelproof.schemas.question import Question, QuestionSource, ShownFrame, Task
from reelproof.schemas.record import Record
from reelproof.schemas.scores import (
    AgreementScore,
    AnswerScore,
    CitationScore,
    DifficultyScore,
    FormScore,
    GroundingScore,
    ProbeScore,
    TextScore,
)
from reelproof.schemas.tables import to_table
from reelproof.schemas.trace import ClaimKind, ClaimVerdict, ControlKind, JudgedClaim, Trace, TraceClaims
from reelproof.stages.teachers.prompts import ROLLOUT

ROLLOUTS = 4
VIDEOS = 2
QUESTIONS = 3
FRAMES = 4


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def keyframe(video_id: str, second: int, seed: int) -> Keyframe:
    pixels = np.random.default_rng([seed, second]).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=80)
    jpeg = file.getvalue()
    frame = FrameRef(
        sha256=hashlib.sha256(jpeg).hexdigest(),
        video_id=video_id,
        time_s=second * 1.25,
        width=32,
        height=24,
        phash="0" * 16,
    )
    return Keyframe(frame=frame, sharpness=1.0, luminance=100.0, jpeg=jpeg)


def footage(number: int, candidates: int) -> Footage:
    video_id = sha(f"video {number}")
    video = Video(
        video_id=video_id,
        name=f"film {number}.mp4",
        size_bytes=1000,
        duration_s=10,
        width=32,
        height=24,
        fps=25,
        codec="h264",
        license="CC-BY-4.0" if number % 2 else "unknown",
    )
    flat = np.zeros(4, dtype=np.float32)
    names = [name for name in FrameSignals.model_fields if name not in ("signature", "pictures")]
    return Footage(
        video=video,
        duration_s=10.0,
        frame_count=250,
        signals=FrameSignals(**dict.fromkeys(names, flat), signature=bytes(64)),
        candidates=tuple(keyframe(video_id, second, number) for second in range(candidates)),
    )


def clip_of(film: Footage) -> Clip:
    video_id = film.video.video_id
    frames = tuple(each.frame for each in film.candidates[:FRAMES])
    scenes = tuple(
        Scene(
            scene_id=f"{video_id}/{i:04d}",
            video_id=video_id,
            start_s=start,
            end_s=end,
            cut_kind=CutKind.CUT,
            cut_score=1.0,
        )
        for i, (start, end) in enumerate([(0.0, 4.0), (4.0, 10.0)])
    )
    return Clip(
        clip_id=sha(f"clip {video_id}")[:16],
        video_id=video_id,
        kind=ClipKind.SHORT,
        start_s=0.0,
        end_s=10.0,
        scenes=scenes,
        keyframes=frames,
        timeline=frames,
        motion=np.zeros(16, dtype=np.float32),
    )


def questions_of(clip: Clip, foreign: FrameRef) -> list[Question]:
    """One of each look: timed with options, called by place with a foreign frame, without frames."""
    timed = tuple(ShownFrame(frame=frame, shown_s=frame.time_s) for frame in clip.keyframes)
    placed = tuple(ShownFrame(frame=frame, shown_s=None) for frame in (*clip.timeline[:2], foreign))
    looks = [
        (Task.MULTIPLE_CHOICE, ("red", "green {x}"), "B", timed),
        (Task.NUMERICAL, (), "3", placed),
        (Task.OPEN_ENDED, (), "a cat", ()),
    ]
    return [
        Question(
            question_id=sha(f"{clip.clip_id} {task}")[:16],
            clip_id=clip.clip_id,
            video_id=clip.video_id,
            source=QuestionSource.COMPUTED if frames else QuestionSource.GIVEN,
            kind="odd_frame",
            task=task,
            text=f"What of {clip.clip_id[:4]}?",
            options=options,
            answer=answer,
            frames=frames,
            tolerance=0.5 if task is Task.NUMERICAL else None,
            evidence=() if frames else (Span(start_s=1.0, end_s=2.5),),
        )
        for task, options, answer, frames in looks
    ]


def traces_of(question: Question) -> list[Trace]:
    made = []
    for index in range(ROLLOUTS):
        answer = question.answer if index % 2 else "no"
        thought = f"At [1.2 s] I see it, rollout {index} of {question.question_id}."
        trace_id = sha(f"{question.question_id} {index}")[:32]
        made.append(
            Trace(
                trace_id=trace_id,
                question_id=question.question_id,
                clip_id=question.clip_id,
                video_id=question.video_id,
                prompt_id=ROLLOUT.prompt_id,
                model="signals@1",
                sample_index=index,
                text=f"<think>{thought}</think><answer>{answer}</answer>",
                thought=thought,
                answer=answer if index else None,
                cited=(),
                finish_reason="stop",
            )
        )
    return made


def scores_of(trace: Trace, blind: int | None) -> list[Record]:
    right, trace_id = float(trace.sample_index % 2), trace.trace_id
    bits = int(sha(trace_id)[:4], 16)
    return [
        FormScore(trace_id=trace_id, answer_form="as_asked", finished=True, thought_words=8 + bits % 40),
        AnswerScore(trace_id=trace_id, answer_strict=right, answer_lenient=right, answer_partial=right),
        DifficultyScore(
            trace_id=trace_id, pass_count=2, rollout_count=ROLLOUTS, pass_low=0.15, pass_high=0.85
        ),
        TextScore(trace_id=trace_id, repetition=bits % 7 / 20, foreign_script=0.0, leak=False),
        AgreementScore(trace_id=trace_id, agrees=True if bits % 3 else None),
        CitationScore(
            trace_id=trace_id,
            citations=1,
            timed_frames=4,
            citations_in_clip=1.0,
            citations_near_frame=1.0,
            cited_share=0.6,
        ),
        ProbeScore(
            trace_id=trace_id,
            guess_rate=None,
            blind_passes=blind,
            blind_rollouts=None if blind is None else 4,
            single_passes=None,
            single_rollouts=None,
            shuffled_passes=None,
            shuffled_rollouts=None,
        ),
        GroundingScore(
            trace_id=trace_id,
            judged_claims=1,
            claims_unjudged=0,
            testable_claims=1,
            grounded_share=bits % 11 / 10,
            worst_belief=bits % 7 / 6,
            best_margin=0.4,
            worst_margin=bits % 5 / 10,
            judged_observations=bits % 2,
            observations_unjudged=bits % 3,
            worst_observation_belief=0.8 if bits % 2 else None,
        ),
    ]


def claims_of(trace: Trace, shown: Sequence[str]) -> TraceClaims:
    """One claim, about the first frame that is shown, and observations, as `scores_of` counts them."""
    claim = JudgedClaim(
        text=trace.thought,
        cited=(Span(start_s=1.2, end_s=1.2),),
        kind=ClaimKind.MOMENT,
        frame_sha256=tuple(shown[:1]),
        control=ControlKind.SAME_CLIP,
        control_sha256=tuple(shown[-1:]),
        verifier="signals@1",
        cited_belief=1.0,
        control_belief=0.6,
        verdict=ClaimVerdict.GROUNDED,
    )
    bits = int(sha(trace.trace_id)[:4], 16)
    observed = [
        JudgedClaim(
            text=trace.thought, cited=(), kind=ClaimKind.OBSERVATION, frame_sha256=(), control=None,
            control_sha256=(), verifier="signals@1", cited_belief=belief, control_belief=None,
            verdict=ClaimVerdict.UNJUDGED if belief is None else ClaimVerdict.UNTESTED,
        )
        for belief in [0.8] * (bits % 2) + [None] * (bits % 3)
    ]  # fmt: skip
    return TraceClaims(trace_id=trace.trace_id, claims=(claim, *observed))


def write_part(
    store: Store, number: int, fingerprint: str = "f0", videos: int = VIDEOS, candidates: int = 8
) -> PartFiles:
    """Write one part's files into the store."""
    films = [footage(number * VIDEOS + i, candidates) for i in range(videos)]
    clips = [clip_of(film) for film in films]
    foreign = films[-1].candidates[-1].frame
    questions = [question for clip in clips for question in questions_of(clip, foreign)]
    traces = [trace for question in questions for trace in traces_of(question)]
    blind = {question.question_id: int(sha(question.question_id)[:2], 16) % 5 for question in questions}
    scores = [scores_of(trace, blind[trace.question_id]) for trace in traces]
    shown = {each.question_id: [frame.sha256 for frame in each.frames] for each in questions}
    made: dict[str, tuple[list, type[Record]]] = {
        "footage": (films, Footage),
        "clips": (clips, Clip),
        "questions": (questions, Question),
        "traces": (traces, Trace),
        "provenance": ([claims_of(each, shown[each.question_id]) for each in traces], TraceClaims),
    }
    return write_files(store, number, made, scores, fingerprint)


def write_files(
    store: Store,
    number: int,
    made: Mapping[str, tuple[Sequence[Record], type[Record]]],
    scores: Sequence[Sequence[Record]],
    fingerprint: str,
) -> PartFiles:
    """Leave a part's files as its steps do: records by step, and the scores of each trace."""
    columns = {type(score): place for place, score in enumerate(scores[0])}
    scored = {f"score.{kind.__name__}": ([each[at] for each in scores], kind) for kind, at in columns.items()}
    names = {}
    for step, (records, record) in {**made, **scored}.items():
        names[step] = f"parts/{step}-{fingerprint}/part-{number:05d}.parquet"
        store.write_table(names[step], to_table(records, record))
    return PartFiles(
        footage=names["footage"],
        clips=names["clips"],
        questions=names["questions"],
        traces=names["traces"],
        claims=names["provenance"],
        scores={step.removeprefix("score."): names[step] for step in scored},
    )
