"""Requests -> completions: the protocol behind which every model stands, and how each kind is set."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, Self, runtime_checkable
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.schemas.errors import UsageError
from reelproof.schemas.settings import Settings
from reelproof.stages.teachers.request_fields import RequestField

_VARIABLE = r"[A-Z_][A-Z0-9_]*"
_USER = re.compile(r"(?is)^(https?://)(?:[^/?#]*|[^/?#:]*:(?!\d*/)[^?#]*)@|^(?!https?://).*@")
"""User and password of an address, also where a slash in the password hides them from a parser."""


class Teacher(Protocol):
    """A model that answers. `model` is `name@revision`, as its requests name it."""

    model: str

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        """One completion per request, in whatever order they finish; `request_id` says which is which.

        `frames` maps the sha256 of every image in the requests to its JPEG bytes.
        """
        ...


More = Callable[[Completion], Sequence[ChatRequest]]
"""An answer -> what is to be asked because of it, if anything: requests that were not asked yet."""


@runtime_checkable
class TakesMore(Protocol):
    """A teacher that takes further requests while others are open."""

    def complete_on(
        self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes], more: More
    ) -> Iterator[Completion]:
        """As `complete`, for the requests and for all that `more` adds, which is asked at once."""
        ...


@runtime_checkable
class CountsInFlight(Protocol):
    """A teacher that asks servers and knows how many requests they have not answered yet."""

    in_flight: int

    def owing_s(self) -> Mapping[str, float]:
        """Address of each server -> for how many seconds it has been asked and answered nothing."""
        ...


def complete_on(
    teacher: Teacher, requests: Sequence[ChatRequest], frames: Mapping[str, bytes], more: More
) -> Iterator[Completion]:
    """Completions of the requests, and of all that `more` asks because of one of them.

    A teacher that cannot be asked while it answers gets what was added as its next call.
    """
    if isinstance(teacher, TakesMore):
        yield from teacher.complete_on(requests, frames, more)
        return
    while requests:
        following: list[ChatRequest] = []
        for completion in teacher.complete(requests, frames):
            following += more(completion)
            yield completion
        requests = following


def nothing_more(_: Completion) -> Sequence[ChatRequest]:
    """What `complete` asks because of an answer."""
    return ()


def complete_all(
    teacher: Teacher, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]
) -> dict[str, Completion]:
    """Every request's completion, by its `request_id`. Raises RuntimeError where the teacher left one out."""
    completions = {each.request_id: each for each in teacher.complete(requests, frames)}
    missing = [each.request_id for each in requests if each.request_id not in completions]
    if missing:
        raise RuntimeError(
            f"teacher {teacher.model} answered {len(requests) - len(missing)} of {len(requests)} requests; "
            f"expected one completion each, the first without is {missing[0]}"
        )
    return completions


class TeacherUnavailable(UsageError):  # noqa: N818 - says what happened, as BuildFailed does
    """A model cannot be reached, or cannot do what is asked, and waiting will not help. Says what to do."""


class TeacherNeeds(NamedTuple):
    """What a recipe will ask of a teacher at most: what a check tries out before any video is decoded."""

    images: int = 8
    """In one request; 0 for a teacher that is asked about text alone."""
    image_width_px: int = 448
    image_height_px: int = 448
    prompt_characters: int = 2000
    max_tokens: int = 1024


class TeacherPrice(Settings):
    """What tokens cost, in any one currency."""

    per_million_prompt_tokens: float = Field(default=0, ge=0, le=10_000)
    """A million tokens of prompts, frames included, cost this."""
    per_million_completion_tokens: float = Field(default=0, ge=0, le=10_000)
    """A million tokens of thoughts and answers cost this."""

    def of(self, prompt_tokens: float, completion_tokens: float) -> float:
        """What so many tokens of prompts and of completions cost."""
        prompt = prompt_tokens * self.per_million_prompt_tokens
        return (prompt + completion_tokens * self.per_million_completion_tokens) / 1e6


class AskingConfig(Settings):
    """How a server is asked, and at what price. Nothing here changes what it answers."""

    concurrency: int = Field(default=128, ge=1, le=4096)
    """Requests in flight at one server at once, from all processes of a build together. One asks for up to 16
    answers to a question, and ends with the slowest of them: as many requests as a server works on answers at
    once (vLLM: `max_num_seqs`) keep it busy, and what is more waits in its queue."""
    timeout_s: float = Field(default=600, gt=0, le=86_400)
    """A request without an answer for so long is asked again."""
    attempts: int = Field(default=5, ge=1, le=100)
    """A request that fails so often while others are answered is recorded as a failure."""
    patience_s: float = Field(default=900, ge=0, le=86_400)
    """With no answer at all for so long, the teacher is unavailable and the build stops."""
    price: TeacherPrice | None = None
    """What its tokens cost, for the accounts of a build; none leaves the cost out."""


