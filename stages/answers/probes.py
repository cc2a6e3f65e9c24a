"""Questions -> how often each is answered right blind, from a single frame, and with its frames shuffled."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from pydantic import Field

from reelproof.schemas.answers.scores import is_right, lenient_score, read_completion
from reelproof.schemas.chat import ChatRequest, Completion, Sampling
from reelproof.schemas.draws import hash32
from reelproof.schemas.question import Question, ShownFrame
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case, ProbeResult
from reelproof.stages.teachers.prompts import rollout_messages
from reelproof.stages.teachers.protocol import Teacher

VERSION = 3


class Probe(StrEnum):
    """What is shown instead of the question's frames."""

    BLIND = "blind"
    """Nothing."""
    SINGLE = "single"
    """One of them, the same in all rollouts."""
    SHUFFLED = "shuffled"
    """All, in another order under the same times."""


class ProbeConfig(Settings):
    """Which probes are asked, how often, and when an answer counts."""

    probes: tuple[Probe, ...] = tuple(Probe)
    """None switches them off."""
    rollouts: int = Field(default=4, ge=1, le=256)
    """Answers to each question and probe."""
    temperature: float = Field(default=0.8, ge=0, le=2)
    """0 is greedy, and then all rollouts are the same."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Nucleus of the distribution that is drawn from."""
    max_tokens: int = Field(default=1024, ge=16, le=131_072)
    """Of one completion."""
    min_graded_score: float = Field(default=0.5, gt=0, le=1)
    """Right from here up, for tasks whose score is a degree."""
    seed: int = Field(default=0, ge=0)
    """Of the draws, of the single frame and of the order."""


class _Asked(NamedTuple):
    question: Question
    requests: Mapping[Probe, Sequence[ChatRequest]]


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
    asked = [_Asked(case.question, _requests(case, teacher.model, cfg)) for case in cases]
    requests = [each for one in asked for group in one.requests.values() for each in group]
    completions = {each.request_id: each for each in teacher.complete(requests, frames)}
    if missing := sum(each.request_id not in completions for each in requests):
        raise RuntimeError(
            f"teacher {teacher.model} left {missing} of {len(requests)} probes unanswered; expected one "
            "completion each"
        )
    for one in asked:
        yield _result(one, completions, teacher.model, cfg)


def _requests(case: Case, model: str, cfg: ProbeConfig) -> dict[Probe, list[ChatRequest]]:
    sampling = Sampling(
        temperature=cfg.temperature,
        top_p=cfg.top_p,
        max_tokens=cfg.max_tokens,
        seed=hash32("seed", cfg.seed, case.question.question_id) >> 1,  # servers take signed 32-bit seeds
    )
    requests = {}
    for probe in cfg.probes:
        shown = shown_instead(probe, case.question, cfg.seed)
        if shown is not None:
            messages = rollout_messages(case.clip, case.question, shown)
            requests[probe] = [
                ChatRequest(model=model, messages=messages, sampling=sampling, sample_index=index)
                for index in range(cfg.rollouts)
            ]
    return requests


def shown_instead(probe: Probe, question: Question, seed: int) -> tuple[ShownFrame, ...] | None:
    """The frames that a probe shows; None where it would show what the question itself shows, or nothing."""
    shown = question.frames
    if probe is Probe.BLIND:
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


def _result(
    asked: _Asked, completions: Mapping[str, Completion], model: str, cfg: ProbeConfig
) -> ProbeResult:
    counts = {
        probe: _count(asked.question, [completions[each.request_id] for each in group], cfg)
        for probe, group in asked.requests.items()
    }
    blind, single, shuffled = (counts.get(probe, _Count(None, None)) for probe in Probe)
    return ProbeResult(
        question_id=asked.question.question_id,
        model=model,
        blind_passes=blind.passes,
        blind_rollouts=blind.rollouts,
        single_passes=single.passes,
        single_rollouts=single.rollouts,
        shuffled_passes=shuffled.passes,
        shuffled_rollouts=shuffled.rollouts,
    )


def _count(question: Question, completions: Sequence[Completion], cfg: ProbeConfig) -> _Count:
    """Failed requests say nothing of the question and are not counted."""
    said = [read_completion(each.text).stated for each in completions if each.finish_reason != "error"]
    scores = [
        lenient_score(question.task, each, question.answer, question.options, question.tolerance)
        for each in said
    ]
    return _Count(sum(is_right(question.task, score, cfg.min_graded_score) for score in scores), len(scores))
