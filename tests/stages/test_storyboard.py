import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelproof.schemas.footage import CutKind, Footage, FrameRef, FrameSignals, Keyframe, Video, hash_distance
from reelproof.stages.footage.cuts import find_transitions
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.scan import FootageConfig, scan_footage
from reelproof.stages.footage.storyboard import StoryboardConfig, cut_scenes
from tests.films import Shot, make_film

CFG = StoryboardConfig()
MANY_FRAMES = 60_000
VIDEO = Video(
    video_id="v", name="v.mp4", size_bytes=1, duration_s=1, width=160, height=90, fps=25, codec="h264"
)
GREY = st.integers(0, 255)


def footage_of(greys: list[int], textures: list[int], candidate_every: int = 8) -> Footage:
    """Footage whose frames are noise of a given texture about a given grey, 25 a second; (T,) each."""
    frames = []
    for grey, texture in zip(greys, textures, strict=True):
        noise = np.random.default_rng(texture).normal(0, 30 if texture else 0, (9, 16))
        frames.append(np.clip(grey + noise, 0, 255).astype(np.uint8))
    stack = np.stack(frames).astype(np.float32)
    change = np.concatenate([[0], np.abs(np.diff(stack, axis=0)).mean(axis=(1, 2))])
    times_s = np.round(np.arange(len(frames)) / 25, 3)
    signals = FrameSignals(
        time_s=times_s,
        content=change,
        histogram=change / 255,
        luminance=stack.mean(axis=(1, 2)),
        contrast=stack.std(axis=(1, 2)),
        sharpness=np.ones(len(frames)),
        motion=change,
        signature=stack.astype(np.uint8).tobytes(),
    )
    candidates = tuple(
        Keyframe(
            frame=FrameRef(
                sha256=str(index),
                video_id="v",
                time_s=float(times_s[index]),
                width=160,
                height=90,
                phash=f"{index * 0x9E3779B97F4A7C15 % 2**64:016x}",
            ),
            sharpness=index * 7 % 5,
            luminance=float(stack[index].mean()),
            jpeg=b"",
        )
        for index in range(0, len(frames), candidate_every)
    )
    return Footage(
        video=VIDEO,
        duration_s=len(frames) / 25,
        frame_count=len(frames),
        signals=signals,
        candidates=candidates,
    )


