"""A server's settings -> nothing, or the one reason why a build against it would fail."""

import asyncio
import time
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from reelproof.pipeline.teachers.frame_files import sent_by
from reelproof.schemas.chat import ChatRequest, ImagePart, Message, Sampling, TextPart
from reelproof.schemas.frame_names import time_name
from reelproof.schemas.openai_body import Body
from reelproof.schemas.openai_chat import Rollouts, chat_body
from reelproof.schemas.openai_frames import Sending
from reelproof.stages.teachers.openai_server import (
    LastingError,
    OpenAIServer,
    PassingError,
    read_key,
)
from reelproof.stages.teachers.pauses import FIRST_WAIT_S
from reelproof.stages.teachers.plain_request import BLANK, blank_jpeg
from reelproof.stages.teachers.protocol import ServerTeacherConfig, TeacherNeeds, TeacherUnavailable

T = TypeVar("T")

CHECK_TIMEOUT_S = 120.0
AGAIN_FOR_S = 3.0
"""One error may pass; a server that errs for so long is told."""


def check_server(cfg: ServerTeacherConfig, needs: TeacherNeeds) -> str:
    """Ask each server for its models, for an answer to text, to an image, and to the largest request to come.

    Returns what the servers do not take as usual, in words. Raises TeacherUnavailable with one message: what,
    got and expected, what to do.
    """
    quick = cfg.model_copy(update={"timeout_s": min(cfg.timeout_s, CHECK_TIMEOUT_S)})
    return asyncio.run(_check_all(quick, needs))


