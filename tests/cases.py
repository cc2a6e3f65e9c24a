"""Made-up cases: one question about a made-up clip with the completions that a test gives it."""

from collections.abc import Sequence

from reelproof.schemas.answers.citing import cited_spans
from reelproof.schemas.answers.reading import read_completion
from reelproof.schemas.footage import Clip
from reelproof.schemas.question import Question, QuestionSource, ShownFrame, Task
from reelproof.schemas.trace import Case, Trace
from tests.views import made_clip


def made_case(
    completions: Sequence[str],
    *,
    task: Task = Task.NUMERICAL,
    answer: str = "4",
    text: str = "How many scenes does the clip have?",
    options: Sequence[str] = (),
    clip: Clip | None = None,
    timed: bool = True,
    name: str = "q",
    finish_reason: str = "stop",
    tolerance: float | None = None,
) -> Case:
    """Ids follow from `name`; the clip's timeline is shown."""
    clip = clip or made_clip("film")
    question = Question(
        question_id=name,
        clip_id=clip.clip_id,
        video_id=clip.video_id,
        source=QuestionSource.GIVEN,
        kind="set",
        task=task,
        text=text,
        options=tuple(options),
        answer=answer,
        tolerance=tolerance,
        frames=tuple(
            ShownFrame(frame=frame, shown_s=round(frame.time_s, 1) if timed else None)
            for frame in clip.timeline
        ),
    )
    traces = tuple(
        made_trace(question, completion, f"{name}/{place}", place, finish_reason)
        for place, completion in enumerate(completions)
    )
    return Case(clip, question, traces)


def made_trace(
    question: Question, completion: str, trace_id: str, place: int = 0, finish: str = "stop"
) -> Trace:
    """A completion as its trace."""
    reading = read_completion(completion)
    return Trace(
        trace_id=trace_id,
        question_id=question.question_id,
        clip_id=question.clip_id,
        video_id=question.video_id,
        prompt_id="prompt",
        model="teacher@1",
        sample_index=place,
        text=completion,
        thought=reading.thought,
        answer=reading.stated,
        cited=cited_spans(reading.thought),
        finish_reason=finish,
    )


def completion(thought: str, answer: str) -> str:
    """In the form that prompts ask for."""
    return f"<think>{thought}</think><answer>{answer}</answer>"
