"""Requests -> groups, and bodies of the OpenAI chat protocol for them. No connection."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.schemas.openai_body import Body
from reelproof.schemas.openai_frames import AS_THEY_ARE, Sending, carried
from reelproof.schemas.openai_reply import read_choices

MOST_CHOICES = 16
"""Rollouts in one request at most: what a lost connection can cost."""


class Rollouts(NamedTuple):
    """Requests that differ in their sample index alone, which has no gaps: one request of the protocol."""

    requests: tuple[ChatRequest, ...]

    @property
    def first(self) -> ChatRequest:
        """One of the requests, with what all of them share."""
        return self.requests[0]

    @property
    def choices(self) -> int:
        """How many answers to ask for: greedy ones are all the same, so one does for all."""
        return 1 if self.first.sampling.temperature == 0 else len(self.requests)

    def alone(self) -> "list[Rollouts]":
        """The same requests, to be asked one by one."""
        return [Rollouts((request,)) for request in self.requests]


def group_rollouts(requests: Iterable[ChatRequest]) -> list[Rollouts]:
    """Requests -> groups that one request with `n` can ask for, in the order of their first members."""
    alike: dict[bytes, list[ChatRequest]] = {}
    for request in requests:
        content = request.model_dump_json(exclude={"sample_index"}).encode()
        alike.setdefault(hashlib.sha256(content).digest(), []).append(request)
    return [group for same in alike.values() for group in _without_gaps(same)]


def _without_gaps(same: list[ChatRequest]) -> Iterable[Rollouts]:
    """A server draws choice i with `seed + i`, so indices with a gap are asked apart."""
    run: list[ChatRequest] = []
    for request in sorted(same, key=lambda request: request.sample_index):
        if run and (request.sample_index != run[-1].sample_index + 1 or len(run) == MOST_CHOICES):
            yield Rollouts(tuple(run))
            run = []
        run.append(request)
    yield Rollouts(tuple(run))


def chat_body(
    group: Rollouts, model: str, frames: Mapping[str, bytes], sending: Sending = AS_THEY_ARE
) -> Body:
    """The JSON of `POST /chat/completions` for a group; `frames` are sha256 -> JPEG bytes.

    Raises KeyError for a frame that is not in `frames`.
    """
    sampling = group.first.sampling
    messages, fields = carried(group.first.messages, frames, sending)
    body: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": (sampling.seed + group.first.sample_index) % 2**62,
        **fields,
    }
    if group.choices > 1:
        body["n"] = group.choices
    if sampling.json_schema is not None:
        schema = {"name": "answer", "schema": json.loads(sampling.json_schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if sampling.logprobs:
        body["logprobs"] = True
    return Body.of(body, frames)


def read_chat_reply(
    reply: Any, group: Rollouts, revision: str, latency_s: float, retries: int
) -> list[Completion]:
    """The completions in a reply, for the first requests of the group: a server may give fewer than asked.

    Greedy rollouts are asked for once: the others are copies that cost nothing. Raises ValueError where the
    reply is not of the protocol, or the server broke off.
    """
    read = read_choices(reply, group.requests, group.choices, revision, latency_s, retries)
    if group.choices == len(group.requests):
        return read
    return [read[0], *(_copied(read[0], request) for request in group.requests[1:])]


def _copied(completion: Completion, request: ChatRequest) -> Completion:
    """The one greedy answer, for a further rollout that cost nothing."""
    return completion.model_copy(
        update={"request_id": request.request_id, "prompt_tokens": 0, "completion_tokens": 0}
    )
