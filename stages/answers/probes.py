"""Questions -> how often each is answered right blind, from one frame or shuffled ones, or from speech."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial
from itertools import pairwise
from statistics import NormalDist
from typing import NamedTuple

from pydantic import Field

from reelproof.schemas.answers.chance import open_guess_rate
from reelproof.schemas.answers.scores import is_right, lenient_score, read_completion
from reelproof.schemas.chat import ChatRequest, Completion, Message, Sampling
from reelproof.schemas.draws import hash32
from reelproof.schemas.intervals import wilson_low
from reelproof.schemas.question import Question, ShownFrame, Task
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case, ProbeResult
from reelproof.stages.answers.rounds import ask_rounds, round_ends
from reelproof.stages.teachers.messages import rollout_messages
from reelproof.stages.teachers.protocol import Teacher

VERSION = 11


class Probe(StrEnum):
    """What is shown instead of the question's frames."""

    BLIND = "blind"
    """Nothing."""
    SINGLE = "single"
    """One of them, the same in all rollouts."""
    SHUFFLED = "shuffled"
    """All, in another order under the same times."""
    SPEECH = "speech"
    """No frame, but what is said."""


class ProbeConfig(Settings):
    """Which probes are asked, how often, and when an answer counts."""

    probes: tuple[Probe, ...] = (Probe.BLIND, Probe.SINGLE, Probe.SHUFFLED)
    """These probes are asked; an empty list switches them off. Where a question shows what is said, `blind`
    goes along with `speech`: the lines without any frame."""
    rollouts: int = Field(default=4, ge=1, le=256)
    """Each question is answered so often under each probe, and each time as often again where the answers so
    far leave it open whether it can be answered without its evidence: blind, and for tasks about order from
    one frame or shuffled as well."""
    max_rollouts: int = Field(default=16, ge=1, le=256)
    """No question is answered more often than this under one probe."""
    limits: tuple[float, ...] = (0.25, 0.5)
    """The shares of right answers that must not be surely exceeded: those that policies set."""
    confidence: float = Field(default=0.95, ge=0.5, lt=1)
    """How sure it must be that a share is above a limit, for no more to be asked."""
    temperature: float = Field(default=0.8, ge=0, le=2)
    """At 0 the likeliest token is taken, and then all rollouts are the same."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """The draws are from this nucleus of the distribution."""
    max_tokens: int = Field(default=1024, ge=16, le=131_072)
    """One completion may have so many tokens."""
    min_graded_score: float = Field(default=0.5, gt=0, le=1)
    """An answer counts as right from this score up, for tasks whose score is a degree."""
    seed: int = Field(default=0, ge=0)
    """The draws, the single frame and the order follow from it."""


ORDER_TASKS = (Task.ORDERING, Task.TEMPORAL_GROUNDING)
"""Whose answers one frame, or frames out of order, cannot give."""
_LUCK_MARGIN = 0.1


class _Count(NamedTuple):
    passes: int | None
    rollouts: int | None


def probe_questions(
    cases: Iterable[Case], teacher: Teacher, cfg: ProbeConfig, frames: Mapping[str, bytes]
) -> Iterator[ProbeResult]:
    """One result a question, in order. Answers are read leniently: a shortcut is one in any form.

    Args:
        cases: Questions with their clips; their traces are not looked at.
        teacher: Who is asked.
        cfg: What is asked, and how often.
        frames: sha256 -> JPEG bytes of every frame that the questions show.

    Raises:
        RuntimeError: The teacher left requests unanswered.
    """
    cases = list(cases)
    probes = [each for case in cases for each in _probes_of(case, teacher.model, cfg)]
    ask_rounds(teacher, probes, frames)
    counts = {(each.question.question_id, each.probe): each.count for each in probes}
    for case in cases:
        yield _result(case.question, counts, teacher.model)


class _Asked:
    """A probe of a question, asked until it is sure enough."""

    def __init__(
        self, question: Question, probe: Probe, ask: Callable[[int], ChatRequest], cfg: ProbeConfig
    ) -> None:
        """`ask` makes the request of a rollout."""
        self.question, self.probe = question, probe
        self._ask, self._cfg = ask, cfg
        self._rounds = pairwise((0, *round_ends(cfg.rollouts, cfg.max_rollouts)))
        self._scores: list[float | None] = []
        """Those that came so far; failures come as None."""

    def following(self) -> list[ChatRequest]:
        """The next round's rollouts; none where there is none, or where they would tell nothing."""
        if self._scores and not self._is_open():
            return []
        return [self._ask(turn) for turn in range(*next(self._rounds, (0, 0)))]

    def take(self, completions: Sequence[Completion]) -> None:
        """What was said to them."""
        self._scores += [_score(self.question, each) for each in completions]

    @property
    def count(self) -> _Count:
        """Of the answers that came so far."""
        scores = [each for each in self._scores if each is not None]
        right = (is_right(self.question.task, each, self._cfg.min_graded_score) for each in scores)
        return _Count(sum(right), len(scores))

    def _is_open(self) -> bool:
        """Whether so many are right that it may be above a limit, and so few that it is not sure.

        Most questions are closed at once: their first answers are wrong, or all right. So few answers cannot
        tell one of two options from luck. Wald (1945) stops a test like this; here the interval is the one
        that policy compares.
        """
        cfg, (passes, rollouts) = self._cfg, self.count
        if self.probe not in (Probe.BLIND, Probe.SPEECH) and self.question.task not in ORDER_TASKS:
            return False
        if not passes or not rollouts:
            return False
        share, quantile = passes / rollouts, NormalDist().inv_cdf(cfg.confidence)
        luck = min(1.0, (open_guess_rate(self.question, cfg.min_graded_score) or 0.0) + _LUCK_MARGIN)
        limits = [max(limit, luck) for limit in cfg.limits]
        return any(share > limit >= wilson_low(share, float(rollouts), quantile) for limit in limits)


