import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelproof.schemas.chat import ChatRequest, Completion, TextPart
from reelproof.schemas.footage import Span
from reelproof.schemas.question import QuestionSource, Task, WrittenQuestion
from reelproof.stages.questions.reply_json import find_items
from reelproof.stages.questions.written import (
    WRITTEN_SCHEMA,
    AskedConfig,
    ask_questions,
    read_reply,
    usable,
)
from reelproof.stages.teachers.embedded.signals import SignalsTeacher
from tests.views import made_clip

CLIP = made_clip("v", 20.0)
COLOUR = {
    "question": "Which colour is the last car?",
    "options": ["red", "blue", "green", "white"],
    "answer": "green",
    "evidence": [{"start_s": 12.0, "end_s": 14.5}],
}


class Writer:
    """Gives the same reply to every request for questions, and one answer to every question."""

    model = "writer@1"

    def __init__(self, reply: object, answer: str = "C") -> None:
        self.reply = reply if isinstance(reply, str) else json.dumps(reply)
        self.answer = answer
        self.seen: list[ChatRequest] = []

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        for request in reversed(requests):
            self.seen.append(request)
            is_writing = request.sampling.json_schema is not None
            text = self.reply if is_writing else f"<think>I look.</think><answer>{self.answer}</answer>"
            yield Completion(request_id=request.request_id, model=self.model, text=text, finish_reason="stop")


def ask(writer: Writer, *tasks: Task, **settings: object) -> list[WrittenQuestion]:
    cfg = AskedConfig(tasks=tasks or (Task.MULTIPLE_CHOICE,), **settings)
    return list(ask_questions([CLIP], writer, writer, cfg, {}))


def read(item: object, task: Task = Task.MULTIPLE_CHOICE) -> WrittenQuestion:
    reply = Completion(
        request_id="r", model="w@1", text=json.dumps({"questions": [item]}), finish_reason="stop"
    )
    (written,) = read_reply(CLIP, task, reply)
    return written


def test_written_question_shows_the_keyframes_and_keeps_its_evidence():
    (written,) = ask(Writer({"questions": [COLOUR]}))
    question = written.question
    assert question.source is QuestionSource.ASKED
    assert [shown.frame for shown in question.frames] == list(CLIP.keyframes)
    assert question.options["ABCD".index(question.answer)] == "green"
    assert question.evidence == (Span(start_s=12.0, end_s=14.5),)
    assert (written.writer, written.failure) == ("writer@1", None)


def test_writer_is_asked_once_a_clip_and_task_under_a_schema():
    writer = Writer({"questions": []})
    ask(writer, Task.MULTIPLE_CHOICE, Task.BOOLEAN, Task.ORDERING)
    assert len(writer.seen) == 3
    required = json.loads(writer.seen[0].sampling.json_schema)["properties"]["questions"]["items"]["required"]
    assert required == ["question", "options", "answer", "evidence"]


def test_every_object_of_the_schema_is_closed_and_requires_all_its_properties():
    """OpenAI and Azure refuse a strict schema otherwise."""
    objects = list(_objects_in(json.loads(WRITTEN_SCHEMA)))
    assert len(objects) == 3
    assert all(each["additionalProperties"] is False for each in objects)
    assert all(each["required"] == list(each["properties"]) for each in objects)


def _objects_in(schema: object) -> Iterator[dict]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for below in schema.values():
            yield from _objects_in(below)


def test_answers_are_asked_for_without_the_key():
    writer = Writer({"questions": [COLOUR]})
    ask(writer, answers=2)
    again = [request for request in writer.seen if request.sampling.json_schema is None]
    assert [request.sample_index for request in again] == [1, 0]
    text = " ".join(p.text for r in again for p in r.messages[0].content if isinstance(p, TextPart))
    assert "Which colour" in text
    assert "evidence" not in text
    assert "12.0" not in text.split("Question:")[1]


@pytest.mark.parametrize(("answer", "agreement"), [("green", 1.0), ("blue", 0.0), ("no idea", 0.0)])
def test_agreement_is_the_share_of_answers_that_match_the_key(answer, agreement):
    (written,) = ask(Writer({"questions": [COLOUR]}, answer))
    assert written.agreement == agreement
    assert list(usable([written])) == [written.question]


def test_untried_questions_have_no_agreement():
    (written,) = ask(Writer({"questions": [COLOUR]}), answers=0)
    assert written.agreement is None
    assert list(usable([written])) == [written.question]


def test_question_written_twice_is_asked_once_and_tried_once():
    writer = Writer({"questions": [COLOUR, COLOUR]}, "green")
    written = ask(writer, answers=2)
    assert [each.agreement for each in written] == [1.0, 1.0]
    assert len(list(usable(written))) == 1


def test_right_letter_is_not_the_one_the_writer_favours():
    items = [COLOUR | {"question": f"Which colour is car {number}?"} for number in range(200)]
    counts = Counter(each.question.answer for each in ask(Writer({"questions": items}), answers=0))
    assert min(counts[letter] for letter in "ABCD") > 30


