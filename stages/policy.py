"""A policy -> its rules, quotas and qualities, as expressions over measurements: why a row is not kept."""

from collections.abc import Callable
from statistics import NormalDist
from typing import Literal, NamedTuple

import polars as pl

from reelproof.schemas.answers.forms import AS_ASKED, accepted_names
from reelproof.schemas.answers.scores import GRADED_TASKS as GRADED_TASKS
from reelproof.schemas.intervals import wilson_low
from reelproof.schemas.policy import PolicyConfig as PolicyConfig
from reelproof.stages.checks.check import Rule as Rule
from reelproof.stages.checks.registry import CHECKS
from reelproof.stages.extra_rules import check_extra_rules, checked_expression

ENOUGH_ROLLOUTS = 8
"""So many of one question tell by themselves whether it is answered by luck: 7 of 8 beat a toss of a coin."""


class RuleError(ValueError):
    """A recipe's own rule cannot be decided of these rows."""


class Quota(NamedTuple):
    """A limit on how many of the rows that broke no rule are kept for each value of a column."""

    name: str
    column: str
    setting: str
    over_parts: bool = False
    """Whether rows of one value lie in many parts; a question's and a video's lie in one."""


SFT_QUOTAS = (
    Quota("over_question_quota", "question_id", "max_traces_per_question"),
    Quota("over_video_quota", "video_id", "max_traces_per_video"),
    Quota("over_task_quota", "task", "max_traces_per_task", over_parts=True),
)
RL_QUOTAS = (
    Quota("over_video_quota", "video_id", "max_rl_questions_per_video"),
    Quota("over_task_quota", "task", "max_rl_questions_per_task", over_parts=True),
)


def rate(passes: str, rollouts: str) -> pl.Expr:
    """Share of right answers; null where nothing was asked."""
    return pl.when(pl.col(rollouts) > 0).then(pl.col(passes) / pl.col(rollouts))


PASS_RATE = rate("pass_count", "rollout_count")
BLIND_PASS_RATE = rate("blind_passes", "blind_rollouts")
SINGLE_PASS_RATE = rate("single_passes", "single_rollouts")
SHUFFLED_PASS_RATE = rate("shuffled_passes", "shuffled_rollouts")


def sft_rules(policy: PolicyConfig) -> tuple[Rule, ...]:
    """Why a trace is not one to learn from: wrong, not grounded, or not clean. In order of telling.

    Of a request that failed, nothing else is told: there was no reply to find fault with.
    """
    failed = pl.col("failed")
    others = (rule._replace(fires=rule.fires & ~failed) for rule in _reply_rules(policy))
    return (Rule("request_failed", failed), *others)


def _reply_rules(policy: PolicyConfig) -> tuple[Rule, ...]:
    as_asked = pl.col("answer_form") == AS_ASKED
    score = pl.when(as_asked).then("answer_strict").otherwise("answer_lenient")
    enough = pl.when(pl.col("task").is_in(GRADED_TASKS)).then(policy.min_graded_score).otherwise(1.0)
    return (
        Rule("unfinished", ~pl.col("finished")),
        Rule(
            "malformed",
            ~pl.col("answer_form").is_in(accepted_names(policy.answer_forms)),
            "answer_forms",
        ),
        Rule("answer_unknown", score.is_null()),
        Rule("wrong_answer", score < enough, "min_graded_score"),
        Rule("short_thought", pl.col("thought_words") < policy.min_thought_words, "min_thought_words"),
        Rule("long_thought", pl.col("thought_words") > policy.max_thought_words, "max_thought_words"),
        Rule("repetitive", pl.col("repetition") > policy.max_repetition, "max_repetition"),
        Rule("foreign_script", pl.col("foreign_script") > policy.max_foreign_script, "max_foreign_script"),
        Rule("leaked_answer", pl.col("leak")),
        Rule(
            "declares_guess",
            pl.col("declared_guess") & (not policy.keep_declared_guesses),
            "keep_declared_guesses",
        ),
        Rule("disagrees", ~pl.col("agrees")),
        Rule("agreement_unknown", pl.col("agrees").is_null() & policy.require_agreement, "require_agreement"),
        Rule("few_citations", pl.col("citations") < _citations_wanted(policy), "min_citations"),
        Rule(
            "cites_outside_clip",
            _below("citations_in_clip", policy.min_citations_in_clip),
            "min_citations_in_clip",
        ),
        Rule(
            "cites_no_frame",
            _below("citations_near_frame", policy.min_citations_near_frame),
            "min_citations_near_frame",
        ),
        Rule(
            "grounding_unknown",
            pl.col("grounded_share").is_null() & (policy.require_grounding | _wants_evidence(policy)),
            "require_grounding",
        ),
        Rule(
            "claims_unjudged",
            (pl.col("claims_unjudged") > 0) & policy.require_every_claim,
            "require_every_claim",
        ),
        Rule("ungrounded", _below("grounded_share", policy.min_grounded_share), "min_grounded_share"),
        Rule(
            "control_believed",
            _below("worst_margin", policy.min_worst_margin) | _below("best_margin", policy.min_best_margin),
            "min_worst_margin" if policy.min_worst_margin > -1 else "min_best_margin",
        ),
        Rule("unsound_boxes", _below("sound_boxes", policy.min_sound_boxes), "min_sound_boxes"),
        Rule(
            "misplaced",
            _below("spatial_grounded_share", policy.min_spatial_grounded_share),
            "min_spatial_grounded_share",
        ),
        Rule("off_key_places", _below("key_place_score", policy.min_key_place_score), "min_key_place_score"),
        Rule(
            "sufficiency_unknown",
            pl.col("sufficient").is_null() & policy.require_sufficiency,
            "require_sufficiency",
        ),
        Rule("insufficient", _below("sufficient", policy.min_sufficiency), "min_sufficiency"),
        *_shared_rules(policy, is_lucky(policy, "teacher_passes", "teacher_rollouts", "luck_tail")),
        Rule("too_hard", policy.min_pass_rate > PASS_RATE, "min_pass_rate"),
        Rule("too_easy", policy.max_pass_rate < PASS_RATE, "max_pass_rate"),
        Rule(
            "duplicate",
            pl.col("duplicate_of").is_not_null() & (not policy.keep_duplicates),
            "keep_duplicates",
        ),
        *(rule for check in CHECKS for rule in check.rules(policy)),
        *(Rule(rule.name, checked_expression(rule)) for rule in policy.extra_rules),
    )


