"""Questions that came with the videos -> questions about clips: which clip covers each, and what it shows."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from pydantic import Field, model_validator

from reelproof.schemas.answers.normalise import infer_task
from reelproof.schemas.footage import Clip, FrameRef, Span
from reelproof.schemas.question import (
    GivenQuestion,
    GivenRow,
    Question,
    QuestionSource,
    Task,
    timed_frames,
)
from reelproof.schemas.settings import Settings
from reelproof.schemas.thinning import thinned

VERSION = 6


class QuestionsConfig(Settings):
    """What a question shows that came with its video."""

    min_frames: int = Field(default=4, ge=1, le=64)
    """A question about a stretch in which fewer frames lie shows others, spread over it, or nearest to it."""
    max_frames: int = Field(default=16, ge=1, le=512)
    """No question shows more."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.min_frames > self.max_frames:
            raise ValueError(f"min_frames={self.min_frames} must not be above max_frames={self.max_frames}")
        return self


def given_questions(
    clips: Iterable[Clip], rows: Iterable[GivenRow], cfg: QuestionsConfig
) -> Iterator[Question]:
    """One question a row, in the rows' order; one that is asked twice comes once.

    A row is about the clip that covers most of its stretch, the shortest of several. A row whose video has no
    clip (it is in quarantine) gives no question.
    """
    by_video: dict[str, list[Clip]] = {}
    for clip in clips:
        by_video.setdefault(clip.video_id, []).append(clip)
    seen: set[str] = set()
    for row in rows:
        if row.video_id not in by_video:
            continue
        question = _question(row, by_video[row.video_id], cfg)
        if question.question_id not in seen:
            seen.add(question.question_id)
            yield question


def _question(row: GivenRow, clips: Sequence[Clip], cfg: QuestionsConfig) -> Question:
    end_s = max(clip.end_s for clip in clips)
    span = Span(start_s=row.start_s or 0.0, end_s=end_s if row.end_s is None else row.end_s)
    clip = max(clips, key=lambda each: (_overlap_s(each, span), -each.duration_s))
    is_whole = row.start_s is None and row.end_s is None
    frames = clip.keyframes if is_whole else _frames_in(span, clip, clips, cfg)
    return Question(
        question_id="",
        clip_id=clip.clip_id,
        video_id=clip.video_id,
        source=QuestionSource.GIVEN,
        kind=row.kind,
        task=task_of(row),
        text=row.question,
        options=row.options,
        answer=row.answer,
        frames=timed_frames(_shown(frames, _key_frames(row, clips), cfg)),
        split=row.split,
        key_places=row.key_places,
    ).with_id()


def task_of(given: GivenQuestion) -> Task:
    """What the source says, or else the answer's form."""
    return given.task or infer_task(given.options, given.answer)


def _overlap_s(clip: Clip, span: Span) -> float:
    return max(0.0, min(clip.end_s, span.end_s) - max(clip.start_s, span.start_s))


def _frames_in(span: Span, clip: Clip, clips: Sequence[Clip], cfg: QuestionsConfig) -> Sequence[FrameRef]:
    """The clip's frames inside the stretch, filled up with others of the video.

    Those inside come first, each as far from what is shown as can be, so that all of the stretch is seen;
    then the nearest outside.
    """
    chosen = {f.time_s: f for f in clip.keyframes if span.start_s <= f.time_s < span.end_s}
    if len(chosen) >= cfg.min_frames:
        return list(chosen.values())
    others = {frame.time_s: frame for each in clips for frame in (*each.keyframes, *each.timeline)}
    others = {time_s: frame for time_s, frame in sorted(others.items()) if time_s not in chosen}
    while others and len(chosen) < cfg.min_frames:
        next_s = max(others, key=lambda at_s: _worth(at_s, span, chosen))
        chosen[next_s] = others.pop(next_s)
    return [chosen[time_s] for time_s in sorted(chosen)]


def _worth(at_s: float, span: Span, shown_s: Iterable[float]) -> tuple[bool, float, float]:
    """Inside the stretch, or little outside; and how far from all that is shown, or else near its middle."""
    is_inside = span.start_s <= at_s < span.end_s
    outside_s = max(span.start_s - at_s, at_s - span.end_s, 0.0)
    middle_s = (span.start_s + span.end_s) / 2
    apart_s = min((abs(at_s - each) for each in shown_s), default=-abs(at_s - middle_s))
    return is_inside, -outside_s, apart_s


def _key_frames(row: GivenRow, clips: Sequence[Clip]) -> list[FrameRef]:
    """For each time at which something proves the answer, the film's nearest frame: thoughts cite that."""
    every = [frame for clip in clips for frame in (*clip.keyframes, *clip.timeline)]
    times_s = {each.time_s for each in row.key_places if each.time_s is not None}
    near = (min(every, key=lambda frame, at_s=at_s: abs(frame.time_s - at_s)) for at_s in times_s)  # type: ignore[misc]
    return list({frame.time_s: frame for frame in near}.values())


def _shown(frames: Sequence[FrameRef], keys: Sequence[FrameRef], cfg: QuestionsConfig) -> list[FrameRef]:
    """The key frames, as far as there is room, and the others thinned to what is left; in order of time."""
    if not keys:
        return thinned(frames, cfg.max_frames)
    held = {
        frame.time_s: frame for frame in thinned(sorted(keys, key=lambda each: each.time_s), cfg.max_frames)
    }
    others = [frame for frame in frames if frame.time_s not in held]
    held |= {frame.time_s: frame for frame in thinned(others, cfg.max_frames - len(held))}
    return [held[time_s] for time_s in sorted(held)]
