"""Questions about a watched film: votes, evidence, and a model that is gone for a while."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.inputs.events_folder import read_events
from reelproof.pipeline.settings_text import parse_settings
from reelproof.pipeline.watching.measured import measured_by_task
from reelproof.pipeline.watching.recorder import Recorder
from reelproof.pipeline.watching.settings import QuestionConfig, WatchConfig
from reelproof.pipeline.watching.sources import open_source
from reelproof.pipeline.watching.watch import Told, Watch
from reelproof.schemas.chat import Completion, ImagePart, TextPart
from reelproof.schemas.question import Task
from reelproof.schemas.trace import ClaimVerdict
from reelproof.stages.teachers.protocol import TeacherUnavailable
from tests.films import Shot, make_film, picture

FOREIGN_S = (12.0, 15.0)
QUESTION = "Is this the other place?"


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """Twenty seconds of a dark place, with three of a light one."""
    shots = [Shot(1, 12), Shot(50, 3), Shot(1, 5, start_px=120)]
    return make_film(tmp_path_factory.mktemp("camera") / "gate.mp4", shots, fps=10, options={"g": "20"})


class Eyes:
    """Sees which of the two places a frame shows; says so or says yes to all; may be gone for some calls."""

    model = "eyes@1"

    def __init__(self, gone: range = range(0), honest: bool = True) -> None:
        self.gone, self.honest, self.calls, self.asked = gone, honest, 0, 0

    def complete(self, requests, frames) -> Iterator[Completion]:
        self.calls += 1
        if self.calls - 1 in self.gone:
            raise TeacherUnavailable("nobody is there")
        for request in requests:
            yield Completion(
                request_id=request.request_id,
                model=self.model,
                text=self._said(request, frames),
                finish_reason="stop",
            )

    def _said(self, request, frames) -> str:
        parts = [part for turn in request.messages for part in turn.content]
        seen, times = [], []
        for before, part in pairwise(parts):
            if isinstance(part, ImagePart):
                seen.append(is_other(frames[part.sha256]))
                times.append(before.text)
        text = "".join(part.text for part in parts if isinstance(part, TextPart))
        if "Claim:" in text:
            return f"<answer>{'yes' if all(seen) else 'no'}</answer>"
        self.asked += 1
        if self.honest and not any(seen):
            return "<think>The same as ever.</think><answer>no</answer>"
        cited = times[seen.index(True)] if any(seen) else times[0]
        return f"<think>Another place is seen at {cited}.</think><answer>yes</answer>"


def is_other(jpeg: bytes) -> bool:
    """Whether it is nearer to the other place's picture than to the usual one's."""
    image = cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    usual, other = (np.abs(image.astype(int) - picture(look, 160, 96)).mean() for look in (1, 50))
    return bool(other < usual)


def watch(camera, out: Path, teacher, stop=None, measured=None, **settings) -> list:
    given = {
        "questions": [{"text": QUESTION}],
        "unusual": {"watch": False},
        "window": {"length_s": 2, "stride_s": 1},
        "gate": {"ask_share": 1, "learn_s": 5},
    }
    cfg = parse_settings(WatchConfig, given | settings, (), "the test")
    recorder = Recorder(out, 60)
    source = open_source(str(camera), recorder)
    told = Told(lambda _: None, lambda _: None, lambda _: None)
    Watch(out, source, teacher, cfg, measured or {}, recorder, told).run(stop or threading.Event())
    return read_events(out)


def test_an_event_has_its_votes_its_evidence_and_how_right_the_model_is(camera, tmp_path):
    report = {"by": "task", "group": "boolean", "style": "published", "questions": 40}
    report["lenient"] = {"value": 0.8, "low": 0.65, "high": 0.9}
    (tmp_path / "evaluate.json").write_text(json.dumps({"model": "eyes", "reports": [report]}))
    teacher = Eyes()
    measured = measured_by_task(tmp_path, "eyes")
    (event,) = watch(camera, tmp_path / "events", teacher, measured=measured)
    assert event.start_s <= FOREIGN_S[0] < FOREIGN_S[1] <= event.end_s <= FOREIGN_S[1] + 3
    assert (event.question, event.answer, event.votes, event.belief) == (QUESTION, "yes", ("yes", "yes"), 1.0)
    assert teacher.asked == 20 * 2  # of three votes, two that agree settle it
    assert (event.measured.accuracy, event.measured.questions) == (0.8, 40)
    (claim,) = event.claims
    assert claim.verdict is ClaimVerdict.GROUNDED
    assert claim.control_sha256
    kept = {each.stem for each in (tmp_path / "events/frames").iterdir()}
    assert {*claim.frame_sha256, *claim.control_sha256} <= kept
    with pytest.raises(UsageError, match="measured eyes"):
        measured_by_task(tmp_path, "another")


def test_a_yes_that_no_frame_bears_out_alerts_nobody(camera, tmp_path):
    strict = watch(camera, tmp_path / "events", Eyes(honest=False))
    trusting = watch(camera, tmp_path / "trusting", Eyes(honest=False), require_evidence=False)
    assert [each.start_s for each in trusting] == [0.0]
    assert all(each.start_s >= FOREIGN_S[0] - 2 for each in strict)


class Guesser(Eyes):
    """As honest, but its first votes are guesses, so many of each window."""

    def __init__(self, guesses: int) -> None:
        super().__init__()
        self.guesses, self.votes = guesses, Counter()

    def _said(self, request, frames) -> str:
        said = super()._said(request, frames)
        if "seen at" not in said:
            return said
        parts = (part for turn in request.messages for part in turn.content)
        window = tuple(part.sha256 for part in parts if isinstance(part, ImagePart))
        self.votes[window] += 1
        told = "This is a guess. Another" if self.votes[window] <= self.guesses else "Another"
        return said.replace("Another", told)


@pytest.mark.parametrize(("guesses", "events"), [(0, 1), (1, 1), (3, 0)])
def test_a_declared_guess_alerts_nobody(guesses, events, camera, tmp_path):
    """One vote that guesses leaves it to another's thought."""
    found = watch(camera, tmp_path, Guesser(guesses))
    assert len(found) == events
    assert all("guess" not in event.thought for event in found)


