"""Receipts and counts -> run.json: what the last command did."""

from collections.abc import Iterator, Mapping

from reelproof.pipeline.accounts.accounting import TeacherUse
from reelproof.pipeline.accounts.server_load import ServerLoad
from reelproof.pipeline.accounts.use_figures import UseFigures, tell_use
from reelproof.schemas.counted import counted
from reelproof.schemas.record import Record

RUN = "run.json"
REQUEST_FAILED = "request_failed"
"""As policies call it."""


class Kept(Record):
    """Rows of the published configs that hold kept data."""

    sft: int
    rl: int
    dpo: int


class RunSummary(Record):
    """What a `build` or `refilter` did, as `run.json` holds it and `--json` prints it."""

    command: str
    seconds: float
    videos: int
    """Among the sources, quarantined ones included."""
    quarantined: int
    videos_decoded: int
    teacher_calls: int
    completions_reused: int
    kept: Kept
    rejected: Mapping[str, int]
    """Reason -> rejected rows that it applies to. A row may have several."""
    traces: int = 0
    """That were decided on."""
    shards_written: int
    shards_unchanged: int
    peak_rss_mb: float
    """Of the largest process, in MB (1e6 bytes)."""
    dataset_sha256: str
    use: TeacherUse = TeacherUse()
    """Calls, tokens and times of all teachers in this run."""
    figures: UseFigures = UseFigures()
    """What follows from them: tokens per second, cache hits, cost."""
    servers: tuple[ServerLoad, ...] = ()
    """How busy the servers were, where they tell."""

    @property
    def failed_traces(self) -> int:
        """Those whose request failed for good."""
        return self.rejected.get(REQUEST_FAILED, 0)

    @property
    def mostly_failed(self) -> bool:
        """Whether most of what was asked in this run, or of all that was ever asked for thoughts, failed."""
        return self.use.failed * 2 > self.use.calls or self.failed_traces * 2 > self.traces

    def told(self) -> str:
        """The summary in a few lines for a person."""
        reasons = sorted(self.rejected.items(), key=lambda item: (-item[1], item[0]))
        return "\n".join(
            (
                f"{self.command}: {self.seconds:.1f} s, {counted(self.videos_decoded, 'video')} decoded, "
                f"{counted(self.teacher_calls, 'teacher call')}, "
                f"{counted(self.completions_reused, 'completion')} reused, "
                f"{self.quarantined} of {counted(self.videos, 'video')} in quarantine",
                *((tell_use(self.use, self.figures),) if self.use.needed else ()),
                f"kept: {self.kept.sft} sft, {self.kept.rl} rl, {self.kept.dpo} dpo; rejected for: "
                + (", ".join(f"{reason} {count}" for reason, count in reasons) or "nothing"),
                *self._told_failures(),
                f"shards: {self.shards_written} written, {self.shards_unchanged} unchanged; "
                f"dataset {self.dataset_sha256[:16]}",
            )
        )

    def _told_failures(self) -> Iterator[str]:
        if self.failed_traces or self.use.failed:
            last = f" (the last: {self.use.last_failure})" if self.use.last_failure else ""
            yield (
                f"requests that failed: {self.use.failed} of {self.use.calls} in this run{last}, and "
                f"{self.failed_traces} of {counted(self.traces, 'thought')} never came; "
                "`reelproof build … --retry-failed` asks them again"
            )
