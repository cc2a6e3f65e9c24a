"""How a model is asked: what it draws, and where it runs."""

from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from reelproof.schemas.settings import Settings
from reelproof.training.settings.rows import PromptStyle, ShardsConfig


class SamplingConfig(Settings):
    """How completions are drawn."""

    temperature: float = Field(default=1.0, ge=0, le=2)
    """The draws are at this temperature; at 0 the likeliest token is taken."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """The draws are from this nucleus of the distribution."""
    max_tokens: int = Field(default=512, ge=1, le=32_768)
    """One completion may have so many tokens."""
    batch_rows: int = Field(default=64, ge=1, le=4096)
    """Completions drawn at a time in this process, or requests in flight to a server."""
    seed: int = 0
    """The draws follow from it."""


class ServerAddress(Settings):
    """Where a server is, and where its key is kept."""

    url: str = Field(default="http://127.0.0.1:8000/v1", pattern=r"^https?://")
    """The address of an OpenAI-compatible server, for `server`."""
    key_variable: str = Field(default="OPENAI_API_KEY", pattern=r"^[A-Z_][A-Z0-9_]*$")
    """The environment variable that holds the server's key, never the key itself; unset where none is
    wanted."""


class BackendConfig(ServerAddress):
    """Where completions come from."""

    kind: Literal["transformers", "server"] = "transformers"
    """The model runs in this process (`transformers`) or behind a `server`."""


class AskingConfig(Settings):
    """How questions are asked, wherever they come from."""

    max_rows: int | None = Field(default=None, ge=1)
    """Only so many rows are asked, the first ones; by default all."""
    styles: tuple[PromptStyle, ...] = ("published", "direct")
    """Each is one evaluation: with a thought, and answering at once."""
    image_settings: dict[str, JsonValue] = Field(default={})
    """Settings of the model's image processor in place of its own, such as `max_pixels` of Qwen-VL. A run has
    those that it was trained with, and a server its own."""
    frame_pairs: bool = False
    """Frames go to the model two at a time, as `prompt.frame_pairs` of training has them."""
    backend: BackendConfig = BackendConfig()
    sampling: SamplingConfig = SamplingConfig(temperature=0.0)

    @model_validator(mode="after")
    def _are_distinct(self) -> Self:
        if len(set(self.styles)) != len(self.styles) or not self.styles:
            raise ValueError("styles: name each once, and at least one")
        return self


class EvaluateConfig(AskingConfig):
    """Which rows of a dataset are asked, and how."""

    shards: ShardsConfig = ShardsConfig(subset="rl", split="test")
    max_frames: int | None = Field(default=None, ge=1)
    """No question shows more frames than this; by default all of its own."""
    speech: bool = True
    """What is said stands among the frames, as the teacher read it; else rows are asked without it."""
