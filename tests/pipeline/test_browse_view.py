import pytest

from reelproof.pipeline.report.view import cite, show_row, told
from reelproof.schemas.footage import Span
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.trace import Claim
from reelproof.stages.policy import rl_rules, sft_rules

ROW = {
    "config": "rejected", "number": 7, "sample_id": "a", "frame_times_s": [0.0, 1.0, 2.0, 4.0],
    "frame_sha256": ["f0", "f1", "f2", "f3"], "thought": "At [1.2 s] it moves.", "said": "A", "answer": "B",
    "options": ["red", "blue"], "reasons": ["wrong_answer", "ungrounded", "over_question_quota"],
    "thought_words": 4, "answer_strict": 0.0, "grounded_share": 0.25, "of_a_new_check": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("thought", "frames"),
    [
        ("At [1.2 s] it moves.", [(), (1,), ()]),
        ("[1.5-4.5 s] and [x]", [(2, 3), (), ()]),
        ("[2.4-2.6 s]", [(2,)]),
        ("Frame 2 before Frame 9", [(1,), (), ()]),
        ("no citation", [()]),
        ("", []),
    ],
)
def test_citations_point_at_the_frames_of_their_span(thought, frames):
    pieces = list(cite(thought, [0.0, 1.0, 2.0, 4.0]))
    assert [piece.frames for piece in pieces] == frames
    assert "".join(piece.text for piece in pieces) == thought


def test_citation_points_at_nothing_where_nothing_is_shown():
    assert [piece.frames for piece in cite("[1.2 s], Frame 1", [])] == [(), (), ()]


def test_scores_stand_beside_what_they_are_held_against():
    shown = show_row(ROW, PolicyConfig(min_thought_words=5))
    scores = {score.name: score for group in shown.groups for score in group.scores}
    assert list(scores) == ["thought_words", "answer_strict", "grounded_share", "of_a_new_check"]
    held = {(each.setting, each.limit, each.breaks) for each in scores["thought_words"].thresholds}
    assert held == {("min_thought_words", "5", False), ("max_thought_words", "2000", False)}
    assert ("min_grounded_share", "0.5", True) in {
        (each.setting, each.limit, each.breaks) for each in scores["grounded_share"].thresholds
    }
    assert (scores["grounded_share"].share, scores["of_a_new_check"].value) == (0.25, "unknown")


def test_reasons_tell_what_was_measured_and_what_was_asked():
    told_by = {reason.name: reason.told for reason in show_row(ROW, PolicyConfig()).reasons}
    assert told_by["ungrounded"] == "grounded_share is 0.25, min_grounded_share is 0.5"
    assert told_by["over_question_quota"] == ""


def test_every_threshold_of_the_policy_can_be_told():
    policy = PolicyConfig()
    for rule in (*sft_rules(policy), *rl_rules(policy)):
        assert rule.setting is None or told(getattr(policy, rule.setting))


@pytest.mark.parametrize(
    ("cited", "control", "verdict"),
    [(0.9, 0.1, "believed"), (0.5, None, "believed"), (0.4, 0.9, "not believed"), (None, None, "unknown")],
)
def test_claims_carry_the_verifiers_verdict(cited, control, verdict):
    claim = Claim(
        trace_id="a",
        index=0,
        text="Red at [2.0 s].",
        cited=(Span(start_s=2, end_s=2),),
        cited_score=cited,
        control_score=control,
        verifier="v@1",
    )
    shown = show_row(ROW, PolicyConfig(), [claim]).claims[0]
    assert (shown.verdict, shown.cited, shown.control) == (verdict, cited, control)
    assert [piece.frames for piece in shown.pieces] == [(), (2,), ()]


@pytest.mark.parametrize(
    ("answer", "said", "gold", "chosen"),
    [("B", "A", "B", "A"), ("A, B", None, "AB", ""), ("blue", "b", "", "")],
)
def test_options_are_marked(answer, said, gold, chosen):
    options = show_row(ROW | {"answer": answer, "said": said}, PolicyConfig()).options
    assert "".join(each.letter for each in options if each.is_gold) == gold
    assert "".join(each.letter for each in options if each.is_said) == chosen
