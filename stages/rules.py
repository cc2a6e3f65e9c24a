"""A policy -> its rules, as expressions over measurements: why a row is not kept, in order of telling."""

import polars as pl

from reelproof.schemas.answers.forms import AS_ASKED, accepted_names
from reelproof.schemas.answers.scores import GRADED_TASKS
from reelproof.schemas.policy import PolicyConfig
from reelproof.stages.checks.check import Rule
from reelproof.stages.checks.registry import CHECKS
from reelproof.stages.extra_rules import checked_expression
from reelproof.stages.question_rules import question_rules
from reelproof.stages.rates import PASS_RATE, VOUCHED_LUCK, is_lucky


def sft_rules(policy: PolicyConfig) -> tuple[Rule, ...]:
    """Why a trace is not one to learn from: wrong, not grounded, or not clean. In order of telling.

    Of a request that failed, nothing else is told: there was no reply to find fault with.
    """
    failed = pl.col("failed")
    others = (rule._replace(fires=rule.fires & ~failed) for rule in _reply_rules(policy))
    return (Rule("request_failed", "nobody answered: its request failed for good", failed), *others)


def _reply_rules(policy: PolicyConfig) -> tuple[Rule, ...]:
    as_asked = pl.col("answer_form") == AS_ASKED
    score = pl.when(as_asked).then("answer_strict").otherwise("answer_lenient")
    enough = pl.when(pl.col("task").is_in(GRADED_TASKS)).then(policy.min_graded_score).otherwise(1.0)
    return (
        Rule("unfinished", "its reply was cut off at the limit of tokens", ~pl.col("finished")),
        Rule(
            "malformed",
            "no answer can be read out of its reply in a form that is accepted",
            ~pl.col("answer_form").is_in(accepted_names(policy.answer_forms)),
            "answer_forms",
        ),
        Rule("answer_unknown", "whether its answer is right cannot be told", score.is_null()),
        Rule(
            "wrong_answer",
            "its answer is not the question's, or scores less than is asked for",
            score < enough,
            "min_graded_score",
        ),
        Rule(
            "short_thought",
            "its thought has too few words",
            pl.col("thought_words") < policy.min_thought_words,
            "min_thought_words",
        ),
        Rule(
            "long_thought",
            "its thought has too many words",
            pl.col("thought_words") > policy.max_thought_words,
            "max_thought_words",
        ),
        Rule(
            "repetitive",
            "its thought says the same again and again",
            pl.col("repetition") > policy.max_repetition,
            "max_repetition",
        ),
        Rule(
            "foreign_script",
            "its thought is in a script that its question does not use",
            pl.col("foreign_script") > policy.max_foreign_script,
            "max_foreign_script",
        ),
        Rule("leaked_answer", "its thought speaks of an answer that it was given", pl.col("leak")),
        Rule(
            "declares_guess",
            "its thought says that it guesses",
            pl.col("declared_guess") & (not policy.keep_declared_guesses),
            "keep_declared_guesses",
        ),
        Rule("disagrees", "its thought concludes something else than it answers", ~pl.col("agrees")),
        Rule(
            "agreement_unknown",
            "what its thought concludes cannot be told",
            pl.col("agrees").is_null() & policy.require_agreement,
            "require_agreement",
        ),
        Rule(
            "few_citations",
            "its thought cites too few times",
            pl.col("citations") < _citations_wanted(policy),
            "min_citations",
        ),
        Rule(
            "cites_outside_clip",
            "its thought cites times outside the clip",
            _below("citations_in_clip", policy.min_citations_in_clip),
            "min_citations_in_clip",
        ),
        Rule(
            "cites_no_frame",
            "its thought cites times at which no frame was shown",
            _below("citations_near_frame", policy.min_citations_near_frame),
            "min_citations_near_frame",
        ),
        Rule(
            "cites_little",
            "it cites times for too little of what its thought observes",
            _wants_evidence(policy) & _below("cited_share", policy.min_cited_share),
            "min_cited_share",
        ),
        Rule(
            "grounding_unknown",
            "no claim of its thought was put to a verifier",
            pl.col("grounded_share").is_null() & (policy.require_grounding | _wants_evidence(policy)),
            "require_grounding",
        ),
        Rule(
            "claims_unjudged",
            "too few of its claims were judged",
            pl.col("judged_claims").is_between(  # where none was judged, `grounding_unknown` tells
                1,
                policy.min_judged_share * (pl.col("judged_claims") + pl.col("claims_unjudged")),
                closed="left",
            ),
            "min_judged_share",
        ),
        Rule(
            "ungrounded",
            "a verifier does not believe what its thought claims to see",
            _below("grounded_share", policy.min_grounded_share),
            "min_grounded_share",
        ),
        Rule(
            "claim_denied",
            "a verifier denies one of the claims that its thought makes",
            _below("worst_belief", policy.min_worst_belief),
            "min_worst_belief",
        ),
        Rule(
            "observation_denied",
            "a verifier denies, by all frames, what its thought observes without a time",
            _below("worst_observation_belief", policy.min_observation_belief),
            "min_observation_belief",
        ),
        Rule(
            "control_believed",
            "what its thought claims is as true of other frames",
            _below("worst_margin", policy.min_worst_margin) | _below("best_margin", policy.min_best_margin),
            "min_worst_margin" if policy.min_worst_margin > -1 else "min_best_margin",
        ),
        Rule(
            "unsound_boxes",
            "its thought names boxes outside the frame, or around all of it",
            _below("sound_boxes", policy.min_sound_boxes),
            "min_sound_boxes",
        ),
        Rule(
            "misplaced",
            "a verifier does not see in its boxes what its thought puts there",
            _below("spatial_grounded_share", policy.min_spatial_grounded_share),
            "min_spatial_grounded_share",
        ),
        Rule(
            "off_key_places",
            "its boxes lie elsewhere than those that came with the question",
            _below("key_place_score", policy.min_key_place_score),
            "min_key_place_score",
        ),
        Rule(
            "sufficiency_unknown",
            "nobody was asked whether what it observes suffices for its answer",
            pl.col("sufficient").is_null() & policy.require_sufficiency,
            "require_sufficiency",
        ),
        Rule(
            "insufficient",
            "what its thought observes does not suffice for its answer",
            _below("sufficient", policy.min_sufficiency),
            "min_sufficiency",
        ),
        *question_rules(policy, is_lucky(policy, "teacher_passes", "teacher_rollouts", "luck_tail")),
        Rule(
            "too_hard",
            "the question is answered right too seldom",
            policy.min_pass_rate > PASS_RATE,
            "min_pass_rate",
        ),
        Rule(
            "too_easy",
            "the question is answered right too often",
            policy.max_pass_rate < PASS_RATE,
            "max_pass_rate",
        ),
        Rule(
            "duplicate",
            "its thought says nearly what an earlier one of the same question says",
            pl.col("duplicate_of").is_not_null() & (not policy.keep_duplicates),
            "keep_duplicates",
        ),
        *(rule for check in CHECKS for rule in check.rules(policy)),
        *(
            Rule(rule.name, f"the recipe's own rule holds: {rule.where}", checked_expression(rule))
            for rule in policy.extra_rules
        ),
    )


