"""Clips -> questions whose frames the pipeline edited, with all their frames encoded anew.

In the manner of VideoSSR (arXiv 2511.06281). Blur and noise are not among the edits: how large a JPEG is, and
how noisy, would answer such a question. What is done here leaves both as they were, or does as much to every
frame.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from pydantic import Field, field_validator

from reelproof.schemas.edited import PLAIN, EditedQuestion, EncodedFrame
from reelproof.schemas.footage import Clip
from reelproof.schemas.question import ShownFrame
from reelproof.stages.footage.crops import Pictures
from reelproof.stages.footage.edits import encode, looks, shrunk
from reelproof.stages.questions.edit_bench import Bench, EditConfig, EditDraft, Shot
from reelproof.stages.questions.edited_kinds import EDIT_MAKERS
from reelproof.stages.questions.maker import Draft, draws, question_of

VERSION = 1

_FEWEST = 6
"""Frames of a timeline that is asked about."""


class EditedConfig(EditConfig):
    """Which questions are asked about edited frames, and how often."""

    kinds: tuple[str, ...] = tuple(EDIT_MAKERS)
    """Each is asked of every clip that allows it."""
    repeats: int = Field(default=1, ge=1, le=64)
    """So often is each asked of a clip, drawn anew."""

    @field_validator("kinds")
    @classmethod
    def _are_known(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [kind for kind in kinds if kind not in EDIT_MAKERS]:
            raise ValueError(
                f"there is no kind {', '.join(unknown)}; it may be one of: {', '.join(EDIT_MAKERS)}"
            )
        return kinds


def edited_questions(
    part: Sequence[Clip], frames: Mapping[str, bytes], cfg: EditedConfig
) -> Iterator[EditedQuestion]:
    """The questions of each clip in turn, a kind's together; each file comes with the first that shows it.

    Args:
        part: Clips; those with damage, or whose timeline is short or of several sizes, are asked nothing.
        frames: sha256 -> JPEG bytes of the frames of their timelines.
        cfg: Which kinds, how often, how hard.
    """
    stored: set[str] = set()
    for clip in part:
        if clip.damaged_share or not _is_fit(clip):
            continue
        pictures = Pictures(frames, held=1)
        images = [shrunk(pictures.image(each.sha256)) for each in clip.timeline]
        encoder = _Encoder(cfg.jpeg_quality)
        asked: set[str] = set()
        for kind, draft in _drafts(clip, images, cfg):
            question = _question(clip, kind, draft, encoder, stored)
            if question.question.question_id not in asked:
                asked.add(question.question.question_id)
                stored.update(each.frame.sha256 for each in question.frames)
                yield question


def _is_fit(clip: Clip) -> bool:
    return len(clip.timeline) >= _FEWEST and len({(each.width, each.height) for each in clip.timeline}) == 1


def _drafts(clip: Clip, images: Sequence[np.ndarray], cfg: EditedConfig) -> Iterator[tuple[str, EditDraft]]:
    hashes = [looks(each) for each in images]
    for kind in cfg.kinds:
        for turn in range(cfg.repeats):
            bench = Bench(clip.timeline, images, hashes, cfg, draws(cfg.seed, clip.clip_id, kind, turn))
            if draft := EDIT_MAKERS[kind].make(bench):
                yield kind, draft


class _Encoder:
    """Encodes a clip's pictures, those that are not edited once."""

    def __init__(self, jpeg_quality: int) -> None:
        self._jpeg_quality = jpeg_quality
        self._plain: dict[str, EncodedFrame] = {}

    def encode(self, shot: Shot) -> EncodedFrame:
        if shot.edit != PLAIN:
            return encode(shot.picture, shot.made_of, self._jpeg_quality)
        sha256 = shot.made_of.sha256
        if sha256 not in self._plain:
            self._plain[sha256] = encode(shot.picture, shot.made_of, self._jpeg_quality)
        return self._plain[sha256]


def _question(clip: Clip, kind: str, draft: EditDraft, encoder: _Encoder, stored: set[str]) -> EditedQuestion:
    encoded = [encoder.encode(each) for each in draft.shots]
    shown = tuple(
        ShownFrame(frame=each.frame, shown_s=shot.shown_s)
        for each, shot in zip(encoded, draft.shots, strict=True)
    )
    new = {each.frame.sha256: each for each in encoded if each.frame.sha256 not in stored}
    asked = Draft(draft.task, draft.text, draft.answer, shown, draft.options)
    return EditedQuestion(
        question=question_of(clip, kind, asked),
        edits=tuple(each.edit for each in draft.shots),
        frames=tuple(new.values()),
    )
