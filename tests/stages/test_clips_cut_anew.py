"""Cut by settings that nobody thought of at the decode, clips find their frames among the candidates."""

import itertools

import numpy as np
import pytest

from reelproof.schemas.footage import Footage
from reelproof.stages.footage.clips import ClipConfig, VideoView, cut_clips
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.scan import FootageConfig, scan_footage
from reelproof.stages.footage.storyboard import StoryboardConfig, cut_scenes
from tests.films import FOOTAGE

BOARDS = (
    StoryboardConfig(),
    StoryboardConfig(adaptive_ratio=1.5, histogram_change=0.1),
    StoryboardConfig(adaptive_ratio=4, min_scene_s=2),
)
CLIPS = (
    ClipConfig(),
    ClipConfig(target_s=8, max_s=15, scene_s=3, chapter_s=20),
    ClipConfig(target_s=15, max_s=20, scene_s=5, chapter_s=None),
)


@pytest.mark.real
@pytest.mark.parametrize("name", ["bikes.mp4", "bigbuckbunny.mp4"])
def test_clips_cut_anew_hold_all_their_frames_near_their_places(name):
    path = FOOTAGE / name
    if not path.exists():
        pytest.skip(f"no {name} in {FOOTAGE}")
    (footage,) = scan_footage([LocalVideo(str(path), "v", name, path.stat().st_size)], FootageConfig())
    assert isinstance(footage, Footage)
    seen = 0
    for board_cfg, cfg in itertools.product(BOARDS, CLIPS):
        (board,) = cut_scenes([footage], board_cfg)
        for clip in cut_clips([VideoView.of(footage, board)], cfg):
            count = min(cfg.max_timeline, max(1, int(clip.duration_s / cfg.timeline_every_s)))
            assert len(clip.timeline) == count
            places = clip.start_s + clip.duration_s * (np.arange(count) + 0.5) / count
            assert np.abs(np.asarray([each.time_s for each in clip.timeline]) - places).max() < 1.25
            seen += 1
    assert seen >= 9
