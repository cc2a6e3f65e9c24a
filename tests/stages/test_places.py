import hashlib
import io
from collections.abc import Mapping

import numpy as np
import pytest
from PIL import Image

from reelproof.schemas.answers.placed import Boxed
from reelproof.schemas.chat import ChatRequest, Completion, ImagePart, TextPart
from reelproof.schemas.footage import FrameRef
from reelproof.schemas.place import PlaceFault
from reelproof.schemas.question import ShownFrame, ShownPicture
from reelproof.schemas.trace import ClaimedPlace, ClaimVerdict
from reelproof.stages.answers.claims import verify, verify_claims
from reelproof.stages.answers.places import Around, put_places
from reelproof.stages.answers.provenance import claims_of_traces, place_verdict
from reelproof.stages.answers.put_claims import ClaimConfig, Thought
from reelproof.stages.checks.grounding import GroundingConfig, measure_grounding
from reelproof.stages.footage.crops import Box, Pictures
from reelproof.stages.teachers.embedded.signals import SignalsTeacher
from tests.cases import completion, made_case

WIDTH, HEIGHT = 320, 180
BALL = (40, 30, 120, 110)
"""Where frame 1 shows a red ball; frame 0 and 2 show none."""


def picture(ball: bool, seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 200, (9, 16, 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)).copy()
    if ball:
        left, top, right, bottom = BALL
        rows, columns = np.mgrid[top:bottom, left:right]
        inside = (rows - top - 40) ** 2 + (columns - left - 40) ** 2 < 40**2
        image[top:bottom, left:right][inside] = (250, 10, 10)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=90)
    return file.getvalue()


JPEGS = [picture(number == 1, number) for number in range(3)]
HASHES = [hashlib.sha256(each).hexdigest() for each in JPEGS]
FRAMES = dict(zip(HASHES, JPEGS, strict=True))
PICTURES = Pictures(FRAMES)


class SeesRed:
    """Believes a part that is mostly red where a ball is claimed, and whole frames never."""

    model = "red@1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def complete(self, requests: list[ChatRequest], frames: Mapping[str, bytes]):
        for request in requests:
            images = [part for part in request.messages[0].content if isinstance(part, ImagePart)]
            text = " ".join(part.text for part in request.messages[0].content if isinstance(part, TextPart))
            self.asked.append(text)
            image = np.asarray(Image.open(io.BytesIO(frames[images[0].sha256])))
            red = (image[..., 0] > 200) & (image[..., 1] < 60)
            said = "yes" if red.mean() > 0.3 and "ball" in text else "no"
            yield Completion(request_id=request.request_id, model=self.model, text=said, finish_reason="stop")


def shown() -> tuple[ShownFrame, ...]:
    return tuple(
        ShownFrame(
            frame=FrameRef(
                sha256=sha256,
                video_id="film",
                time_s=float(place),
                width=WIDTH,
                height=HEIGHT,
                phash="0" * 16,
            ),
            shown_s=float(place),
        )
        for place, sha256 in enumerate(HASHES)
    )


def asked(thought: str):
    case = made_case([completion(thought, "4")])
    return case._replace(question=case.question.model_copy(update={"frames": shown()}))


def judged(thought: str, **settings: object):
    case = asked(thought)
    claims = tuple(verify_claims([case], SeesRed(), ClaimConfig(**settings), FRAMES))
    (told,) = claims_of_traces([case._replace(claims=claims)], 0.5)
    (score,) = measure_grounding([case._replace(claims=claims)], GroundingConfig())
    return [place for claim in told.claims for place in claim.places], score


def box(*corners: int) -> str:
    return f"<box>[{','.join(map(str, corners))}]</box>"


