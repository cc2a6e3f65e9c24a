import numpy as np
import pytest

from reelproof.schemas.chat import ImagePart, Message, TextPart
from reelproof.schemas.footage import Clip, ClipKind, CutKind, FrameRef, Scene
from reelproof.schemas.question import Question, QuestionSource, ShownFrame, Task
from reelproof.stages.teachers.messages import claim_messages, rollout_messages
from reelproof.stages.teachers.prompts import ANSWER_FORMS, CLAIM, ROLLOUT


def shown(index: int, shown_s: float | None) -> ShownFrame:
    frame = FrameRef(
        sha256=f"{index:064x}", video_id="v", time_s=index, width=64, height=36, phash=f"{index:016x}"
    )
    return ShownFrame(frame=frame, shown_s=shown_s)


def clip() -> Clip:
    scene = Scene(scene_id="v/0000", video_id="v", start_s=0, end_s=9, cut_kind=CutKind.START, cut_score=0)
    return Clip(
        clip_id="c",
        video_id="v",
        kind=ClipKind.SHORT,
        start_s=0,
        end_s=9,
        scenes=(scene,),
        keyframes=(),
        timeline=(),
        motion=np.zeros(16),
    )


def question(**changes: object) -> Question:
    plain = Question(
        question_id="q",
        clip_id="c",
        video_id="v",
        source=QuestionSource.GIVEN,
        kind="set",
        task=Task.MULTIPLE_CHOICE,
        text="Which {colour}?",
        options=("red", "blue"),
        answer="B",
        frames=(shown(0, 0.0), shown(1, 1.25)),
    )
    return plain.model_copy(update=changes)


def texts(messages: tuple[Message, ...]) -> list[str]:
    return [part.text for turn in messages for part in turn.content if isinstance(part, TextPart)]


def test_frames_come_before_the_question_each_after_its_time():
    asked = question()
    (turn,) = rollout_messages(clip(), asked, asked.frames)
    kinds = [type(part) for part in turn.content]
    assert kinds == [TextPart, TextPart, ImagePart, TextPart, ImagePart, TextPart]
    assert [part.text for part in turn.content[1:4:2]] == ["[0.0 s]", "[1.2 s]"]
    assert "Which {colour}?\nA. red\nB. blue\n" in turn.content[-1].text


def test_frames_without_times_are_called_by_their_place():
    frames = (shown(5, None), shown(2, None))
    assert texts(rollout_messages(clip(), question(), frames))[1:3] == ["Frame 1", "Frame 2"]


def test_frames_close_to_each_other_have_names_of_their_own_wherever_they_are_shown():
    frames = (shown(0, 2.98), shown(1, 3.02), shown(2, 4.5))
    asked = question(frames=frames)
    assert texts(rollout_messages(clip(), asked, frames))[1:4] == ["[2.98 s]", "[3.02 s]", "[4.50 s]"]
    assert texts(rollout_messages(clip(), asked, frames[1:2]))[1] == "[3.02 s]"  # as a probe shows it
    alone = rollout_messages(clip(), question(frames=frames[1:]), frames[1:])
    assert texts(alone)[1:3] == ["[3.0 s]", "[4.5 s]"]


def test_requests_about_the_same_frames_share_everything_before_the_question():
    (one,) = rollout_messages(clip(), question(), question().frames)
    (other,) = rollout_messages(clip(), question(text="How many?", task=Task.NUMERICAL), question().frames)
    assert one.content[:-1] == other.content[:-1]
    assert one.content[-1] != other.content[-1]
    # in memory as well: all rollouts of a part are asked for at once
    assert all(a is b for a, b in zip(one.content[1:-1], other.content[1:-1], strict=True))


def test_blind_request_says_that_nothing_is_shown_and_tells_no_times():
    (turn,) = rollout_messages(clip(), question(), ())
    assert turn.content[0].text == ROLLOUT.without_frames
    assert not any(isinstance(part, ImagePart) for part in turn.content)


@pytest.mark.parametrize("task", list(Task))
def test_every_task_states_the_form_of_its_answer(task):
    (turn,) = rollout_messages(clip(), question(task=task), question().frames)
    assert ANSWER_FORMS[task] in turn.content[-1].text


def test_gold_answer_is_nowhere_in_the_request():
    asked = question(task=Task.OPEN_ENDED, options=(), answer="a very telling answer")
    assert "telling" not in "".join(texts(rollout_messages(clip(), asked, asked.frames)))


def test_claim_asks_for_a_verdict_on_the_sentence_after_the_frames():
    (turn,) = claim_messages("It is red at [1.0 s].", (shown(1, 1.0),))
    assert "Claim: It is red at [1.0 s].\n" in turn.content[-1].text
    assert isinstance(turn.content[2], ImagePart)


def test_prompt_id_follows_every_piece_of_text():
    ids = {ROLLOUT._replace(**{name: "other"}).prompt_id for name in ROLLOUT._fields}
    assert len(ids | {ROLLOUT.prompt_id, CLAIM.prompt_id}) == len(ROLLOUT._fields) + 2