def rl_rules(policy: PolicyConfig) -> tuple[Rule, ...]:
    """Why a question is not one to be rewarded for. In order of telling."""
    passes, rollouts = pl.col("pass_count"), pl.col("rollout_count")
    of_its_rollouts = VOUCHED_LUCK.min().over("question_id")
    return (
        Rule(
            "not_verifiable",
            "its task is none that a reward can score",
            ~pl.col("task").is_in(policy.rl_tasks),
            "rl_tasks",
        ),
        Rule("difficulty_unknown", "nobody's answers to it could be scored", PASS_RATE.is_null()),
        Rule("never_right", "no rollout is right: nothing could be rewarded", passes == 0),
        Rule("always_right", "every rollout is right: there is nothing to learn", passes >= rollouts),
        Rule(
            "too_hard",
            "the question is answered right too seldom",
            policy.rl_min_pass_rate > PASS_RATE,
            "rl_min_pass_rate",
        ),
        Rule(
            "too_easy",
            "the question is answered right too often",
            policy.rl_max_pass_rate < PASS_RATE,
            "rl_max_pass_rate",
        ),
        *question_rules(
            policy, is_lucky(policy, "pass_count", "rollout_count", "question_luck_tail", of_its_rollouts)
        ),
        *(rule for check in CHECKS if check.of_question for rule in check.rules(policy)),
        Rule(
            "another_rollout",
            "another rollout stands for the same question",
            ~pl.col("question_id").is_first_distinct(),
        ),
    )


def _wants_evidence(policy: PolicyConfig) -> pl.Expr:
    """Whether a thought must point at something: at times where times are shown."""
    return (pl.col("timed_frames") > 0) & policy.require_evidence


def _citations_wanted(policy: PolicyConfig) -> pl.Expr:
    wanted = pl.lit(policy.min_citations)
    return pl.when(_wants_evidence(policy)).then(pl.max_horizontal(wanted, pl.lit(1))).otherwise(wanted)


def _below(column: str, least: float) -> pl.Expr:
    return pl.col(column) < least
