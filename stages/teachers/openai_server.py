"""One server that speaks the OpenAI protocol: a body goes in, the reply's bytes or a named fault come out."""

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx2
from openai import (
    APIConnectionError,
    APIStatusError,
    AsyncOpenAI,
    DefaultAioHttpClient,
    OpenAIError,
)

from reelproof.schemas.errors import UsageError
from reelproof.schemas.openai_body import Body
from reelproof.schemas.openai_chat import Rollouts, chat_body
from reelproof.schemas.openai_frames import Sending
from reelproof.schemas.openai_reply import ReplyFault, fault_in, read_choices, told_in
from reelproof.schemas.server_key import ServerKey
from reelproof.stages.teachers.owing import Owing
from reelproof.stages.teachers.pauses import doubled_wait_s, retry_after_s
from reelproof.stages.teachers.plain_request import BLANK, blank_jpeg, plainest_request
from reelproof.stages.teachers.protocol import ServerTeacherConfig, TeacherUnavailable
from reelproof.stages.teachers.request_fields import adapted, refused_field, told_fields

LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))
KEEP_ALIVE_S = 3.0
"""Shorter than servers' own 5 s, so that none closes a connection just as it is used again."""


def read_key(cfg: ServerTeacherConfig) -> ServerKey:
    """The key that the environment holds. Raises TeacherUnavailable for what can be none."""
    try:
        return ServerKey.read(cfg.key_variable)
    except UsageError as error:
        raise TeacherUnavailable(f"teacher {cfg.identity}: {error}") from None


class PassingError(Exception):
    """A fault that asking again may mend."""

    def __init__(self, what: str, blame: float, pauses: bool = False, pause_s: float | None = None) -> None:
        super().__init__(what)
        self.blame = blame
        """1 where the request itself may be the reason, 0 where it cannot."""
        self.pauses = pauses
        """Whether the whole server is to be left alone for a while, for `pause_s` where it said so."""
        self.pause_s = pause_s


class LastingError(Exception):
    """A failure of this request that asking again would not mend."""


class _ForbiddenError(LastingError):
    """HTTP 403: some servers answer so to refused content, others to a revoked key or a region."""


class _NotThereError(LastingError):
    """HTTP 404: a wrong address or model, or a proxy for the moment in which its server restarts."""


