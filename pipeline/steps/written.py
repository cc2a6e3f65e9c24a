"""Clips -> what is written in their frames: the step that reads, for one part."""

from collections.abc import Iterable, Iterator

from reelproof.pipeline.parts.part import PartRun
from reelproof.pipeline.parts.step import PartStep
from reelproof.pipeline.steps.edited import EDITED
from reelproof.pipeline.steps.footage import CLIPS, FOOTAGE
from reelproof.pipeline.teachers.readers import open_reader
from reelproof.schemas.edited import EditedQuestion
from reelproof.schemas.footage import Clip, FrameRef
from reelproof.schemas.written import FrameText
from reelproof.stages.written import read
from reelproof.stages.written.read import WrittenConfig, frames_to_read, read_frames


def read_text(run: PartRun, cfg: WrittenConfig) -> Iterator[FrameText]:
    """Read each frame of the clips once, and of the questions over whose frames words were written."""
    wanted = frames_to_read(run.read("clips", Clip), cfg)
    wanted += _written_over(run.read_made(EDITED.name, EditedQuestion))
    frames = run.frames({frame.sha256 for frame in wanted})
    yield from read_frames(wanted, frames, open_reader())


def _written_over(questions: Iterable[EditedQuestion]) -> list[FrameRef]:
    shown = (each.frame for one in questions if one.is_written_over for each in one.question.frames)
    return list({frame.sha256: frame for frame in shown}.values())


TEXT = PartStep(
    name="text",
    version=read.VERSION,
    run=read_text,
    sections=("text",),
    makes=FrameText,
    after=(FOOTAGE, CLIPS),
    also=(EDITED,),
    extra="ocr",
    heavy=True,
)
