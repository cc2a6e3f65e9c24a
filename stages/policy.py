"""A policy -> the sets that it cuts: by which rules, up to which quotas, and which rows go first."""

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

from reelproof.schemas.policy import PolicyConfig as PolicyConfig
from reelproof.stages.checks.check import Rule as Rule
from reelproof.stages.extra_rules import check_extra_rules
from reelproof.stages.rates import PASS_RATE
from reelproof.stages.rules import rl_rules, sft_rules

MOST_REASONS = 64
"""A row's reasons are counted as the bits of one number."""


class RuleError(ValueError):
    """A recipe's own rule cannot be decided of these rows."""


class Quota(NamedTuple):
    """A limit on how many of the rows that broke no rule are kept for each value of a column."""

    name: str
    says: str
    """Of a row that it drops."""
    column: str
    setting: str
    over_parts: bool = False
    """Whether rows of one value lie in many parts; a question's and a video's lie in one."""


SFT_QUOTAS = (
    Quota(
        "over_question_quota",
        "better traces of the same question were kept, up to the limit",
        "question_id",
        "max_traces_per_question",
    ),
    Quota(
        "over_video_quota",
        "better rows of the same video were kept, up to the limit",
        "video_id",
        "max_traces_per_video",
    ),
    Quota(
        "over_task_quota",
        "better rows of the same task were kept, up to the limit",
        "task",
        "max_traces_per_task",
        over_parts=True,
    ),
)
RL_QUOTAS = (
    Quota(
        "over_video_quota",
        "better rows of the same video were kept, up to the limit",
        "video_id",
        "max_rl_questions_per_video",
    ),
    Quota(
        "over_task_quota",
        "better rows of the same task were kept, up to the limit",
        "task",
        "max_rl_questions_per_task",
        over_parts=True,
    ),
)


def sft_quality(policy: PolicyConfig) -> pl.Expr:
    """The higher, the sooner a quota keeps a trace. What is not known counts nothing."""
    return (
        pl.col("grounded_share").fill_null(0.0) * policy.weight_grounding
        + pl.col("worst_margin").fill_null(0.0) * policy.weight_margin
        + pl.col("citations_near_frame").fill_null(0.0) * policy.weight_citations
        - pl.col("repetition").fill_null(0.0) * policy.weight_repetition
    )


def rl_quality(_: PolicyConfig) -> pl.Expr:
    """The higher, the sooner a quota keeps a question: those right half of the time teach most."""
    return -(PASS_RATE - 0.5).abs()


class RuleSet(NamedTuple):
    """One of the sets that policy cuts."""

    name: str
    rules: Callable[[PolicyConfig], tuple[Rule, ...]]
    quotas: tuple[Quota, ...]
    quality: Callable[[PolicyConfig], pl.Expr]
    tie: str
    """Column by whose order equals are ranked."""


SFT = RuleSet("sft", sft_rules, SFT_QUOTAS, sft_quality, "trace_id")
RL = RuleSet("rl", rl_rules, RL_QUOTAS, rl_quality, "question_id")
SETS = (SFT, RL)


def reason_names(policy: PolicyConfig, cut: RuleSet) -> tuple[str, ...]:
    """All reasons that a set's verdicts can give, in order: its rules, then its quotas."""
    return (*(rule.name for rule in cut.rules(policy)), *(quota.name for quota in cut.quotas))


def meanings(policy: PolicyConfig) -> dict[str, str]:
    """Every reason that a policy can give -> what it says of a row."""
    says = {rule.name: rule.says for cut in SETS for rule in cut.rules(policy)}
    return says | {quota.name: quota.says for cut in SETS for quota in cut.quotas}


def checked_policy(policy: PolicyConfig) -> PolicyConfig:
    """The same. Raises ValueError where a rule of the recipe's own cannot stand."""
    ours = reason_names(policy.model_copy(update={"extra_rules": ()}), SFT)
    if len(ours) + len(policy.extra_rules) > MOST_REASONS:
        raise ValueError(
            f"policy.extra_rules: got {len(policy.extra_rules)} rules, expected at most "
            f"{MOST_REASONS - len(ours)}; join some of them with OR"
        )
    check_extra_rules(policy, ours)
    return policy
