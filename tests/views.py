"""Made-up frames, scenes, clips and questions, for tests that need no pictures."""

import hashlib
import itertools
import random
from collections.abc import Sequence

import numpy as np

from reelproof.schemas.footage import Clip, CutKind, FrameRef, Scene, Storyboard
from reelproof.stages.footage.clips import ClipConfig, VideoView, cut_clips


def made_frame(video_id: str, time_s: float, width: int = 512, height: int = 288) -> FrameRef:
    """A frame whose hashes follow from its video and its time."""
    digest = hashlib.sha256(f"{video_id}@{time_s}".encode()).hexdigest()
    return FrameRef(
        sha256=digest, video_id=video_id, time_s=time_s, width=width, height=height, phash=digest[:16]
    )


def made_candidates(
    video_id: str, duration_s: float, cuts_s: Sequence[float] = (), width: int = 512, height: int = 288
) -> tuple[FrameRef, ...]:
    """One frame somewhere in each window; windows last a second and start anew at cuts, as in footage."""
    rng = random.Random(video_id)
    starts_s, next_cuts = [0.0], sorted(cuts_s)
    while starts_s[-1] + 1.0 < duration_s or next_cuts:
        if next_cuts and next_cuts[0] <= starts_s[-1] + 1.0:
            starts_s.append(next_cuts.pop(0))
        else:
            starts_s.append(starts_s[-1] + 1.0)
    ends_s = [*starts_s[1:], duration_s]
    times = [round(rng.uniform(a, b - 0.02), 3) for a, b in zip(starts_s, ends_s, strict=True)]
    return tuple(made_frame(video_id, time_s, width, height) for time_s in times)


def made_view(
    video_id: str,
    duration_s: float,
    cuts_s: Sequence[float] = (),
    *,
    cut_score: float = 3.0,
    width: int = 512,
    height: int = 288,
) -> VideoView:
    """A video with cuts at the given times, keyframes at every candidate, and motion that grows with time."""
    candidates = made_candidates(video_id, duration_s, cuts_s, width, height)
    edges = [0.0, *cuts_s, duration_s]
    scenes = tuple(
        Scene(
            scene_id=f"{video_id}/{i:04d}",
            video_id=video_id,
            start_s=start_s,
            end_s=end_s,
            cut_kind=CutKind.CUT if i else CutKind.START,
            cut_score=cut_score if i else 0.0,
        )
        for i, (start_s, end_s) in enumerate(itertools.pairwise(edges))
    )
    storyboard = Storyboard(video_id=video_id, scenes=scenes, keyframes=candidates)
    time_s = np.arange(0, duration_s, 0.04, dtype=np.float32)
    calm = np.zeros_like(time_s)
    return VideoView(storyboard, duration_s, candidates, time_s, time_s / np.float32(duration_s), calm, calm)


def as_scenes_look(clip: Clip) -> Clip:
    """The clip with perceptual hashes as footage has them: a scene's frames differ from each other in two
    bits at most, those of two scenes or films in about half of all.
    """

    def seen(frame: FrameRef) -> FrameRef:
        scene = sum(each.start_s <= frame.time_s for each in clip.scenes)
        look = int(hashlib.sha256(f"{clip.video_id}/{scene}".encode()).hexdigest()[:16], 16)
        moved = look ^ (1 << int(frame.phash, 16) % 64)
        return frame.model_copy(update={"phash": f"{moved:016x}"})

    return clip.model_copy(update={"timeline": tuple(map(seen, clip.timeline))})


def made_clip(video_id: str, duration_s: float = 20.0, cuts_s: Sequence[float] = (), **how: float) -> Clip:
    """The one clip of a short made-up film."""
    view = made_view(video_id, duration_s, cuts_s, **how)
    (clip,) = cut_clips([view], ClipConfig())
    return clip
