import itertools
import random
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from reelproof.schemas.footage import Clip, ClipKind, Span, uncovered
from reelproof.stages.footage.clips import ClipConfig, VideoView, cut_clips
from tests.views import made_clip, made_view


def test_short_film_is_one_clip_of_its_whole():
    (clip,) = cut_clips([made_view("v", 20.0, [5.0, 11.0])], ClipConfig())
    assert (clip.kind, clip.start_s, clip.end_s) == (ClipKind.SHORT, 0.0, 20.0)
    assert [scene.start_s for scene in clip.scenes] == [0.0, 5.0, 11.0]


def test_long_film_is_runs_of_scenes_and_its_whole():
    clips = list(cut_clips([made_view("v", 120.0, [10.0, 31.0, 45.0, 62.0, 95.0])], ClipConfig()))
    runs = [(clip.start_s, clip.end_s) for clip in clips if clip.kind is ClipKind.SEGMENT]
    assert runs == [(0.0, 31.0), (31.0, 62.0), (62.0, 95.0), (95.0, 120.0)]
    assert clips[-1].kind is ClipKind.WHOLE
    assert len(clips[-1].scenes) == 6


def test_whole_of_a_long_film_can_be_left_out():
    clips = cut_clips([made_view("v", 120.0)], ClipConfig(whole=False))
    assert {clip.kind for clip in clips} == {ClipKind.SEGMENT}


@settings(deadline=None, max_examples=40)
@given(
    gaps=st.lists(st.floats(0.5, 200.0), min_size=1, max_size=8),
    target_s=st.floats(5.0, 30.0),
    factor=st.floats(1.0, 3.0),
)
def test_runs_cover_the_film_without_gaps_and_none_is_too_long(gaps, target_s, factor):
    edges = list(itertools.accumulate(gaps))
    cfg = ClipConfig(target_s=target_s, max_s=target_s * factor, scene_s=None, chapter_s=None, whole=False)
    clips = list(cut_clips([made_view("v", edges[-1], edges[:-1])], cfg))
    assert clips[0].start_s == 0
    assert clips[-1].end_s == edges[-1]
    assert all(a.end_s == b.start_s for a, b in itertools.pairwise(clips))
    assert all(clip.duration_s <= cfg.max_s + 1e-6 for clip in clips)


@settings(deadline=None, max_examples=40)
@given(
    duration_s=st.floats(3.0, 58.0),
    cuts=st.lists(st.integers(5, 95).map(lambda share: share / 100), max_size=6, unique=True),
    budget=st.integers(4, 12),
)
def test_frames_are_in_order_inside_the_clip_and_within_the_budget(duration_s, cuts, budget):
    view = made_view("v", duration_s, sorted(cut * duration_s for cut in cuts))
    (clip,) = cut_clips([view], ClipConfig(max_keyframes=budget))
    for frames in (clip.keyframes, clip.timeline):
        times = [frame.time_s for frame in frames]
        assert times == sorted(set(times))
        assert all(clip.start_s <= time < clip.end_s for time in times)
    assert len(clip.keyframes) <= budget


@pytest.mark.parametrize("cuts", [[], [40.0, 80.0], [10.0, 20.0, 80.0, 100.0]])
@pytest.mark.parametrize("budget", [7, 16])
def test_frames_of_a_scene_with_too_many_for_the_budget_are_spread_over_it(cuts, budget):
    view = made_view("v", 120.0, cuts)
    cfg = ClipConfig(max_s=200, max_keyframes=budget)
    (clip,) = cut_clips([view], cfg)
    assert len(clip.keyframes) == budget
    shown = [
        [frame.time_s for frame in clip.keyframes if scene.start_s <= frame.time_s < scene.end_s]
        for scene in clip.scenes
    ]
    assert max(map(len, shown)) - min(map(len, shown)) <= 1
    for scene, times in zip(clip.scenes, shown, strict=True):
        within_s = (scene.end_s - scene.start_s) / len(times) + 2.0
        assert all(after - before <= within_s for before, after in itertools.pairwise(times))
        assert times[0] - scene.start_s <= within_s / 2 + 1.0
        assert scene.end_s - times[-1] <= within_s / 2 + 1.0