def test_a_model_that_was_gone_is_asked_later_and_its_events_are_late(camera, tmp_path):
    (late,) = watch(camera, tmp_path / "late", Eyes(gone=range(12, 14)))
    (event,) = watch(camera, tmp_path / "events", Eyes())
    assert (late.start_s, late.end_s, late.frames) == (event.start_s, event.end_s, event.frames)
    assert (event.is_late, late.is_late) == (False, True)


def test_what_was_not_answered_before_the_end_is_asked_by_the_next_run(camera, tmp_path):
    stop = threading.Event()
    teacher = Eyes(gone=range(12, 10_000))
    threading.Timer(1.5, stop.set).start()
    assert watch(camera, tmp_path / "events", teacher, stop=stop) == []
    (event,) = watch(camera, tmp_path / "events", Eyes())
    (whole,) = watch(camera, tmp_path / "whole", Eyes())
    assert (event.start_s, event.end_s, event.votes) == (whole.start_s, whole.end_s, whole.votes)
    assert event.frames == whole.frames


def test_a_text_alone_is_a_question_of_yes_or_no():
    cfg = parse_settings(WatchConfig, {"questions": ["Does someone fall?"]}, (), "watch.yaml")
    assert cfg.questions == (QuestionConfig(text="Does someone fall?", task=Task.BOOLEAN, alert=("yes",)),)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {
                "questions": [
                    {"text": "Who?", "task": "multiple_choice", "options": ["a", "b"], "alert": ["C"]}
                ]
            },
            "alert",
        ),
        ({"questions": [], "unusual": {"watch": False}}, "nothing to watch for"),
        ({"questions": [{"text": "Why?"}, {"text": "Why?"}]}, "same text"),
        ({"window": {"length_s": 2.5, "stride_s": 1}}, "whole number"),
        ({"events": {"open_at": 0.3, "keep_at": 0.5}}, "keep_at"),
        ({"measurd": "x"}, "measured"),
    ],
)
def test_wrong_settings_are_told(settings, told):
    with pytest.raises(UsageError, match=told):
        parse_settings(WatchConfig, settings, (), "watch.yaml")
