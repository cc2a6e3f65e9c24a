"""Completions -> rewards: named components of what was said, each in [0, 1], weighted into one number.

Answers and thoughts are read and measured by `schemas/`, by the very functions that the filter uses.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from reelproof.schemas.answers.conclusion import Conclusions, Posed, agreement
from reelproof.schemas.answers.evidence import (
    key_place_score,
    key_time_score,
    said_places,
    share_within_spans,
)
from reelproof.schemas.answers.places import lenient_spans
from reelproof.schemas.answers.reading import Reading
from reelproof.schemas.answers.scores import (
    cited_spans,
    is_right,
    lenient_score,
    partial_score,
    read_completion,
    strict_score,
)
from reelproof.schemas.answers.thought import (
    NEAR_FRAME_S,
    cited_near_frames,
    repetition,
    thought_words,
)
from reelproof.schemas.question import Task
from reelproof.training.frames import label_times, size_px
from reelproof.training.preflight import SetupError
from reelproof.training.settings.rewards import RewardConfig
from reelproof.training.shards import Example

SCORERS = {"strict": strict_score, "lenient": lenient_score, "partial": partial_score}


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
    is_earned: bool
    """Whether it counts as right past the gates."""


class _Case(NamedTuple):
    example: Example
    said: Reading
    cfg: RewardConfig
    evidence: float | None
    progress: float


def score_completions(
    cases: Sequence[tuple[Example, str]],
    cfg: RewardConfig,
    verifier: Verifier | None = None,
    progress: float = 1.0,
) -> list[Scored]:
    """One reward for each example and completion; `progress` is the share of a run that is done."""
    read = [(example, read_completion(text)) for example, text in cases]
    shares: Sequence[float | None] = [None] * len(read)
    if verifier is not None and (cfg.evidence > 0 or cfg.gate_accuracy):
        shares = verifier.evidence([(example, said.thought) for example, said in read])
    return [
        _score(_Case(example, said, cfg, share, progress))
        for (example, said), share in zip(read, shares, strict=True)
    ]


def check_rewards(cfg: RewardConfig, examples: Sequence[Example], verifier: Verifier | None) -> None:
    """Raise SetupError for rewards that these questions cannot give."""
    if verifier is None and (cfg.evidence or cfg.gate_accuracy):
        raise SetupError(
            "rewards.evidence and rewards.gate_accuracy need a verifier; name one as claims.verifier, or set "
            "them to 0"
        )
    if cfg.grounding and not any(map(label_times, examples)):
        raise SetupError(
            "rewards.grounding scores cited times, but no question shows its frames with their times; "
            "set it to 0, or train on questions that do"
        )
    if cfg.key_time and not any(each.key_places or each.task is Task.TEMPORAL_GROUNDING for each in examples):
        raise SetupError(
            "rewards.key_time compares times, but no question came with any (`key_frames`) or wants a span; "
            "set it to 0, or train on questions that do"
        )
    if cfg.key_place and not any(example.key_places for example in examples):
        raise SetupError(
            "rewards.key_place compares boxes, but no question came with any (`key_items`); set it to 0, or "
            "train on questions that do"
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
    counts, earned = (
        is_right(case.example.task, score, case.cfg.min_graded_score)
        for score in (right, components["accuracy"])
    )
    return Scored(total, right, counts, components, earned)


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
    shown = label_times(case.example)
    if case.example.task is Task.TEMPORAL_GROUNDING:
        said = [f"[{span.start_s}, {span.end_s}]" for span in cited if span.end_s > span.start_s]
        return max(
            (lenient_score(case.example.task, each, case.example.answer) for each in said), default=0.0
        )
    return cited_near_frames(cited, shown, NEAR_FRAME_S) or 0.0


def _key_time(case: _Case) -> float:
    """Nearness to the nearest given time. Source: adaptive temporal proximity of arXiv 2510.20579."""
    cited = cited_spans(case.said.thought)
    example = case.example
    if example.task is Task.TEMPORAL_GROUNDING and not example.key_places:
        return share_within_spans(cited, lenient_spans(example.answer) or ())
    sigma_s = max(1.0, 4 * (1 - case.progress))
    return key_time_score(
        cited, [each.time_s for each in example.key_places if each.time_s is not None], sigma_s
    )


def _key_place(case: _Case) -> float:
    if not case.example.key_places or not case.example.images:
        return 0.0
    said = said_places(case.said.thought, *size_px(case.example.images[0]), case.cfg.box_unit)
    return key_place_score(said, case.example.key_places)


COMPONENTS: dict[str, Callable[[_Case], float]] = {
    "accuracy": _accuracy,
    "format": lambda case: float(case.said.well_formed),
    "length": _length,
    "agreement": _agreement,
    "grounding": _grounding,
    "key_time": _key_time,
    "key_place": _key_place,
    "repetition": lambda case: 1.0 - repetition(case.said.thought),
    "evidence": lambda case: case.evidence or 0.0,
}
"""Name -> component; a weight of the same name is in RewardConfig."""
