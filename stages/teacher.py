"""Requests -> completions: the protocol behind which every model stands."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from schemas.chat import ChatRequest, Completion


class Teacher(Protocol):
    """A model that answers. `model` is `name@revision`, as its requests name it."""

    model: str

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        """One completion per request, in whatever order they finish; `request_id` says which is which.

        `frames` maps the sha256 of every image in the requests to its JPEG bytes.
        """
        ...
