import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.stages.splits import assign_splits

names = st.sets(st.sampled_from("abcdefghijklmnop"), min_size=1)


@given(videos=names, more=names, share=st.floats(0, 1), seed=st.integers(0, 3))
def test_splits_stay_when_videos_come(videos, more, share, seed):
    before = assign_splits(videos, {}, share, seed)
    after = assign_splits(videos | more, {}, share, seed)
    assert before == {video: after[video] for video in before}


@given(
    videos=names,
    share=st.floats(0, 1),
    grouping=st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("XY")),
)
def test_near_duplicates_never_fall_on_both_sides(videos, share, grouping):
    splits = assign_splits(videos, grouping, share, seed=0, given={"a": "test", "b": "train"})
    for group in "XY":
        assert len({splits[video] for video in videos if grouping.get(video) == group}) <= 1


def test_given_test_split_takes_its_group_along():
    splits = assign_splits("abc", {"a": "g", "b": "g"}, 0.0, 0, given={"a": "test", "b": "train"})
    assert splits == {"a": "test", "b": "test", "c": "train"}


def test_test_share_is_about_what_was_asked_for():
    splits = assign_splits((str(i) for i in range(4000)), {}, 0.1, 7)
    assert 0.08 < sum(split == "test" for split in splits.values()) / 4000 < 0.12


def test_unknown_split_is_refused():
    with pytest.raises(ValueError, match="got val; expected train or test"):
        assign_splits("a", {}, 0.1, 0, given={"a": "val"})
