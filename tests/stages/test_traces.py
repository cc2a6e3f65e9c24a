import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pytest

from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.schemas.footage import Span
from reelproof.schemas.question import Question, QuestionSource, ShownFrame, Task
from reelproof.schemas.trace import Trace
from reelproof.stages.answers.traces import (
    AdaptiveRolloutConfig,
    ClipQuestion,
    TeacherShare,
    ask_rollouts,
    rollout_requests,
)
from reelproof.stages.teachers.prompts import ROLLOUT, ROLLOUT_WHERE
from tests.views import made_clip

CLIPS = [made_clip(name) for name in ("one", "two", "three")]


class ScriptedTeacher:
    """Says the same each time, in reverse order, and remembers what it was asked."""

    def __init__(self, model: str, text: str = "<think>At [1.0 s] red.</think><answer>B</answer>") -> None:
        self.model = model
        self.text = text
        self.seen: list[ChatRequest] = []

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        self.seen += requests
        for request in reversed(requests):
            yield Completion(
                request_id=request.request_id, model=self.model, text=self.text, finish_reason="stop"
            )


class FailingTeacher(ScriptedTeacher):
    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        for request in requests:
            yield Completion(
                request_id=request.request_id,
                model=self.model,
                text="",
                finish_reason="error",
                error="refused",
            )


class SilentTeacher(ScriptedTeacher):
    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        return super().complete(requests[1:], frames)


def asked(count: int) -> list[ClipQuestion]:
    """Questions that go round the clips."""
    return [ClipQuestion(CLIPS[i % 3], question(f"q{i}", i % 3)) for i in range(count)]


def question(question_id: str, clip: int) -> Question:
    return Question(
        question_id=question_id,
        clip_id=CLIPS[clip].clip_id,
        video_id=CLIPS[clip].video_id,
        source=QuestionSource.GIVEN,
        kind="set",
        task=Task.MULTIPLE_CHOICE,
        text="Which?",
        options=("red", "blue"),
        answer="B",
        frames=tuple(ShownFrame(frame=frame, shown_s=frame.time_s) for frame in CLIPS[clip].keyframes),
    )


def rollouts(teachers: Sequence[TeacherShare], count: int = 6, **settings: object) -> list[Trace]:
    return list(ask_rollouts(asked(count), teachers, AdaptiveRolloutConfig(**settings), {}))


def test_rollouts_of_a_question_share_what_they_are_asked():
    cfg = AdaptiveRolloutConfig()
    one, other = rollout_requests(asked(1)[0], "m@1", (0, 3), cfg)
    assert one.messages[0] is other.messages[0]
    assert one.sampling is other.sampling
    assert (one.sample_index, other.sample_index) == (0, 3)
    assert one.request_id != other.request_id


def test_every_question_gets_its_rollouts_together_clip_by_clip():
    traces = rollouts([TeacherShare(ScriptedTeacher("a@1"), 1)], rollouts=3)
    assert [trace.question_id for trace in traces[::3]] == ["q0", "q3", "q1", "q4", "q2", "q5"]
    assert [trace.sample_index for trace in traces] == [0, 1, 2] * 6
    assert len({trace.trace_id for trace in traces}) == 18


def test_requests_of_a_clip_stand_together():
    teacher = ScriptedTeacher("a@1")
    rollouts([TeacherShare(teacher, 1)], count=9)
    images = [request.images for request in teacher.seen]
    changes = sum(a != b for a, b in itertools.pairwise(images))
    assert changes == 2


def test_completion_is_read_into_thought_answer_and_citations():
    (trace, *_) = rollouts([TeacherShare(ScriptedTeacher("a@1"), 1)])
    assert (trace.thought, trace.answer) == ("At [1.0 s] red.", "B")
    assert trace.cited == (Span(start_s=1.0, end_s=1.0),)


def test_failed_completion_is_a_trace_with_its_reason():
    traces = rollouts([TeacherShare(FailingTeacher("a@1"), 1)], rollouts=2)
    assert len(traces) == 12
    assert {(trace.text, trace.answer, trace.finish_reason) for trace in traces} == {("", None, "error")}


def test_seeds_differ_between_questions_and_follow_the_config():
    def seeds(seed: int) -> list[int]:
        teacher = ScriptedTeacher("a@1")
        rollouts([TeacherShare(teacher, 1)], seed=seed)
        return sorted({request.sampling.seed for request in teacher.seen})

    assert len(seeds(0)) == 6
    assert seeds(0) == seeds(0) != seeds(1)


def test_traces_do_not_depend_on_which_other_questions_are_asked():
    teachers = [TeacherShare(ScriptedTeacher("a@1"), 1), TeacherShare(ScriptedTeacher("b@1"), 1)]
    few = {trace.trace_id for trace in rollouts(teachers, count=5)}
    assert few < {trace.trace_id for trace in rollouts(teachers, count=9)}


@pytest.mark.parametrize("mix", ["rollouts", "questions"])
def test_teachers_get_their_shares(mix):
    teachers = [
        TeacherShare(ScriptedTeacher("a@1"), 3),
        TeacherShare(ScriptedTeacher("b@1"), 1),
        TeacherShare(ScriptedTeacher("c@1"), 0),
    ]
    traces = rollouts(teachers, count=400, mix=mix)
    count = Counter(trace.model for trace in traces)
    assert set(count) == {"a@1", "b@1"}
    assert 0.68 < count["a@1"] / len(traces) < 0.82
    models = {(trace.question_id, trace.model) for trace in traces}
    assert (len(models) == 400) == (mix == "questions")


@pytest.mark.parametrize("shares", [[], [0.0], [1.0, -1.0]])
def test_shares_that_nobody_can_fill_are_refused(shares):
    teachers = [TeacherShare(ScriptedTeacher("a@1"), share) for share in shares]
    with pytest.raises(ValueError, match="shares"):
        rollouts(teachers)


def test_unanswered_request_is_an_error_that_says_how_many():
    with pytest.raises(RuntimeError, match="left 1 of its requests unanswered"):
        rollouts([TeacherShare(SilentTeacher("a@1"), 1)])


def test_a_teacher_that_is_asked_where_is_told_the_form_and_the_trace_says_so():
    said = "<think>A <obj>car</obj><box>[1,2,30,40]</box>at<t>1.0</t>s.</think><answer>B</answer>"
    teacher = ScriptedTeacher("one@1", said)
    (trace,) = ask_rollouts(
        asked(1), [TeacherShare(teacher, 1.0)], AdaptiveRolloutConfig(rollouts=1, ask_where=True), {}
    )
    request = teacher.seen[0].messages[0].content[-1].text
    assert "<obj>its name</obj><box>[x1,y1,x2,y2]</box>at<t>12.4</t>s" in request
    assert request.endswith(ROLLOUT.request.partition("{options}")[2].partition("{form}.")[2])
    assert trace.prompt_id == ROLLOUT_WHERE.prompt_id != ROLLOUT.prompt_id
    assert trace.cited == (Span(start_s=1.0, end_s=1.0),)
