"""Windows that wait -> answers, by a thread of its own: a model that is slow or gone holds up no stream."""

import threading
import time
from collections import deque
from collections.abc import Sequence

from reelproof.pipeline.watching.judge import Window, judge_window
from reelproof.pipeline.watching.settings import QuestionConfig, WatchConfig
from reelproof.schemas.event import TickAnswer
from reelproof.stages.teachers.protocol import Teacher, TeacherUnavailable


class Asking:
    """Asks about windows in their order. Use in a `with`."""

    def __init__(self, teacher: Teacher, cfg: WatchConfig) -> None:
        self._teacher, self._cfg = teacher, cfg
        self._waiting: deque[tuple[Window, QuestionConfig]] = deque()
        self._answers: deque[TickAnswer] = deque()
        self._stop, self._changed = threading.Event(), threading.Condition()
        self._fault: BaseException | None = None
        self.outages = 0
        """How often the model was gone."""
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> "Asking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        with self._changed:
            self._changed.notify_all()

    def put(self, window: Window, questions: Sequence[QuestionConfig]) -> None:
        """Ask these questions about it when its turn comes."""
        with self._changed:
            self._waiting.extend((window, each) for each in questions)
            self._changed.notify_all()

    def drop_oldest(self, most: int) -> list[TickAnswer]:
        """Where more than `most` wait, the oldest of them get no answer; those that are not being asked."""
        dropped: list[TickAnswer] = []
        with self._changed:
            while len(self._waiting) > most + 1:
                first = self._waiting.popleft()
                window, question = self._waiting.popleft()
                self._waiting.appendleft(first)
                dropped.append(unanswered(window.tick, question.text, window, self._teacher.model))
        return dropped

    def take(self, timeout_s: float = 0.0) -> list[TickAnswer]:
        """The answers that came since, waiting so long for the first. Raises what ended the asking."""
        with self._changed:
            if not self._answers and self._fault is None and timeout_s:
                self._changed.wait(timeout_s)
            if self._fault is not None:
                raise self._fault
            taken = list(self._answers)
            self._answers.clear()
        return taken

    @property
    def waiting(self) -> int:
        """Questions without an answer."""
        return len(self._waiting)

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                with self._changed:
                    if not self._waiting:
                        self._changed.wait(0.5)
                        continue
                    window, question = self._waiting[0]
                answer = self._ask(window, question)
                with self._changed:
                    if answer is not None:
                        self._waiting.popleft()
                        self._answers.append(answer)
                    self._changed.notify_all()
        except BaseException as error:
            with self._changed:
                self._fault = error
                self._changed.notify_all()

    def _ask(self, window: Window, question: QuestionConfig) -> TickAnswer | None:
        """The answer, once there is a model that gives one; None where the watch ends before."""
        wait_s = 1.0
        while not self._stop.is_set():
            try:
                found = judge_window(window, question, self._teacher, self._cfg)
            except TeacherUnavailable:
                self.outages += wait_s == 1.0
                self._stop.wait(wait_s)
                wait_s = min(2 * wait_s, self._cfg.stream.longest_wait_s)
                continue
            return TickAnswer(
                tick=window.tick,
                question=question.text,
                **found._asdict(),
                shown=tuple(window.frames),
                model=self._teacher.model,
                answered_at=time.time(),
            )
        return None


def unanswered(tick: int, question: str, window: Window, model: str) -> TickAnswer:
    """That nobody will be asked."""
    return TickAnswer(
        tick=tick,
        question=question,
        answer=None,
        votes=(),
        belief=0.0,
        margin=0.0,
        is_borne_out=False,
        thought="",
        claims=(),
        shown=tuple(window.frames),
        model=model,
        answered_at=time.time(),
    )