@pytest.mark.parametrize(
    ("thought", "verdict", "beliefs"),
    [
        (f"A <obj>ball</obj>{box(*BALL)}at<t>1.0</t>s.", ClaimVerdict.GROUNDED, (1, 0, 0)),
        (f"A <obj>dog</obj>{box(*BALL)}at<t>1.0</t>s.", ClaimVerdict.UNGROUNDED, (0, 0, 0)),
        # moved in time: that frame shows none there
        (f"A <obj>ball</obj>{box(*BALL)}at<t>2.0</t>s.", ClaimVerdict.UNGROUNDED, None),
        # moved in place
        (f"A <obj>ball</obj>{box(200, 80, 280, 160)}at<t>1.0</t>s.", ClaimVerdict.UNGROUNDED, None),
        (f"A <obj>ball</obj>{box(*BALL)}at<t>9.0</t>s.", ClaimVerdict.UNJUDGED, (None, None, None)),
        (f"A <obj>ball</obj>{box(300, 30, 400, 90)}at<t>1.0</t>s.", ClaimVerdict.UNGROUNDED, (None,) * 3),
        ('At [1.0 s]:\n{"bbox_2d": [40, 30, 120, 110], "label": "ball"}', ClaimVerdict.GROUNDED, (1, 0, 0)),
    ],
)  # fmt: skip
def test_a_boxed_thing_is_judged_by_its_part_of_the_frame(thought, verdict, beliefs):
    places, _ = judged(thought)
    (place,) = places
    assert place.verdict == verdict
    if beliefs:
        assert (place.belief, place.control_belief, place.elsewhere_belief) == beliefs


def test_boxes_are_counted_sound_and_grounded():
    good, bad = (
        f"<obj>ball</obj>{box(*BALL)}at<t>1.0</t>s",
        f"<obj>ball</obj>{box(-90, 0, 9, 9)}at<t>1.0</t>s",
    )
    places, score = judged(f"Here {good}. There {bad}. A dog at [1.0 s].")
    assert [each.fault for each in places] == [None, PlaceFault.OUTSIDE]
    assert (score.boxes, score.sound_boxes, score.spatial_grounded_share) == (2, 0.5, 0.5)
    _, without = judged("A dog at [1.0 s].")
    assert (without.boxes, without.sound_boxes, without.spatial_grounded_share) == (0, None, None)


def test_corners_of_thousandths_and_shares_mean_the_same_box():
    pixels, _ = judged(f"A <obj>ball</obj>{box(*BALL)}at<t>1.0</t>s.")
    thousandths, _ = judged(
        f"A <obj>ball</obj>{box(125, 167, 375, 611)}at<t>1.0</t>s.", box_unit="thousandths"
    )
    assert thousandths[0].verdict == pixels[0].verdict == ClaimVerdict.GROUNDED
    assert thousandths[0].bottom == pytest.approx(pixels[0].bottom, abs=0.001)


def test_a_sentence_is_put_in_plain_words_and_its_boxes_apart():
    case, verifier = asked(f"A <obj>ball</obj>{box(*BALL)}at<t>1.0</t>s rolls."), SeesRed()
    (claim,) = verify_claims([case], verifier, ClaimConfig(controls=0), FRAMES)
    assert any("Claim: A ball at [1.0 s] rolls." in each for each in verifier.asked)
    assert len(verifier.asked) == 2
    assert claim.text.startswith("A <obj>ball</obj><box>")
    (none,) = verify_claims([case], verifier, ClaimConfig(controls=0, places_per_claim=0), FRAMES)
    assert none.places == ()


def test_a_thought_in_training_is_believed_by_its_boxes_as_well():
    said = f"A <obj>ball</obj>{box(*BALL)}at<t>1.0</t>s. A <obj>ball</obj>{box(0, 0, 320, 180)}at<t>1.0</t>s."
    pictures = [ShownPicture(sha256, float(place)) for place, sha256 in enumerate(HASHES)]
    (beliefs,) = verify([Thought(said, pictures)], SeesRed(), ClaimConfig(), FRAMES)
    assert beliefs == (0.0, 1.0, 0.0, 0.0)


def test_a_box_among_others_that_look_the_same_has_no_control():
    flat = io.BytesIO()
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 90, np.uint8)).save(flat, "JPEG")
    frames = {"a": flat.getvalue(), "b": flat.getvalue()}
    around = Around(own=["a", "b"], others=[], least_bits=8)
    thing = Boxed("wall", ((40, 30, 120, 110),), 1.0, 0)
    (put,) = put_places(thing, ["a"], "a", Pictures(frames), "pixels", around)
    assert len(put.own) == 1
    assert put.control == put.elsewhere == ()