class OpenAIServer:
    """One address, and what is known of it. Lives in one event loop."""

    def __init__(
        self,
        url: str,
        key: ServerKey,
        cfg: ServerTeacherConfig,
        sends: Callable[[], AbstractContextManager[Sending]],
    ) -> None:
        self.url = url
        self._sends = sends
        self.answers = 0
        """Whole ones that it gave so far."""
        self.owing = Owing()
        self._cfg = cfg
        self._key = key
        limits = httpx2.Limits(
            max_connections=cfg.concurrency,
            max_keepalive_connections=cfg.concurrency,
            keepalive_expiry=KEEP_ALIVE_S,
        )
        http = DefaultAioHttpClient(
            limits=limits,
            timeout=httpx2.Timeout(cfg.timeout_s, connect=10),
            verify=_certificates(),
            trust_env=urlsplit(url).hostname not in LOOPBACK,  # no proxy stands between us and ourselves
        )
        self._client = AsyncOpenAI(base_url=url, api_key=key.value, max_retries=0, http_client=http)
        self._fields = {each.name: each for each in cfg.fields}
        self._faults_in_a_row = 0
        self._paused_until_s = 0.0
        self._probes: dict[bool, asyncio.Task[bool]] = {}

    async def close(self) -> None:
        """Drop all connections."""
        await self._client.close()

    @property
    def told_fields(self) -> str:
        """What it was found to take otherwise than the recipe says; empty where nothing."""
        return told_fields(each for each in self._fields.values() if each not in self._cfg.fields)

    @property
    def owing_s(self) -> float:
        """For how long it has been asked and answered nothing; 0 where it owes nothing."""
        return self.owing.seconds(left_alone=self.pause_left_s > 0)

    @property
    def pause_left_s(self) -> float:
        """How long to ask nothing of it; not above 0 when it may be asked."""
        return self._paused_until_s - time.monotonic()

    def pause(self, seconds: float | None) -> None:
        """Ask nothing of it for a while: one pause for all the requests that met the same fault."""
        if seconds is None:
            if self.pause_left_s > 0:
                return
            seconds = doubled_wait_s(self._faults_in_a_row)
            self._faults_in_a_row += 1
        self._paused_until_s = max(self._paused_until_s, time.monotonic() + seconds)

    async def chat(self, body: Body) -> Any:
        """The reply to `POST /chat/completions`, parsed.

        openai's own reading of it into models would cost more than all else together. Raises PassingError,
        LastingError, and TeacherUnavailable where no request can succeed.
        """
        try:
            return await self._post(body)
        except _ForbiddenError as fault:
            if await self.is_well():
                raise LastingError(str(fault)) from None
            raise PassingError(str(fault), blame=0, pauses=True) from None
        except _NotThereError as fault:
            well = await self.is_well()
            raise PassingError(str(fault), blame=float(well), pauses=not well) from None

    async def _post(self, body: Body) -> Any:
        """The same, but for a 403 and a 404. Fields that the service refuses are left out from here on."""
        while True:
            try:
                with self.owing.asked():
                    reply = await self._post_as(adapted(body, self._fields.values()))
                self.owing.answered()
                return reply
            except LastingError as fault:
                self.owing.answered()
                refused = refused_field(str(fault), self._fields)
                if refused is None:
                    raise
                self._fields[refused.name] = refused

    async def _post_as(self, body: Body) -> Any:
        try:
            async with asyncio.timeout(self._cfg.timeout_s):
                response = await self._client.post(
                    "/chat/completions",
                    cast_to=httpx2.Response,
                    content=body.pieces(),
                    options={"headers": body.headers},
                )
            reply = json.loads(response.content)
        except (OpenAIError, TimeoutError) as error:
            raise self._named(error) from None
        except (ValueError, RecursionError):
            raise PassingError("a reply that is not JSON", blame=1) from None
        if fault := fault_in(reply):
            raise self._told_with_200(fault, response)
        self._faults_in_a_row = 0
        return reply

    async def models(self) -> list[dict[str, Any]]:
        """What `GET /models` lists. Raises as `chat` does."""
        try:
            async with asyncio.timeout(min(30.0, self._cfg.timeout_s)):
                response = await self._client.get("/models", cast_to=httpx2.Response)
            return list(json.loads(response.content)["data"])
        except (OpenAIError, TimeoutError) as error:
            raise self._named(error) from None
        except (ValueError, KeyError, TypeError):
            raise LastingError("its list of models is not of the OpenAI protocol") from None

    async def is_well(self, with_image: bool = False) -> bool:
        """Whether it answers the plainest request, so that a fault lies in the request that met it.

        A server can read and be blind: whether it takes a picture is asked with one. One probe answers all
        who ask while it is under way: an outage is not met with more load. Raises TeacherUnavailable where
        it refuses every request: for want of a key, of money, of leave or of the model.
        """
        probe = self._probes.get(with_image)
        if probe is None or probe.done():
            probe = self._probes[with_image] = asyncio.create_task(self._answers_plainly(with_image))
        return await asyncio.shield(probe)

    async def _answers_plainly(self, with_image: bool) -> bool:
        request = plainest_request(self._cfg.identity, with_image)
        try:
            with self._sends() as sending:
                body = chat_body(Rollouts((request,)), self._cfg.model, {BLANK: blank_jpeg()}, sending)
                reply = await self._post(body)
        except PassingError:
            return False
        except _ForbiddenError as fault:
            raise TeacherUnavailable(
                f"teacher {self._cfg.identity}: the server at {self.url} refuses the plainest request too: "
                f"{fault}; see that the key in {self._cfg.key_variable} is valid and may use this model from "
                "here, then run the same command again: every answer so far is kept"
            ) from None
        except _NotThereError as fault:
            raise TeacherUnavailable(
                f"teacher {self._cfg.identity}: the server at {self.url} says {fault}; see that its address "
                f"is whole (most end in /v1) and that it serves {self._cfg.model!r}, then run the same "
                "command again: every answer so far is kept"
            ) from None
        except LastingError:  # a refusal is an answer too
            return True
        try:
            return bool(read_choices(reply, (request,), 1, "", 0, 0))
        except ValueError:
            return False

    def _named(self, error: Exception) -> Exception:
        """What a fault is called here: passing, lasting, or the end of all asking."""
        if isinstance(error, APIStatusError):
            said = told_in(error.body) or error.response.reason_phrase
            return self._named_status(error.status_code, error.code, said, error.response)
        causes = tuple(_causes(error))
        if any(isinstance(cause, aiohttp.ClientConnectorError) for cause in causes):
            return PassingError("no connection", blame=0, pauses=True)
        if any(isinstance(cause, TimeoutError) for cause in causes):
            return PassingError(f"no answer within {self._cfg.timeout_s:g} s", blame=1)
        if isinstance(error, APIConnectionError):
            return PassingError("the connection broke", blame=0.5)
        return error

    def _told_with_200(self, fault: ReplyFault, response: httpx2.Response) -> Exception:
        """An error in a reply that says it is none: treated as the status that it names."""
        if fault.status is None:
            return PassingError(f"HTTP 200 with an error: {self._key.hidden_in(fault.message)}", blame=1)
        return self._named_status(fault.status, fault.code, fault.message, response)

    def _named_status(
        self, status: int, code: str | None, message: str, response: httpx2.Response
    ) -> Exception:
        what = f"HTTP {status}: {self._key.hidden_in(message)}"
        if status == 401:  # its message is not quoted: some servers put a part of the key there
            return TeacherUnavailable(
                f"teacher {self._cfg.identity}: the server at {self.url} {self._key.refused()}"
            )
        if status == 402 or code == "insufficient_quota":
            return TeacherUnavailable(
                f"teacher {self._cfg.identity}: the server at {self.url} wants to be paid ({what}); top up "
                f"the account of the key in {self._cfg.key_variable}, then run the same command again: every "
                "answer so far is kept"
            )
        if status == 403:
            return _ForbiddenError(what)
        if status == 404:
            return _NotThereError(what)
        if status in (429, 503):
            wait_s = retry_after_s(response.headers.get("retry-after"))
            return PassingError(what, blame=0, pauses=True, pause_s=wait_s)
        if status >= 500 or status in (408, 409, 425):
            return PassingError(what, blame=1)
        return LastingError(what)


@lru_cache
def _certificates() -> ssl.SSLContext:
    """Read once a process: it takes longer than a dozen requests, and each part opens a client of its own."""
    return httpx2.create_ssl_context()


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it: openai and httpx call a refused or a broken connection a time-out."""
    while error is not None:
        yield error
        error = error.__cause__
