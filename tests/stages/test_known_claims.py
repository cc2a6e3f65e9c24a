"""Claims whose truth is known are that: held against what the test itself made the clips of."""

import io
import itertools
import random
import re

import numpy as np
import pytest
from PIL import Image

from reelproof.schemas.answers.subjects import Subject, subject_of
from reelproof.schemas.calibration import KnownClaim, Plant, Step
from reelproof.schemas.footage import Clip, hash_distance
from reelproof.schemas.question import ShownFrame
from reelproof.schemas.speech import SpeechLine
from reelproof.schemas.written import FrameText, TextLine
from reelproof.stages.answers.claims import verify_claims
from reelproof.stages.answers.known_claims import CalibrationConfig, drawn, judge_known
from reelproof.stages.answers.known_pictures import SHOWN_BY, known_of_pictures
from reelproof.stages.answers.known_words import Planted, known_of_speech, known_of_writing
from reelproof.stages.answers.panel import Panel
from reelproof.stages.answers.put_claims import ClaimConfig
from reelproof.stages.footage.edits import made_up_words
from reelproof.stages.questions.computed import ComputedConfig, computed_questions
from reelproof.stages.teachers.embedded import claims as embedded
from reelproof.stages.written.planted import plant_text
from tests.cases import completion, made_case
from tests.stages.test_panel import DOG, EXIT, RED, Says, read_at
from tests.views import made_clip

CLIPS = [
    made_clip("one", 30.0, (7.0, 19.0)),
    made_clip("two", 24.0, (11.0,)),
    made_clip("alone", 20.0),
]


def of_pictures(seed: int = 0):
    asked = computed_questions(CLIPS, ComputedConfig(kinds=SHOWN_BY, repeats=8, seed=seed))
    return list(known_of_pictures(CLIPS, asked, random.Random(seed)))


def cited(text: str) -> list[float]:
    return [float(each) for each in re.findall(r"\[(\d+\.\d) s\]", text)]


def is_true(text: str, clip: Clip, shown: dict[float, ShownFrame]) -> bool:
    """By the scenes, the frames and the motion that the clip was made with."""
    frames = [shown[time_s].frame for time_s in cited(text)]
    scenes = [
        next((i for i, scene in enumerate(clip.scenes) if scene.start_s <= each.time_s < scene.end_s), None)
        for each in frames
    ]
    if "sharply" in text:
        return scenes[0] != scenes[1]
    if "unlike" in text:
        return frames[0].video_id != clip.video_id
    if "same" in text:
        return frames[0].sha256 == frames[1].sha256
    if "stands still" in text:
        first, last = cited(text)
        return len({each.sha256 for time_s, each in shown.items() if first <= time_s <= last}) == 1
    assert "moves more" in text
    return frames[0].time_s > frames[2].time_s  # motion of these films grows with time


def test_true_claims_about_pictures_are_true_and_moved_ones_are_false():
    forms = set()
    for each in of_pictures():
        shown = {round(frame.shown_s, 1): frame for frame in each.shown}
        assert is_true(each.text, each.clip, shown) is (each.plant is Plant.TRUE), each.text
        forms.add((re.sub(r"[\d.]+", "", each.text), each.plant))
    assert len(forms) == 10  # five sentences, each true and moved


def test_what_is_said_of_pictures_is_what_signals_and_others_can_judge():
    for each in of_pictures():
        assert subject_of(each.text) is each.subject
        assert any(pattern.search(each.text) for pattern, _ in embedded._KINDS)


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("A dog runs at [3.0 s].", Subject.OTHER),
        ("The man moves to the door at [3.0 s].", Subject.OTHER),
        ("The camera pans left from [3.0 s] to [4.0 s].", Subject.MOTION),
        ("There is more motion at [3.0 s].", Subject.MOTION),
        ("A new scene begins at [3.0 s].", Subject.SCENE),
        ('The sign at [3.0 s] reads "the camera moves".', Subject.WRITING),
        ('He says "cut from here" at [3.0 s].', Subject.QUOTE),
        ("The picture changes more between [1.0 s] and [2.0 s] than [3.0 s] and [4.0 s].", Subject.SCENE),
    ],
)  # fmt: skip
def test_what_a_claim_speaks_of_is_told_by_its_words(text, subject):
    assert subject_of(text) is subject


def test_as_many_false_as_true_ones_are_drawn_and_the_same_each_time():
    every = of_pictures()
    for most in (10, 1000):
        cfg = CalibrationConfig(claims=most)
        found = drawn(every, cfg)
        for subject in (Subject.SCENE, Subject.MOTION):
            true = sum(each.plant is Plant.TRUE for each in found if each.subject is subject)
            false = sum(each.plant is not Plant.TRUE for each in found if each.subject is subject)
            assert 0 < true == false <= most
        assert found == drawn(every[::-1], cfg)
    assert drawn(every, CalibrationConfig(claims=10)) != drawn(every, CalibrationConfig(claims=10, seed=1))


