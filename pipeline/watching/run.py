"""What `reelproof watch` was given -> a watch that runs, and what it came to in a line."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from reelproof.pipeline.disk.files import make_folder
from reelproof.pipeline.errors import BuildFailed, UsageError
from reelproof.pipeline.settings_text import read_settings
from reelproof.pipeline.teachers.kinds import TeacherConfig, named_teacher, open_teacher
from reelproof.pipeline.watching.events import told
from reelproof.pipeline.watching.folder import refuse_foreign
from reelproof.pipeline.watching.measured import measured_by_task
from reelproof.pipeline.watching.recorder import Recorder
from reelproof.pipeline.watching.settings import WatchConfig
from reelproof.pipeline.watching.sources import open_source
from reelproof.pipeline.watching.watch import Told, Watch
from reelproof.schemas.counted import counted
from reelproof.schemas.event import Event
from reelproof.schemas.text import shown_text
from reelproof.stages.teachers.protocol import ServerTeacherConfig

_PATIENCE_S = 5.0
"""A server without an answer for so long is gone; it is asked again all the same, later and later."""


class Asked(NamedTuple):
    """What the command was given."""

    source: str
    model: str
    server: str | None
    settings: Path | None
    overrides: tuple[str, ...]


class Say(NamedTuple):
    """Where lines for a person go: of each event, and of what else befell."""

    event: Callable[[str], None]
    note: Callable[[str], None]


def watch_source(asked: Asked, out: Path, as_json: bool, say: Say, stop: threading.Event) -> str:
    """Watch until the source ends or `stop` is set, and tell what came of it.

    Raises UsageError for what cannot be used, BuildFailed where no frame came, KeyboardInterrupt where it was
    stopped before its film was over: a live stream's end is where somebody ends it.
    """
    cfg = read_settings(WatchConfig, asked.settings, asked.overrides)
    measured = measured_by_task(Path(cfg.measured), asked.model) if cfg.measured else {}
    recorder = Recorder(out, cfg.stream.recorded_s)
    source = open_source(asked.source, recorder)
    refuse_foreign(out)  # before a lock is left beside it
    make_folder(out)
    if asked.model != "signals" and not cfg.questions:
        say.note(shown_text(f"{asked.model} is asked nothing: a --watch file has no `questions`"))
    lock = FileLock(out.with_name(f".{out.name}.lock"))
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(f"another watch is at work in {out}") from None

    def opened(event: Event) -> None:
        if not as_json:
            say.event(shown_text(told(event, is_open=True)))

    def closed(event: Event) -> None:
        say.event(event.model_dump_json() if as_json else shown_text(told(event)))

    def note(text: str) -> None:
        say.note(shown_text(text))

    with held, open_teacher(_impatient(named_teacher(asked.model, asked.server))) as teacher:
        watch = Watch(out, source, teacher, cfg, measured, recorder, Told(opened, closed, note))
        tally = watch.run(stop)
    found = tally.told()
    if stop.is_set() and not source.is_live:
        raise KeyboardInterrupt
    if not found["stream_s"]:
        raise BuildFailed(f"{source.name}: there was nothing to watch; no frame came of it")
    events = ", ".join(f"{count} × {question}" for question, count in found["events"].items()) or "no event"
    frames = counted(found.get("frames", 0), "frame") + " in this run" * tally.goes_on
    if tally.goes_on and not found.get("frames") and not source.is_live:
        frames = "all of it watched before (another --out watches it anew)"
    return f"{found['stream_s']:.1f} s, {frames}: {events}; reelproof browse {out}"


def _impatient(cfg: TeacherConfig) -> TeacherConfig:
    if isinstance(cfg, ServerTeacherConfig):
        return cfg.model_copy(update={"patience_s": _PATIENCE_S, "attempts": 2, "timeout_s": 120.0})
    return cfg
