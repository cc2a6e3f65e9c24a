"""Thoughts -> what a judge who sees no frame answers from their observations alone, conclusions cut out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import Field

from reelproof.schemas.answers.observing import observations
from reelproof.schemas.answers.scores import read_completion
from reelproof.schemas.chat import ChatRequest, Completion, Sampling
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case, Sufficiency
from reelproof.stages.teachers.messages import sufficiency_messages
from reelproof.stages.teachers.protocol import Teacher

VERSION = 5

_LONGEST = 8000


class SufficiencyConfig(Settings):
    """How the judge is asked."""

    temperature: float = Field(default=0.0, ge=0, le=2)
    """At 0 the likeliest token is taken."""
    max_tokens: int = Field(default=256, ge=16, le=131_072)
    """One answer may have so many tokens."""
    seed: int = Field(default=0, ge=0)
    """The draws follow from it."""


class _Judged(NamedTuple):
    trace_id: str
    observations: Sequence[str]
    request: ChatRequest | None


def judge_sufficiency(cases: Iterable[Case], judge: Teacher, cfg: SufficiencyConfig) -> Iterator[Sufficiency]:
    """One record per trace, in order. A thought that only concludes is not put to the judge.

    Raises RuntimeError where the judge left requests unanswered.
    """
    judged = [each for case in cases for each in _requests(case, judge.model, cfg)]
    requests = {each.request.request_id: each.request for each in judged if each.request}
    completions = {each.request_id: each for each in judge.complete(list(requests.values()), {})}
    if missing := len(requests.keys() - completions.keys()):
        raise RuntimeError(
            f"judge {judge.model} left {missing} of {len(requests)} requests unanswered; expected one "
            "completion each"
        )
    for each in judged:
        yield Sufficiency(
            trace_id=each.trace_id,
            judge=judge.model,
            observations=len(each.observations),
            said=_said(each.request, completions),
        )


def _requests(case: Case, model: str, cfg: SufficiencyConfig) -> Iterator[_Judged]:
    sampling = Sampling(temperature=cfg.temperature, max_tokens=cfg.max_tokens, seed=cfg.seed)
    for trace in case.traces:
        seen = observations(trace.thought[:_LONGEST])
        request = None
        if seen:
            messages = sufficiency_messages(case.question, " ".join(seen))
            request = ChatRequest(model=model, messages=messages, sampling=sampling)
        yield _Judged(trace.trace_id, seen, request)


def _said(request: ChatRequest | None, completions: Mapping[str, Completion]) -> str | None:
    if request is None or completions[request.request_id].finish_reason == "error":
        return None
    return read_completion(completions[request.request_id].text).stated
