"""Requests -> completions through servers that speak the OpenAI protocol: many at once, again where it helps.

An event loop in a thread of its own stands behind the synchronous protocol. Each server has as many workers
as it may have requests in flight; they draw from one queue: a slow server gets less and a dead one nothing.
Of several calls at once the oldest goes first: they do not all run dry at the same moment.
"""

import asyncio
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Self

from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.schemas.openai_chat import Rollouts, chat_body, group_rollouts, read_chat_reply
from reelproof.schemas.openai_frames import AS_THEY_ARE, Sending
from reelproof.schemas.server_key import ServerKey
from reelproof.stages.teachers.openai_server import (
    LastingError,
    OpenAIServer,
    PassingError,
    read_key,
)
from reelproof.stages.teachers.pauses import spread_wait_s
from reelproof.stages.teachers.protocol import (
    More,
    ServerTeacherConfig,
    TeacherUnavailable,
    nothing_more,
)

MOST_REFUSED = 32
"""Requests that may be refused for good with no answer between them, before no more are sent."""


@dataclass(eq=False)
class _Job:
    """One call of `complete`."""

    number: int
    """Smaller goes first."""
    frames: Mapping[str, bytes]
    sending: Sending
    results: queue.SimpleQueue[list[Completion] | BaseException] = field(default_factory=queue.SimpleQueue)
    """What there is to tell the caller."""
    ended: bool = False
    """Nothing of it is to be asked any more."""
    started_s: float = field(default_factory=time.monotonic)

    def fail(self, error: BaseException) -> None:
        """The whole call ends with this error."""
        self.ended = True
        self.results.put(error)


@dataclass(eq=False)
class _Ask:
    """A group under way."""

    job: _Job
    group: Rollouts
    place: int
    """Within its job; smaller goes first."""
    tries: int = 0
    blame: float = 0.0
    """Tries that failed for a reason that may lie in the request itself, while the server answered others."""
    split: bool = False
    """One of a group that the server did not take as one."""
    answers_before: int = 0
    """Answers that the server had given when this try began."""

    def __lt__(self, other: "_Ask") -> bool:
        return (self.job.number, self.place) < (other.job.number, other.place)


