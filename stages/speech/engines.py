"""How engines of speech recognition are set: a server of the OpenAI protocol, or Whisper in this process."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from reelproof.schemas.settings import Settings


class ServerEngineConfig(Settings):
    """A server with the OpenAI protocol's `/v1/audio/transcriptions`, such as vLLM with a Whisper model."""

    kind: Literal["server"] = "server"
    model: str = Field(min_length=1)
    """The model's name, as the server has it."""
    revision: str = Field(default="unknown", min_length=1)
    """What tells this model from an earlier one of the same name. A new revision is asked anew."""
    url: str
    """The server's address, such as `http://127.0.0.1:8000/v1`."""
    key_variable: str = Field(default="OPENAI_API_KEY", pattern=r"^[A-Z_][A-Z0-9_]*$")
    """The environment variable that holds the key, never the key itself; unset where none is wanted."""
    concurrency: int = Field(default=4, ge=1, le=256)
    """Requests in flight at once, from each worker process."""
    timeout_s: float = Field(default=300, gt=0, le=86_400)
    """A request without an answer for so long is asked again."""
    attempts: int = Field(default=5, ge=1, le=100)
    """A request is asked so often, before the build stops."""

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise ValueError("expected a server's address, http://HOST:PORT/v1, without user or query")
        return url.rstrip("/")

    @property
    def identity(self) -> str:
        """`name@revision`"""
        return f"{self.model}@{self.revision}"


class WhisperEngineConfig(Settings):
    """Whisper in this process, by faster-whisper (extra `speech`)."""

    kind: Literal["whisper"] = "whisper"
    model: str = Field(default="small", min_length=1)
    """The model is a size (`tiny`, `small`, `large-v3` or another), a name on the Hub, or a folder."""
    revision: str | None = Field(default=None, min_length=1)
    """The revision on the Hub."""
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda)$")
    """`cpu`, `cuda`; `auto` takes a GPU where there is one."""
    compute_type: str = Field(default="default", pattern=r"^[a-z0-9_]+$")
    """The numbers that it computes with, such as `int8` or `float16`; by default those of the model."""

    @property
    def identity(self) -> str:
        """`name@revision`"""
        return f"whisper {self.model.rstrip('/').rpartition('/')[2]}@{self.revision or 'main'}"


EngineConfig = Annotated[ServerEngineConfig | WhisperEngineConfig, Field(discriminator="kind")]
"""Who listens: a running `server`, or `whisper` in this process."""
