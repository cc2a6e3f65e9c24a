"""A stretch that was told of, and what was noted about its ticks -> the event as it is logged."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from reelproof.pipeline.watching.seen import Seen
from reelproof.pipeline.watching.settings import WatchConfig
from reelproof.schemas.counted import counted
from reelproof.schemas.event import UNUSUAL, Event, Evidence, Measured, TickAnswer
from reelproof.schemas.footage import FrameRef
from reelproof.schemas.question import Task
from reelproof.schemas.tick import MEASURES, Tick, WatchedFilm
from reelproof.stages.watching.folding import Change
from reelproof.stages.watching.hysteresis import Stretch

MOST_FRAMES = 8


def event_id(watch_id: str, change: Change) -> str:
    """The same for the same stretch of the same watch, however often it is made."""
    return hashlib.sha256(f"{watch_id} {change.question} {change.stretch.first}".encode()).hexdigest()[:16]


def event_of(
    change: Change,
    watch_id: str,
    cfg: WatchConfig,
    seen: Seen,
    films: Sequence[WatchedFilm],
    model: str,
    measured: Mapping[Task, Measured],
) -> Event:
    """A closed stretch, before its clip is cut; of an open one what is known so far."""
    stretch, ticks, answers = change.stretch, seen.ticks, seen.answers
    clearest, opened = ticks[stretch.clearest], ticks[stretch.opened_by]
    film = films[clearest.film]
    asked = next((each for each in cfg.questions if each.text == change.question), None)
    answer = answers.get((stretch.clearest, change.question))
    opening = answers.get((stretch.opened_by, change.question))
    told_at = opening.answered_at if opening else opened.seen_at
    lag_s = max(told_at - opened.arrived_at, 0.0)
    task = asked.task if asked else Task.BOOLEAN
    return Event(
        event_id=event_id(watch_id, change),
        question=change.question,
        task=task,
        options=asked.options if asked else (),
        answer=(answer.answer or "") if answer else clearest.because,
        start_s=round(stretch.start_s, 3),
        end_s=round(stretch.end_s, 3),
        began_at=_wall_time(ticks[stretch.first], stretch.start_s),
        video=film.name,
        film_start_s=round(max(stretch.start_s - film.offset_s, 0.0), 3),
        votes=answer.votes if answer else (),
        belief=answer.belief if answer else 1.0,
        margin=answer.margin if answer else round(stretch.score - 1, 4),
        thought=answer.thought if answer else "",
        claims=answer.claims if answer else (),
        frames=_evidence(stretch, ticks, answer, films, cfg.unusual.keep_at),
        model=answer.model if answer else model,
        measured=measured.get(task) if asked else None,
        lag_s=round(lag_s, 3),
        is_late=lag_s > cfg.window.length_s,
        clip=None,
        clip_fault=None,
    )


def told(event: Event, is_open: bool = False) -> str:
    """An event in a line, for a person."""
    what = (
        f"unlike what was shown before in {MEASURES.get(event.answer, 'what is measured')} "
        f"({event.answer}, {event.margin + 1:.1f} times the usual spread)"
        if event.question == UNUSUAL
        else f"{event.question} {event.answer} ({event.belief:.0%} of {counted(len(event.votes), 'vote')}, "
        f"{accuracy(event.measured)})"
    )
    until = "…" if is_open else f"{event.end_s:.1f}"
    return f"{event.start_s:.1f}–{until} s: {what}{', late' if event.is_late else ''}"


def accuracy(measured: Measured | None) -> str:
    """How right the model is on such questions, in words."""
    if measured is None:
        return "untested"
    interval = f"{measured.low:.2f}–{measured.high:.2f}"
    return f"right on {measured.accuracy:.2f} ({interval}) of {measured.questions} such questions"


def _evidence(
    stretch: Stretch,
    ticks: Mapping[int, Tick],
    answer: TickAnswer | None,
    films: Sequence[WatchedFilm],
    edge: float,
) -> tuple[Evidence, ...]:
    """What the model was shown; of an unusual stretch, frames from all of it with its clearest tick's."""
    clearest = ticks[stretch.clearest]
    if answer is not None:
        return tuple(_frame(each, films[clearest.film].offset_s) for each in answer.shown)
    found = [  # frames of a pause were not kept
        (each, films[tick.film].offset_s, number == stretch.clearest)
        for number, tick in sorted(ticks.items())
        if stretch.first <= number <= stretch.last and tick.stands_out >= edge
        for each in tick.frames
    ]
    own = [place for place, (_, _, is_clearest) in enumerate(found) if is_clearest][:MOST_FRAMES]
    others = [place for place in range(len(found)) if place not in own]
    room = MOST_FRAMES - len(own)
    step = max(len(others) / room, 1.0) if room else 1.0
    picked = {others[int(place * step)] for place in range(min(room, len(others)))}
    return tuple(_frame(*found[place][:2]) for place in sorted({*own, *picked}))


def _frame(frame: FrameRef, offset_s: float) -> Evidence:
    return Evidence(sha256=frame.sha256, time_s=round(frame.time_s + offset_s, 3), film_time_s=frame.time_s)


def _wall_time(tick: Tick, start_s: float) -> str:
    at = tick.arrived_at - (tick.end_s - start_s)
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
