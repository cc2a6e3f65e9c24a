"""Replies of the OpenAI chat protocol, in the shapes that services really give -> completions. No connection.

A good text is never thrown away for an odd field beside it: what is odd there counts as not said.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.schemas.text import clean_text

PASSING_ENDINGS = frozenset(("abort", "error"))
"""Finish reasons of a server that broke off by itself: asked again."""
_CUT_ENDINGS = frozenset(("length", "max_tokens", "max_length", "model_length", "max_output_tokens"))
_REFUSED_ENDINGS = frozenset(("content_filter", "refusal", "safety", "prohibited_content"))
_THOUGHT_PARTS = frozenset(("thinking", "reasoning", "thought", "redacted_thinking"))
_HTTP_ERROR = re.compile("[45][0-9]{2}")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_MARKUP = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_MOST_TOKENS = 2**40


class ReplyFault(NamedTuple):
    """An error that came with HTTP 200."""

    status: int | None
    """The HTTP status that it names, where it names one."""
    code: str
    message: str


def fault_in(reply: Any) -> ReplyFault | None:
    """The error that a reply holds instead of choices."""
    error = reply.get("error") if isinstance(reply, dict) and not reply.get("choices") else None
    if not error:
        return None
    said = error if isinstance(error, dict) else {"message": error}
    named = [str(said.get(name)) for name in ("status", "status_code", "code", "http_code")]
    statuses = [int(each) for each in named if _HTTP_ERROR.fullmatch(each)]
    return ReplyFault(statuses[0] if statuses else None, clean_text(said.get("code") or ""), told_in(said))


def told_in(body: Any) -> str:
    """What the body of an error says, in one line: as JSON in the shapes of services and frameworks, as a
    proxy's page, or as text. Empty where it says nothing.
    """
    if isinstance(body, list):
        return "; ".join(filter(None, map(told_in, body)))
    if isinstance(body, dict):
        names = ("message", "msg", "detail", "error", "errors")
        said = told_in(next((body[name] for name in names if body.get(name)), str(body) if body else ""))
        place = body.get("loc")
        return f"{'.'.join(map(str, place))}: {said}" if isinstance(place, list) else said
    text = clean_text("" if body is None else body)
    if text.lstrip().startswith("<"):
        title = _TITLE.search(text)
        text = title[1] if title else _MARKUP.sub(" ", text)
    return " ".join(text.split())


class Choice(NamedTuple):
    """One answer in a reply."""

    text: str
    finish_reason: str
    """`stop`, `length`, or `error` where it was refused."""
    error: str | None
    """What was refused; null where nothing was."""
    logprobs: tuple[float, ...]
    """Of its tokens; empty where they are not told, or not of all."""
    token_ids: tuple[int, ...] = ()
    """As vLLM tells them, its end included; empty from other services."""

    @property
    def mean_logprob(self) -> float | None:
        """Null where none is told."""
        return sum(self.logprobs) / len(self.logprobs) if self.logprobs else None


def choices_in(reply: Any, most: int) -> list[Choice]:
    """The first answers in a reply, by their index. Raises ValueError as `read_choices` does."""
    listed = reply.get("choices") if isinstance(reply, dict) else None
    found = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    if not found:
        raise ValueError("a reply without choices, so not of the OpenAI protocol")
    return [_choice(each) for each in _in_order(found)[:most]]


def tokens_in(reply: Mapping[str, Any]) -> tuple[int, int]:
    """How many tokens a reply says that prompt and answers have; 0 where it says none."""
    usage = reply.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))


def read_choices(
    reply: Any, requests: Sequence[ChatRequest], choices: int, revision: str, latency_s: float, retries: int
) -> list[Completion]:
    """The completions in a reply to `choices` wanted answers, for the first of the requests.

    The prompt's tokens are counted on the first of them, since the server read the prompt once; the tokens of
    the answers, of which the server tells the sum, are shared out by length. Raises ValueError where the
    reply is not of the protocol, or the server broke off.
    """
    found = choices_in(reply, choices)
    model = clean_text(reply.get("model") or "") or requests[0].model.rpartition("@")[0] or requests[0].model
    drafts = [
        Completion(
            request_id=request.request_id,
            model=f"{model}@{revision}",
            text=choice.text,
            finish_reason=choice.finish_reason,
            error=choice.error,
            latency_s=latency_s,
            retries=retries,
            mean_logprob=choice.mean_logprob,
        )
        for request, choice in zip(requests, found, strict=False)
    ]
    return _with_tokens(drafts, *tokens_in(reply))


def _in_order(choices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By their index, where each has one; else as they came."""
    places = [choice.get("index") for choice in choices]
    if len({*map(str, places)}) < len(places) or not all(isinstance(each, int) for each in places):
        return choices
    return sorted(choices, key=lambda choice: choice["index"])


