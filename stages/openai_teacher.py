"""Requests -> completions through servers that speak the OpenAI protocol: many at once, again where it helps.

An event loop in a thread of its own stands behind the synchronous protocol. Each server has as many workers
as it may have requests in flight; they draw from one stack: a slow server gets less and a dead one nothing.
"""

import asyncio
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from types import TracebackType
from typing import Self

from schemas.chat import ChatRequest, Completion
from schemas.openai_chat import Rollouts, chat_body, group_rollouts, read_chat_reply
from stages.openai_server import (
    FIRST_WAIT_S,
    LONGEST_WAIT_S,
    NO_KEY,
    LastingError,
    OpenAIServer,
    PassingError,
)
from stages.teacher import ServerTeacherConfig, TeacherUnavailable


@dataclass
class _Ask:
    """A group under way."""

    group: Rollouts
    tries: int = 0
    blame: float = 0.0
    """Tries that failed for a reason that may lie in the request itself, while the server answered others."""
    split: bool = False
    """One of a group that the server did not take as one."""
    answers_before: int = 0
    """Answers that the server had given when this try began."""


@dataclass
class _Job:
    """One call of `complete`."""

    frames: Mapping[str, bytes]
    open: int
    """Groups without an answer yet."""
    waiting: asyncio.LifoQueue[_Ask] = field(default_factory=asyncio.LifoQueue)
    """The next one on top; what is asked again goes first."""
    results: queue.SimpleQueue[list[Completion] | BaseException | None] = field(
        default_factory=queue.SimpleQueue
    )
    done: asyncio.Event = field(default_factory=asyncio.Event)
    last_answer_s: float = field(default_factory=time.monotonic)

    def settle(self, completions: list[Completion]) -> None:
        """One group is through."""
        self.results.put(completions)
        self.open -= 1
        if not self.open:
            self.done.set()

    def split(self, ask: _Ask) -> None:
        """Ask for the members of a group one by one instead."""
        for group in reversed(ask.group.alone()):
            self.waiting.put_nowait(_Ask(group, tries=ask.tries, split=True))
        self.open += len(ask.group.requests) - 1

    def fail(self, error: BaseException) -> None:
        """The whole call ends with this error."""
        self.results.put(error)
        self.done.set()


class OpenAITeacher:
    """A model behind one or several servers. Used in a `with` block, from any number of threads."""

    def __init__(
        self,
        cfg: ServerTeacherConfig,
        *,
        broken: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`broken` may say why waiting for the server is in vain."""
        self.model = cfg.identity
        self.in_flight = 0
        """Requests sent to the servers and not answered yet."""
        self._cfg = cfg
        self._broken = broken
        self._takes_n = True
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="openai-teacher", daemon=True)
        self._servers: list[OpenAIServer] = []

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._connect(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._disconnect(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        """Completions as they arrive, `concurrency` requests in flight at each server.

        Requests that differ in their sample index alone are one request of the protocol. What fails for good
        is a completion with an error. Raises TeacherUnavailable where no server answers for longer than the
        patience, or none of them can ever answer; KeyError for a frame that is missing.
        """
        groups = group_rollouts(requests)
        if not groups:
            return
        job = _Job(frames, open=len(groups))
        running = asyncio.run_coroutine_threadsafe(self._run(job, groups), self._loop)
        try:
            while (said := job.results.get()) is not None:
                if isinstance(said, BaseException):
                    raise said
                yield from said
        finally:
            running.cancel()

    async def _connect(self) -> None:
        key = os.environ.get(self._cfg.key_variable) or NO_KEY
        self._servers = [OpenAIServer(url, key, self._cfg) for url in self._cfg.urls]

    async def _disconnect(self) -> None:
        for server in self._servers:
            await server.close()
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _run(self, job: _Job, groups: Sequence[Rollouts]) -> None:
        for group in reversed(groups):
            job.waiting.put_nowait(_Ask(group))
        count = min(self._cfg.concurrency, sum(len(group.requests) for group in groups))
        workers = [
            asyncio.create_task(self._work(server, job)) for server in self._servers for _ in range(count)
        ]
        try:
            await job.done.wait()
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            job.results.put(None)

    async def _work(self, server: OpenAIServer, job: _Job) -> None:
        """Ask this server for one group after another, for as long as the job lasts."""
        try:
            while True:
                if (rest_s := server.pause_left_s) > 0:
                    await asyncio.sleep(rest_s)
                ask = await job.waiting.get()
                async with server.slots:
                    if server.pause_left_s > 0:  # since it began to wait
                        job.waiting.put_nowait(ask)
                    elif ask.group.choices > 1 and not self._takes_n:
                        job.split(ask)
                    else:
                        await self._attempt(server, job, ask)
        except Exception as error:
            job.fail(error)

    async def _attempt(self, server: OpenAIServer, job: _Job, ask: _Ask) -> None:
        ask.answers_before = server.answers
        try:
            completions = await self._asked(server, job, ask)
        except PassingError as fault:
            await self._again(server, job, ask, fault)
        except LastingError as fault:
            job.last_answer_s = time.monotonic()
            if ask.group.choices > 1:  # some servers take one choice only
                job.split(ask)
            else:
                job.settle(self._failures(ask, str(fault)))
        else:
            server.answers += 1
            job.last_answer_s = time.monotonic()
            self._settle(job, ask, completions)

    def _settle(self, job: _Job, ask: _Ask, completions: list[Completion]) -> None:
        left = ask.group.requests[len(completions) :]
        self._takes_n = self._takes_n and not left and not (ask.split and len(ask.group.requests) == 1)
        for request in left:
            job.waiting.put_nowait(_Ask(Rollouts((request,)), split=True))
        job.open += len(left)
        job.settle(completions)

    async def _asked(self, server: OpenAIServer, job: _Job, ask: _Ask) -> list[Completion]:
        body = chat_body(ask.group, self._cfg.model, job.frames)
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

    async def _again(self, server: OpenAIServer, job: _Job, ask: _Ask, fault: PassingError) -> None:
        ask.tries += 1
        pauses = fault.pauses
        if fault.blame:
            if server.answers > ask.answers_before or await server.is_well():
                ask.blame += fault.blame
            else:  # it would fail whatever it is asked, and faster than another server answers
                pauses = True
        if ask.blame >= self._cfg.attempts:
            job.settle(self._failures(ask, f"failed {ask.tries} times while other requests did not: {fault}"))
            return
        silent_s = time.monotonic() - job.last_answer_s
        reason = self._broken()
        if reason or silent_s > self._cfg.patience_s:
            raise TeacherUnavailable(
                reason
                or f"teacher {self.model}: no answer for {silent_s:.0f} s; the last fault, at {server.url}: "
                f"{fault}; see to the server, then run the same command again: every answer so far is kept"
            )
        if pauses:
            server.pause(fault.pause_s)
            job.waiting.put_nowait(ask)
        else:
            asyncio.get_running_loop().call_later(_wait_s(ask), job.waiting.put_nowait, ask)

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


def _wait_s(ask: _Ask) -> float:
    """Twice as long after each try, spread by a quarter so that not all come back at once."""
    spread = Random(f"{ask.group.first.request_id} {ask.tries}").uniform(0.75, 1.25)  # noqa: S311 - no secret
    wait_s: float = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (ask.tries - 1))
    return spread * wait_s
