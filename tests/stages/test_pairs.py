"""Preference pairs: what is chosen, what is rejected, and how many, held against a plain reference."""

from collections import defaultdict
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.schemas.policy import PolicyConfig
from reelproof.stages.deciding import decide
from reelproof.stages.pairs import NOT_COMPARED, PAIR_REASONS, preference_pairs
from reelproof.stages.policy import SFT, reason_names
from tests.stages.test_policy import measured

NAMES = reason_names(PolicyConfig(), SFT)


def pairs(*rows: dict[str, Any], policy: PolicyConfig | None = None) -> list[tuple[str, str, str]]:
    """(chosen, rejected, reason) of each, by ids `t0`, `t1`, …; all of one question unless said otherwise."""
    decided = decide(measured(*({"question_id": "q"} | row for row in rows)), policy or PolicyConfig())
    return [
        (chosen, rejected, reason)
        for rejected, chosen, reason in decided.select("trace_id", "chosen", "pair_reason").iter_rows()
        if chosen is not None
    ]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"answer_strict": 0.0}, "wrong_answer"),
        ({"grounded_share": 0.0}, "ungrounded"),
        ({"grounded_share": 0.9, "worst_belief": 0.0}, "claim_denied"),
        ({"worst_observation_belief": 0.0}, "observation_denied"),
        ({"best_margin": 0.0, "worst_margin": 0.0}, "control_believed"),
        ({"citations": 0, "citations_in_clip": None, "citations_near_frame": None}, "few_citations"),
        ({"citations_near_frame": 0.0}, "cites_no_frame"),
        ({"cited_share": 0.1}, "cites_little"),
        ({"declared_guess": True}, "declares_guess"),
        ({"answer_strict": 0.0, "grounded_share": 0.0}, "wrong_answer"),
        ({"luck_tail": 0.5, "teacher_passes": 4, "teacher_rollouts": 8, "luck_rate": 0.5}, "lucky"),
    ],
)
def test_trace_that_is_wrong_ungrounded_or_lucky_is_held_against_a_kept_one(fault, reason):
    assert pairs({}, fault) == [("t0", "t1", reason)]


@pytest.mark.parametrize(
    "fault",
    [
        {"finished": False, "answer_strict": 0.0},
        {"answer_form": "unreadable", "answer_strict": 0.0},
        {"answer_strict": 0.0, "duplicate_of": "t9"},
        {"thought_words": 1},
        {"repetition": 0.9},
        {
            "grounded_share": None,
            "best_margin": None,
            "worst_margin": None,
        },  # nobody knows whether it is worse
    ],
)
def test_trace_that_differs_in_its_form_alone_or_of_which_nothing_is_known_is_in_no_pair(fault):
    assert pairs({}, fault) == []


def test_right_trace_over_a_quota_is_not_the_worse_one():
    assert pairs({}, {}, {}, policy=PolicyConfig(max_traces_per_question=1)) == []


def test_nothing_is_chosen_where_nothing_is_kept():
    assert pairs({"answer_strict": 0.0}, {"grounded_share": 0.0}) == []


def test_questions_do_not_mix():
    assert pairs({"question_id": "a"}, {"question_id": "b", "answer_strict": 0.0}) == []


def test_number_of_pairs_is_a_setting_and_they_are_of_several_kinds():
    rows = [{}, *[{"answer_strict": 0.0}] * 4, {"grounded_share": 0.0}]
    for most in range(4):
        found = pairs(*rows, policy=PolicyConfig(max_pairs_per_question=most))
        assert len(found) == most
    assert {reason for *_, reason in pairs(*rows)} == {"wrong_answer", "ungrounded"}


def test_kept_ones_take_turns_the_best_first():
    rows = [{"repetition": 0.1}, {}, *[{"answer_strict": 0.0}] * 3]
    found = pairs(*rows, policy=PolicyConfig(max_pairs_per_question=3))
    assert [chosen for chosen, *_ in found] == ["t1", "t0", "t1"]


traces = st.lists(
    st.tuples(st.integers(0, 2), st.sets(st.integers(0, len(NAMES) - 1), max_size=3), st.integers(0, 3)),
    min_size=1,
    max_size=24,
)


@given(traces, st.integers(0, 3))
def test_pairs_follow_the_plain_reference(rows, most):
    masks = np.array([sum(1 << bit for bit in bits) for _, bits, _ in rows], dtype=np.uint64)
    table = pl.DataFrame(
        {
            "trace_id": [f"{place:02d}" for place in range(len(rows))],
            "question_id": [f"q{question}" for question, *_ in rows],
            "quality": [float(quality) for *_, quality in rows],
        }
    )
    found = preference_pairs(table, masks, NAMES, most)
    assert found.rows() == reference(rows, most)


def reference(rows: list[tuple[int, set[int], int]], most: int) -> list[tuple[str | None, str | None]]:
    """A question at a time."""
    told: list[tuple[str | None, str | None]] = [(None, None)] * len(rows)
    for question in {question for question, *_ in rows}:
        mine = sorted(
            (-quality, place) for place, (asked, _, quality) in enumerate(rows) if asked == question
        )
        named = {place: {NAMES[bit] for bit in rows[place][1]} for _, place in mine}
        kept = [place for _, place in mine if not named[place]]
        by_reason = defaultdict(list)
        for _, place in mine:
            reasons = [each for each in PAIR_REASONS if each in named[place]]
            if reasons and not named[place] & set(NOT_COMPARED):
                by_reason[reasons[0]].append(place)
        rounds = [
            (turn, PAIR_REASONS.index(reason), place)
            for reason, places in by_reason.items()
            for turn, place in enumerate(places)
        ]
        for turn, (_, reason, place) in enumerate(sorted(rounds)[:most] if kept else ()):
            told[place] = (f"{kept[turn % len(kept)]:02d}", PAIR_REASONS[reason])
    return told