def _choice(choice: Mapping[str, Any]) -> Choice:
    """Thoughts that the server took out of the text are put back before it."""
    message = choice.get("message")
    message = message if isinstance(message, dict) else {"content": choice.get("text")}
    ending = str(choice.get("finish_reason") or "").casefold()
    if ending in PASSING_ENDINGS:
        raise ValueError(f"the server broke off (finish reason {ending})")
    text = message_text(message)
    refusal = message.get("refusal") or (ending.replace("_", " ") if ending in _REFUSED_ENDINGS else None)
    if refusal:
        return Choice(text, "error", f"refused: {clean_text(refusal)}", _logprobs(choice))
    reason = "length" if ending in _CUT_ENDINGS else "stop"
    return Choice(text, reason, None, _logprobs(choice), token_ids_in(choice.get("token_ids")))


def message_text(message: Mapping[str, Any]) -> str:
    """The text of a chat message; a thought that it holds apart (`reasoning_content`, thinking parts) is put
    back before it, in its tags.
    """
    text, thought = _text_and_thought(message)
    if not thought or "<think>" in text:
        return text
    whole = not text.strip() and "</think>" in thought  # the answer is in there, too
    return thought if whole else f"<think>{thought}</think>{text}"


def _text_and_thought(message: Mapping[str, Any]) -> tuple[str, str]:
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    apart = message.get("reasoning") or message.get("reasoning_content")
    thought = _joined(part for part in parts if _is_thought(part))
    return _joined(part for part in parts if not _is_thought(part)), thought or _joined([apart])


def _is_thought(part: Any) -> bool:
    return isinstance(part, dict) and (part.get("type") in _THOUGHT_PARTS or part.get("thought") is True)


def _joined(parts: Iterable[Any]) -> str:
    return clean_text("".join(_text_of(part) for part in parts))


def _text_of(part: Any) -> str:
    """A part's text, however it is wrapped: a string, `{"text": …}`, `{"thinking": …}`, a list of them."""
    if isinstance(part, str):
        return part
    if isinstance(part, list):
        return "".join(_text_of(each) for each in part)
    if isinstance(part, dict):
        held = (part.get(name) for name in ("text", "thinking", "reasoning", "content", "value"))
        return _text_of(next((each for each in held if each), ""))
    return ""


def _logprobs(choice: Mapping[str, Any]) -> tuple[float, ...]:
    logprobs = choice.get("logprobs")
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    listed = tokens if isinstance(tokens, list) else []
    told = [each.get("logprob") for each in listed if isinstance(each, dict)]
    numbers = tuple(float(each) for each in told if isinstance(each, int | float) and math.isfinite(each))
    return numbers if len(numbers) == len(told) else ()


def token_ids_in(told: Any) -> tuple[int, ...]:
    """Ids that a reply lists; none where they are no list of numbers."""
    ids = told if isinstance(told, list) else []
    return tuple(ids) if all(isinstance(each, int) for each in ids) else ()


def _count(told: Any) -> int:
    """A number of tokens; 0 for what is none."""
    is_one = isinstance(told, int | float) and math.isfinite(told) and 0 <= told < _MOST_TOKENS
    return int(told) if is_one else 0


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
