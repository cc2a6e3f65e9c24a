"""Which rows a run reads, and how each is put to the model."""

from typing import Literal

from pydantic import Field, JsonValue

from reelproof.schemas.settings import Settings


class ShardsConfig(Settings):
    """Which rows of a dataset are read, and in what order."""

    subset: str = Field(default="sft", pattern=r"^[a-z_]+$")
    """The dataset's config: `sft`, `rl` or `dpo`."""
    split: str = Field(default="train", pattern=r"^[a-z_]+$")
    """The dataset's split: `train` or `test`."""
    seed: int = 0
    """The order of rows follows from it; each epoch has its own."""
    window_groups: int = Field(default=4, ge=1, le=64)
    """So many row groups are mixed with each other, and at most so many are in memory."""


PromptStyle = Literal["published", "brief", "direct"]


class PromptConfig(Settings):
    """How a row is put to the model."""

    style: PromptStyle = "published"
    """`published`: as the teacher was asked; `brief`: question, frames; `direct`: and no thought asked."""
    max_frames: int | None = Field(default=None, ge=1, le=4096)
    """Bounds the image tokens: rows with more frames keep this many, evenly spread, each with its
    label. Rows whose thoughts cite a frame that goes are not learned from."""
    frame_pairs: bool = False
    """Two frames in a row, of one size, go to the model as one picture, under both their labels: as Qwen-VL
    takes video, in half the image tokens. A model without such pictures is refused, and so is a server."""
    image_settings: dict[str, JsonValue] = Field(default={})
    """Settings of the model's image processor in place of its own, such as `max_pixels` of Qwen-VL,
    `do_image_splitting: false` of SmolVLM or `crop_to_patches: false` of InternVL, which else cut each frame
    into tiles. They are kept with the trained model."""
