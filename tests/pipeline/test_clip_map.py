import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.pipeline.report.clip_map import MOST, clip_map, principal_places, thinned


@given(seed=st.integers(0, 10**6), count=st.integers(3, 30), width=st.integers(2, 40))
def test_places_are_principal_components(seed, count, width):
    vectors = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    places = principal_places(vectors)
    assert np.abs(places) == pytest.approx(np.abs(left[:, :2] * values[:2]), abs=1e-4)
    assert places[np.abs(places).argmax(axis=0), [0, 1]].min() >= -1e-9  # always the same way round


def test_what_is_alike_lies_together_and_says_what_came_of_it():
    rng = np.random.default_rng(1)
    ways = {"a": np.eye(8)[0], "b": np.eye(8)[3], "c": np.eye(8)[5]}
    vectors = {
        f"{name}{turn}": way + rng.normal(0, 0.02, 8) for name, way in ways.items() for turn in range(4)
    }
    points = clip_map(vectors, kept={"a0", "b1"}, rejected={"a0", "c2"})
    assert [each.clip_id for each in points] == list(vectors)
    looks = {each.clip_id: each.look for each in points}
    assert (looks["a0"], looks["b1"], looks["c2"], looks["c3"]) == ("kept", "kept", "rejected", "unasked")
    at = {each.clip_id: np.array([each.across, each.down]) for each in points}
    assert min(min(each) for each in at.values()) == 0
    assert max(max(each) for each in at.values()) == 1
    for one in at:
        for other in at:
            if one < other:
                assert (np.linalg.norm(at[one] - at[other]) < 0.3) == (one[0] == other[0])


def test_few_clips_and_those_that_are_all_the_same_have_no_map():
    assert clip_map({"a": np.ones(3), "b": np.zeros(3)}, (), ()) == []
    assert clip_map({name: np.ones(3) for name in "abcd"}, (), ()) == []


@given(count=st.integers(0, 5 * MOST))
def test_a_map_has_room_for_so_many_points_evenly(count):
    places = thinned([str(each) for each in range(count)])
    assert len(places) == min(count, MOST)
    assert len(set(places)) == len(places)
    gaps = np.diff([*places, count])
    assert not len(gaps) or gaps.max() - gaps.min() <= 1