def test_number_of_timeline_frames_follows_from_the_duration_alone():
    for duration_s in (6.0, 13.0, 20.0, 55.0):
        counts = {
            len(made_clip(f"v{n}", duration_s, [duration_s * (i + 1) / (n + 1) for i in range(n)]).timeline)
            for n in range(6)
        }
        assert counts == {min(16, int(duration_s / 1.25))}


def test_spacing_of_timeline_frames_does_not_betray_a_cut():
    """Over 400 films, the gap that holds a cut is as often longer as shorter than one at a random instant."""
    rng = random.Random(0)
    longer = []
    for film in range(400):
        cut_s = rng.uniform(3.0, 17.0)
        times = [frame.time_s for frame in made_clip(f"film{film}", 20.0, [cut_s]).timeline]
        instant_s = rng.uniform(3.0, 17.0)
        gap, control = (
            next(b - a for a, b in itertools.pairwise(times) if a < time_s <= b)
            for time_s in (cut_s, instant_s)
        )
        longer.append((gap > control) + 0.5 * (gap == control))
    assert 0.42 < np.mean(longer) < 0.58


def test_every_scene_has_a_keyframe_before_any_has_two():
    clip = made_clip("v", 50.0, [4.0, 9.0, 30.0])
    (tight,) = cut_clips([made_view("v", 50.0, [4.0, 9.0, 30.0])], ClipConfig(max_keyframes=4))
    assert len(clip.keyframes) == 16
    for scene in tight.scenes:
        assert sum(scene.start_s <= frame.time_s < scene.end_s for frame in tight.keyframes) == 1


def test_scene_with_few_keyframes_is_filled_up_with_spread_candidates():
    view = made_view("v", 20.0)
    lone = view._replace(storyboard=view.storyboard.model_copy(update={"keyframes": view.candidates[:1]}))
    (clip,) = cut_clips([lone], ClipConfig(min_keyframes=3, max_keyframes=4))
    times = [frame.time_s for frame in clip.keyframes]
    assert len(times) == 3
    assert min(b - a for a, b in itertools.pairwise(times)) > 7


def test_film_with_many_runs_gives_no_more_than_the_limit():
    cfg = ClipConfig(max_segments=5, chapter_s=None, whole=False)
    clips = list(cut_clips([made_view("v", 1200.0)], cfg))
    assert len(clips) == 5
    assert clips[-1].start_s > 900
    assert sum(gap.end_s - gap.start_s for gap in uncovered(1200.0, spans_of(clips))) == 1050


def two_hours() -> VideoView:
    """Scenes of 2 to 90 seconds, over two hours."""
    rng = random.Random(3)
    cuts = itertools.accumulate(rng.uniform(2, 90) for _ in range(400))
    return made_view("film", 7200.0, list(itertools.takewhile(lambda at: at < 7196, cuts)))


def spans_of(clips: Iterable[Clip]) -> list[Span]:
    return [Span(start_s=clip.start_s, end_s=clip.end_s) for clip in clips]


def test_two_hour_film_has_clips_at_every_scale_and_no_second_is_left_out():
    clips = list(cut_clips([two_hours()], ClipConfig()))
    kinds = {kind: [clip for clip in clips if clip.kind is kind] for kind in ClipKind}
    assert len(kinds[ClipKind.WHOLE]) == 1
    assert 18 <= len(kinds[ClipKind.CHAPTER]) <= 30
    assert 180 <= len(kinds[ClipKind.SEGMENT]) <= 300
    assert kinds[ClipKind.SCENE]
    assert all(10 <= clip.duration_s <= 60 and len(clip.scenes) == 1 for clip in kinds[ClipKind.SCENE])
    assert not kinds[ClipKind.SHORT]
    assert uncovered(7200.0, spans_of(kinds[ClipKind.CHAPTER])) == ()
    finer = spans_of([*kinds[ClipKind.SCENE], *kinds[ClipKind.SEGMENT]])
    assert uncovered(7200.0, finer) == ()
    edges = {at for span in finer for at in (span.start_s, span.end_s)}
    assert {at for clip in kinds[ClipKind.CHAPTER] for at in (clip.start_s, clip.end_s)} <= edges
    assert len(set(spans_of(clips))) == len(clips)


