"""Completions -> rewards: named components of what was said, each in [0, 1], weighted into one number.

Answers and thoughts are read and measured by `schemas/`, by the very functions that the filter uses.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from pydantic import Field

from reelproof.schemas.answers.conclusion import Conclusions, Posed, agreement
from reelproof.schemas.answers.reading import Reading
from reelproof.schemas.answers.scores import (
    cited_spans,
    is_right,
    lenient_score,
    partial_score,
    read_completion,
    strict_score,
)
from reelproof.schemas.answers.thought import cited_near_frames, repetition, thought_words
from reelproof.schemas.question import Task
from reelproof.schemas.settings import Settings
from reelproof.training.batches import frame_labels
from reelproof.training.preflight import SetupError
from reelproof.training.shards import Example

SCORERS = {"strict": strict_score, "lenient": lenient_score, "partial": partial_score}


class RewardConfig(Settings):
    """Weights of the components; one of weight 0 is measured all the same."""

    accuracy: float = Field(default=1.0, ge=0)
    """The weight of the answer's score."""
    scoring: Literal["strict", "lenient", "partial"] = "strict"
    """Answers are read and scored as exactly as they were asked for (`strict`), as a reader would
    (`lenient`), or with credit for what is partly right (`partial`)."""
    min_graded_score: float = Field(default=0.5, gt=0, le=1)
    """A graded answer (a span, a box, a quantity) counts as right from this score up, any other at 1. The
    curriculum and the temporal contrast go by it."""
    format: float = Field(default=0.0, ge=0)
    """The weight of one thought, then one answer, and nothing else."""
    length: float = Field(default=0.0, ge=0)
    """The weight of a thought whose words number between `min_words` and `max_words`; it falls off to 0 at
    half and at double."""
    min_words: int = Field(default=8, ge=0)
    """A thought has its full length reward from so many words on."""
    max_words: int = Field(default=400, ge=1)
    """A thought has its full length reward up to so many words."""
    agreement: float = Field(default=0.0, ge=0)
    """The weight of a thought that concludes the answer."""
    grounding: float = Field(default=0.0, ge=0)
    """The weight of the share of cited times near a shown frame; where a span is asked for, of the IoU of the
    cited ones with it."""
    near_s: float = Field(default=0.5, gt=0)
    """A cited time is near a frame that is no further away, in seconds."""
    repetition: float = Field(default=0.0, ge=0)
    """The weight of 1 − the share of the thought's 4-grams that came before."""
    evidence: float = Field(default=0.0, ge=0)
    """The weight of the share of the thought's claims that its cited frames bear out, by the build's
    verifier."""
    gate_accuracy: bool = False
    """An answer counts only where it is well formed and the evidence is at least `gate`."""
    gate: float = Field(default=1.0, ge=0, le=1)
    """With `gate_accuracy`, the evidence that an answer needs to count."""
    gate_agreement: bool = False
    """An answer counts only where the thought concludes it: else answers come right while conclusions drift
    away."""


class Verifier(Protocol):
    """Looks at the frames: a vision model as a verifier, or a program that can measure the world."""

    def evidence(self, cases: Sequence[tuple[Example, str]]) -> list[float | None]:
        """For each example and thought, the share of its claims that hold; None where it makes none."""
        ...


class Scored(NamedTuple):
    """One completion's reward."""

    total: float
    right: float
    """The answer's score alone."""
    is_right: bool
    """Whether that counts as right."""
    components: Mapping[str, float]
    """By name, before weights."""


class _Case(NamedTuple):
    example: Example
    said: Reading
    cfg: RewardConfig
    evidence: float | None


def score_completions(
    cases: Sequence[tuple[Example, str]], cfg: RewardConfig, verifier: Verifier | None = None
) -> list[Scored]:
    """One reward for each example and completion."""
    read = [(example, read_completion(text)) for example, text in cases]
    asked = verifier is not None and (cfg.evidence > 0 or cfg.gate_accuracy)
    shares = (
        verifier.evidence([(example, said.thought) for example, said in read])
        if verifier is not None and asked
        else [None] * len(read)
    )
    return [
        _score(_Case(example, said, cfg, share)) for (example, said), share in zip(read, shares, strict=True)
    ]


