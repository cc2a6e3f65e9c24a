import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.schemas.answers.citing import cited_spans, without_citations
from reelproof.schemas.answers.evidence import (
    key_place_score,
    key_time_score,
    placed_things,
    said_places,
)
from reelproof.schemas.answers.overlap import box_iou, box_match, span_iou, video_iou
from reelproof.schemas.answers.placed import in_plain_words, in_tags
from reelproof.schemas.answers.places import Box, Interval
from reelproof.schemas.footage import Span
from reelproof.schemas.place import Place, PlaceFault

CAR = "A <obj>red car</obj><box>[45,21,224,63]</box>at<t>12.4</t>s stops."
CAR_PLACE = Place(label="red car", time_s=12.4, left=0.1, top=0.083333, right=0.497778, bottom=0.25)
QWEN = """At [3.0 s]: ```json
[
  {"bbox_2d": [100, 200, 300, 400], "label": "cat", "time": "0:12"},
  {"bbox_2d": [[1, 2, 3, 4], [5, 6, 7, 8]], "label": "dog"},
  {"bbox_2d": "none", "label": "cow"}
]
```"""


def place(label: str, time_s: float | None, *corners: float) -> Place:
    left, top, right, bottom = corners
    return Place(label=label, time_s=time_s, left=left, top=top, right=right, bottom=bottom)


def at(*times_s: float) -> tuple[Span, ...]:
    return tuple(Span(start_s=each, end_s=each) for each in times_s)


def test_boxes_are_read_as_open_o3_writes_them():
    assert cited_spans(CAR) == at(12.4)
    assert said_places(CAR, 450, 252, "pixels") == ((CAR_PLACE,),)
    assert in_plain_words(CAR) == "A red car at [12.4 s] stops."
    shares = "<obj>red car</obj><box>[0.1,0.083333,0.497778,0.25]</box>at<t>12.4</t>s"
    assert (
        said_places(shares, 450, 252, "pixels") == said_places(shares, 9, 9, "thousandths") == ((CAR_PLACE,),)
    )


def test_shares_that_reach_out_of_the_frame_are_shares():
    ((said,),) = said_places("<obj>a</obj><box>[0.7,0.8,1.3,0.9]</box>at<t>1</t>s", 448, 252, "pixels")
    assert said.flaw == PlaceFault.OUTSIDE


def test_boxes_are_read_as_qwen_vl_writes_them():
    text = in_tags(QWEN)
    things = placed_things(text)
    assert [(each.label, each.boxes, each.time_s) for each in things] == [
        ("cat", ((100, 200, 300, 400),), 12.0),
        ("dog", ((1, 2, 3, 4), (5, 6, 7, 8)), 12.0),  # on the frame that was last cited
    ]
    assert cited_spans(QWEN) == at(3.0, 12.0)
    (cat, *_) = said_places(QWEN, 448, 252, "thousandths")
    assert cat == (place("cat", 12.0, 0.1, 0.2, 0.3, 0.4),)
    assert '"bbox_2d": "none"' in text  # what cannot be read stays


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("From <t>3</t>s to <t>5.5</t>s.", (Span(start_s=3.0, end_s=5.5),)),
        ("<t> 0:12 </t>s and [1.0 s]", at(12.0, 1.0)),
        ("[1.0 s] then <t>2.5s</t>", at(1.0, 2.5)),
        ("<t>soon</t>s, {\"label\": \"time\", \"when\": 3}", ()),
    ],
)  # fmt: skip
def test_tagged_times_are_citations(text, cited):
    assert cited_spans(text) == cited
    if cited:
        assert "<t>" not in without_citations(text)


@pytest.mark.parametrize(
    "text",
    ["<obj>a</obj>", "<obj>a</obj><box>[1,2,3]</box>", "<box>[1,2,3,4]</box>at<t>1</t>s", "bbox_2d {}",
     '{"bbox_2d": [1, true, 3, 4]}', '{"bbox_2d": []}', '{"bbox_2d": [1e999, 2, 3, 4]}', "<obj><obj>" * 4000],
)  # fmt: skip
def test_what_is_no_box_is_none(text):
    assert said_places(text, 448, 252, "pixels") == ()


@pytest.mark.parametrize(
    ("corners", "flaw"),
    [((0.1, 0.1, 0.9, 0.9), None), ((0.0, -0.005, 0.5, 1.005), None),
     ((0.2, 0.2, 0.2, 0.4), PlaceFault.EMPTY), ((0.4, 0.1, 0.2, 0.4), PlaceFault.EMPTY),
     ((0.5, 0.5, 1.2, 0.9), PlaceFault.OUTSIDE),
     ((-0.2, 0.5, 0.2, 0.9), PlaceFault.OUTSIDE), ((0.0, 0.0, 1.0, 0.95), PlaceFault.WHOLE)],
)  # fmt: skip
def test_a_box_is_faulty_by_itself(corners, flaw):
    assert place("a", 1.0, *corners).flaw == flaw


