from hypothesis import given
from hypothesis import strategies as st

from reelproof.schemas.footage import FrameRef
from reelproof.schemas.question import GivenRow, Question, QuestionSource, ShownFrame, Task
from reelproof.stages.answers.given_traces import GivenTracesConfig, given_traces

CFG = GivenTracesConfig()


def question(text="Which?", times_s=(1.0, 2.0), source=QuestionSource.GIVEN, video_id="v") -> Question:
    frames = [
        FrameRef(sha256=f"{time_s}", video_id=video_id, time_s=time_s, width=8, height=8, phash="0" * 16)
        for time_s in times_s
    ]
    return Question(
        question_id=f"{text}{times_s}{source}{video_id}",
        clip_id="c",
        video_id=video_id,
        source=source,
        kind="set",
        task=Task.MULTIPLE_CHOICE,
        text=text,
        options=("red", "blue"),
        answer="B",
        frames=tuple(ShownFrame(frame=frame, shown_s=frame.time_s) for frame in frames),
    )


def row(text="Which?", thought: str | None = "At [1.0 s] it is blue.", video_id="v", **fields) -> GivenRow:
    completion = None if thought is None else f"<think>{thought}</think>\n<answer>B</answer>"
    return GivenRow(
        video_id=video_id,
        kind="set",
        question=text,
        options=("red", "blue"),
        answer="B",
        task=Task.MULTIPLE_CHOICE,
        completion=completion,
        **fields,
    )


def test_thought_that_came_along_is_read_as_a_trace():
    (trace,) = given_traces([question()], [row()], CFG)
    assert (trace.thought, trace.answer, trace.model) == ("At [1.0 s] it is blue.", "B", "set@given")
    assert [span.start_s for span in trace.cited] == [1.0]
    assert trace.question_id == question().question_id
    assert trace.finish_reason == "stop"


def test_teacher_is_called_as_the_config_says():
    (trace,) = given_traces([question()], [row()], GivenTracesConfig(teacher="Qwen2.5-VL-72B@main"))
    assert trace.model == "Qwen2.5-VL-72B@main"


def test_several_thoughts_of_one_question_are_its_rollouts_and_repeats_come_once():
    traces = list(given_traces([question()], [row(), row(thought="Else."), row()], CFG))
    assert [trace.sample_index for trace in traces] == [0, 1]
    assert len({trace.trace_id for trace in traces}) == 2


def test_rows_without_thought_video_or_question_give_no_trace():
    rows = [row(thought=None), row(video_id="other"), row(text="Unknown?")]
    assert list(given_traces([question(), question(video_id="w")], rows, CFG)) == []


def test_question_of_another_source_takes_no_given_thought():
    assert list(given_traces([question(source=QuestionSource.COMPUTED)], [row()], CFG)) == []


def test_stretch_tells_questions_with_one_wording_apart():
    early, late, whole = (
        question(times_s=(1.0, 2.0)),
        question(times_s=(8.0, 9.0)),
        question(times_s=(1.0, 5.0, 9.0)),
    )
    rows = [
        row(thought="late", start_s=7.0, end_s=10.0),
        row(thought="early", start_s=0.0, end_s=3.0),
        row(thought="whole"),
    ]
    traces = given_traces([early, late, whole], rows, CFG)
    assert {trace.thought: trace.question_id for trace in traces} == {
        "early": early.question_id,
        "late": late.question_id,
        "whole": whole.question_id,
    }


@given(st.lists(st.tuples(st.sampled_from("ab"), st.text(max_size=20)), max_size=8))
def test_every_distinct_thought_becomes_one_trace_with_a_question_of_its_own_together(drawn):
    rows = [row(text=text, thought=thought) for text, thought in drawn]
    traces = list(given_traces([question(text="a"), question(text="b")], rows, CFG))
    assert len(traces) == len(set(drawn)) == len({trace.trace_id for trace in traces})
    questions = [trace.question_id for trace in traces]
    assert questions == sorted(questions)
