"""A trace or a question of a finished build -> lines: what was measured of it, and every rule's verdict."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import polars as pl

from reelproof.pipeline.curate import decide_all
from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.workplace import Workplace
from reelproof.schemas.measurements import OVER_ALL, score_columns
from reelproof.schemas.trace import Trace
from reelproof.stages.measurements import QUESTION_SCORES, SCORES
from reelproof.stages.policy import RL, SFT, PolicyConfig, RuleSet, meanings, reason_names

NOT_PUBLISHED = "not published: its video is no longer among the sources, or was tried again in a later part"
_UNDECIDED = "not decided yet: the build is not finished"


class _Rollout(NamedTuple):
    scores: Mapping[str, Any]
    verdict: Mapping[str, Any]


def tell_trace_verdict(workplace: Workplace, part: PartInputs, trace: Trace) -> Iterator[str]:
    """A trace's measurements, then for both sets every rule and whether it applies."""
    if workplace.todos():
        yield _UNDECIDED
        return
    rollouts = _rollouts(workplace, part, trace.question_id)
    mine = next(each for each in rollouts if each.verdict["trace_id"] == trace.trace_id)
    yield from _tell_scores(mine, score_columns((*SCORES, *OVER_ALL)))
    if not mine.verdict["published"]:
        yield NOT_PUBLISHED
        return
    policy = workplace.recipe.policy
    yield from _tell_rules(policy, SFT, mine.verdict["reasons"])
    yield from _tell_pairs(policy, mine, rollouts)
    first = rollouts[0].verdict
    if mine.verdict is first:
        yield from _tell_rules(policy, RL, first["rl_reasons"])
    else:
        where = f"decided on the question's first rollout, {first['trace_id']}"
        yield f"rl by policy {policy.name}: {where}: {_decided(first['rl_reasons'])}"


def tell_question_verdict(workplace: Workplace, part: PartInputs, question_id: str) -> Iterator[str]:
    """What was measured of a question, then every rule of `rl` and whether it applies."""
    if workplace.todos():
        yield _UNDECIDED
        return
    rollouts = _rollouts(workplace, part, question_id)
    if not rollouts:
        yield "in no set: nobody answered it"
        return
    yield from _tell_scores(rollouts[0], score_columns((*QUESTION_SCORES, *OVER_ALL)))
    if not rollouts[0].verdict["published"]:
        yield NOT_PUBLISHED
        return
    yield from _tell_rules(workplace.recipe.policy, RL, rollouts[0].verdict["rl_reasons"])


def _rollouts(workplace: Workplace, part: PartInputs, question_id: str) -> list[_Rollout]:
    """A question's traces in a part, in order; `rl` is decided on the first."""
    decided = decide_all(workplace)
    here = (pl.col("question_id") == question_id) & (pl.col("part") == workplace.parts.index(part))
    rows = decided.measurements.select(here.alias("here"))["here"]
    scores, verdicts = decided.measurements.filter(rows), decided.verdicts.filter(rows)
    return [_Rollout(*each) for each in zip(scores.to_dicts(), verdicts.to_dicts(), strict=True)]


def _tell_pairs(policy: PolicyConfig, mine: _Rollout, rollouts: list[_Rollout]) -> Iterator[str]:
    """What the trace is held against in `dpo`, and why."""
    own = mine.verdict["trace_id"]
    pairs = [each.verdict for each in rollouts if own in (each.verdict["trace_id"], each.verdict["chosen"])]
    told = [
        f"chosen over {each['trace_id']} ({each['pair_reason']})"
        if each["chosen"] == own
        else f"rejected against {each['chosen']} ({each['pair_reason']})"
        for each in pairs
        if each["chosen"] is not None
    ]
    yield f"dpo by policy {policy.name}: {', '.join(told) or 'in no pair'}"


def _tell_scores(rollout: _Rollout, names: Iterable[str]) -> Iterator[str]:
    scores = {name: rollout.scores.get(name) for name in names}
    yield "scores:"
    for name, value in scores.items():
        if value is not None:
            yield f"  {name}: {value:.4g}" if isinstance(value, float) else f"  {name}: {value}"
    if untold := [name for name, value in scores.items() if value is None]:
        yield f"  without a value: {', '.join(untold)}"


def _tell_rules(policy: PolicyConfig, cut: RuleSet, reasons: list[str]) -> Iterator[str]:
    yield f"{cut.name} by policy {policy.name}: {_decided(reasons)}"
    says = meanings(policy)
    yield from (f"  {name}: {says[name]}" for name in reasons)
    spared = (name for name in reason_names(policy, cut) if name not in reasons)
    yield f"  rules that do not apply: {', '.join(spared)}"


def _decided(reasons: list[str]) -> str:
    return f"rejected for {', '.join(reasons)}" if reasons else "kept"
