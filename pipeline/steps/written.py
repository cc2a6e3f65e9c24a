"""Clips -> what is written in their frames: the step that reads, for one part."""

from collections.abc import Iterator

from reelproof.pipeline.parts.part import PartRun
from reelproof.pipeline.parts.step import PartStep
from reelproof.pipeline.steps.footage import CLIPS, FOOTAGE
from reelproof.schemas.footage import Clip
from reelproof.schemas.written import FrameText
from reelproof.stages.written import read
from reelproof.stages.written.read import WrittenConfig, frames_to_read, read_frames


def read_text(run: PartRun, cfg: WrittenConfig) -> Iterator[FrameText]:
    """Read each frame of the clips once."""
    from reelproof.stages.written.rapid import RapidReader

    cut = list(run.read("clips", Clip))
    frames = run.frames({frame.sha256 for frame in frames_to_read(cut, cfg)})
    yield from read_frames(cut, frames, RapidReader(), cfg)


TEXT = PartStep(
    name="text",
    version=read.VERSION,
    run=read_text,
    sections=("text",),
    makes=FrameText,
    after=(FOOTAGE, CLIPS),
    extra="ocr",
    heavy=True,
)
