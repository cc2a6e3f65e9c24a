"""Footage and clips -> what each clip looks like as a picture: the step, for one part."""

from collections.abc import Iterator

from reelproof.pipeline.parts.part import PartRun
from reelproof.pipeline.parts.step import PartStep
from reelproof.pipeline.steps.footage import CLIPS, FOOTAGE
from reelproof.schemas.clip_quality import ClipQuality
from reelproof.schemas.footage import Clip
from reelproof.stages.footage import clip_quality
from reelproof.stages.footage.clip_quality import Motion, measure_clips


def measure_quality(run: PartRun) -> Iterator[ClipQuality]:
    """Measure each clip by frames and signals that the footage holds."""
    cut = list(run.read("clips", Clip))
    motions = {
        each.video.video_id: Motion(each.signals.time_s, each.signals.motion) for each in run.footage()
    }
    frames = run.frames({frame.sha256 for clip in cut for frame in clip.keyframes})
    return measure_clips(cut, motions, frames)


CLIP_QUALITY = PartStep(
    name="clip_quality",
    version=clip_quality.VERSION,
    run=measure_quality,
    makes=ClipQuality,
    after=(FOOTAGE, CLIPS),
    heavy=True,
)
