"""What a build uses, while it runs and after: `progress.json`, which the building process replaces.

`status` reads it from another process, and the next build and `--dry-run` take their rates from it.
"""

from reelproof.pipeline.accounts.accounting import StepUse, TeacherUse
from reelproof.pipeline.accounts.at_work import AtWork
from reelproof.pipeline.accounts.server_load import ServerLoad
from reelproof.pipeline.accounts.use_figures import UseFigures, tell_seconds
from reelproof.pipeline.disk.sealed import read_record
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import Damaged
from reelproof.schemas.record import Record

PROGRESS = "progress.json"
GONE_AFTER_S = 60.0
"""A build that has not written for so long does not run any more, on whatever machine it was."""


SILENT_AFTER_S = 30.0
"""A server that answers nothing for so long is told."""


class RunProgress(Record):
    """One build, as it was when last looked at."""

    started_s: float
    """Unix time."""
    updated_s: float
    """Unix time."""
    ended: bool = False
    """Whether it came to its end, be it a failure."""
    use: TeacherUse = TeacherUse()
    """Of this build, steps at work included."""
    figures: UseFigures = UseFigures()
    at_work: AtWork = AtWork()
    servers: tuple[ServerLoad, ...] = ()
    steps: tuple[StepUse, ...] = ()
    """Of the parts that are through, in this build and in those before it in this folder."""
    film_s: float = 0
    """Seconds of film scanned in this build."""
    tasks_at_once: float = 0
    """On average in this build."""

    @property
    def told_left(self) -> str:
        """The time left in words, and which servers are waited for that have long been silent."""
        silent = [each for each in self.at_work.owing if each.seconds >= SILENT_AFTER_S]
        if not silent:
            return self.figures.told_left
        told = [f"{each.url}, no answer since {tell_seconds(each.seconds)}" for each in silent]
        waiting = f"waiting for {' and for '.join(told)}"
        return f"{self.figures.told_left}; {waiting}" if self.figures.seconds_left else waiting

    def runs(self, now_s: float) -> bool:
        """Whether the build is still at it, as far as can be told."""
        return not self.ended and now_s - self.updated_s < GONE_AFTER_S


def read_progress(store: Store) -> RunProgress | None:
    """What the last build wrote; None before the first, and where another version wrote it."""
    try:
        return read_record(store, PROGRESS, RunProgress)
    except (FileNotFoundError, Damaged):
        return None
