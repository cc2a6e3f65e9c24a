from itertools import pairwise

import pytest
from pydantic import ValidationError

from reelproof.schemas.footage import Clip, ClipKind
from reelproof.schemas.place import Place
from reelproof.schemas.question import GivenRow, Question, Task
from reelproof.stages.footage.clips import ClipConfig, cut_clips
from reelproof.stages.questions.given import QuestionsConfig, given_questions
from tests.views import made_clip, made_view


def row(video_id: str = "v", **changes: object) -> GivenRow:
    plain = GivenRow(
        kind="set",
        video_id=video_id,
        question="What is it?",
        options=("a cat", "a dog"),
        answer="B",
        task=Task.MULTIPLE_CHOICE,
    )
    return plain.model_copy(update=changes)


def long_film() -> list[Clip]:
    return list(cut_clips([made_view("v", 120.0, [31.0, 62.0, 95.0])], ClipConfig()))


def only(questions: object) -> Question:
    (question,) = questions
    return question


def test_question_about_a_whole_film_shows_its_keyframes_with_their_times():
    clip = made_clip("v")
    question = only(given_questions([clip], [row(split="test")], QuestionsConfig()))
    assert [shown.frame for shown in question.frames] == list(clip.keyframes)
    assert all(shown.shown_s == shown.frame.time_s for shown in question.frames)
    assert (question.clip_id, question.kind, question.split) == (clip.clip_id, "set", "test")


def test_question_about_a_long_film_is_about_its_whole():
    clips = long_film()
    question = only(given_questions(clips, [row()], QuestionsConfig()))
    assert question.clip_id == next(clip.clip_id for clip in clips if clip.kind is ClipKind.WHOLE)


@pytest.mark.parametrize(
    ("start_s", "end_s", "kind"),
    [(40.0, 50.0, ClipKind.SEGMENT), (20.0, 80.0, ClipKind.WHOLE), (None, 30.0, ClipKind.SEGMENT)],
)
def test_question_about_a_stretch_takes_the_shortest_clip_that_covers_it(start_s, end_s, kind):
    clips = {clip.clip_id: clip for clip in long_film()}
    question = only(given_questions(clips.values(), [row(start_s=start_s, end_s=end_s)], QuestionsConfig()))
    clip = clips[question.clip_id]
    assert clip.kind is kind
    assert clip.start_s <= (start_s or 0.0) < end_s <= clip.end_s


def test_question_about_a_stretch_shows_frames_from_there():
    question = only(given_questions(long_film(), [row(start_s=40.0, end_s=50.0)], QuestionsConfig()))
    assert len(question.frames) >= 4
    assert all(40.0 <= shown.frame.time_s < 50.0 for shown in question.frames)


def test_frames_that_are_added_to_a_stretch_are_spread_over_it():
    cfg = ClipConfig(min_keyframes=1, max_keyframes=1, timeline_every_s=1.0, max_timeline=64)
    (clip,) = cut_clips([made_view("v", 48.0, [])], cfg)
    wanted = QuestionsConfig(min_frames=6)
    question = only(given_questions([clip], [row(start_s=8.0, end_s=40.0)], wanted))
    times = [8.0, *(shown.frame.time_s for shown in question.frames), 40.0]
    assert len(question.frames) == 6
    assert max(after - before for before, after in pairwise(times)) <= 8.5


def test_question_about_an_instant_shows_the_frames_around_it():
    question = only(given_questions([made_clip("v")], [row(start_s=9.0, end_s=9.1)], QuestionsConfig()))
    times = [shown.frame.time_s for shown in question.frames]
    assert len(times) == 4
    assert times == sorted(times)
    assert max(abs(time - 9.05) for time in times) < 4


def test_stretch_beyond_the_end_still_finds_a_clip():
    question = only(given_questions([made_clip("v")], [row(start_s=500.0, end_s=510.0)], QuestionsConfig()))
    assert len(question.frames) == 4


def test_budget_thins_the_frames():
    clip = made_clip("v")
    question = only(given_questions([clip], [row()], QuestionsConfig(min_frames=2, max_frames=3)))
    assert len(question.frames) == 3


def test_row_of_a_video_without_clips_gives_nothing():
    assert list(given_questions([made_clip("v")], [row("lost")], QuestionsConfig())) == []


def test_question_asked_twice_comes_once():
    questions = list(
        given_questions([made_clip("v")], [row(), row(), row(question="Why?")], QuestionsConfig())
    )
    assert [question.text for question in questions] == ["What is it?", "Why?"]


def test_task_is_inferred_where_the_source_names_none():
    question = only(
        given_questions([made_clip("v")], [row(task=None, options=(), answer="3")], QuestionsConfig())
    )
    assert question.task is Task.NUMERICAL


def test_question_id_follows_text_options_answer_and_frames():
    rows = [row(), row(question="Who?"), row(options=("a cow", "a dog")), row(answer="A"), row(start_s=5.0)]
    questions = list(given_questions([made_clip("v")], rows, QuestionsConfig()))
    assert len({question.question_id for question in questions}) == 5


def test_config_with_more_frames_at_least_than_at_most_is_refused():
    with pytest.raises(ValidationError, match="max_frames"):
        QuestionsConfig(min_frames=9, max_frames=8)


@pytest.mark.parametrize("most", [2, 8, 16])
def test_frames_at_which_something_proves_the_answer_are_shown(most):
    clips = long_film()
    every = sorted({frame.time_s for clip in clips for frame in (*clip.keyframes, *clip.timeline)})
    keys_s = [every[3], every[-5]]
    places = tuple(
        Place(label="dog", time_s=each + 0.01, left=0.1, top=0.1, right=0.2, bottom=0.2)
        for each in (*keys_s, *keys_s)
    )
    cfg = QuestionsConfig(min_frames=1, max_frames=most)
    plain = only(given_questions(clips, [row()], cfg))
    question = only(given_questions(clips, [row(key_places=places)], cfg))
    times_s = [shown.frame.time_s for shown in question.frames]
    assert set(keys_s) <= set(times_s)
    assert times_s == sorted(set(times_s))
    assert len(plain.frames) <= len(times_s) <= most
    assert question.key_places == places