def check_rewards(cfg: RewardConfig, examples: Sequence[Example], verifier: Verifier | None) -> None:
    """Raise SetupError for rewards that these questions cannot give."""
    if verifier is None and (cfg.evidence or cfg.gate_accuracy):
        raise SetupError(
            "rewards.evidence and rewards.gate_accuracy need a verifier; name one as claims.verifier, or set "
            "them to 0"
        )
    if cfg.grounding and not any(_shown_times(example) for example in examples):
        raise SetupError(
            "rewards.grounding scores cited times, but no question shows its frames with their times; "
            "set it to 0, or train on questions that do"
        )
    if cfg.agreement and all(example.task is Task.OPEN_ENDED for example in examples):
        raise SetupError("rewards.agreement cannot be read off open-ended answers; set it to 0")
    if not any(getattr(cfg, name) for name in COMPONENTS):
        raise SetupError(
            "every reward has weight 0: nothing would be learned; give rewards.accuracy a weight"
        )


def _score(case: _Case) -> Scored:
    components = {name: component(case) for name, component in COMPONENTS.items()}
    total = sum(getattr(case.cfg, name) * value for name, value in components.items())
    right = _right(case)
    return Scored(total, right, is_right(case.example.task, right, case.cfg.min_graded_score), components)


def _right(case: _Case) -> float:
    example = case.example
    scorer = SCORERS[case.cfg.scoring]
    said = case.said.said(strictly=case.cfg.scoring == "strict")
    return scorer(example.task, said, example.answer, example.options, example.tolerance)


def _accuracy(case: _Case) -> float:
    if case.cfg.gate_accuracy and (not case.said.well_formed or (case.evidence or 0.0) < case.cfg.gate):
        return 0.0
    if case.cfg.gate_agreement and not _agreement(case):
        return 0.0
    if case.cfg.scoring == "strict" and not case.said.well_formed:
        return 0.0
    return _right(case)


def _format(case: _Case) -> float:
    return float(case.said.well_formed)


def _length(case: _Case) -> float:
    words = thought_words(case.said.thought)
    if words < case.cfg.min_words:
        return max(0.0, 2 * words / case.cfg.min_words - 1)
    return max(0.0, min(1.0, 2 - words / case.cfg.max_words))


def _agreement(case: _Case) -> float:
    """Is what the thought concludes the answer? A thought that concludes nothing does not speak for it."""
    example = case.example
    posed = Posed(example.task, example.question, example.options, example.tolerance)
    return float(agreement(case.said.thought, case.said.stated, posed, Conclusions()) is True)


def _grounding(case: _Case) -> float:
    cited = cited_spans(case.said.thought)
    shown = _shown_times(case.example)
    if case.example.task is Task.TEMPORAL_GROUNDING:
        said = [f"[{span.start_s}, {span.end_s}]" for span in cited if span.end_s > span.start_s]
        return max(
            (lenient_score(case.example.task, each, case.example.answer) for each in said), default=0.0
        )
    return cited_near_frames(cited, shown, case.cfg.near_s) or 0.0


def _repetition(case: _Case) -> float:
    return 1.0 - repetition(case.said.thought)


def _evidence(case: _Case) -> float:
    return case.evidence or 0.0


COMPONENTS: dict[str, Callable[[_Case], float]] = {
    "accuracy": _accuracy,
    "format": _format,
    "length": _length,
    "agreement": _agreement,
    "grounding": _grounding,
    "repetition": _repetition,
    "evidence": _evidence,
}
"""Name -> component; a weight of the same name is in RewardConfig."""


def _shown_times(example: Example) -> list[float]:
    return [span.start_s for label in frame_labels(example) for span in cited_spans(label)]
