"""Verdicts of a build -> the arms: which reasons each heeds, and as many rows for each."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from reelproof.data_cards.checks_apart.plan import PLAN
from reelproof.data_cards.moving_shapes.arms import Asked, read_asked
from reelproof.pipeline.curate import decide_all
from reelproof.pipeline.workplace import open_workplace
from reelproof.schemas.draws import hash32
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.trace import Trace
from reelproof.stages.deciding import decide

QUOTAS = frozenset({"over_question_quota", "over_video_quota", "over_task_quota"})
"""All arms are drawn alike; quotas are not what they differ in."""
WRONG = frozenset({"request_failed", "unfinished", "malformed", "answer_unknown", "wrong_answer"})
BLIND = frozenset({"answered_blind", "probes_unknown"})
CHECKS: Mapping[str, frozenset[str]] = {
    "claims": frozenset(
        {"ungrounded", "claim_denied", "observation_denied", "grounding_unknown", "claims_unjudged"}
    ),
    "citations": frozenset({"few_citations", "cites_outside_clip", "cites_no_frame", "cites_little"}),
    "controls": frozenset({"control_believed"}),
    "agreement": frozenset({"disagrees", "agreement_unknown"}),
    "luck": frozenset({"lucky"}),
    "blind": BLIND,
}
"""Check -> the reasons that it gives, of those that these films can give at all."""


FLYWHEELS = ("sft_right", "sft_curated")
"""Arms whose student is the next round's teacher."""
VOTERS = ("sft_raw", "sft_curated")
"""Arms whose student is asked several times as well, and votes."""


class Choice(NamedTuple):
    """A trace with its question, and why each policy rejects it."""

    asked: Asked
    trace: Trace
    balanced: frozenset[str]
    strict: frozenset[str]


Heed = Callable[[Choice], bool]
ARMS: Mapping[str, Heed] = {
    "sft_raw": lambda _: True,
    "sft_right": lambda each: not each.balanced & WRONG,
    "sft_right_seen": lambda each: not each.balanced & (WRONG | BLIND),
    "sft_curated": lambda each: not each.balanced,
    "sft_strict": lambda each: not each.strict,
    **{
        f"sft_without_{name}": (lambda each, out=out: not each.balanced - out) for name, out in CHECKS.items()
    },
}
"""Arm -> whether it takes a row."""


BALANCED, STRICT = ({"preset": preset, "keep_duplicates": True} for preset in ("balanced", "strict"))


def choices(build: Path, stricter: Mapping[str, object] = STRICT) -> list[Choice]:
    """Every trace of a build's training films with the reasons of `balanced`, and of a policy beside it."""
    measured = decide_all(open_workplace(str(build))).measurements
    found = []
    for policy in (BALANCED, stricter):
        decided = decide(measured, PolicyConfig.model_validate(policy))
        found.append(
            {
                trace_id: frozenset(reasons) - QUOTAS
                for trace_id, reasons in zip(decided["trace_id"], decided["reasons"].to_list(), strict=True)
            }
        )
    balanced, strict = found
    return [
        Choice(each, trace, balanced[trace.trace_id], strict[trace.trace_id])
        for each in read_asked(build)
        for trace in each.traces
    ]


def draw(eligible: Sequence[Choice], rows: int | None, seed: int) -> list[Choice]:
    """So many rows (None: all), at most a few of a question; the order is the same for all arms of a seed."""
    taken: list[Choice] = []
    held: dict[str, int] = {}
    for each in sorted(eligible, key=lambda each: hash32(seed, each.trace.trace_id)):
        question = each.asked.question.question_id
        if rows is None or held.get(question, 0) < PLAN.most_of_a_question:
            held[question] = held.get(question, 0) + 1
            taken.append(each)
        if len(taken) == rows:
            break
    return taken


def arm_rows(every: Sequence[Choice], seed: int) -> dict[str, list[Choice]]:
    """The rows of every arm."""
    arms = {
        name: draw([each for each in every if heed(each)], PLAN.rows, seed) for name, heed in ARMS.items()
    }
    curated = {each.asked.question.question_id for each in arms["sft_curated"]}
    same = [each for each in every if each.asked.question.question_id in curated]
    arms["sft_random"] = draw(same, PLAN.rows, seed)
    arms["sft_right_all"] = draw([each for each in every if ARMS["sft_right"](each)], None, seed)
    arms["sft_all"] = draw([each for each in every if ARMS["sft_curated"](each)], None, seed)
    return arms
