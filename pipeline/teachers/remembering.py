"""A teacher and a part's log -> a teacher that is never asked twice for what the log holds."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

from reelproof.pipeline.accounts.accounting import UseCounter
from reelproof.pipeline.teachers.completions import CompletionLog
from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.stages.teachers.protocol import More, Teacher, TeacherPrice, complete_on, nothing_more


class RememberingTeacher:
    """A teacher that first takes what the part's log holds, and logs every answer before it passes it on."""

    def __init__(
        self,
        inner: Teacher,
        log: CompletionLog,
        counter: UseCounter,
        *,
        price: TeacherPrice | None = None,
        ask_failures_again: bool = False,
    ) -> None:
        """`ask_failures_again`: recorded failures are asked once more, as when the context became longer."""
        self._inner = inner
        self._log = log
        self._counter = counter
        self._price = price
        self._ask_failures_again = ask_failures_again
        self.model = inner.model
        counter.watch(inner)

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        """What the log holds first; then the rest is asked for all at once, so that it can be batched."""
        return self.complete_on(requests, frames, nothing_more)

    def complete_on(
        self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes], more: More
    ) -> Iterator[Completion]:
        """The same, and of what `more` adds: what the log holds of that is not asked either."""
        copies = Counter(request.request_id for request in requests)
        left: dict[str, ChatRequest] = {}
        for completion in self._held(requests, more, left):
            yield from _repeated(completion, copies)
        if left:
            yield from self._asked(left, frames, copies, more)

    def _held(
        self, requests: Iterable[ChatRequest], more: More, left: dict[str, ChatRequest]
    ) -> Iterator[Completion]:
        """What the log holds of the requests, and of what follows from that; `left` gets the others."""
        while new := {request.request_id: request for request in requests}:
            left |= new
            following: list[ChatRequest] = []
            for completion in self._log.read(new):
                if completion.error is not None and self._ask_failures_again:
                    continue
                del left[completion.request_id]
                self._counter.count_reused(completion)
                following += more(completion)
                yield completion
            requests = following

    def _asked(
        self,
        left: dict[str, ChatRequest],
        frames: Mapping[str, bytes],
        copies: Mapping[str, int],
        more: More,
    ) -> Iterator[Completion]:
        asked_at_s = time.time()
        self._counter.expect(len(left))
        held: list[Completion] = []

        @cache
        def known() -> set[str]:
            return self._log.ids()  # an earlier run may have asked for a sequel whose cause is asked anew

        def logged(completion: Completion) -> Sequence[ChatRequest]:
            if left.pop(completion.request_id, None) is None:
                raise RuntimeError(
                    f"teacher {self.model}: answered request {completion.request_id}, which was not open"
                )
            self._log.append(completion)
            self._counter.count_answer(completion, asked_at_s, time.time(), self._price)
            following, new = more(completion), dict[str, ChatRequest]()
            if following and not known().isdisjoint(each.request_id for each in following):
                held.extend(self._held(following, more, new))
            else:
                new |= {each.request_id: each for each in following}
            left.update(new)
            self._counter.expect(len(new))
            return tuple(new.values())

        for completion in complete_on(self._inner, tuple(left.values()), frames, logged):
            yield from _repeated(completion, copies)
            while held:
                yield from _repeated(held.pop(), copies)
        if left:
            raise RuntimeError(
                f"teacher {self.model}: ended with {len(left)} requests unanswered, "
                f"{next(iter(left))} among them"
            )


def _repeated(completion: Completion, copies: Mapping[str, int]) -> Iterable[Completion]:
    """What was added is asked once."""
    return (completion for _ in range(copies.get(completion.request_id, 1)))
