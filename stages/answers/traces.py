"""Questions -> traces: k rollouts of each, shared out among the teachers, every completion read.

Where a recipe wants it, a question that was answered right as luck would answer it too is answered on.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from reelproof.schemas.answers.chance import open_guess_rate
from reelproof.schemas.answers.citing import cited_spans
from reelproof.schemas.answers.reading import read_completion
from reelproof.schemas.answers.tally import tally
from reelproof.schemas.chat import ChatRequest, Completion, Sampling
from reelproof.schemas.draws import hash32
from reelproof.schemas.footage import Clip
from reelproof.schemas.question import Question
from reelproof.schemas.settings import Settings
from reelproof.schemas.speech import SpeechLine
from reelproof.schemas.trace import Trace
from reelproof.stages.answers.rounds import ask_rounds, round_ends
from reelproof.stages.answers.undecided import is_undecided
from reelproof.stages.teachers.messages import rollout_messages, with_sound
from reelproof.stages.teachers.prompts import ROLLOUT, ROLLOUT_WHERE, Prompt
from reelproof.stages.teachers.protocol import Teacher

VERSION = 19


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


class AdaptiveRolloutConfig(RolloutConfig):
    """How often and how freely each question is answered, and which ones are answered on."""

    max_rollouts: int | None = Field(default=None, ge=1, le=256)
    """A question with right answers that luck explains is answered on, each time as often again, until luck
    is excluded or hardly can be, for each teacher by its own answers, and at most so often; by default none
    is. What is left to luck is shared among the batches: 8 rollouts and at most 32 are three, of 8, 8 and 16,
    and each has a third of it. Where the form of a question does not tell how often guesses are right, it is
    not answered on."""
    confidence: float = Field(default=0.95, ge=0.5, lt=1)
    """How sure it must be that right answers are no luck, for no more to be asked: `luck_confidence` of the
    policy that is to decide."""
    min_graded_score: float = Field(default=0.5, gt=0, le=1)
    """An answer counts as right from this score up, for tasks whose score is a degree."""

    @model_validator(mode="after")
    def _goes_on(self) -> Self:
        if self.max_rollouts is None:
            return self
        if self.max_rollouts < self.rollouts:
            raise ValueError(
                f"max_rollouts={self.max_rollouts} must not be below rollouts={self.rollouts}; leave it out "
                "to answer all questions equally often"
            )
        if not self.temperature:
            raise ValueError("max_rollouts needs a temperature above 0: at 0 all rollouts are the same")
        return self

    @property
    def batch_ends(self) -> tuple[int, ...]:
        """Rollouts of a question after its first batch, after its second, …, as far as it may go."""
        return round_ends(self.rollouts, self.max_rollouts or self.rollouts)

    @property
    def most(self) -> int:
        """Rollouts of a question, at most."""
        return self.batch_ends[-1]


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


def ask_rollouts(
    asked: Iterable[ClipQuestion],
    teachers: Sequence[TeacherShare],
    cfg: AdaptiveRolloutConfig,
    frames: Mapping[str, bytes],
) -> Iterator[Trace]:
    """Traces of each question, a question's together, the questions of one clip together.

    There are `cfg.rollouts` of each, and up to `cfg.max_rollouts` of those that luck may explain. A
    completion that failed for good gives a trace as well, with its finish reason `error` and no answer.

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
    clip_by_clip = list(_clip_by_clip(asked))
    own = [[_Own(each, place, teachers, cfg) for each in clip_by_clip] for place in range(len(teachers))]
    with ThreadPoolExecutor(len(teachers), "rollouts") as side_by_side:
        work = [
            side_by_side.submit(ask_rounds, each.teacher, mine, frames)
            for each, mine in zip(teachers, own, strict=True)
        ]
    for each in work:
        each.result()
    for of_each in zip(*own, strict=True):
        traces = (trace for mine in of_each for trace in mine.traces)
        yield from sorted(traces, key=lambda trace: trace.sample_index)


class _Own:
    """What one teacher is asked of a question: a batch of its rollouts, and more where luck explains them."""

    def __init__(
        self,
        asked: ClipQuestion,
        place: int,
        teachers: Sequence[TeacherShare],
        cfg: AdaptiveRolloutConfig,
    ) -> None:
        """`place` is the teacher's own among all."""
        self._asked = asked if teachers[place].listens else asked._replace(sound=None)
        self._model, self._cfg = teachers[place].teacher.model, cfg
        question_id = asked.question.question_id
        turns = [turn for turn in range(cfg.most) if _whose_turn(question_id, turn, teachers, cfg) == place]
        edges = pairwise((0, *cfg.batch_ends))
        batches = [[turn for turn in turns if start <= turn < end] for start, end in edges]
        self._batches = [(number, each) for number, each in enumerate(batches) if each]
        self._open: list[ChatRequest] = []
        """The batch that is asked now."""
        self.traces: list[Trace] = []
        """Those that came so far."""

    def following(self) -> list[ChatRequest]:
        """The next batch; none where there is none, or where it would tell nothing of luck."""
        is_first = not self.traces and self._batches and self._batches[0][0] == 0
        if not self._batches or not (is_first or self._is_undecided()):
            return []
        turns = self._batches[0][1]
        self._open = rollout_requests(self._asked, self._model, turns, self._cfg)
        return self._open

    def take(self, completions: Sequence[Completion]) -> None:
        """What was said to the batch."""
        (batch, _), *self._batches = self._batches
        came = {"batch": batch, "batches": len(self._cfg.batch_ends)}
        for request, completion in zip(self._open, completions, strict=True):
            trace = read_trace(self._asked.question, request, completion, self._cfg.prompt)
            self.traces.append(trace.model_copy(update=came))

    def _is_undecided(self) -> bool:
        """Whether luck explains the teacher's own answers, and more of them may well exclude it."""
        question, cfg = self._asked.question, self._cfg
        luck = open_guess_rate(question, cfg.min_graded_score)
        so_far = tally(self.traces, question, cfg.min_graded_score)
        more = sum(len(turns) for _, turns in self._batches)
        return is_undecided(so_far, luck, more, len(cfg.batch_ends), cfg.confidence)


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


def rollout_requests(
    asked: ClipQuestion, model: str, sample_indices: Iterable[int], cfg: RolloutConfig
) -> list[ChatRequest]:
    """What a teacher is asked for some rollouts of a question: they share all but their index."""
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
    return [
        ChatRequest(model=model, messages=messages, sampling=sampling, sample_index=index)
        for index in sample_indices
    ]


def _whose_turn(question_id: str, turn: int, teachers: Sequence[TeacherShare], cfg: RolloutConfig) -> int:
    """The teacher on whose stretch of [0, 1) the draw for a rollout falls."""
    draw = hash32("teacher", cfg.seed, question_id, turn if cfg.mix == "rollouts" else 0) / 2**32
    left = draw * sum(each.share for each in teachers)
    for place, each in enumerate(teachers):
        left -= each.share
        if left < 0:
            return place
    return max(place for place, each in enumerate(teachers) if each.share > 0)
