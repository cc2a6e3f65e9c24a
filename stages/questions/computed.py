"""Clips -> questions whose answers are known exactly, because the pipeline made what is shown."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

from pydantic import field_validator

from reelproof.schemas.footage import Clip
from reelproof.schemas.question import Question
from reelproof.schemas.written import FrameText
from reelproof.stages.questions.computed_frames import films_alike
from reelproof.stages.questions.computed_kinds import MAKERS
from reelproof.stages.questions.maker import Draft, MakerConfig, Table, draws, question_of

VERSION = 10

USUAL = tuple(kind for kind, maker in MAKERS.items() if maker.usual)
"""All but `largest_change`, `same_picture`, `frozen_span`, easy ones for clips that allow little else,
those about text, which is read where a recipe says so, and those about stretches: a recipe takes its pick."""


class ComputedConfig(MakerConfig):
    """Which questions are made, and when their answers count as certain."""

    kinds: tuple[str, ...] | None = None
    """Each is asked of every clip that allows it; an empty list switches them off. By default the usual kinds
    are asked, of videos that came without questions of their own."""

    @field_validator("kinds")
    @classmethod
    def _are_known(cls, kinds: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if kinds is None:
            return None
        if unknown := [kind for kind in kinds if kind not in MAKERS]:
            raise ValueError(f"there is no kind {', '.join(unknown)}; it may be one of: {', '.join(MAKERS)}")
        return tuple(map(str, kinds))


def computed_questions(
    part: Sequence[Clip],
    cfg: ComputedConfig,
    asked_of: Collection[str] = (),
    texts: Mapping[str, FrameText] = MappingProxyType({}),
) -> Iterator[Question]:
    """The questions of each clip in turn, a kind's together; foreign frames come from other videos.

    `asked_of` are the ids of videos that came with questions: these get only kinds that the settings name.
    `texts` is what is written in frames, by their sha256: without it, nothing is asked about text.

    What is shown is the clip's timeline, or as many of its frames as the settings say: number and spacing
    follow from the duration, never from the answer. Times are left out where they would tell it.
    """
    alike = films_alike(part)
    for clip in part:
        if clip.damaged_share:  # what happened there is not known, and neither is what did not
            continue
        kinds = cfg.kinds if cfg.kinds is not None else () if clip.video_id in asked_of else USUAL
        for kind in kinds:
            yield from _unlike(
                [question_of(clip, kind, draft) for draft in _drafts(clip, kind, part, alike, cfg, texts)]
            )


def _drafts(
    clip: Clip,
    kind: str,
    part: Sequence[Clip],
    alike: Mapping[str, Collection[str]],
    cfg: ComputedConfig,
    texts: Mapping[str, FrameText],
) -> Iterator[Draft]:
    for turn in range(cfg.repeats if MAKERS[kind].drawn else 1):
        rng = draws(cfg.seed, clip.clip_id, kind, turn)
        draft = MAKERS[kind].make(Table(clip, part, alike, cfg, rng, texts))
        if draft:
            yield draft


def _unlike(questions: Sequence[Question]) -> Iterator[Question]:
    """Each question once: a small clip does not allow many draws."""
    yield from {each.question_id: each for each in questions}.values()
