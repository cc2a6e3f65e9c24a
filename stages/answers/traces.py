"""Questions -> traces: k rollouts of each, shared out among the teachers, every completion read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from reelproof.schemas.answers.reading import cited_spans, read_completion
from reelproof.schemas.chat import ChatRequest, Completion, Sampling
from reelproof.schemas.draws import hash32
from reelproof.schemas.footage import Clip
from reelproof.schemas.question import Question
from reelproof.schemas.settings import Settings
from reelproof.schemas.speech import SpeechLine
from reelproof.schemas.trace import Trace
from reelproof.stages.teachers.prompts import ROLLOUT, ROLLOUT_WHERE, Prompt, rollout_messages, with_sound
from reelproof.stages.teachers.protocol import Teacher, complete_all

VERSION = 5


class RolloutConfig(Settings):
    """How often and how freely each question is answered."""

    rollouts: int = Field(default=4, ge=1, le=256)
    """Each question is answered so often."""
    temperature: float = Field(default=0.8, ge=0, le=2)
    """0 is greedy, and then all rollouts are the same."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """The draws are from this nucleus of the distribution."""
    max_tokens: int = Field(default=1024, ge=16, le=131_072)
    """One completion, thought and answer, may have so many tokens."""
    logprobs: bool = False
    """Log-probabilities are asked for, and their mean is kept."""
    mix: Literal["rollouts", "questions"] = "rollouts"
    """Among several teachers: each rollout by a teacher of its own, or all rollouts of a question by one."""
    ask_where: bool = False
    """Thoughts are to say where things are, too: each in a box of a frame, which becomes a claim. How the
    corners are counted is the model's way: see `claims.box_unit`."""
    seed: int = Field(default=0, ge=0)
    """The draws, and which teacher answers what, follow from it."""

    @property
    def prompt(self) -> Prompt:
        """What asks for a rollout."""
        return ROLLOUT_WHERE if self.ask_where else ROLLOUT


class ClipQuestion(NamedTuple):
    """A question with the clip that it is about."""

    clip: Clip
    question: Question
    lines: tuple[SpeechLine, ...] = ()
    """What is said in the clip, as the question shows it."""
    sound: str | None = None
    """sha256 of the clip's sound, as MP3, for teachers that listen."""


class TeacherShare(NamedTuple):
    """A teacher, and its part of the rollouts relative to the other teachers' parts."""

    teacher: Teacher
    share: float
    listens: bool = False
    """It is handed the clip's sound."""


class _Rollout(NamedTuple):
    question: Question
    teacher: int
    request: ChatRequest


def ask_rollouts(
    asked: Iterable[ClipQuestion],
    teachers: Sequence[TeacherShare],
    cfg: RolloutConfig,
    frames: Mapping[str, bytes],
) -> Iterator[Trace]:
    """`cfg.rollouts` traces of each question, a question's together, the questions of one clip together.

    A completion that failed for good gives a trace as well, with its finish reason `error` and no answer.

    Args:
        asked: Questions with their clips.
        teachers: Who answers; each gets its share, by a hash of the question, whatever the order.
        cfg: How often, how freely, with which seed.
        frames: sha256 -> JPEG bytes of every frame that the questions show.

    Raises:
        ValueError: No teacher, or no share above 0.
        RuntimeError: A teacher left requests unanswered.
    """
    if not any(each.share > 0 for each in teachers) or any(each.share < 0 for each in teachers):
        raise ValueError(f"teachers need shares of 0 or more, one above 0; got {[t.share for t in teachers]}")
    rollouts = [each for one in _clip_by_clip(asked) for each in _rollouts(one, teachers, cfg)]
    completions: dict[str, Completion] = {}
    for place, each in enumerate(teachers):
        requests = [rollout.request for rollout in rollouts if rollout.teacher == place]
        completions |= complete_all(each.teacher, requests, frames) if requests else {}
    for rollout in rollouts:
        said = completions[rollout.request.request_id]
        yield read_trace(rollout.question, rollout.request, said, cfg.prompt)


def read_trace(
    question: Question, request: ChatRequest, completion: Completion, prompt: Prompt = ROLLOUT
) -> Trace:
    """A completion of a rollout request as a trace."""
    reading = read_completion(completion.text)
    return Trace(
        trace_id=request.request_id,
        question_id=question.question_id,
        clip_id=question.clip_id,
        video_id=question.video_id,
        prompt_id=prompt.prompt_id,
        model=completion.model,
        sample_index=request.sample_index,
        text=completion.text,
        thought=reading.thought,
        answer=reading.stated,
        cited=cited_spans(reading.thought),
        finish_reason=completion.finish_reason,
        completion_tokens=completion.completion_tokens,
        mean_logprob=completion.mean_logprob,
    )


def _clip_by_clip(asked: Iterable[ClipQuestion]) -> Iterator[ClipQuestion]:
    """Clips in the order in which they first come, the questions of each in theirs."""
    by_clip: dict[str, list[ClipQuestion]] = {}
    for each in asked:
        by_clip.setdefault(each.clip.clip_id, []).append(each)
    for group in by_clip.values():
        yield from group


def rollout_request(asked: ClipQuestion, model: str, sample_index: int, cfg: RolloutConfig) -> ChatRequest:
    """What a teacher is asked for one rollout of a question."""
    question = asked.question
    sampling = Sampling(
        temperature=cfg.temperature,
        top_p=cfg.top_p,
        max_tokens=cfg.max_tokens,
        seed=hash32("seed", cfg.seed, question.question_id) >> 1,  # servers take signed 32-bit seeds
        logprobs=cfg.logprobs,
    )
    messages = rollout_messages(asked.clip, question, question.frames, asked.lines, cfg.prompt)
    if asked.sound:
        messages = with_sound(messages, asked.sound)
    return ChatRequest(model=model, messages=messages, sampling=sampling, sample_index=sample_index)


def _rollouts(
    asked: ClipQuestion, teachers: Sequence[TeacherShare], cfg: RolloutConfig
) -> Iterator[_Rollout]:
    question = asked.question
    for index in range(cfg.rollouts):
        dealt = index if cfg.mix == "rollouts" else 0
        place = _whose_turn(hash32("teacher", cfg.seed, question.question_id, dealt) / 2**32, teachers)
        own = asked if teachers[place].listens else asked._replace(sound=None)
        yield _Rollout(question, place, rollout_request(own, teachers[place].teacher.model, index, cfg))


def _whose_turn(draw: float, teachers: Sequence[TeacherShare]) -> int:
    """The teacher on whose stretch of [0, 1) a draw falls."""
    left = draw * sum(each.share for each in teachers)
    for place, each in enumerate(teachers):
        left -= each.share
        if left < 0:
            return place
    return max(place for place, each in enumerate(teachers) if each.share > 0)