class OpenAITeacher:
    """A model behind one or several servers. Used in a `with` block, from any number of threads."""

    def __init__(
        self,
        cfg: ServerTeacherConfig,
        *,
        broken: Callable[[], str | None] = lambda: None,
        sends: Callable[[], AbstractContextManager[Sending]] = lambda: nullcontext(AS_THEY_ARE),
    ) -> None:
        """`broken` may say why waiting for the server is in vain; `sends`, how frames go to it."""
        self.model = cfg.identity
        self.in_flight = 0
        """Requests sent to the servers and not answered yet."""
        self._cfg = cfg
        self._broken, self._sends = broken, sends
        self._takes_n = True
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="openai-teacher", daemon=True)
        self._servers: list[OpenAIServer] = []
        self._waiting: asyncio.PriorityQueue[_Ask] = asyncio.PriorityQueue()
        self._jobs: set[_Job] = set()
        self._numbers = itertools.count()
        self._last_answer_s = 0.0
        self._refused_in_a_row = 0

    def __enter__(self) -> Self:
        key = read_key(self._cfg)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._connect(key), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._disconnect(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def owing_s(self) -> Mapping[str, float]:
        """Address of each server -> for how many seconds it has been asked and answered nothing."""
        return {server.url: server.owing_s for server in self._servers}

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        """Completions as they arrive, `concurrency` requests in flight at each server.

        Requests that differ in their sample index alone are one request of the protocol. What fails for good
        is a completion with an error. Raises TeacherUnavailable where no server answers for longer than the
        patience, or none of them can ever answer; KeyError for a frame that is missing.
        """
        return self.complete_on(requests, frames, nothing_more)

    def complete_on(
        self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes], more: More
    ) -> Iterator[Completion]:
        """The same of the requests and of what `more` adds, which goes before the requests still waiting."""
        if not requests:
            return
        with self._sends() as sending:
            job, unanswered = _Job(next(self._numbers), frames, sending), len(requests)
            self._loop.call_soon_threadsafe(self._begin, job, group_rollouts(requests))
            try:
                while unanswered:
                    said = job.results.get()
                    if isinstance(said, BaseException):
                        raise said
                    for completion in said:
                        if following := more(completion):
                            self._loop.call_soon_threadsafe(self._begin, job, group_rollouts(following))
                        unanswered += len(following) - 1
                        yield completion
            finally:
                job.ended = True
                self._jobs.discard(job)

    async def _connect(self, key: ServerKey) -> None:
        self._servers = [OpenAIServer(url, key, self._cfg, self._sends) for url in self._cfg.urls]
        self._workers = [
            asyncio.create_task(self._work(server))
            for _ in range(self._cfg.concurrency)
            for server in self._servers  # in turn: those that wait for work longest get it first
        ]

    async def _disconnect(self) -> None:
        for job in tuple(self._jobs):
            job.fail(RuntimeError(f"teacher {self.model}: closed while it was asked"))
        for server in self._servers:
            await server.close()
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _begin(self, job: _Job, groups: Sequence[Rollouts]) -> None:
        if job.ended:  # the caller left before it began
            return
        self._jobs.add(job)
        for place, group in enumerate(groups):
            self._waiting.put_nowait(_Ask(job, group, place))

    async def _work(self, server: OpenAIServer) -> None:
        """Ask this server for one group after another, whichever call it belongs to."""
        while True:
            if (rest_s := server.pause_left_s) > 0:
                await asyncio.sleep(rest_s)
            ask = await self._waiting.get()
            if server.pause_left_s > 0:  # since it began to wait
                self._waiting.put_nowait(ask)
            elif not ask.job.ended:
                await self._answer(server, ask)

    async def _answer(self, server: OpenAIServer, ask: _Ask) -> None:
        try:
            if ask.group.choices > 1 and not self._takes_n:
                self._split(ask)
            else:
                await self._attempt(server, ask)
        except Exception as error:
            ask.job.fail(error)

    def _split(self, ask: _Ask) -> None:
        """Ask for the members of a group one by one instead."""
        for group in ask.group.alone():
            self._waiting.put_nowait(_Ask(ask.job, group, ask.place, tries=ask.tries, split=True))

    async def _attempt(self, server: OpenAIServer, ask: _Ask) -> None:
        ask.answers_before = server.answers
        try:
            completions = await self._asked(server, ask)
        except PassingError as fault:
            await self._again(server, ask, fault)
        except LastingError as fault:
            self._last_answer_s = time.monotonic()
            if ask.group.choices > 1:  # some servers take one choice only
                self._split(ask)
            else:
                self._refuse(server, ask, str(fault))
        else:
            server.answers += 1
            self._refused_in_a_row = 0
            self._last_answer_s = time.monotonic()
            self._settle(ask, completions)

    def _refuse(self, server: OpenAIServer, ask: _Ask, what: str) -> None:
        """One request is refused for good; where all are, it is the server or the recipe that is wrong."""
        self._refused_in_a_row += 1
        if self._refused_in_a_row < MOST_REFUSED:
            ask.job.results.put(self._failures(ask, what))
            return
        raise TeacherUnavailable(
            f"teacher {self.model}: the server at {server.url} refused {self._refused_in_a_row} requests one "
            f"after the other; the last: {what}; mend the server or the recipe, then run the same command "
            "again (a build with --retry-failed, which asks for these anew): every answer so far is kept"
        )

    def _settle(self, ask: _Ask, completions: list[Completion]) -> None:
        left = ask.group.requests[len(completions) :]
        self._takes_n = self._takes_n and not left and not (ask.split and len(ask.group.requests) == 1)
        for request in left:
            self._waiting.put_nowait(_Ask(ask.job, Rollouts((request,)), ask.place, split=True))
        ask.job.results.put(completions)

    async def _asked(self, server: OpenAIServer, ask: _Ask) -> list[Completion]:
        body = chat_body(ask.group, self._cfg.model, ask.job.frames, ask.job.sending)
        started_s = time.monotonic()
        self.in_flight += 1
        try:
            reply = await server.chat(body)
        finally:
            self.in_flight -= 1
        latency_s = time.monotonic() - started_s
        try:
            return read_chat_reply(reply, ask.group, self._cfg.revision, latency_s, ask.tries)
        except ValueError as error:
            raise PassingError(str(error), blame=1) from error

    async def _again(self, server: OpenAIServer, ask: _Ask, fault: PassingError) -> None:
        ask.tries += 1
        pauses = fault.pauses
        if fault.blame:
            if server.answers > ask.answers_before or await server.is_well(bool(ask.group.first.images)):
                ask.blame += fault.blame
            else:  # it would fail whatever it is asked, and faster than another server answers
                pauses = True
        if ask.blame >= self._cfg.attempts:
            failures = self._failures(ask, f"failed {ask.tries} times while other requests did not: {fault}")
            ask.job.results.put(failures)
            return
        silent_s = time.monotonic() - max(ask.job.started_s, self._last_answer_s)
        reason = self._broken()
        if reason or silent_s > self._cfg.patience_s:
            raise TeacherUnavailable(
                reason
                or f"teacher {self.model}: no answer for {silent_s:.0f} s; the last fault, at {server.url}: "
                f"{fault}; see to the server, then run the same command again: every answer so far is kept"
            )
        if pauses:
            server.pause(fault.pause_s)
            self._waiting.put_nowait(ask)
        else:
            wait_s = spread_wait_s(ask.tries, ask.group.first.request_id)
            asyncio.get_running_loop().call_later(wait_s, self._waiting.put_nowait, ask)

    def _failures(self, ask: _Ask, error: str) -> list[Completion]:
        return [
            Completion(
                request_id=request.request_id,
                model=self.model,
                text="",
                finish_reason="error",
                error=error,
                retries=ask.tries,
            )
            for request in ask.group.requests
        ]
