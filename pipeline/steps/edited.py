"""Clips -> questions about frames that are edited, with the frames: the step that edits, for one part."""

from collections.abc import Iterator

from reelproof.pipeline.parts.part import PartRun
from reelproof.pipeline.parts.step import PartStep
from reelproof.pipeline.steps.footage import CLIPS, FOOTAGE
from reelproof.schemas.edited import EditedQuestion
from reelproof.schemas.footage import Clip
from reelproof.stages.questions import edited
from reelproof.stages.questions.edited import EditedConfig, edited_questions


def edit_frames(run: PartRun, cfg: EditedConfig) -> Iterator[EditedQuestion]:
    """Questions about edited frames, with the files that they show."""
    cut = list(run.read("clips", Clip))
    frames = run.frames({frame.sha256 for clip in cut for frame in clip.timeline})
    yield from edited_questions(cut, frames, cfg)


EDITED = PartStep(
    name="edited",
    version=edited.VERSION,
    run=edit_frames,
    sections=("questions.edited",),
    makes=EditedQuestion,
    after=(FOOTAGE, CLIPS),
    heavy=True,
    rows_at_once=64,
)
