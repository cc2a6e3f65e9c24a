"""A question about a film -> an answer with its evidence: few frames first, more where that fails."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from reelproof.pipeline.asking.film import AskedFilm
from reelproof.pipeline.asking.rollouts import answers_to, judged_claims, stands
from reelproof.pipeline.asking.settings import AskConfig
from reelproof.schemas.answered import Answered, AskingCost, LookedAt
from reelproof.schemas.answers.amounts import lenient_amount
from reelproof.schemas.answers.conclusion import Posed
from reelproof.schemas.answers.places import Interval, lenient_spans
from reelproof.schemas.answers.votes import leading_share, says_the_same, vote
from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.schemas.counted import counted
from reelproof.schemas.event import Measured
from reelproof.schemas.footage import Clip, ClipKind, FrameRef, Span
from reelproof.schemas.frame_names import decimals_apart
from reelproof.schemas.question import Question, QuestionSource, Task, timed_frames
from reelproof.schemas.trace import Case, JudgedClaim, Trace
from reelproof.stages.answers.traces import ClipQuestion
from reelproof.stages.footage.nearer import closer_times, even_times, gaps_around, nearer_times
from reelproof.stages.teachers.protocol import Teacher


@dataclass(frozen=True)
class _Look:
    about: ClipQuestion
    speaker: Trace | None
    """The first whose answer is that of the vote: its thought is told."""
    cited: Sequence[float]
    """Of the times shown, those that its thought cites."""
    seen: LookedAt
    judged: Callable[[Sequence[Case]], tuple[JudgedClaim, ...]]

    @cached_property
    def claims(self) -> tuple[JudgedClaim, ...]:
        """Of that thought, held to the frames that it cites: judged where somebody wants to know."""
        if self.speaker is None:
            return ()
        return self.judged([Case(self.about.clip, self.about.question, (self.speaker,))])


class Counting:
    """A teacher that counts what it is asked and what it says."""

    def __init__(self, teacher: Teacher) -> None:
        self.model = teacher.model
        self._teacher = teacher
        self.requests = self.prompt_tokens = self.completion_tokens = 0

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        """The teacher's completions, as they come; requests and tokens are counted."""
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
    """Look until an answer holds up, or the most frames are shown. Raises TeacherUnavailable, UsageError."""
    began = time.perf_counter()
    counting = Counting(teacher)
    looks: list[_Look] = []

    def look(times_s: Sequence[float]) -> _Look:
        looks.append(_look(film, times_s, posed, counting, cfg))
        seen = looks[-1].seen
        said = seen.answer or "no answer"
        tell(f"{counted(len(seen.times_s), 'frame')}: {said}, said by {seen.agreed_share:.0%} of the votes")
        return looks[-1]

    is_settled, wide = False, None
    for count in frame_counts(cfg):
        times_s = _times(film.span, wide, count)
        if wide and len(times_s) <= len(wide.seen.times_s):
            break  # there is nothing more to see
        wide = look(times_s)
        is_settled = _holds(wide, cfg)
        if is_settled and count < cfg.most_frames and (gaps := _named_gaps(posed, wide)):
            closer = look(closer_times(times_s, gaps, cfg.closer_frames))
            before, now = (_moments(posed, each.seen.answer) for each in (wide, closer))
            is_settled = _holds(closer, cfg) and _are_found_again(before, now, gaps)
        if is_settled:
            break
    last = looks[-1]
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
        thought=last.speaker.thought if last.speaker else "",
        claims=last.claims,
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


def _times(span: Span, before: _Look | None, count: int) -> list[float]:
    """Evenly first; then what was shown, and more next to what of it was cited; evenly where nothing was."""
    shown = before.seen.times_s if before else ()
    times_s = nearer_times(shown, before.cited, count - len(shown)) if before else []
    return times_s if len(times_s) > len(shown) else even_times(span, count)


def _holds(look: _Look, cfg: AskConfig) -> bool:
    """Whether enough votes agree, on no declared guess, and the frames bear out what is claimed for it."""
    return (
        look.speaker is not None
        and look.seen.agreed_share >= cfg.agreed_share
        and stands(look.speaker.thought, look.claims)
    )


def _moments(posed: Posed, answer: str | None) -> list[float]:
    """Times that the answer names; of a number, only citations tell whether it is one."""
    if answer is None:
        return []
    if posed.task is Task.TEMPORAL_GROUNDING:
        return [end for span in lenient_spans(answer) or () for end in span]
    amount = lenient_amount(answer) if posed.task is Task.REGRESSION else None
    return [amount.value] if amount else []


def _named_gaps(posed: Posed, look: _Look) -> list[Interval]:
    """Between which shown frames the answer's moments lie, where its thought cites a frame at one of them."""
    gaps = gaps_around(look.seen.times_s, _moments(posed, look.seen.answer))
    return gaps if any(end in look.cited for gap in gaps for end in gap) else []


def _are_found_again(before: Sequence[float], now: Sequence[float], gaps: Sequence[Interval]) -> bool:
    """Whether each moment lies in the gap that it was said to lie in before, and there are no others."""
    return len(before) == len(now) and all(
        any(gap[0] <= min(pair) and max(pair) <= gap[1] for gap in gaps)
        for pair in zip(before, now, strict=True)
    )


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
    decimals = decimals_apart(each.time_s for each in frames)
    cited = [each.time_s for each in frames if speaker and _is_cited(each, speaker, decimals)]
    shown = tuple(each.time_s for each in frames)
    seen = LookedAt(times_s=shown, votes=answers, answer=answer, agreed_share=share)
    judged = partial(
        judged_claims, verifier=teacher, cfg=cfg.claims, min_belief=cfg.min_belief, jpegs=film.jpegs
    )
    return _Look(about, speaker, cited, seen, judged)


def _is_cited(frame: FrameRef, trace: Trace, decimals: int) -> bool:
    shown_s, near_s = round(frame.time_s, decimals), 0.5 * 10**-decimals
    return any(span.start_s - near_s <= shown_s <= span.end_s + near_s for span in trace.cited)


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
        frames=timed_frames(frames),
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