def rl_rules(policy: PolicyConfig) -> tuple[Rule, ...]:
    """Why a question is not one to be rewarded for. In order of telling."""
    passes, rollouts = pl.col("pass_count"), pl.col("rollout_count")
    return (
        Rule("not_verifiable", ~pl.col("task").is_in(policy.rl_tasks), "rl_tasks"),
        Rule("difficulty_unknown", PASS_RATE.is_null()),
        Rule("never_right", passes == 0),
        Rule("always_right", passes >= rollouts),
        Rule("too_hard", policy.rl_min_pass_rate > PASS_RATE, "rl_min_pass_rate"),
        Rule("too_easy", policy.rl_max_pass_rate < PASS_RATE, "rl_max_pass_rate"),
        *_shared_rules(policy, is_lucky(policy, "pass_count", "rollout_count", "question_luck_tail")),
        Rule("another_rollout", ~pl.col("question_id").is_first_distinct()),
    )


def _shared_rules(policy: PolicyConfig, lucky: pl.Expr) -> tuple[Rule, ...]:
    ordered = pl.col("task").is_in(policy.order_tasks)
    return (
        Rule("probes_unknown", BLIND_PASS_RATE.is_null() & policy.require_probes, "require_probes"),
        Rule("answered_blind", above_luck(policy, "blind"), "max_blind_pass_rate"),
        Rule("answered_from_one_frame", above_luck(policy, "single") & ordered, "max_single_pass_rate"),
        Rule("answered_shuffled", above_luck(policy, "shuffled") & ordered, "max_shuffled_pass_rate"),
        Rule("lucky", lucky, "luck_confidence"),
        Rule("key_disputed", _below("key_agreement", policy.min_key_agreement), "min_key_agreement"),
        Rule(
            "duplicate_question",
            pl.col("question_duplicate_of").is_not_null() & (not policy.keep_duplicates),
            "keep_duplicates",
        ),
        Rule("contaminated", pl.col("contaminated")),
        Rule("damaged", pl.col("damaged_share") > policy.max_damaged_share, "max_damaged_share"),
        Rule("hdr", pl.col("hdr").is_not_null() & (not policy.keep_hdr), "keep_hdr"),
    )


def above_luck(policy: PolicyConfig, probe: Literal["blind", "single", "shuffled"]) -> pl.Expr:
    """Whether a probe's pass rate is surely above its limit, and above what guesses get right.

    Null where it was not asked; nothing is above a limit of 1.
    """
    limit = getattr(policy, f"max_{probe}_pass_rate")
    if limit >= 1:
        return pl.lit(False)
    rollouts = pl.col(f"{probe}_rollouts")
    share = rate(f"{probe}_passes", f"{probe}_rollouts")
    surely = wilson_low(share, rollouts, NormalDist().inv_cdf(policy.probe_confidence))
    luck = (pl.col("guess_rate").fill_null(0.0) + policy.luck_margin).clip(0.0, 1.0)
    return surely > pl.max_horizontal(pl.lit(limit), luck)


def is_lucky(policy: PolicyConfig, passes: str, rollouts: str, tail: str) -> pl.Expr:
    """Whether luck explains that a question was answered right; null where luck's rate is not known.

    Its own rollouts must beat luck by the exact one-sided test where they are enough (8, or no pool to
    add); they and its pool's together, by the chance that they leave to luck; and the pool's questions, as
    units, on average.
    """
    if not policy.luck_confidence:
        return pl.lit(False)
    left_to_luck = 1 - policy.luck_confidence
    pooled = pl.col(f"pool_{tail}")
    alone = (pl.col(rollouts) >= ENOUGH_ROLLOUTS) | pooled.is_null()
    quantile = NormalDist().inv_cdf(policy.luck_confidence)
    pool_low = pl.col("pool_excess") - quantile * pl.col("pool_excess_error")
    explained = pl.any_horizontal(
        rate(passes, rollouts) <= pl.col("luck_rate"),
        alone & (pl.col(tail) > left_to_luck),
        pooled > left_to_luck,
        pool_low <= 0,
    )
    return (pl.col(passes) > 0) & explained


def _wants_evidence(policy: PolicyConfig) -> pl.Expr:
    """Whether a thought must point at something: at times where times are shown."""
    return (pl.col("timed_frames") > 0) & policy.require_evidence


def _citations_wanted(policy: PolicyConfig) -> pl.Expr:
    wanted = pl.lit(policy.min_citations)
    return pl.when(_wants_evidence(policy)).then(pl.max_horizontal(wanted, pl.lit(1))).otherwise(wanted)


def _below(column: str, least: float) -> pl.Expr:
    return pl.col(column) < least


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


def checked_policy(policy: PolicyConfig) -> PolicyConfig:
    """The same. Raises ValueError where a rule of the recipe's own cannot stand."""
    check_extra_rules(policy, reason_names(policy.model_copy(update={"extra_rules": ()}), SFT))
    return policy
