"""Requests -> bodies of the OpenAI chat protocol, and its replies -> completions. No connection."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from reelproof.schemas.chat import ChatRequest, Completion, ImagePart, Message, TextPart

MOST_CHOICES = 16
"""Rollouts in one request at most: what a lost connection can cost."""
PASSING_ENDINGS = frozenset(("abort", "error"))
"""Finish reasons of a server that broke off by itself: asked again."""


class Rollouts(NamedTuple):
    """Requests that differ in their sample index alone, which has no gaps: one request of the protocol."""

    requests: tuple[ChatRequest, ...]

    @property
    def first(self) -> ChatRequest:
        """Speaks for all."""
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


def chat_body(group: Rollouts, model: str, frames: Mapping[str, bytes]) -> bytes:
    """The JSON of `POST /chat/completions` for a group; frames go in as data URIs, sha256 -> JPEG bytes.

    Raises KeyError for a frame that is not in `frames`.
    """
    sampling = group.first.sampling
    body: dict[str, Any] = {
        "model": model,
        "messages": [_turn(message, frames) for message in group.first.messages],
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": (sampling.seed + group.first.sample_index) % 2**62,
    }
    if group.choices > 1:
        body["n"] = group.choices
    if sampling.json_schema is not None:
        schema = {"name": "answer", "schema": json.loads(sampling.json_schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if sampling.logprobs:
        body["logprobs"] = True
    return json.dumps(body, separators=(",", ":")).encode()


def _turn(message: Message, frames: Mapping[str, bytes]) -> dict[str, Any]:
    return {"role": message.role, "content": [_part(part, frames) for part in message.content]}


def _part(part: TextPart | ImagePart, frames: Mapping[str, bytes]) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    uri = "data:image/jpeg;base64," + base64.b64encode(frames[part.sha256]).decode()
    return {"type": "image_url", "image_url": {"url": uri}}


def read_chat_reply(
    reply: Any, group: Rollouts, revision: str, latency_s: float, retries: int
) -> list[Completion]:
    """The completions in a reply, for the first requests of the group: a server may give fewer than asked.

    The prompt's tokens are counted on the first of them, since the server read the prompt once; the tokens of
    the answers, of which the server tells the sum, are shared out by length. Raises ValueError where the
    reply is not of the protocol, or the server broke off.
    """
    try:
        choices = sorted(reply["choices"], key=lambda choice: choice["index"])[: group.choices]
        usage = reply.get("usage") or {}
        drafts = [
            Completion(
                request_id=request.request_id,
                model=f"{reply.get('model') or group.first.model}@{revision}",
                **_said(choice),
                latency_s=latency_s,
                retries=retries,
                mean_logprob=_mean_logprob(choice),
            )
            for request, choice in zip(group.requests, choices, strict=False)
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a reply that is not of the OpenAI protocol ({error!r})") from error
    if not drafts:
        raise ValueError("a reply without choices")
    counted = _with_tokens(
        drafts, int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
    )
    if group.choices == len(group.requests):
        return counted
    return [
        counted[0] if index == 0 else _copied(counted[0], request)
        for index, request in enumerate(group.requests)
    ]


def _said(choice: Mapping[str, Any]) -> dict[str, Any]:
    """Text, finish reason and error. Thoughts that the server took out of the text are put back before it."""
    message, ending = choice["message"], choice.get("finish_reason")
    if ending in PASSING_ENDINGS:
        raise ValueError(f"the server broke off (finish reason {ending})")
    text = message.get("content") or ""
    thought = message.get("reasoning") or message.get("reasoning_content")
    if thought and "<think>" not in text:
        text = f"<think>{thought}</think>{text}"
    refusal = message.get("refusal") or ("content filter" if ending == "content_filter" else None)
    if refusal:
        return {"text": text, "finish_reason": "error", "error": f"refused: {refusal}"}
    return {"text": text, "finish_reason": "length" if ending == "length" else "stop"}


def _mean_logprob(choice: Mapping[str, Any]) -> float | None:
    tokens = (choice.get("logprobs") or {}).get("content") or []
    return sum(token["logprob"] for token in tokens) / len(tokens) if tokens else None


def _with_tokens(drafts: Sequence[Completion], prompt_tokens: int, tokens: int) -> list[Completion]:
    lengths = [len(draft.text) + 1 for draft in drafts]
    ends = [sum(lengths[: index + 1]) * tokens // sum(lengths) for index in range(len(lengths))]
    return [
        draft.model_copy(
            update={
                "prompt_tokens": prompt_tokens if index == 0 else 0,
                "completion_tokens": ends[index] - (ends[index - 1] if index else 0),
            }
        )
        for index, draft in enumerate(drafts)
    ]


def _copied(completion: Completion, request: ChatRequest) -> Completion:
    """The one greedy answer, for a further rollout that cost nothing."""
    return completion.model_copy(
        update={"request_id": request.request_id, "prompt_tokens": 0, "completion_tokens": 0}
    )
