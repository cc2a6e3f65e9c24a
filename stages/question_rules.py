"""A policy -> its rules about questions: answered without looking, lucky, contradicted, repeated …"""

import polars as pl

from reelproof.schemas.policy import PolicyConfig
from reelproof.stages.checks.check import Rule
from reelproof.stages.rates import BLIND_PASS_RATE, above_luck


def question_rules(policy: PolicyConfig, lucky: pl.Expr) -> tuple[Rule, ...]:
    """What holds for a trace to learn from as for a question to be rewarded for. In order of telling.

    Args:
        policy: With the limits.
        lucky: Whether luck explains the right answers, those of one teacher or of all.
    """
    ordered = pl.col("task").is_in(policy.order_tasks)
    return (
        Rule(
            "probes_unknown",
            "nobody was asked to answer it without its frames",
            BLIND_PASS_RATE.is_null() & policy.require_probes,
            "require_probes",
        ),
        Rule(
            "answered_blind",
            "it is answered right without a frame, more often than luck explains",
            above_luck(policy, "blind"),
            "max_blind_pass_rate",
        ),
        Rule(
            "answered_from_speech",
            "it is answered right from what is said, without a frame",
            above_luck(policy, "speech"),
            "max_speech_pass_rate",
        ),
        Rule(
            "answered_from_one_frame",
            "it is answered right from one frame",
            above_luck(policy, "single") & ordered,
            "max_single_pass_rate",
        ),
        Rule(
            "answered_shuffled",
            "it is answered right with its frames in another order",
            above_luck(policy, "shuffled") & ordered,
            "max_shuffled_pass_rate",
        ),
        Rule("lucky", "its right answers are no more than luck gives", lucky, "luck_confidence"),
        Rule(
            "key_disputed",
            "answers without its key seldom agree with its key",
            pl.col("key_agreement") < policy.min_key_agreement,
            "min_key_agreement",
        ),
        Rule(
            "conflicting_answer",
            "another row asks the same of the same frames, and has an answer that excludes its own",
            pl.col("contradicted_by").is_not_null(),
        ),
        Rule(
            "duplicate_question",
            "it asks nearly what an earlier row asks of nearly the same frames",
            pl.col("question_duplicate_of").is_not_null() & (not policy.keep_duplicates),
            "keep_duplicates",
        ),
        Rule(
            "asked_in_other_words",
            "it asks in other words what an earlier row asks of nearly the same frames",
            (pl.col("semantic_cosine") > policy.max_question_cosine) & (not policy.keep_duplicates),
            "max_question_cosine",
        ),
        Rule(
            "like_another_clip",
            "its clip shows much the same as an earlier one",
            pl.col("nearest_cosine") > policy.max_cosine,
            "max_cosine",
        ),
        Rule("contaminated", "a named evaluation set holds it", pl.col("contaminated")),
        Rule(
            "damaged",
            "its film is damaged in the part that it asks about",
            pl.col("damaged_share") > policy.max_damaged_share,
            "max_damaged_share",
        ),
        Rule(
            "hdr",
            "its film has a high dynamic range, and its frames were tone-mapped",
            pl.col("hdr").is_not_null() & (not policy.keep_hdr),
            "keep_hdr",
        ),
    )
