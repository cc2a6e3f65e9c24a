"""A source and a model -> a log of events, exactly one line each, whatever happens to this process.

Every tick and every answer is noted before anything follows from it, and what follows is the same each time
(`stages/watching/folding.py`): begun again, a watch goes through its notes, logs the events that are not
logged yet, and goes on with the next tick.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from reelproof.pipeline.decoder.child import Scanner
from reelproof.pipeline.decoder.process import ChildLimits
from reelproof.pipeline.disk.renaming import TEMPORARY
from reelproof.pipeline.inputs.events_folder import EVENTS
from reelproof.pipeline.watching.arrivals import Arrived, FilmTick, Known, Note, Source
from reelproof.pipeline.watching.asking import Asking
from reelproof.pipeline.watching.clips import Clips
from reelproof.pipeline.watching.events import event_id, event_of
from reelproof.pipeline.watching.feed import feed
from reelproof.pipeline.watching.folder import FILMS, JOURNAL, claim
from reelproof.pipeline.watching.journal import Journal, LineFile
from reelproof.pipeline.watching.keeping import FrameFiles, make_room
from reelproof.pipeline.watching.lessons import Lessons
from reelproof.pipeline.watching.recorder import Recorder
from reelproof.pipeline.watching.seen import Seen, frames_of
from reelproof.pipeline.watching.settings import WatchConfig
from reelproof.pipeline.watching.tally import Tally
from reelproof.schemas.event import UNUSUAL, Event, Measured, TickAnswer
from reelproof.schemas.question import Task
from reelproof.schemas.tick import Tick, WatchedFilm
from reelproof.stages.teachers.protocol import Teacher
from reelproof.stages.watching.folding import Change, Fold
from reelproof.stages.watching.gate import Gate, Standing

_ROOM_EVERY = 64
"""Ticks between looks at the disk."""
_AHEAD = 4
"""Windows that may wait while a source that waits for us is read on."""


class Told(NamedTuple):
    """Who hears of events, and of what befalls the source."""

    opened: Callable[[Event], None]
    closed: Callable[[Event], None]
    note: Callable[[str], None]


class Watch:
    """One watch of one source, in a folder."""

    def __init__(
        self,
        folder: Path,
        source: Source,
        teacher: Teacher,
        cfg: WatchConfig,
        measured: Mapping[Task, Measured],
        recorder: Recorder,
        told: Told,
    ) -> None:
        """Raises UsageError where the folder holds another watch."""
        self.watch_id = claim(folder, source.name, teacher.model, cfg)
        self._folder, self._source, self._teacher, self._cfg = folder, source, teacher, cfg
        self._measured, self._told = measured, told
        self._cutter = Scanner(ChildLimits())
        self._clips = Clips(folder, cfg.clips, recorder, self._cutter)
        self._journal = Journal(folder / JOURNAL)
        self._events, self._films_log = LineFile(folder / EVENTS), LineFile(folder / FILMS)
        self._events.mend()
        self._films_log.mend()
        self._films: list[WatchedFilm] = []
        self._frames = FrameFiles(folder)
        self._seen = Seen(self._frames, cfg.ticks_a_window, cfg.unusual.keep_at)
        self._gate = Gate(cfg.gate)
        self._lessons = Lessons(folder, told.note)
        unusual = cfg.unusual if cfg.unusual.watch else None
        questions = {each.text: cfg.events for each in cfg.questions}
        self._fold = Fold(unusual, questions, cfg.window.length_s, cfg.require_evidence)
        self._logged: set[str] = set()
        self._next_tick = 0
        """The first that an earlier run did not see."""
        self._closing: deque[Event] = deque()
        self._stop = threading.Event()
        self.tally = Tally(folder, source.name, teacher.model)

    def run(self, stop: threading.Event) -> Tally:
        """Until the source ends, or `stop` is set: then an event that goes on stays open for the next run."""
        self._stop = stop
        with Asking(self._teacher, self._cfg) as asking, self._cutter:
            known = self._recall(asking)
            for each in feed(self._source, self._cfg, known, stop, self.tally):
                self._take(each, asking)
                self._hear(asking)
                self._log_closed()
            while asking.waiting and not stop.is_set():
                self._hear(asking, timeout_s=0.5)
            self._hear(asking)
            if not stop.is_set():
                self._follow(self._fold.end())
            self._log_closed(is_over=True)
            self.tally.outages = asking.outages
        for file in (self._journal, self._events, self._films_log):
            file.close()
        self.tally.removed += make_room(self._folder, self._cfg.clips.disk_mb << 20)
        self.tally.write(self._fold.open_questions, is_over=True)
        return self.tally

    def _recall(self, asking: Asking) -> Known:
        """Go through what was noted; ask again what got no answer."""
        self._films = list(self._films_log.read(WatchedFilm))
        logged = list(self._events.read(Event))
        self._logged = {each.event_id for each in logged}
        self.tally.recall_events(logged)
        left: dict[int, set[str]] = {}
        stride_s = self._cfg.window.stride_s
        for noted in self._journal.read():
            if isinstance(noted, Tick):
                self.tally.recall(noted)
                self._next_tick = noted.number + 1
                self._gate.recall(noted, stride_s)
                self._seen.take_in(noted)
                left[noted.number] = {each.text for each in self._cfg.questions if noted.is_asked}
                self._follow(self._fold.see(noted))
            else:
                left[noted.tick].discard(noted.question)
                self._seen.answers[noted.tick, noted.question] = noted
                self._follow(self._fold.hear(noted))
        for number, texts in left.items():
            if texts:
                film = self._films[self._seen.ticks[number].film]
                window = self._seen.window_again(number, film, self._cfg.ticks_a_window)
                asking.put(window, [each for each in self._cfg.questions if each.text in texts])
        self._frames.sweep({sha256 for event in (*logged, *self._closing) for sha256 in frames_of(event)})
        for each in self._folder.glob(f"**/{TEMPORARY}*"):
            each.unlink(missing_ok=True)
        return Known(tuple(self._films), self._next_tick)

    def _take(self, arrived: Arrived | None, asking: Asking) -> None:
        match arrived:
            case WatchedFilm():
                if self._films:
                    self.tally.missed_s += max(arrived.offset_s - self._seen.now_s, 0.0)
                self._films.append(arrived)
                self._films_log.append(arrived, lasting=True)
            case Note():
                self.tally.count(arrived.kind)
                self.tally.count("lost_frames", arrived.lost_frames)
                self._told.note(arrived.text)
            case FilmTick():
                self._seen.jpegs |= {each.frame.sha256: each.jpeg for each in arrived.tick.frames}
                if arrived.tick.number >= self._next_tick:  # else its pictures are all that is missing
                    self._see(arrived, asking)
            case None:
                self.tally.write(self._fold.open_questions)

    def _see(self, arrived: FilmTick, asking: Asking) -> None:
        """A tick: note how it stands out, ask about it, follow what changes."""
        if (lessons := self._lessons.heed()) is not None:
            self._gate.teach(lessons)
        standing = self._gate.look(arrived.tick.measures, self._cfg.window.stride_s)
        tick = self._tick(arrived, standing)
        self._seen.take_in(tick)
        window = self._seen.window(arrived.film) if tick.is_asked else None
        if tick.stands_out >= self._cfg.unusual.keep_at:
            self._frames.put(tick.frames, self._seen.jpegs, tick.number)
        self._journal.note(tick)
        if tick.is_usual:
            self._gate.learn(tick.measures, tick.end_s)
        self._follow(self._fold.see(tick))
        if window is not None:
            asking.put(window, self._cfg.questions)
            self._hold_back(asking)
        if self._seen.is_usual_now(edge=1.0):
            self._seen.note_usual()
        self.tally.taught = len(self._lessons.taught)
        self.tally.saw(tick)
        self._forget(asking)

    def _tick(self, arrived: FilmTick, standing: Standing) -> Tick:
        seen, edge = arrived.tick, self._cfg.unusual.keep_at
        goes_on = any(each.text in self._fold.open_questions for each in self._cfg.questions)
        return Tick(
            number=seen.number,
            start_s=seen.start_s,
            end_s=seen.end_s,
            film=arrived.film.number,
            frame_count=seen.frame_count,
            measures=seen.measures,
            stands_out=standing.stands_out,
            because=standing.because,
            outs=standing.outs,
            is_usual=max(map(abs, standing.outs), default=0) < edge
            or self._seen.stands_out_for_s > self._cfg.unusual.longest_s,
            is_asked=bool(self._cfg.questions) and (standing.is_asked or goes_on),
            frames=tuple(each.frame for each in seen.frames),
            arrived_at=round(arrived.arrived_at, 3),
            seen_at=round(time.time(), 3),
        )

    def _hold_back(self, asking: Asking) -> None:
        """Do not run away from the model: wait for it, or drop what it will never get to."""
        a_window = len(self._cfg.questions)
        if self._source.is_live:
            for each in asking.drop_oldest(self._cfg.stream.waiting * a_window):
                self.tally.count("dropped_questions")
                self._note(each)
        else:
            while asking.waiting > _AHEAD * a_window and not self._stop.is_set():
                self._hear(asking, timeout_s=0.5)

    def _hear(self, asking: Asking, timeout_s: float = 0.0) -> None:
        for answer in asking.take(timeout_s):
            self._note(answer)

    def _note(self, answer: TickAnswer) -> None:
        self._journal.note(answer)
        self._seen.answers[answer.tick, answer.question] = answer
        self.tally.answered(answer, self._seen.ticks.get(answer.tick), self._cfg.window.length_s)
        self._follow(self._fold.hear(answer))

    def _follow(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if change.is_over and change.question == UNUSUAL:
                self._keep_lesson(change)
            if event_id(self.watch_id, change) in self._logged:
                continue
            event = event_of(
                change, self.watch_id, self._cfg, self._seen, self._films, self._teacher.model, self._measured
            )
            self._frames.keep(frames_of(event))
            if change.is_over:
                self._logged.add(event.event_id)
                self._closing.append(event)
            else:
                self._told.opened(event)

    def _keep_lesson(self, change: Change) -> None:
        """What stood out, and how far out each of its measures lay."""
        first, last, edge = change.stretch.first, change.stretch.last, self._cfg.unusual.keep_at
        ticks = [tick for number, tick in sorted(self._seen.ticks.items()) if first <= number <= last]
        ticks = [each for each in ticks if each.stands_out >= edge and each.outs]
        self._lessons.keep(
            event_id(self.watch_id, change), change.stretch.start_s, change.stretch.end_s, ticks
        )

    def _log_closed(self, is_over: bool = False) -> None:
        """Events whose clips can be cut by now: a live stream has to go on for a while first."""
        is_waiting = self._source.is_live and not is_over
        while self._closing:
            if is_waiting and not self._clips.can_cut(self._closing[0]):
                return
            event = self._clips.cut(self._closing.popleft(), self._films)
            self._events.append(event, lasting=True)
            self.tally.logged(event)
            self._told.closed(event)

    def _forget(self, asking: Asking) -> None:
        """What no event to come can need."""
        last, oldest = max(self._seen.ticks), self._fold.oldest
        before = (last if oldest is None else oldest) - 2 * self._cfg.ticks_a_window
        self._seen.forget(before)
        if oldest is None and not asking.waiting and not self._closing:
            self._journal.may_forget(self._seen.now_s - self._cfg.gate.memory_s)
        if last % _ROOM_EVERY == 0:
            self.tally.removed += make_room(self._folder, self._cfg.clips.disk_mb << 20)
        self.tally.write(self._fold.open_questions)
