"""Parts: every video in one, old parts never changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.pipeline.parts.plan import PartsConfig, Plan, SizedVideo, extend_plan

videos = st.lists(
    st.builds(
        SizedVideo,
        video_id=st.text("0123456789abcdef", min_size=4, max_size=8),
        size_bytes=st.integers(0, 90_000_000),
    ),
    max_size=30,
    unique_by=lambda video: video.video_id,
)
configs = st.builds(
    PartsConfig, videos=st.integers(1, 8), megabytes=st.integers(1, 200), at_least=st.integers(1, 40)
)


@given(first=videos, second=videos, cfg=configs, other=configs)
def test_plan_grows_without_changing_what_it_holds(first, second, cfg, other):
    plan = extend_plan(Plan(), first, cfg)
    grown = extend_plan(plan, [*first, *second], other)
    assert grown.parts[: len(plan.parts)] == plan.parts
    held = [video_id for part in grown.parts for video_id in part.video_ids]
    assert sorted(held) == sorted({video.video_id for video in [*first, *second]})
    assert [part.number for part in grown.parts] == list(range(len(grown.parts)))


@given(given_videos=videos, cfg=configs)
def test_plan_does_not_depend_on_the_order_of_the_sources(given_videos, cfg):
    assert extend_plan(Plan(), given_videos, cfg) == extend_plan(Plan(), given_videos[::-1], cfg)


@given(given_videos=videos, cfg=configs)
def test_part_closes_at_its_limits(given_videos, cfg):
    sizes = {video.video_id: video.size_bytes for video in given_videos}
    for part in extend_plan(Plan(), given_videos, cfg).parts:
        assert len(part.video_ids) <= cfg.videos
        assert sum(sizes[video_id] for video_id in part.video_ids[:-1]) < cfg.megabytes * 1_000_000


@pytest.mark.parametrize(
    ("videos", "parts"), [(1, 1), (2, 1), (4, 2), (5, 3), (31, 16), (32, 16), (33, 17), (128, 16), (400, 50)]
)
def test_few_videos_make_enough_parts_for_many_workers(videos, parts):
    every = [SizedVideo(video_id=f"{number:03}", size_bytes=1) for number in range(videos)]
    assert len(extend_plan(Plan(), every, PartsConfig()).parts) == parts


def test_quarantined_video_is_tried_again_in_a_later_part_that_counts():
    both = [SizedVideo(video_id=name, size_bytes=1) for name in "ab"]
    plan = extend_plan(Plan(), both, PartsConfig())
    again = extend_plan(plan, both, PartsConfig(), again=["b"])
    assert again.parts[0] == plan.parts[0]
    assert again.owner() == {"a": 0, "b": 1}