def test_overlaps_are_those_of_open_o3():
    assert span_iou([Interval(1, 3)], [Interval(2, 4)]) == pytest.approx(1 / 3)
    assert box_iou(Box(0, 0, 10, 10, None), Box(5, 5, 15, 15, None)) == pytest.approx(0.1429, abs=1e-4)


def test_video_iou_counts_frames_that_only_one_side_has():
    said = [Box(0, 0, 1, 1, 1.0), Box(0, 0, 1, 1, 2.0), Box(0, 0, 1, 1, 9.0)]
    gold = [Box(0, 0, 1, 1, 1.1), Box(0, 0.5, 1, 1, 2.0), Box(0, 0, 1, 1, 5.0)]
    assert video_iou(said, gold, 0.5) == pytest.approx((1 + 0.5) / 4)
    assert box_match(said, gold, 0.5) == pytest.approx((1 + 0.5) / 3)
    assert video_iou([], gold, 0.5) == video_iou([], [], 0.5) == 0


def reference_spatial(claims, key_frames, key_items, size, gate):
    """thk_spatial_reward of arXiv 2510.20579's repository, in short; `gate` decides which frames are near."""
    total = 0.0
    for time_s, boxes in claims:
        near = [each for each in key_frames if gate(each["time"] - time_s)]
        if not near:
            continue
        frame = min(near, key=lambda each: abs(each["time"] - time_s))
        best = 0.0
        for gold in key_items[str(frame["idx"])].values():
            pixels = [[g * size[k % 2] for k, g in enumerate(each)] for each in gold]
            ious = [max(box_iou(Box(*g, None), Box(*box, None)) for box in boxes) for g in pixels]
            best = max(best, sum(ious) / len(ious))
        total += best
    return total / len(claims) if claims else 0.0


KEY_FRAMES = [{"idx": 1, "time": 2.0}, {"idx": 2, "time": 6.0}]
KEY_ITEMS = {
    "1": {"man": [[0.1, 0.1, 0.5, 0.9]], "ball": [[0.6, 0.6, 0.8, 0.8], [0.8, 0.1, 0.9, 0.2]]},
    "2": {"man": [[0.2, 0.1, 0.6, 0.9]]},
}
KEYS = [
    place(label, frame["time"], *box)
    for frame in KEY_FRAMES
    for label, boxes in KEY_ITEMS[str(frame["idx"])].items()
    for box in boxes
]
SIZE = (448, 252)
corners = st.tuples(*[st.integers(0, 200)] * 4).map(
    lambda c: (c[0], c[1], c[0] + 3 + c[2], c[1] + 1 + c[3] // 4)
)
"""In pixels; a box with no corner above 2 would be one in shares of the frame."""


@given(
    st.lists(
        st.tuples(st.integers(0, 90).map(lambda t: t / 10), st.lists(corners, min_size=1, max_size=2)),
        max_size=3,
    )
)
def test_places_are_rewarded_as_by_open_o3_but_on_both_sides(claims):
    text = " ".join(
        "<obj>it</obj>" + "".join(f"<box>{list(box)}</box>" for box in boxes) + f"at<t>{time_s}</t>s"
        for time_s, boxes in claims
    )
    ours = key_place_score(said_places(text, *SIZE, "pixels"), KEYS)
    both_sides = reference_spatial(claims, KEY_FRAMES, KEY_ITEMS, SIZE, lambda away_s: abs(away_s) < 1.0)
    theirs = reference_spatial(claims, KEY_FRAMES, KEY_ITEMS, SIZE, lambda away_s: away_s < 1.0)
    assert ours == pytest.approx(both_sides, abs=1e-4)
    if all(min(abs(key["time"] - time_s) for key in KEY_FRAMES) < 1.0 for time_s, _ in claims):
        assert ours == pytest.approx(theirs, abs=1e-4)
    assert ours <= theirs + 1e-4


@pytest.mark.parametrize(
    ("time_s", "score"), [(2.0, 1.0), (1.5, 1.0), (2.9, 1.0), (3.5, 0.0), (0.9, 0.0), (4.0, 0.0), (60.0, 0.0)]
)
def test_a_box_long_after_the_given_frame_earns_nothing(time_s, score):
    """Open-o3's gate has no bound on that side: there the last four but 0.9 would earn 1."""
    assert key_place_score([[place("man", time_s, 0.1, 0.1, 0.5, 0.9)]], KEYS) == score


@given(st.lists(st.floats(0, 20), max_size=5), st.lists(st.floats(0, 20), max_size=4), st.floats(0.5, 4))
def test_times_are_rewarded_as_by_open_o3(cited_s, keys_s, sigma_s):
    near = [max((math.exp(-((t - k) ** 2) / (2 * sigma_s**2)) for k in keys_s), default=0.0) for t in cited_s]
    expected = sum(near) / len(near) if near else 0.0
    assert key_time_score(at(*cited_s), keys_s, sigma_s) == pytest.approx(expected)


def test_both_ends_of_a_span_are_times():
    assert key_time_score([Span(start_s=2.0, end_s=3.0)], [2.0], 1.0) == pytest.approx(
        (1 + math.exp(-0.5)) / 2
    )
