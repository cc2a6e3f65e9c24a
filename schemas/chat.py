"""What a model is asked and what it said: requests known by their content, completions kept for ever."""

import hashlib
from functools import cached_property
from typing import Literal

from pydantic import Field

from reelproof.schemas.record import Record


class TextPart(Record):
    """A piece of a message's text."""

    type: Literal["text"] = "text"
    text: str


class ImagePart(Record):
    """A frame in a message, by the hash of its JPEG bytes."""

    type: Literal["image"] = "image"
    sha256: str


class SoundPart(Record):
    """A clip's sound in a message, by the hash of its MP3 bytes."""

    type: Literal["sound"] = "sound"
    sha256: str

    @property
    def text(self) -> str:
        """What stands for it where nobody listens."""
        return "(the clip's sound)"


class Message(Record):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: tuple[TextPart | ImagePart | SoundPart, ...]


class Sampling(Record):
    """How an answer is drawn."""

    temperature: float = Field(default=0.8, ge=0, le=2)
    """0 is greedy."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    max_tokens: int = Field(default=1024, ge=1)
    seed: int = 0
    """Of the group; sample i of it is drawn with `seed + i` where samples are asked for one by one."""
    json_schema: str | None = None
    """A JSON schema, as text, that the answer must follow."""
    logprobs: bool = False
    """Ask for the tokens' log-probabilities; their mean is kept."""


class ChatRequest(Record):
    """One question to one model: everything that decides the answer, and nothing else."""

    model: str
    """`name@revision`"""
    messages: tuple[Message, ...]
    sampling: Sampling
    sample_index: int = Field(default=0, ge=0)
    """Which of the rollouts that differ in nothing else."""

    @cached_property
    def request_id(self) -> str:
        """sha256 of the content, 32 hex digits: the key of the completions log."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:32]

    @property
    def images(self) -> tuple[str, ...]:
        """Hashes of the frames shown, in order."""
        return tuple(
            part.sha256 for turn in self.messages for part in turn.content if isinstance(part, ImagePart)
        )


class Completion(Record):
    """One raw answer to one request, or the lasting reason why there is none."""

    request_id: str
    model: str
    """`name@revision`, as the server reports it."""
    text: str
    finish_reason: str
    """`stop`, `length`, or `error` (and then `error` says which)."""
    error: str | None = None
    """A failure that asking again would not mend: context too long, refused content, …"""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_s: float = 0.0
    retries: int = 0
    """How often it was asked again after a passing fault, before this answer."""
    mean_logprob: float | None = None
    """Mean log-probability of the completion's tokens, where asked for."""
