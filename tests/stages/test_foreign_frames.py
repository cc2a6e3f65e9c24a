"""What comes from another video can be told: nothing of the clip's own looks as foreign."""

import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from reelproof.schemas.footage import FLAT_HASH, Clip, FrameRef
from reelproof.schemas.question import Question
from reelproof.stages.questions.computed import ComputedConfig, computed_questions
from reelproof.stages.questions.computed_frames import look_broken_into
from tests.views import made_clip


def ask(clips: Sequence[Clip], kind: str, **settings: object) -> list[Question]:
    return list(computed_questions(clips, ComputedConfig(kinds=(kind,), foreign_bits=10, **settings)))


def lively_films(count: int) -> list[Clip]:
    """Films of 24 s whose scenes last 1 to 6 s: of some a single frame is shown."""
    rng, films = random.Random(2), []
    for film in range(count):
        cuts = np.cumsum([rng.uniform(1.0, 6.0) for _ in range(12)])
        films.append(made_clip(f"film{film}", 24.0, [round(float(cut), 2) for cut in cuts if cut < 23.0]))
    return films


FILMS = lively_films(60)
BY_ID = {clip.clip_id: clip for clip in FILMS}


def scene_of(clip: Clip, time_s: float) -> int:
    (found,) = [at for at, scene in enumerate(clip.scenes) if scene.start_s <= time_s < scene.end_s]
    return found


def own_frames(question: Question) -> list[FrameRef]:
    return [each.frame for each in question.frames if each.frame.video_id == question.video_id]


def test_some_scenes_are_shown_once():
    shown = [[scene_of(clip, frame.time_s) for frame in clip.timeline] for clip in FILMS]
    assert sum(scenes.count(scene) == 1 for scenes in shown for scene in scenes) > 60


def test_no_option_beside_the_odd_frame_is_alone_in_its_scene():
    questions = ask(FILMS, "odd_frame", repeats=4)
    assert len(questions) > 100
    for question in questions:
        clip, own = BY_ID[question.clip_id], own_frames(question)
        scenes = [scene_of(clip, frame.time_s) for frame in own]
        at = {f"the frame at {frame.time_s:.1f} s": frame for frame in own}
        others = [at[option] for option in question.options if option in at]
        assert len(others) == 3
        assert all(scenes.count(scene_of(clip, frame.time_s)) > 1 for frame in others)


def test_foreign_span_breaks_into_a_scene_that_goes_on_after_it():
    questions = ask(FILMS, "foreign_span", repeats=4)
    assert len(questions) > 100
    for question in questions:
        clip, places = BY_ID[question.clip_id], [each.frame.video_id for each in question.frames]
        foreign = [place for place, video_id in enumerate(places) if video_id != question.video_id]
        beside = (question.frames[foreign[0] - 1], question.frames[foreign[-1] + 1])
        assert foreign[0] > 0
        assert len({scene_of(clip, each.frame.time_s) for each in beside}) == 1


@pytest.mark.parametrize("kind", ["odd_frame", "foreign_span"])
def test_a_scene_that_may_hide_a_cut_proves_nothing(kind):
    clip, other = made_clip("v", 20.0, [10.0]), made_clip("w")
    unrest = np.array([0.9, 0.1], np.float32)
    asked = ask([clip.model_copy(update={"unrest": unrest}), other], kind, repeats=24)
    times = [
        float(time)
        for question in asked
        if question.video_id == "v"
        for time in (
            [option.split()[3] for option in question.options] or question.answer.strip("[]").split(", ")
        )
    ]
    assert len(times) >= 20
    assert min(times) >= 10.0


def looking(clip: Clip, looks: dict[int, str]) -> Clip:
    """The film with other perceptual hashes of its scenes: a scene's frames look alike."""
    frames = (each.model_copy(update={"phash": looks[scene_of(clip, each.time_s)]}) for each in clip.timeline)
    return clip.model_copy(update={"timeline": tuple(frames)})


def test_film_whose_own_shots_come_back_is_not_asked_where_another_breaks_in():
    clip, other = made_clip("v", 24.0, [8.0, 12.0]), made_clip("w")
    one, between, third = "00000000ffffffff", "0f0f0f0f0f0f0f0f", "3333333333333333"
    there_and_back = looking(clip, {0: one, 1: between, 2: one})
    onwards = looking(clip, {0: one, 1: between, 2: third})
    asked = [ask([each, other], "foreign_span", repeats=8) for each in (there_and_back, onwards)]
    assert [sum(question.video_id == "v" for question in each) > 0 for each in asked] == [False, True]


def faded_in(clip: Clip, frames: int) -> Clip:
    """The film with so many black frames at its beginning."""
    black = (each.model_copy(update={"phash": FLAT_HASH}) for each in clip.timeline[:frames])
    return clip.model_copy(update={"timeline": (*black, *clip.timeline[frames:])})


@pytest.mark.parametrize("kind", ["odd_frame", "foreign_span"])
def test_no_black_frame_is_the_foreign_one(kind):
    black = faded_in(made_clip("w"), len(made_clip("w").timeline) - 6)
    asked = [each for each in ask([made_clip("v"), black], kind, repeats=24) if each.video_id == "v"]
    assert len(asked) > 10
    foreign = [each.frame for question in asked for each in question.frames if each.frame.video_id == "w"]
    assert foreign
    assert not any(frame.is_flat for frame in foreign)


def test_a_black_frame_of_the_film_is_no_option():
    clip = faded_in(made_clip("v", 20.0), 3)
    asked = [each for each in ask([clip, made_clip("w")], "odd_frame", repeats=24) if each.video_id == "v"]
    black = {f"the frame at {frame.time_s:.1f} s" for frame in clip.timeline if frame.is_flat}
    assert len(asked) > 10
    assert not any(black & set(question.options) for question in asked)


def test_no_span_is_asked_of_a_film_that_shows_black_frames():
    asked = ask([faded_in(made_clip("v"), 1), made_clip("w")], "foreign_span", repeats=8)
    assert {question.video_id for question in asked} == {"w"}


def test_a_shot_is_no_other_for_what_moves_in_it():
    looks = ["00000000ffffffff", "0f0f0f0f0f0f0f0f", "00000000ffffffff"]
    frames = [
        frame.model_copy(update={"phash": look})
        for frame, look in zip(made_clip("v").timeline, looks, strict=False)
    ]
    assert not look_broken_into(frames, [0, 0, 0], 18)
    assert look_broken_into(frames, [0, 1, 2], 18)
    assert not look_broken_into(frames, [0, 1, 2], 40)
    assert all(not look_broken_into(pair, [0, 1], 18) for pair in pairwise(frames))