def test_chapters_and_films_have_their_own_budget_of_frames():
    clips = list(cut_clips([two_hours()], ClipConfig(max_long_frames=512)))
    for clip in clips:
        is_long = clip.kind in (ClipKind.CHAPTER, ClipKind.WHOLE)
        assert len(clip.timeline) == min(512 if is_long else 16, int(clip.duration_s / 1.25))
    assert len(clips[-1].timeline) == len(clips[-1].keyframes) == 512
    gaps = np.diff([frame.time_s for frame in clips[-1].timeline])
    assert gaps.max() < 7200 / 512 + 2


@given(spans=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=6))
def test_uncovered_stretches_are_what_no_span_holds(spans):
    held = {second for start, length in spans for second in range(start, start + length)}
    gaps = uncovered(40, [Span(start_s=start, end_s=start + length) for start, length in spans])
    bare = [second for gap in gaps for second in range(int(gap.start_s), int(gap.end_s))]
    assert bare == [second for second in range(40) if second not in held]


def test_clip_id_changes_with_its_frames_and_only_then():
    view = made_view("v", 20.0, [7.0])
    moved = view.storyboard.scenes[1].model_copy(update={"cut_score": 9.0})
    same = view._replace(
        storyboard=view.storyboard.model_copy(update={"scenes": (view.storyboard.scenes[0], moved)})
    )
    fewer = view._replace(candidates=view.candidates[1:])
    ids = [next(cut_clips([each], ClipConfig())).clip_id for each in (view, same, fewer)]
    assert ids[0] == ids[1] != ids[2]


def test_motion_is_binned_without_the_jumps_at_cuts():
    view = made_view("v", 16.0, [8.0])
    motion = np.full_like(view.time_s, 2.0)
    motion[np.searchsorted(view.time_s, 8.0)] = 200.0
    (clip,) = cut_clips([view._replace(motion=motion)], ClipConfig())
    assert clip.motion.tolist() == [2.0] * 16


def test_unrest_is_that_of_a_missed_cut_and_not_of_steady_motion_or_of_found_cuts():
    view = made_view("v", 20.0, [8.0])
    steady = np.full_like(view.time_s, 12.0)
    for content, low, high in [(0.0, 0.0, 0.1), (12.0, 0.2, 0.3)]:
        steps = steady * 0 + content
        steps[np.searchsorted(view.time_s, 8.0)] = 60.0
        (clip,) = cut_clips([view._replace(content=steps)], ClipConfig())
        assert all(low <= unrest <= high for unrest in clip.unrest)
        steps[300] = 60.0
        (clip,) = cut_clips([view._replace(content=steps)], ClipConfig())
        assert clip.unrest[0] < 0.5 < 1 < clip.unrest[1]


def test_jump_of_the_histogram_is_unrest():
    view = made_view("v", 20.0)
    jump = np.zeros_like(view.time_s)
    jump[200] = 0.3
    (clip,) = cut_clips([view._replace(histogram=jump)], ClipConfig())
    assert clip.unrest.tolist() == pytest.approx([1.5])


def test_stretch_without_frames_gives_no_clip():
    assert list(cut_clips([made_view("v", 20.0)._replace(candidates=())], ClipConfig())) == []


@pytest.mark.parametrize(
    "wrong", [{"target_s": 90.0}, {"chapter_s": 20.0}, {"min_keyframes": 20}, {"max_timeline": 1}]
)
def test_config_that_contradicts_itself_is_refused(wrong):
    with pytest.raises(ValidationError):
        ClipConfig(**wrong)
