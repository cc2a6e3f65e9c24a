"""A teacher and a part's log -> a teacher that is never asked twice for what the log holds."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from reelproof.pipeline.accounts.accounting import UseCounter
from reelproof.pipeline.teachers.completions import CompletionLog
from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.stages.teachers.protocol import Teacher, TeacherPrice


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
        copies = Counter(request.request_id for request in requests)
        left = {request.request_id: request for request in requests}
        for completion in self._log.read(left):
            if completion.error is not None and self._ask_failures_again:
                continue
            del left[completion.request_id]
            self._counter.count_reused(completion)
            yield from _repeated(completion, copies)
        if left:
            yield from self._asked(left, frames, copies)

    def _asked(
        self, left: dict[str, ChatRequest], frames: Mapping[str, bytes], copies: Mapping[str, int]
    ) -> Iterator[Completion]:
        asked_at_s = time.time()
        self._counter.waiting = len(left)
        for completion in self._inner.complete(tuple(left.values()), frames):
            if left.pop(completion.request_id, None) is None:
                raise RuntimeError(
                    f"teacher {self.model}: answered request {completion.request_id}, which was not open"
                )
            self._log.append(completion)
            self._counter.count_answer(completion, asked_at_s, time.time(), self._price)
            self._counter.waiting = len(left)
            yield from _repeated(completion, copies)
        if left:
            raise RuntimeError(
                f"teacher {self.model}: ended with {len(left)} requests unanswered, "
                f"{next(iter(left))} among them"
            )


def _repeated(completion: Completion, copies: Mapping[str, int]) -> Iterable[Completion]:
    return (completion for _ in range(copies[completion.request_id]))
