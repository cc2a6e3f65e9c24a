import itertools
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reelproof.stages.duplicates import semantic
from reelproof.stages.duplicates.semantic import (
    NEAR,
    Embedded,
    alike_clips,
    alike_videos,
    compare_clips,
    merged,
    nearest_clips,
)


def embedded(vectors, films=None, spans=None, base=None) -> Embedded:
    count = len(vectors)
    spans = spans or [(0.0, 10.0)] * count
    clips = pl.DataFrame(
        {
            "clip_id": [f"c{place:04d}" for place in range(count)],
            "video_id": films or [f"v{place:04d}" for place in range(count)],
            "start_s": [float(start) for start, _ in spans],
            "end_s": [float(end) for _, end in spans],
            "is_base": base or [True] * count,
        }
    )
    return Embedded(unit(np.asarray(vectors, np.float32)), clips)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def at_cosine(vector: np.ndarray, cosine: float, rng: np.random.Generator) -> np.ndarray:
    away = rng.standard_normal(vector.shape).astype(np.float32)
    away = unit(away - (away @ vector) * vector)
    return cosine * vector + np.sqrt(1 - cosine**2) * away


def by_hand(given: Embedded, least: float):
    """Every pair of clips, looked at."""
    rows = given.clips.rows(named=True)
    cosines = given.vectors @ given.vectors.T
    nearest, alike = [(-1, -1.0)] * len(rows), set()
    for one, other in itertools.combinations(range(len(rows)), 2):
        a, b = rows[one], rows[other]
        if a["video_id"] == b["video_id"] and a["start_s"] < b["end_s"] and b["start_s"] < a["end_s"]:
            continue
        if cosines[one, other] >= NEAR and cosines[one, other] > nearest[other][1]:
            nearest[other] = (one, float(cosines[one, other]))
        if cosines[one, other] >= least:
            alike.add((one, other))
    return nearest, alike


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_near_clips_are_those_that_looking_at_every_pair_finds(shift):
    """Also where all vectors have a direction in common, as those of networks do."""
    rng = np.random.default_rng(7)
    firsts = unit(rng.standard_normal((60, 64)).astype(np.float32) + shift / 8)
    near = [at_cosine(each, cosine, rng) for each in firsts for cosine in (0.95, 0.85)]
    given = embedded([*firsts, *near])
    found = compare_clips(given, 0.8)
    nearest, alike = by_hand(given, 0.8)
    assert set(map(tuple, found.alike.tolist())) == alike
    assert found.nearest.tolist() == [place for place, _ in nearest]
    assert found.cosine == pytest.approx([cosine for _, cosine in nearest], abs=1e-5)


def test_of_many_clips_nearly_all_that_are_near_are_found_with_few_comparisons(monkeypatch):
    rng = np.random.default_rng(8)
    firsts = unit(rng.standard_normal((3000, 48)).astype(np.float32))
    given = embedded([*firsts, *(at_cosine(each, 0.9, rng) for each in firsts[:300])])
    looked: list[int] = []
    apart = semantic._apart

    def counted(pairs, clips):
        looked.append(len(pairs))
        return apart(pairs, clips)

    monkeypatch.setattr(semantic, "_apart", counted)
    found = compare_clips(given, 0.85)
    assert (found.nearest[3000:] == np.arange(300)).mean() > 0.97
    assert looked[0] < 20 * len(given.clips)  # of 1,650 for each, were every pair looked at


def test_overlapping_clips_of_a_film_are_not_compared_and_its_other_stretches_are():
    same = [[1, 0, 0, 0]] * 3
    given = embedded(same, ["a"] * 3, [(0, 10), (10, 20), (0, 20)])
    found = compare_clips(given, 0.9)
    assert found.alike.tolist() == [[0, 1]]
    told = nearest_clips(given.clips, found)
    assert told["nearest_clip"].to_list() == [None, "c0000", None]
    assert told["nearest_cosine"].to_list() == [None, 1.0, None]


def test_the_nearest_is_an_earlier_clip_and_none_beyond_what_can_be_told():
    given = embedded([[1, 0, 0], [0.6, 0.8, 0], [0.99, 0.1, 0]])
    told = nearest_clips(given.clips, compare_clips(given, 0.9))
    assert told["nearest_clip"].to_list() == [None, None, "c0000"]
    assert compare_clips(embedded(np.zeros((0, 0))), 0.9).alike.shape == (0, 2)


def test_videos_go_together_where_one_holds_the_other_and_not_by_clips_that_overlap_theirs():
    rng = np.random.default_rng(9)
    one, two, three, four = unit(rng.standard_normal((4, 32)))
    films = ["long"] * 4 + ["part", "other", "other", "alone"]
    vectors = [one, two, three, one + two + three, two, three, four, one + two + three]
    spans = [(0, 10), (10, 20), (20, 30), (0, 30), (0, 10), (0, 10), (10, 30), (0, 30)]
    base = [True, True, True, False, True, True, True, True]
    given = embedded(vectors, films, spans, base)
    likeness = compare_clips(given, 0.9)
    assert alike_clips(given.clips, likeness)["owner"].len() == 6
    held = dict(alike_videos(given.clips, likeness, 0.6).iter_rows())
    assert held == {"long": "long", "part": "long"}
    assert set(alike_videos(given.clips, likeness, 0.5)["owner"]) == {"long", "part", "other"}


def test_groups_that_share_one_are_one():
    hashes = pl.DataFrame({"owner": ["a", "b", "x", "y"], "group": ["a", "a", "x", "x"]})
    vectors = pl.DataFrame({"owner": ["b", "x", "p", "q"], "group": ["b", "b", "p", "p"]})
    assert dict(merged([hashes, vectors]).iter_rows()) == {
        **dict.fromkeys("abxy", "a"), **dict.fromkeys("pq", "p")
    }  # fmt: skip
    empty = hashes.clear()
    assert merged([hashes, empty]).equals(hashes)
    assert len(merged([empty, empty])) == 0


def test_vectors_may_lie_in_a_file(tmp_path: Path):
    rng = np.random.default_rng(10)
    vectors = unit(rng.standard_normal((40, 16))).astype(np.float16)
    vectors.tofile(tmp_path / "vectors")
    given = embedded(vectors)
    on_disk = given._replace(vectors=np.memmap(tmp_path / "vectors", np.float16, "r").reshape(40, 16))
    held, mapped = (compare_clips(each, 0.7) for each in (given._replace(vectors=vectors), on_disk))
    assert all(np.array_equal(one, other) for one, other in zip(held, mapped, strict=True))