class ShowingConfig(AskingConfig):
    """How frames go to a server."""

    frames_folder: str | None = Field(default=None, pattern=r"^[/~]")
    """Frames go to the server as files in this folder, an absolute path on a disk that it shares, and not in
    requests: a vLLM server reads them with `--allowed-local-media-path`. They are removed once they were
    asked about."""
    frames_as_video: bool = False
    """Frames with rising times go as one video that says when each was, in place of so many images: to a vLLM
    server with `--trust-request-mm-kwargs`. It tells this teacher from others of its name."""
    takes_sound: bool = False
    """The sound of a question's clip goes along with its frames, as `input_audio`. It tells this teacher from
    others of its name."""

    @property
    def shown_otherwise(self) -> str:
        """What an identity adds where the model sees frames as something else than images, or hears them."""
        return "+frames=video" * self.frames_as_video + "+sound" * self.takes_sound


class ServerTeacherConfig(ShowingConfig):
    """A running server, or several that serve the same model, with the OpenAI protocol."""

    kind: Literal["server"] = "server"
    model: str = Field(min_length=1)
    """The model's name, as the server has it."""
    revision: str = Field(default="unknown", min_length=1)
    """What tells this model from an earlier one of the same name. A new revision is asked anew."""
    urls: tuple[str, ...] = Field(min_length=1)
    """The addresses of servers that answer alike, such as `http://127.0.0.1:8000/v1`."""
    key_variable: str = Field(default="OPENAI_API_KEY", pattern=f"^{_VARIABLE}$")
    """The environment variable that holds the key, never the key itself; unset where none is wanted."""
    fields: tuple[RequestField, ...] = ()
    """What of a request this service forbids, or calls otherwise, or wants besides. What it refuses of usual
    fields is found out by itself, and told by the check before a build."""
    frames_url: str | None = Field(default=None, pattern=r"^https?://[^/?#@]+[^?#@]*$")
    """The address, without user and query, at which the server finds `frames_folder`; by default `file://`
    and the same path."""
    max_model_len: int | None = Field(default=None, ge=16)
    """Tokens of prompt and answer together that the server allows. Where it is told, chapters and whole films
    show as many frames as it has room for."""

    @model_validator(mode="before")
    @classmethod
    def _hides_secrets_in_the_wrong_place(cls, settings: Any) -> Any:
        """A key given for its variable's name, or in an address: it is refused, and no error quotes it."""
        if not isinstance(settings, dict):
            return settings
        shown = dict(settings)
        named = shown.get("key_variable", "")
        if named and not (isinstance(named, str) and re.fullmatch(_VARIABLE, named)):
            shown["key_variable"] = "(not shown)"
        for name in {"urls", "frames_url"} & shown.keys():
            shown[name] = _without_secrets(shown[name])
        return shown

    @model_validator(mode="after")
    def _has_a_folder_to_serve(self) -> Self:
        if self.frames_url and not self.frames_folder:
            raise ValueError("frames_url says where the server finds frames_folder; name that as well")
        return self

    @field_validator("urls")
    @classmethod
    def _are_plain_addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_plain_address(url) for url in urls)

    @property
    def identity(self) -> str:
        """`name@revision`, and the values that it is sent besides."""
        added = "".join(f"+{each.name}={each.value}" for each in self.fields if each.value is not None)
        return f"{self.model}@{self.revision}{added}{self.shown_otherwise}"


class TransformersTeacherConfig(Settings):
    """A model in this process: a folder on disk, or a name that the Hub's cache holds."""

    kind: Literal["transformers"] = "transformers"
    model: str = Field(min_length=1)
    """The model is a folder, or a name on the Hub."""
    revision: str | None = Field(default=None, min_length=1)
    """The revision on the Hub; for a folder, by default, a hash of its files."""
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """`cpu`, `cuda`, `cuda:1`; `auto` takes a GPU where there is one."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """The weights are held in this type; `auto` takes the one that they were saved in."""
    batch: int = Field(default=8, ge=1, le=1024)
    """So many requests share one forward pass."""


def _without_secrets(urls: Any) -> Any:
    """Addresses in whatever form they were given, right or wrong."""
    if isinstance(urls, str):
        return re.sub(r"(?s)\?.*", "?…", _USER.sub(r"\1…@", urls))
    if isinstance(urls, dict):
        return {name: _without_secrets(url) for name, url in urls.items()}
    return [_without_secrets(url) for url in urls] if isinstance(urls, list | tuple) else urls


def _plain_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise ValueError(
            f"{url} is no server's address; expected http://HOST:PORT/v1 or https://HOST/v1, "
            "without user or query"
        )
    return url.rstrip("/")