def _probes_of(case: Case, model: str, cfg: ProbeConfig) -> Iterator[_Asked]:
    sampling = Sampling(
        temperature=cfg.temperature,
        top_p=cfg.top_p,
        max_tokens=cfg.max_tokens,
        seed=hash32("seed", cfg.seed, case.question.question_id) >> 1,  # servers take signed 32-bit seeds
    )
    asked = dict.fromkeys((*cfg.probes, *([Probe.SPEECH] if Probe.BLIND in cfg.probes else [])))
    for probe in asked if case.lines else [each for each in asked if each is not Probe.SPEECH]:
        shown = shown_instead(probe, case.question, cfg.seed)
        if shown is not None:
            lines = () if probe is Probe.BLIND else case.lines
            messages = rollout_messages(case.clip, case.question, shown, lines)
            ask = partial(_request, model, messages, sampling)
            yield _Asked(case.question, probe, ask, cfg)


def _request(model: str, messages: tuple[Message, ...], sampling: Sampling, index: int) -> ChatRequest:
    return ChatRequest(model=model, messages=messages, sampling=sampling, sample_index=index)


def shown_instead(probe: Probe, question: Question, seed: int) -> tuple[ShownFrame, ...] | None:
    """The frames that a probe shows; None where it would show what the question itself shows, or nothing."""
    shown = question.frames
    if probe in (Probe.BLIND, Probe.SPEECH):
        return ()
    if len(shown) < 2:
        return None
    rng = random.Random(hash32(probe, seed, question.question_id))  # noqa: S311 - draws that repeat
    if probe is Probe.SINGLE:
        return (shown[rng.randrange(len(shown))],)
    places = _another_order([each.frame.sha256 for each in shown], rng)
    if places is None:
        return None
    # times stay in order: under their own times the frames could be sorted back
    return tuple(
        ShownFrame(frame=shown[place].frame, shown_s=old.shown_s)
        for old, place in zip(shown, places, strict=True)
    )


def _another_order(pictures: Sequence[str], rng: random.Random) -> list[int] | None:
    """A permutation that changes what is seen; None where all pictures are the same."""
    if len(set(pictures)) < 2:
        return None
    places = list(range(len(pictures)))
    while [pictures[place] for place in places] == list(pictures):
        rng.shuffle(places)
    return places


def _result(question: Question, counts: Mapping[tuple[str, Probe], _Count], model: str) -> ProbeResult:
    none = _Count(None, None)
    blind, single, shuffled, speech = (counts.get((question.question_id, probe), none) for probe in Probe)
    return ProbeResult(
        question_id=question.question_id,
        model=model,
        blind_passes=blind.passes,
        blind_rollouts=blind.rollouts,
        single_passes=single.passes,
        single_rollouts=single.rollouts,
        shuffled_passes=shuffled.passes,
        shuffled_rollouts=shuffled.rollouts,
        speech_passes=speech.passes,
        speech_rollouts=speech.rollouts,
    )


def _score(question: Question, completion: Completion) -> float | None:
    """Failed requests say nothing of the question and are not counted."""
    if completion.finish_reason == "error":
        return None
    said = read_completion(completion.text).stated
    return lenient_score(question.task, said, question.answer, question.options, question.tolerance)