@pytest.mark.parametrize(
    ("changes", "task", "failure"),
    [
        ({"answer": "purple"}, Task.MULTIPLE_CHOICE, "not among the options"),
        ({"options": ["green"]}, Task.MULTIPLE_CHOICE, "two options"),
        ({"options": "green"}, Task.MULTIPLE_CHOICE, "must be text"),
        ({"question": 7}, Task.MULTIPLE_CHOICE, "must be text"),
        ({"question": " "}, Task.MULTIPLE_CHOICE, "empty"),
        ({"answer": "soon"}, Task.NUMERICAL, "soon"),
        ({"answer": None}, Task.OPEN_ENDED, "empty"),
        ({"evidence": []}, Task.MULTIPLE_CHOICE, "no evidence"),
        ({"evidence": [{"start_s": 50, "end_s": 60}]}, Task.MULTIPLE_CHOICE, "no evidence"),
        ({"evidence": "at the end"}, Task.MULTIPLE_CHOICE, "no evidence"),
        ({"evidence": [{"start_s": "a", "end_s": None}]}, Task.MULTIPLE_CHOICE, "no evidence"),
        ({"evidence": [{"start_s": 1, "end_s": 10**400}]}, Task.MULTIPLE_CHOICE, "no evidence"),
    ],
)
def test_unusable_question_is_a_failure_that_says_why(changes, task, failure):
    written = read(COLOUR | changes, task)
    assert written.question is None
    assert failure in written.failure


@pytest.mark.parametrize(
    ("changes", "task", "answer"),
    [
        ({"answer": "3"}, Task.NUMERICAL, "3"),
        ({"answer": 3}, Task.NUMERICAL, "3"),
        ({"answer": "[2.5, 4.0]"}, Task.TEMPORAL_GROUNDING, "[2.5, 4.0]"),
        ({"answer": "True"}, Task.BOOLEAN, "yes"),
        ({"answer": "a red car"}, Task.OPEN_ENDED, "a red car"),
    ],
)
def test_answers_are_brought_into_the_form_of_their_task(changes, task, answer):
    question = read(COLOUR | changes, task).question
    assert (question.answer, question.options) == (answer, ())


def test_evidence_is_cut_to_the_clip_and_may_come_as_pairs():
    written = read(COLOUR | {"evidence": [[18, 99], {"start_s": -3, "end_s": 2}]})
    assert written.question.evidence == (Span(start_s=18.0, end_s=20.0), Span(start_s=0.0, end_s=2.0))


GOOD = json.dumps({"questions": [COLOUR, COLOUR]})


@pytest.mark.parametrize(
    ("reply", "count"),
    [
        (GOOD, 2),
        (f"Sure, here they are:\n```json\n{GOOD}\n```\nAnything else?", 2),
        (GOOD.replace("}]}", "},]}").replace('"white"]', '"white", ]'), 2),
        (GOOD[:-40], 1),  # cut off in the second
        (json.dumps([COLOUR]), 1),
        (json.dumps(COLOUR) + "\n" + json.dumps(COLOUR), 2),
        ("I cannot see any frames.", 0),
        ('{"questions": []}', 0),
        ('{"questions": ["Which?"]}', 0),
        ("", 0),
        ("{" * 5000, 0),
    ],
)
def test_what_models_do_to_json_is_mended(reply, count):
    assert find_items(reply) == [COLOUR] * count


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet='{}[]",: question1\\', max_size=300))
def test_no_reply_breaks_the_reader(reply):
    completion = Completion(request_id="r", model="w@1", text=reply, finish_reason="stop")
    written = list(read_reply(CLIP, Task.MULTIPLE_CHOICE, completion))
    assert all((each.question is None) != (each.failure is None) for each in written)
    assert written


def test_teacher_that_cannot_write_leaves_a_failure_for_each_request():
    cfg = AskedConfig()
    written = list(ask_questions([CLIP], SignalsTeacher(), SignalsTeacher(), cfg, {}))
    assert len(written) == len(cfg.tasks)
    assert all("cannot do" in each.failure for each in written)


FRAME = CLIP.keyframes[2]


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (f"[{FRAME.time_s:.1f} s] [10, 20, 110, 220]", None),
        (f"[{FRAME.time_s:.1f} s] [10, 20, 1110, 220]", "lies in its frame of 512 x 288 pixels"),
        (f"[{FRAME.time_s:.1f} s] [0, 0, 512, 288]", "is not all of it"),
        (f"[{FRAME.time_s:.1f} s] [10, 20, 10, 220]", "lies in its frame"),
        ("[500.0 s] [10, 20, 110, 220]", "on a frame that is shown"),
        ("[10, 20, 110, 220]", "on a frame that is shown"),
    ],
)
def test_a_question_of_where_is_about_a_part_of_a_shown_frame(answer, failure):
    item = {
        "question": "Where is the car?",
        "options": [],
        "answer": answer,
        "evidence": [{"start_s": 0.0, "end_s": 20.0}],
    }
    written = read(item, Task.SPATIAL_GROUNDING)
    assert (written.question is None) == (failure is not None)
    assert failure is None or failure in written.failure
