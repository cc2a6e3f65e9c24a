import io

import pytest
from PIL import Image

from reelproof.pipeline.dataset.boxed_frames import drawn, places_on_frames
from reelproof.pipeline.report.view import cite, show_row, told
from reelproof.schemas.policy import PolicyConfig
from reelproof.stages.rules import rl_rules, sft_rules

ROW = {
    "config": "rejected", "number": 7, "sample_id": "a", "frame_times_s": [0.0, 1.0, 2.0, 4.0],
    "frame_sha256": ["f0", "f1", "f2", "f3"], "thought": "At [1.2 s] it moves.", "prediction": "A",
    "answer": "B",
    "options": ["red", "blue"], "reasons": ["wrong_answer", "ungrounded", "over_question_quota"],
    "thought_words": 4, "answer_strict": 0.0, "grounded_share": 0.25, "of_a_new_check": None,
}  # fmt: skip
CLAIM = {
    "text": "Red at [2.0 s].", "cited": [{"start_s": 2.0, "end_s": 2.0}], "kind": "moment",
    "frame_sha256": ["f2"], "control": "other_clip", "control_sha256": ["elsewhere"], "verifier": "v@1",
    "cited_belief": 0.9, "control_belief": None, "verdict": "grounded",
}  # fmt: skip


@pytest.mark.parametrize(
    ("thought", "frames"),
    [
        ("At [1.2 s] it moves.", [(), (1,), ()]),
        ("[1.5-4.5 s] and [x]", [(2, 3), (), ()]),
        ("[2.4-2.6 s]", [(2,)]),
        ("Frame 2 before Frame 9", [(1,), (), ()]),
        ("At 1.0 s it is red, in [a box at 2.0 s] blue.", [(), (1,), (), (2,), ()]),
        ("It is red for 2 s.", [()]),
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


@pytest.mark.parametrize(
    ("thought", "claims", "place"),
    [
        ("At [2.0 s] it moves.", [], 2),
        ("At [2.0 s] it moves.", ["f3"], 3),
        ("At [2.0 s] it moves.", ["of another row"], 2),
        ("It moves.", [], 0),
    ],
)
def test_a_row_opens_on_its_evidence(thought, claims, place):
    judged = [CLAIM | {"frame_sha256": [each]} for each in claims]
    assert show_row(ROW | {"thought": thought, "claims": judged}, PolicyConfig()).opens_on == place


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


def test_that_a_request_failed_is_held_against_its_own_rule_alone():
    """Every rule looks at it, and a page would list them all beside it."""
    shown = show_row(ROW | {"failed": False}, PolicyConfig())
    (failed,) = [each for group in shown.groups for each in group.scores if each.name == "failed"]
    assert [each.rule for each in failed.thresholds] == ["request_failed"]


def test_reasons_tell_what_was_measured_and_what_was_asked():
    told_by = {reason.name: reason.told for reason in show_row(ROW, PolicyConfig()).reasons}
    assert told_by["ungrounded"] == (
        "a verifier does not believe what its thought claims to see; grounded_share is 0.25, "
        "min_grounded_share is 0.5"
    )
    assert told_by["over_question_quota"] == ""


def test_every_threshold_of_the_policy_can_be_told():
    policy = PolicyConfig()
    for rule in (*sft_rules(policy), *rl_rules(policy)):
        assert rule.setting is None or told(getattr(policy, rule.setting))


@pytest.mark.parametrize(
    ("verdict", "told", "is_borne_out"),
    [("grounded", "grounded", True), ("untested", "untested", None), ("unjudged", "unjudged", None),
     ("control_believed", "control believed", False), ("ungrounded", "ungrounded", False)],
)  # fmt: skip
def test_claims_carry_their_verdict_and_the_frames_that_were_put(verdict, told, is_borne_out):
    shown = show_row(ROW | {"claims": [CLAIM | {"verdict": verdict}]}, PolicyConfig()).claims[0]
    assert (shown.verdict, shown.is_borne_out, shown.cited, shown.control) == (told, is_borne_out, 0.9, None)
    assert ([piece.frames for piece in shown.pieces], shown.frames) == ([(), (2,), ()], (2,))


def test_frame_without_a_time_is_called_by_its_place_and_cited_by_no_time():
    row = ROW | {"frame_times_s": [0.0, None, 2.0, None], "thought": "At [1.2 s], and Frame 2."}
    shown = show_row(row, PolicyConfig())
    assert [each.caption for each in shown.frames] == ["0.0 s", "2", "2.0 s", "4"]
    assert [piece.frames for piece in shown.thought] == [(), (2,), (), (1,), ()]


@pytest.mark.parametrize(
    ("answer", "said", "gold", "chosen"),
    [("B", "A", "B", "A"), ("A, B", None, "AB", ""), ("blue", "b", "", "")],
)
def test_options_are_marked(answer, said, gold, chosen):
    options = show_row(ROW | {"answer": answer, "prediction": said}, PolicyConfig()).options
    assert "".join(each.letter for each in options if each.is_gold) == gold
    assert "".join(each.letter for each in options if each.is_predicted) == chosen


PLACE = {
    "label": "ball", "time_s": 2.0, "left": 0.125, "top": 0.25, "right": 0.5, "bottom": 1.005,
    "frame_sha256": "f2", "fault": None, "belief": 0.9, "control_belief": 0.1, "elsewhere_belief": None,
    "verdict": "grounded",
}  # fmt: skip
BOXED = {
    "text": "A <obj>ball</obj><box>[56,63,224,252]</box>at<t>2.0</t>s.",
    "cited": [{"start_s": 2.0, "end_s": 2.0}], "kind": "moment", "frame_sha256": ["f2"], "control": None,
    "control_sha256": [], "verifier": "v@1", "cited_belief": 0.9, "control_belief": None,
    "verdict": "untested",
    "places": [PLACE, PLACE | {"left": 1.4, "right": 1.6, "fault": "outside", "verdict": "ungrounded"}],
}  # fmt: skip


def test_boxes_are_drawn_on_their_frames_with_what_came_of_them():
    key = {name: PLACE[name] for name in ("label", "left", "top", "right", "bottom")} | {"time_s": 1.1}
    shown = show_row(ROW | {"claims": [BOXED], "key_places": [key]}, PolicyConfig())
    boxes = [[each.look for each in frame.boxes] for frame in shown.frames]
    assert boxes[:3] == [[], ["given"], ["believed", "doubted"]]
    assert shown.frames[2].boxes[0][:5] == ("ball", 0.125, 0.25, 0.5, 1.0)
    (first, second) = shown.claims[0].places
    assert (first.verdict, first.is_borne_out, first.told) == (
        "grounded",
        True,
        "[0.12, 0.25, 0.50, 1.00] at 2.0 s",
    )
    assert (second.verdict, second.is_borne_out) == ("outside box", False)
    assert [piece.frames for piece in shown.claims[0].pieces if piece.frames] == [(2,)]


def test_boxes_are_drawn_into_the_frames_of_the_card():
    file = io.BytesIO()
    Image.new("RGB", (160, 90), "black").save(file, "JPEG")
    boxed = places_on_frames(ROW | {"claims": [BOXED]})
    assert {place: len(each) for place, each in boxed.items()} == {2: 2}
    with Image.open(io.BytesIO(drawn(file.getvalue(), boxed[2]))) as image:
        red, green, _ = image.getpixel((80, 60))  # the right side of the box, half way down
        assert green > 100 > red - 60
        assert green > red + 20
        assert max(image.getpixel((120, 60))) < 40