def planted(number: int) -> Planted:
    """A made-up clip's keyframes, words in one of them, and what a reader without fault reads."""
    clip, rng = CLIPS[number % len(CLIPS)], random.Random(number)
    image = np.full((288, 512, 3), 90, np.uint8)
    text = plant_text(image, made_up_words(rng), rng)
    shown = sorted(clip.keyframes, key=lambda frame: frame.time_s)
    place = number % len(shown)
    shown[place] = shown[place].model_copy(update={"sha256": text.sha256})
    box = (text.left, text.top, text.right, text.bottom)
    line = TextLine(
        label=text.words, time_s=None, confidence=0.99,
        left=text.left / 512, top=text.top / 288, right=text.right / 512, bottom=text.bottom / 288,
    )  # fmt: skip
    texts = {
        each.sha256: FrameText(
            video_id=each.video_id, sha256=each.sha256, time_s=each.time_s, reader="ocr@1",
            lines=(line,) if at == place else (),
        )
        for at, each in enumerate(shown)
    }  # fmt: skip
    frames = tuple(ShownFrame(frame=each, shown_s=each.time_s) for each in shown)
    return Planted(clip, frames, place, text.words, box, texts)


@pytest.mark.parametrize("unit", ["pixels", "thousandths"])
def test_a_reader_without_fault_judges_all_planted_texts_as_they_were_planted(unit):
    known = list(known_of_writing([planted(number) for number in range(12)], unit, random.Random(0)))
    assert {each.plant for each in known} == set(Plant)
    jpegs = {each.sha256: _blank() for one in known for each in one.shown}
    for each in judge_known(known, Panel((), reads_text=True), ClaimConfig(box_unit=unit), jpegs):
        assert (each.verifier, each.subject) == ("ocr@1", Subject.WRITING)
        wanted = float(each.plant is Plant.TRUE)
        # what is written nowhere that was read is not known to be absent where nothing was read
        assert each.belief in ({wanted, None} if each.plant is Plant.OTHER_WORDS else {wanted}), each


def _blank() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (512, 288)).save(file, "JPEG")
    return file.getvalue()


LINES = {
    CLIPS[0].clip_id: [
        SpeechLine(start_s=1.0, end_s=3.0, text="Nobody ever told me that it would rain"),
        SpeechLine(start_s=9.0, end_s=11.0, text="Put the kettle on the stove, will you"),
        SpeechLine(start_s=20.0, end_s=22.0, text="We leave for Lisbon tomorrow at noon"),
    ],
    CLIPS[1].clip_id: [SpeechLine(start_s=4.0, end_s=7.0, text="This bridge was built by hand in a year")],
}


def test_quotes_are_known_by_the_lines_themselves():
    known = list(known_of_speech(CLIPS, LINES, random.Random(0)))
    assert {each.plant for each in known} == {Plant.TRUE, Plant.OTHER_TIME, Plant.OTHER_WORDS}
    for each in judge_known(known, Panel(()), ClaimConfig(), {}):
        assert (each.verifier, each.belief) == ("speech@1", float(each.plant is Plant.TRUE)), each


def test_each_member_is_asked_by_itself_without_controls():
    known = drawn(of_pictures(), CalibrationConfig(claims=10))
    first, second = Says("first", sharply="yes"), Says("second", still="no")
    found = list(judge_known(known, Panel((first, second)), ClaimConfig(controls=3), {}))
    assert len(found) == 2 * len(known)
    assert all(len(each.requests) <= len(known) for each in (first, second))
    assert {each.verifier: each.belief for each in found if "still" in each.text} == {
        "first@1": None, "second@1": 0.0,
    }  # fmt: skip
    assert all(isinstance(each, KnownClaim) for each in found)


def test_beliefs_are_weighed_and_who_is_unable_is_not_asked():
    steps = (Step(from_belief=0.0, probability=0.1), Step(from_belief=1.0, probability=0.8))
    first, second = Says("first", red="yes", dog="yes"), Says("second", dog="no", red="no")
    weights = {("first@1", Subject.SCENE): steps, ("second@1", Subject.OTHER): steps}
    case = made_case([completion(f"{RED} {DOG}", "4")])
    red, dog = verify_claims([case], Panel((first, second), False, weights), ClaimConfig(), {})
    assert not first.requests  # it can tell scenes only
    assert [(each.verifier, each.cited_score) for each in (red, dog)] == [("second@1", 0.1)] * 2
    (alone,) = verify_claims(
        [made_case([completion(RED, "4")])], Panel((first,), False, weights), ClaimConfig(), {}
    )
    assert (alone.verifier, alone.cited_score, alone.control_score) == ("first@1", None, None)


def test_text_that_nobody_can_read_here_is_not_judged_by_what_was_read():
    steps = (Step(from_belief=0.0, probability=0.03), Step(from_belief=1.0, probability=0.97))
    eyes = Says("eyes", sign="no")
    case = made_case([completion(EXIT, "4")])._replace(texts=read_at((3, "Way out", 0.9)))
    weights = {("eyes@1", Subject.WRITING): steps}
    (unable,) = verify_claims([case], Panel((eyes,), True, weights), ClaimConfig(), {})
    assert (unable.verifier, unable.cited_score) == ("eyes@1", 0.03)
    able = weights | {("ocr@1", Subject.WRITING): steps}
    (read,) = verify_claims([case], Panel((eyes,), True, able), ClaimConfig(), {})
    assert (read.verifier, read.cited_score, read.control_score) == ("ocr@1", 0.97, 0.03)


def test_frames_that_cannot_be_cited_apart_are_not_spoken_of():
    near = [each.model_copy(update={"time_s": each.time_s / 10}) for each in CLIPS[0].timeline]
    clip = CLIPS[0].model_copy(update={"timeline": tuple(near)})
    assert min(b.time_s - a.time_s for a, b in itertools.pairwise(near)) < 0.3
    assert not list(known_of_pictures([clip], [], random.Random(0)))
    assert hash_distance(near[0], near[1]) > 0
