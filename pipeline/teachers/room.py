"""A teacher's settings -> how many frames one request to it has room for, where its context is known."""

from contextlib import suppress
from pathlib import Path

from reelproof.pipeline.teachers.kinds import SignalsTeacherConfig, TeacherConfig
from reelproof.pipeline.teachers.model_folder import read_model_folder
from reelproof.pipeline.teachers.vllm_settings import VllmTeacherConfig, sets_model_itself
from reelproof.stages.teachers.protocol import (
    ServerTeacherConfig,
    TeacherNeeds,
    TeacherUnavailable,
    TransformersTeacherConfig,
)

MOST_FRAMES = 512
"""LongVILA-R1's longest (arXiv 2507.07966)."""
_PIXELS_A_TOKEN = 28
"""A side of the square that becomes one token in Qwen2-VL and its followers."""
_LABEL_TOKENS = 14
"""A frame's time before it, and the marks around it."""
_CHARACTERS_A_TOKEN = 3


def room_for_frames(cfg: TeacherConfig, needs: TeacherNeeds) -> int | None:
    """Frames of the needed size that fit beside the longest prompt and answer; None where nobody knows.

    The embedded teacher has no context to fill: it takes as many as anyone.
    """
    if isinstance(cfg, SignalsTeacherConfig):
        return MOST_FRAMES
    context = _context_tokens(cfg)
    if context is None:
        return None
    sides = [-(-side // _PIXELS_A_TOKEN) for side in (needs.image_width_px, needs.image_height_px)]
    spare = context - needs.max_tokens - needs.prompt_characters // _CHARACTERS_A_TOKEN
    fitting = min(MOST_FRAMES, max(0, spare) // (sides[0] * sides[1] + _LABEL_TOKENS))
    return min(fitting, cfg.limit_images) if isinstance(cfg, VllmTeacherConfig) else fitting


def _context_tokens(cfg: TeacherConfig) -> int | None:
    """As its settings say, or its folder; None of other kinds, and where neither says."""
    match cfg:
        case ServerTeacherConfig():
            return cfg.max_model_len
        case VllmTeacherConfig() if cfg.max_model_len is not None:
            return cfg.max_model_len
        case VllmTeacherConfig() if sets_model_itself(cfg):
            return None
        case VllmTeacherConfig() | TransformersTeacherConfig():
            folder = Path(cfg.model).expanduser()
            with suppress(TeacherUnavailable):  # the check of the teacher says so, with what to do
                return read_model_folder(folder).context_tokens if folder.is_dir() else None
    return None