def test_another_box_lies_beside_every_one_that_is_named():
    around = Around(own=HASHES, others=[], least_bits=1)
    halves = Boxed("ball", ((0, 0, 160, 180), (160, 0, 320, 180)), 1.0, 0)
    for put in put_places(halves, [HASHES[1]], HASHES[1], PICTURES, "pixels", around):
        assert put.elsewhere == ()


def test_a_small_part_is_enlarged():
    cut = PICTURES.cut_out(HASHES[1], Box(0.5, 0.5, 0.55, 0.6))
    with Image.open(io.BytesIO(cut.jpeg)) as image:
        assert min(image.size) == 56
    assert hashlib.sha256(cut.jpeg).hexdigest() == cut.sha256


@pytest.mark.parametrize(
    ("belief", "control", "elsewhere", "verdict"),
    [
        (1.0, 0.0, 0.0, ClaimVerdict.GROUNDED),
        (1.0, 0.0, 1.0, ClaimVerdict.CONTROL_BELIEVED),  # one that believes it is enough
        (1.0, 1.0, 0.0, ClaimVerdict.CONTROL_BELIEVED),
        (1.0, None, 0.5, ClaimVerdict.GROUNDED),
        (1.0, None, None, ClaimVerdict.UNTESTED),
        (0.4, 0.0, 0.0, ClaimVerdict.UNGROUNDED),
        (None, 0.0, 0.0, ClaimVerdict.UNJUDGED),
    ],
)
def test_a_box_holds_only_where_neither_control_does_as_well(belief, control, elsewhere, verdict):
    place = ClaimedPlace(
        label="ball", time_s=1.0, left=0.1, top=0.1, right=0.2, bottom=0.2, frame_sha256="a", fault=None,
        belief=belief, control_belief=control, elsewhere_belief=elsewhere,
    )  # fmt: skip
    assert place_verdict(place, 0.5) == verdict


class SeesMotion:
    """Believes two parts that differ, where motion is claimed, and nothing else."""

    model = "motion@1"

    def complete(self, requests: list[ChatRequest], frames: Mapping[str, bytes]):
        for request in requests:
            images = [part for part in request.messages[0].content if isinstance(part, ImagePart)]
            said = "unknown"
            if len(images) == 2 and "from the first to the second" in request.messages[0].content[-1].text:
                one, other = (np.asarray(Image.open(io.BytesIO(frames[each.sha256]))) for each in images)
                said = "yes" if np.abs(one.astype(int) - other).mean() > 8 else "no"
            yield Completion(request_id=request.request_id, model=self.model, text=said, finish_reason="stop")


@pytest.mark.parametrize(
    ("corners", "time_s", "verdict"),
    [
        (BALL, 0, ClaimVerdict.GROUNDED),
        (BALL, 2, ClaimVerdict.UNGROUNDED),  # moved in time
        ((200, 80, 280, 160), 0, ClaimVerdict.UNGROUNDED),  # moved in place
    ],
)
@pytest.mark.parametrize("verifier", [SeesMotion(), SignalsTeacher()])
def test_motion_in_a_box_is_judged_by_that_part_of_two_frames(corners, time_s, verdict, verifier):
    """A ball is there from second 1 on; all else stays as it is."""
    jpegs = [picture(ball, 1) for ball in (False, True, True, True)]
    frames = {hashlib.sha256(each + bytes([place])).hexdigest(): each for place, each in enumerate(jpegs)}
    case = asked(f"There is <obj>motion</obj>{box(*corners)}at<t>{time_s}.0</t>s.")
    shown_at = tuple(
        ShownFrame(frame=shown()[0].frame.model_copy(update={"sha256": sha256}), shown_s=float(at))
        for at, sha256 in enumerate(frames)
    )
    case = case._replace(question=case.question.model_copy(update={"frames": shown_at}))
    (claim,) = verify_claims([case], verifier, ClaimConfig(), frames)
    (place,) = claim.places
    assert place_verdict(place, 0.5) is verdict
    if verdict is ClaimVerdict.GROUNDED:
        assert (place.belief, place.control_belief, place.elsewhere_belief) == (1, 0, 0)