@given(runs=st.lists(st.tuples(GREY, st.integers(0, 4), st.integers(1, 40)), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_scenes_cover_the_video_without_gaps(runs):
    greys = [grey for grey, _, length in runs for _ in range(length)]
    textures = [texture for _, texture, length in runs for _ in range(length)]
    footage = footage_of(greys, textures)
    (board,) = cut_scenes([footage], CFG)
    assert board.scenes[0].start_s == 0
    assert board.scenes[-1].end_s == footage.duration_s
    assert all(a.end_s == b.start_s for a, b in zip(board.scenes, board.scenes[1:], strict=False))
    assert all(scene.end_s - scene.start_s >= CFG.min_scene_s for scene in board.scenes[1:-1])
    for scene in board.scenes:
        assert any(scene.start_s <= frame.time_s < scene.end_s for frame in board.keyframes)
    known = [each.frame for each in footage.candidates]
    assert all(frame in known for frame in board.keyframes)
    assert [frame.time_s for frame in board.keyframes] == sorted({frame.time_s for frame in board.keyframes})


FILMS = {
    "two cuts": ([Shot(1, 1.5), Shot(2, 1.5), Shot(3, 1.5)], [(1.5, CutKind.CUT), (3.0, CutKind.CUT)]),
    "one shot": ([Shot(1, 3.0)], []),
    "cross-fade": ([Shot(1, 2.0), Shot(2, 3.0, fade="dissolve")], [(2.5, CutKind.DISSOLVE)]),
    "fade through black": ([Shot(1, 2.0), Shot(2, 3.0, fade="black")], [(2.5, CutKind.FADE)]),
    "flash": ([Shot(1, 1.6), Shot(2, 0.08), Shot(1, 1.6, start_px=42)], []),
    "same picture again": (
        [Shot(1, 1.5), Shot(2, 1.5), Shot(1, 1.5)],
        [(1.5, CutKind.CUT), (3.0, CutKind.CUT)],
    ),
}


@pytest.mark.parametrize("exact", [False, True], ids=["skipping", "exact"])
@pytest.mark.parametrize("name", FILMS)
def test_film_is_cut_where_it_was_joined(name, exact, tmp_path):
    shots, joints = FILMS[name]
    path = make_film(tmp_path / "film.mp4", shots)
    (footage,) = scan_footage([LocalVideo(str(path), "v", "film.mp4", 1)], FootageConfig(exact=exact))
    (board,) = cut_scenes([footage], CFG)
    found = [(scene.start_s, scene.cut_kind) for scene in board.scenes[1:]]
    assert [kind for _, kind in found] == [kind for _, kind in joints]
    for (at_s, kind), (joint_s, _) in zip(found, joints, strict=True):
        assert abs(at_s - joint_s) <= (0.081 if kind is CutKind.CUT else 0.5)


def test_higher_threshold_needs_no_decode_and_finds_less():
    footage = footage_of([60] * 25 + [90] * 25 + [200] * 25, [1] * 25 + [2] * 25 + [3] * 25)
    counts = []
    for content in (15, 40, 255):
        cfg = StoryboardConfig(adaptive_content=content, histogram_change=2)
        counts.append(len(next(cut_scenes([footage], cfg)).scenes))
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == 3
    assert counts[-1] == 1


def test_keyframes_keep_within_their_number():
    footage = footage_of([100] * 500, [1] * 500)
    for limit in (1, 3, 8):
        cfg = StoryboardConfig(max_keyframes=limit, keyframe_every_s=1.0, duplicate_bits=0)
        assert len(next(cut_scenes([footage], cfg)).keyframes) == limit


def test_the_sharpest_frame_stands_for_each_stretch_and_the_earliest_of_equals():
    footage = footage_of([100] * 200, [1] * 200)
    cfg = StoryboardConfig(keyframe_every_s=2.0, duplicate_bits=0)
    (board,) = cut_scenes([footage], cfg)
    for frame, (start_s, end_s) in zip(board.keyframes, [(0, 2), (2, 4), (4, 6), (6, 8)], strict=True):
        inside = [each for each in footage.candidates if start_s <= each.frame.time_s < end_s]
        sharpest = max(each.sharpness for each in inside)
        assert frame == next(each.frame for each in inside if each.sharpness == sharpest)
    # Where all that stand for a stretch are dark, so is the keyframe; else none is.
    dark = [
        each.model_copy(update={"luminance": 10.0, "sharpness": 9.0} if place % 2 else {})
        for place, each in enumerate(footage.candidates)
    ]
    (board,) = cut_scenes([footage.model_copy(update={"candidates": tuple(dark)})], cfg)
    lit = {each.frame for each in dark if each.luminance > 24}
    assert len(board.keyframes) == 4
    assert set(board.keyframes) <= lit


def test_of_two_cuts_too_near_the_stronger_stays():
    footage = footage_of([60] * 50 + [100] * 5 + [240] * 50, [1] * 50 + [2] * 5 + [3] * 50, 1)
    for min_scene_s, starts_s in ((0.1, [0.0, 2.0, 2.2]), (0.5, [0.0, 2.2])):
        cfg = StoryboardConfig(adaptive_content=15, histogram_change=2, min_scene_s=min_scene_s)
        (board,) = cut_scenes([footage], cfg)
        assert [scene.start_s for scene in board.scenes] == starts_s


@pytest.mark.parametrize("held", [slice(0, 25), slice(25, None)])
def test_a_cut_that_leaves_a_scene_without_a_frame_is_passed_over(held):
    footage = footage_of([60] * 25 + [200] * 25, [1] * 25 + [2] * 25, candidate_every=1)
    cfg = StoryboardConfig(adaptive_content=15, histogram_change=2)
    assert len(next(cut_scenes([footage], cfg)).scenes) == 2
    few = footage.model_copy(update={"candidates": footage.candidates[held]})
    (board,) = cut_scenes([few], cfg)
    assert [(scene.start_s, scene.end_s) for scene in board.scenes] == [(0.0, 2.0)]
    assert board.keyframes


@pytest.mark.parametrize(("phash", "kept"), [("0" * 14 + "3f", 1), ("0" * 14 + "7f", 2)])
def test_frames_of_a_scene_are_duplicates_up_to_six_bits(phash, kept):
    footage = footage_of([100] * 200, [1] * 200, candidate_every=100)
    hashes = ("0" * 16, phash)
    candidates = [
        each.model_copy(update={"frame": each.frame.model_copy(update={"phash": its})})
        for each, its in zip(footage.candidates, hashes, strict=True)
    ]
    (board,) = cut_scenes([footage.model_copy(update={"candidates": tuple(candidates)})], CFG)
    assert len(board.keyframes) == kept


def test_duplicates_are_not_kept():
    footage = footage_of([100] * 200, [1] * 200)
    alike = footage.model_copy(
        update={
            "candidates": tuple(
                each.model_copy(update={"frame": each.frame.model_copy(update={"phash": "f" * 16})})
                for each in footage.candidates
            )
        }
    )
    cfg = StoryboardConfig(keyframe_every_s=1.0)
    assert len(next(cut_scenes([alike], cfg)).keyframes) == 1
    assert len(next(cut_scenes([footage], cfg)).keyframes) == 8


@pytest.mark.parametrize(
    ("a", "b", "bits"), [("0" * 16, "0" * 16, 0), ("0" * 16, "f" * 16, 64), ("0" * 15 + "5", "0" * 16, 2)]
)
def test_hash_distance_counts_bits(a, b, bits):
    frame = footage_of([0], [0]).candidates[0].frame
    assert hash_distance(frame.model_copy(update={"phash": a}), frame.model_copy(update={"phash": b})) == bits


def test_memory_does_not_grow_by_pictures_as_a_film_has_more_frames():
    """A thumbnail as floats is 576 bytes, and comparing all of a film at once would hold several of each."""
    frames = np.arange(MANY_FRAMES)
    still = np.zeros(MANY_FRAMES)
    picture = np.random.default_rng(1).integers(0, 255, 144, np.uint8)
    cuts = np.where(frames % 500 == 0, 80.0, 0.0)
    series = {"content": cuts, "histogram": cuts / 80, "luminance": still + 99, "contrast": still + 40}
    turned = np.where((frames // 500 % 2)[:, None], picture, 255 - picture)
    signals = FrameSignals(
        time_s=frames / 25,
        sharpness=still,
        motion=still,
        signature=turned.astype(np.uint8).tobytes(),
        **series,
    )
    tracemalloc.start()
    try:
        found = find_transitions(signals, CFG)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found) == MANY_FRAMES // 500 - 1
    assert peak < 576 * MANY_FRAMES / 2
