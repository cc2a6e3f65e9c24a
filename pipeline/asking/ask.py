"""A question about a film -> an answer with its evidence: few frames first, more where votes split."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from reelproof.pipeline.asking.film import AskedFilm
from reelproof.pipeline.asking.rollouts import answers_to, judged_claims
from reelproof.pipeline.asking.settings import AskConfig
from reelproof.schemas.answered import Answered, AskingCost, LookedAt
from reelproof.schemas.answers.conclusion import Posed
from reelproof.schemas.answers.votes import leading_share, says_the_same, vote
from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.schemas.event import Measured
from reelproof.schemas.footage import Clip, ClipKind, FrameRef, Span
from reelproof.schemas.question import Question, QuestionSource, ShownFrame
from reelproof.schemas.trace import Case, JudgedClaim, Trace
from reelproof.stages.answers.traces import ClipQuestion
from reelproof.stages.footage.nearer import even_times, nearer_times
from reelproof.stages.teachers.protocol import Teacher


class _Look(NamedTuple):
    about: ClipQuestion
    speaker: Trace | None
    """The first whose answer is that of the vote: its thought is told."""
    cited: Sequence[float]
    """Of the times shown, those that its thought cites."""
    seen: LookedAt


class Counting:
    """A teacher that counts what it is asked and what it says."""

    def __init__(self, teacher: Teacher) -> None:
        self.model = teacher.model
        self._teacher = teacher
        self.requests = self.prompt_tokens = self.completion_tokens = 0

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        """As the teacher does."""
        self.requests += len(requests)
        for each in self._teacher.complete(requests, frames):
            self.prompt_tokens += each.prompt_tokens
            self.completion_tokens += each.completion_tokens
            yield each


def ask_film(
    film: AskedFilm,
    name: str,
    posed: Posed,
    teacher: Teacher,
    cfg: AskConfig,
    measured: Measured | None,
    tell: Callable[[str], None],
) -> Answered:
    """Look until the votes agree, or the most frames are shown. Raises TeacherUnavailable, UsageError."""
    began = time.perf_counter()
    counting = Counting(teacher)
    looks: list[_Look] = []
    is_settled = False
    for count in frame_counts(cfg):
        times_s = _times(film.span, looks, count)
        if looks and len(times_s) <= len(looks[-1].seen.times_s):
            break  # there is nothing more to see
        looks.append(_look(film, times_s, posed, counting, cfg))
        seen = looks[-1].seen
        said = seen.answer or "no answer"
        tell(f"{len(times_s)} frames: {said}, said by {seen.agreed_share:.0%} of the votes")
        is_settled = _is_settled([each.seen for each in looks], posed, cfg)
        if is_settled:
            break
    last = looks[-1]
    speaker = last.speaker
    claims: tuple[JudgedClaim, ...] = ()
    if speaker:
        case = Case(last.about.clip, last.about.question, (speaker,))
        claims = judged_claims([case], counting, cfg.claims, cfg.min_belief, film.jpegs)
    return Answered(
        video=name,
        video_id=film.video_id,
        start_s=film.span.start_s,
        end_s=film.span.end_s,
        question=posed.text,
        task=posed.task,
        options=tuple(posed.options),
        answer=last.seen.answer,
        is_settled=is_settled,
        thought=speaker.thought if speaker else "",
        claims=claims,
        shown=tuple(each.frame for each in last.about.question.frames),
        cited=tuple(last.cited),
        looks=tuple(each.seen for each in looks),
        model=teacher.model,
        measured=measured,
        cost=AskingCost(
            requests=counting.requests,
            frames_shown=sum(len(each.seen.times_s) for each in looks),
            prompt_tokens=counting.prompt_tokens,
            completion_tokens=counting.completion_tokens,
            seconds=round(time.perf_counter() - began, 3),
        ),
    )


def frame_counts(cfg: AskConfig) -> Iterator[int]:
    """How many frames one look after the other shows: each half as many again, the last `most_frames`."""
    count = cfg.first_frames
    while count < cfg.most_frames:
        yield count
        count += -(-count // 2)
    yield cfg.most_frames


def _times(span: Span, looks: Sequence[_Look], count: int) -> list[float]:
    """Evenly first; then what was shown, and more next to what of it was cited; evenly where nothing was."""
    before = looks[-1].seen.times_s if looks else ()
    times_s = nearer_times(before, looks[-1].cited, count - len(before)) if looks else []
    return times_s if len(times_s) > len(before) else even_times(span, count)


def _is_settled(looks: Sequence[LookedAt], posed: Posed, cfg: AskConfig) -> bool:
    now = looks[-1]
    if now.answer is None or now.agreed_share < cfg.agreed_share:
        return False
    if not cfg.steady or cfg.first_frames == cfg.most_frames:
        return True
    return len(looks) > 1 and _says(posed, looks[-2].answer, now.answer)


def _says(posed: Posed, one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and says_the_same(posed, one, other)


def _look(film: AskedFilm, times_s: Sequence[float], posed: Posed, teacher: Teacher, cfg: AskConfig) -> _Look:
    frames = film.look(times_s)
    about = ClipQuestion(_clip(film, frames), _question(film, posed, frames))
    votes = cfg.votes.rollouts if cfg.votes.temperature else 1
    traces = answers_to(about, range(votes), teacher, cfg.votes, film.jpegs)
    answers = tuple(each.answer for each in traces)
    answer = vote(posed, answers, [1.0] * len(answers))
    share = leading_share(posed, answers, answer)
    speaker = next((each for each in traces if _says(posed, each.answer, answer)), None)
    cited = [each.time_s for each in frames if speaker and _is_cited(each, speaker)]
    shown = tuple(each.time_s for each in frames)
    seen = LookedAt(times_s=shown, votes=answers, answer=answer, agreed_share=share)
    return _Look(about, speaker, cited, seen)


def _is_cited(frame: FrameRef, trace: Trace) -> bool:
    shown_s = round(frame.time_s, 1)
    return any(span.start_s - 0.05 <= shown_s <= span.end_s + 0.05 for span in trace.cited)


def _question(film: AskedFilm, posed: Posed, frames: Sequence[FrameRef]) -> Question:
    return Question(
        question_id="",
        clip_id=film.video_id,
        video_id=film.video_id,
        source=QuestionSource.GIVEN,
        kind="ask",
        task=posed.task,
        text=posed.text,
        options=tuple(posed.options),
        answer="",
        frames=tuple(ShownFrame(frame=each, shown_s=each.time_s) for each in frames),
    ).with_id()


def _clip(film: AskedFilm, frames: Sequence[FrameRef]) -> Clip:
    return Clip(
        clip_id=film.video_id,
        video_id=film.video_id,
        kind=ClipKind.WHOLE,
        start_s=film.span.start_s,
        end_s=film.span.end_s,
        scenes=(),
        keyframes=tuple(frames),
        timeline=tuple(frames),
        motion=(),
    )
