"""A window of the stream and a question -> votes until they are settled, then what the frames bear out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from reelproof.pipeline.asking.rollouts import answers_to, judged_claims, stands
from reelproof.pipeline.watching.settings import QuestionConfig, WatchConfig
from reelproof.schemas.answers.conclusion import Posed
from reelproof.schemas.answers.normalise import normalise
from reelproof.schemas.answers.scores import is_right, lenient_score
from reelproof.schemas.answers.votes import cannot_be_caught, count_votes, vote
from reelproof.schemas.footage import Clip, ClipKind, CutKind, FrameRef, Scene
from reelproof.schemas.question import Question, QuestionSource, timed_frames
from reelproof.schemas.trace import Case, JudgedClaim, Trace
from reelproof.stages.answers.traces import ClipQuestion, RolloutConfig
from reelproof.stages.checks.guess import declares_guess
from reelproof.stages.teachers.protocol import Teacher

_LEAST_SCORE = 0.5
"""Of a graded answer against one that alerts."""


class Window(NamedTuple):
    """What the model is shown."""

    tick: int
    """It ends with this one."""
    video_id: str
    start_s: float
    """In the film, as `end_s`."""
    end_s: float
    frames: Sequence[FrameRef]
    usual: Sequence[FrameRef]
    """Of the latest window in which nothing stood out: what claims may be held against."""
    jpegs: Mapping[str, bytes]


class Judged(NamedTuple):
    """What came of a question about a window."""

    answer: str | None
    votes: tuple[str | None, ...]
    belief: float
    margin: float
    is_borne_out: bool
    thought: str
    claims: tuple[JudgedClaim, ...]


def judge_window(window: Window, asked: QuestionConfig, teacher: Teacher, cfg: WatchConfig) -> Judged:
    """Ask about a window as often as it takes. Raises TeacherUnavailable where nobody answers any more."""
    about = ClipQuestion(_clip(window, window.frames, window.start_s, window.end_s), _question(window, asked))
    posed = Posed(asked.task, asked.text, asked.options)
    traces: list[Trace] = []
    for batch in _batches(cfg):
        traces += _answered(about, batch, teacher, cfg, window.jpegs)
        left = (cfg.votes.most if cfg.votes.temperature else 1) - len(traces)
        tally = count_votes(posed, [each.answer for each in traces], [1.0] * len(traces))
        if cannot_be_caught(tally, left):
            break
    votes = tuple(each.answer for each in traces)
    answer = vote(posed, votes, [1.0] * len(votes))
    for_it = [each for each in traces if each.answer is not None and alerts(asked, each.answer)]
    belief = len(for_it) / len(traces)
    claims: tuple[JudgedClaim, ...] = ()
    speaker = _speaker(traces, answer, posed)
    if answer is not None and alerts(asked, answer):
        claims = _claims(about, window, [speaker] if speaker else [], teacher, cfg)
    thought = speaker.thought if speaker else ""
    shares = sorted((weight / len(votes) for _, weight in tally), reverse=True)
    return Judged(
        answer=answer,
        votes=votes,
        belief=belief,
        margin=round(shares[0] - (shares[1] if len(shares) > 1 else 0.0), 4) if shares else 0.0,
        is_borne_out=stands(thought, claims),
        thought=thought,
        claims=claims,
    )


def alerts(asked: QuestionConfig, answer: str) -> bool:
    """Whether an answer is one of those that alert."""
    golds = (normalise(asked.text, asked.options, each, asked.task).answer for each in asked.alert)
    return any(
        is_right(asked.task, lenient_score(asked.task, answer, gold, asked.options), _LEAST_SCORE)
        for gold in golds
    )


def _batches(cfg: WatchConfig) -> Iterator[range]:
    """Places of the votes: first as many as could settle it, then one after the other."""
    most = cfg.votes.most if cfg.votes.temperature else 1
    first = most // 2 + 1
    yield range(first)
    for place in range(first, most):
        yield range(place, place + 1)


def _answered(
    about: ClipQuestion, places: range, teacher: Teacher, cfg: WatchConfig, jpegs: Mapping[str, bytes]
) -> list[Trace]:
    votes = cfg.votes
    drawn = RolloutConfig(
        rollouts=votes.most,
        temperature=votes.temperature,
        top_p=votes.top_p,
        max_tokens=votes.max_tokens,
        seed=votes.seed,
    )
    return answers_to(about, places, teacher, drawn, jpegs)


def _speaker(traces: Sequence[Trace], answer: str | None, posed: Posed) -> Trace | None:
    """Whose thought is told and held to its frames: the first with the vote's answer, guesses last."""
    if answer is None:
        return None
    same = [
        each
        for each in traces
        if each.answer is not None and lenient_score(posed.task, each.answer, answer, posed.options) == 1
    ]
    return min(same, key=lambda each: declares_guess(each.thought), default=None)


def _claims(
    about: ClipQuestion, window: Window, traces: Sequence[Trace], verifier: Teacher, cfg: WatchConfig
) -> tuple[JudgedClaim, ...]:
    """Of the thoughts, put to the verifier with the frames that they cite, and with others."""
    case = Case(about.clip, about.question, tuple(traces))
    usual = about.question.model_copy(update={"frames": timed_frames(window.usual)})
    beside = Case(_clip(window, window.usual, 0.0, 0.1), usual, ())
    cases = [case, beside] if window.usual else [case]
    return judged_claims(cases, verifier, cfg.claims, cfg.min_belief, window.jpegs)


def _question(window: Window, asked: QuestionConfig) -> Question:
    form = normalise(asked.text, asked.options, asked.alert[0], asked.task)
    return Question(
        question_id="",
        clip_id=f"{window.video_id}/{window.tick}",
        video_id=window.video_id,
        source=QuestionSource.GIVEN,
        kind="watch",
        task=asked.task,
        text=asked.text,
        options=form.options,
        answer=form.answer,
        frames=timed_frames(window.frames),
    ).with_id()


def _clip(window: Window, frames: Sequence[FrameRef], start_s: float, end_s: float) -> Clip:
    """As the build has it, so that prompts and claims are the build's own."""
    clip_id = f"{window.video_id}/{window.tick}/{start_s:.3f}"
    scene = Scene(
        scene_id=clip_id,
        video_id=window.video_id,
        start_s=start_s,
        end_s=end_s,
        cut_kind=CutKind.START,
        cut_score=0.0,
    )
    return Clip(
        clip_id=clip_id,
        video_id=window.video_id,
        kind=ClipKind.SCENE,
        start_s=start_s,
        end_s=end_s,
        scenes=(scene,),
        keyframes=tuple(frames),
        timeline=tuple(frames),
        motion=(),
    )