def only_model(url: str, key_variable: str) -> str:
    """The model of a server that serves one. Raises TeacherUnavailable for one that serves no one model."""
    try:
        cfg = ServerTeacherConfig(
            model="any", urls=(url,), key_variable=key_variable, timeout_s=CHECK_TIMEOUT_S
        )
    except ValidationError as error:
        raise TeacherUnavailable(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    names = asyncio.run(_names_at(cfg))
    if len(names) == 1:
        return names[0]
    which = f"serves {', '.join(map(repr, names[:8]))}" if names else "does not tell what it serves"
    raise TeacherUnavailable(
        f"the server at {url} {which}; name the model that is meant: --model NAME --server {url}"
    )


async def _names_at(cfg: ServerTeacherConfig) -> list[str]:
    server = OpenAIServer(cfg.urls[0], read_key(cfg), cfg, partial(sent_by, cfg))
    try:
        return [str(each.get("id")) for each in await _listed(server, f"the server at {server.url}")]
    finally:
        await server.close()


async def _check_all(cfg: ServerTeacherConfig, needs: TeacherNeeds) -> str:
    key = read_key(cfg)
    told = await _all_of(
        _check_one(OpenAIServer(url, key, cfg, partial(sent_by, cfg)), cfg, needs) for url in cfg.urls
    )
    return "; ".join(dict.fromkeys(filter(None, told)))


async def _check_one(server: OpenAIServer, cfg: ServerTeacherConfig, needs: TeacherNeeds) -> str:
    try:
        with sent_by(cfg) as sending:
            await _check(server, cfg, sending, needs)
    finally:
        await server.close()
    fields = server.told_fields
    return f"teacher {cfg.identity}: the service is sent {fields}" if fields else ""


async def _all_of(work: Iterable[Awaitable[T]]) -> list[T]:
    """What each comes to, side by side; of several errors, the first in their order is raised."""
    found = await asyncio.gather(*work, return_exceptions=True)
    if errors := [each for each in found if isinstance(each, BaseException)]:
        raise errors[0]
    return cast("list[T]", found)


async def _check(
    server: OpenAIServer, cfg: ServerTeacherConfig, sending: Sending, needs: TeacherNeeds
) -> None:
    where = f"teacher {cfg.identity}: the server at {server.url}"
    listed = await _listed(server, where)
    names = [str(each.get("id")) for each in listed]
    if names and cfg.model not in names:
        raise TeacherUnavailable(
            f"{where} does not serve {cfg.model!r}; it serves {', '.join(map(repr, names[:8]))}; "
            "set the teacher's `model` to one of these"
        )
    await _try(  # alone: what it refuses of the usual fields, the others leave out
        server, _request(cfg, sending, 0, needs, short=True), where, "does not answer a plain question"
    )
    tries = []
    if needs.images:
        problem = "takes no images"
        remedy = "serve a model that sees"
        if cfg.frames_folder:
            remedy += f", and let it read {cfg.frames_folder} (vLLM: --allowed-local-media-path)"
        if cfg.frames_as_video:
            remedy += ", and let requests say when frames were (vLLM: --trust-request-mm-kwargs)"
        tries.append(_try(server, _request(cfg, sending, 1, needs, short=True), where, problem, remedy))
    tries += [
        _try(
            server,
            _request(cfg, sending, needs.images, largest, short=False),
            where,
            f"does not take a request of {needs.images} images of {largest.image_width_px} x "
            f"{largest.image_height_px} px and {needs.prompt_characters} characters",
            "give it a longer context or more images per request, or show fewer or smaller frames",
        )
        for largest in _largest(needs)
    ]
    for reply in await _all_of(tries):
        _check_context(reply, [each for each in listed if each.get("id") == cfg.model], needs, where)


def _largest(needs: TeacherNeeds) -> tuple[TeacherNeeds, ...]:
    """As it is, and wide: models that cut pictures into tiles may need more of them for wide ones."""
    wide = needs._replace(image_height_px=min(needs.image_height_px, needs.image_width_px * 9 // 16))
    return tuple(dict.fromkeys((needs, wide))) if needs.images else (needs,)


async def _listed(server: OpenAIServer, where: str) -> list[dict[str, Any]]:
    """Its models; none where it has no such list, as some do not."""
    try:
        return await server.models()
    except LastingError:
        return []
    except PassingError as error:
        raise TeacherUnavailable(
            f"{where} does not answer ({error}); start it, or mend its address"
        ) from None


async def _try(server: OpenAIServer, body: Body, where: str, problem: str, remedy: str = "") -> Any:
    """Its answer; what may pass is tried again for a moment, as a build does. Raises TeacherUnavailable."""
    began_s = time.monotonic()
    while True:
        try:
            return await server.chat(body)
        except (LastingError, PassingError) as error:
            if isinstance(error, LastingError) or time.monotonic() - began_s > AGAIN_FOR_S:
                what_to_do = f"; {remedy}" if remedy else ""
                raise TeacherUnavailable(f"{where} {problem}: {error}{what_to_do}") from None
        await asyncio.sleep(FIRST_WAIT_S)


def _check_context(reply: Any, models: list[dict[str, Any]], needs: TeacherNeeds, where: str) -> None:
    """The largest prompt, as the server counted it, and the longest answer must fit together."""
    context = next((each["max_model_len"] for each in models if each.get("max_model_len")), None)
    usage = reply.get("usage") or {} if isinstance(reply, Mapping) else {}
    prompt = usage.get("prompt_tokens")
    if context and prompt and prompt + needs.max_tokens > context:
        raise TeacherUnavailable(
            f"{where} has a context of {context} tokens, but the largest prompt takes {prompt} and "
            f"the answer up to {needs.max_tokens}; give it a longer context, show fewer frames, "
            "or lower max_tokens"
        )


def _request(
    cfg: ServerTeacherConfig, sending: Sending, images: int, needs: TeacherNeeds, short: bool
) -> Body:
    """A request with blank frames; the short one shows them small."""
    size_px = (56, 56) if short else (needs.image_width_px, needs.image_height_px)
    blank = "{}-{}x{}".format(BLANK, *size_px)
    text = (
        "Say yes." if short else ("Say yes. " * (needs.prompt_characters // 9 + 1))[: needs.prompt_characters]
    )
    turn = Message(role="user", content=(*_frames(cfg, blank, images), TextPart(text=text)))
    sampling = Sampling(temperature=0, max_tokens=1)
    request = ChatRequest(model=cfg.identity, messages=(turn,), sampling=sampling)
    return chat_body(Rollouts((request,)), cfg.model, {blank: blank_jpeg(*size_px)}, sending)


def _frames(cfg: ServerTeacherConfig, name: str, count: int) -> Iterator[TextPart | ImagePart]:
    """One frame so often; with times where these make them a video."""
    for second in range(count):
        if cfg.frames_as_video:
            yield TextPart(text=time_name(second))
        yield ImagePart(sha256=name)
