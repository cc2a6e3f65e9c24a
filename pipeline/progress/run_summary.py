"""Receipts and counts -> run.json: what the last command did."""

from collections.abc import Mapping

from reelproof.pipeline.accounts.accounting import TeacherUse
from reelproof.pipeline.accounts.server_load import ServerLoad
from reelproof.pipeline.accounts.use_figures import UseFigures, tell_use
from reelproof.schemas.record import Record

RUN = "run.json"


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

    def told(self) -> str:
        """The summary in a few lines for a person."""
        reasons = sorted(self.rejected.items(), key=lambda item: (-item[1], item[0]))
        return "\n".join(
            (
                f"{self.command}: {self.seconds:.1f} s, {self.videos_decoded} videos decoded, "
                f"{self.teacher_calls} teacher calls, {self.completions_reused} completions reused, "
                f"{self.quarantined} of {self.videos} videos in quarantine",
                *((tell_use(self.use, self.figures),) if self.use.needed else ()),
                f"kept: {self.kept.sft} sft, {self.kept.rl} rl, {self.kept.dpo} dpo; rejected for: "
                + (", ".join(f"{reason} {count}" for reason, count in reasons) or "nothing"),
                f"shards: {self.shards_written} written, {self.shards_unchanged} unchanged; "
                f"dataset {self.dataset_sha256[:16]}",
            )
        )
