"""A long film of a part -> its spans, scanned by tasks side by side, a file each; joined as the part is made.

The files lie in the store only until then. A build that was killed goes on with those that are there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from reelproof.pipeline.accounts.accounting import UseCounter
from reelproof.pipeline.decoder.child import Scanner
from reelproof.pipeline.decoder.process import ChildLimits
from reelproof.pipeline.disk.files import local_copy, stat_file
from reelproof.pipeline.disk.fingerprint import fingerprint
from reelproof.pipeline.disk.sealed import open_parquet, read_record, sealed_json, write_parquet
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.parts.part import PartRun
from reelproof.pipeline.parts.run_step import write_records
from reelproof.schemas.footage import Footage
from reelproof.schemas.source import SourceIdentity
from reelproof.schemas.span import SpanEnd, SpanRow, Survey, Surveyed
from reelproof.schemas.tables import arrow_schema, from_table
from reelproof.stages.footage import scan
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.scan import FootageConfig
from reelproof.stages.footage.span_scan import can_join, join_spans


def survey_ahead(run: PartRun, place: int, cfg: FootageConfig, limits: ChildLimits) -> None:
    """Leave word of where the film's spans lie, or that it has to be scanned in one pass."""
    source = run.inputs.sources[place]
    files = SpanFiles.of(run, source, cfg)
    if not files.is_surveyed:
        with local_video(source) as video, Scanner(limits) as scanner:
            files.leave_survey(scanner.survey(video, cfg))


def scan_ahead(
    run: PartRun, place: int, share: int, shares: int, cfg: FootageConfig, limits: ChildLimits
) -> None:
    """Scan this share of the film's spans, which follow each other, save those that are there already."""
    source = run.inputs.sources[place]
    files = SpanFiles.of(run, source, cfg)
    survey = files.survey()
    if survey is None:
        return
    numbers = range(share * len(survey.spans) // shares, (share + 1) * len(survey.spans) // shares)
    with local_video(source) as video, Scanner(limits) as scanner:
        for number in numbers:
            if files.survey() is None:  # another task found that they do not fit
                return
            if not files.has(number):
                cut = survey.spans[number]
                told = _Told(run.counter, run.counter.film_s, cut.start_s)
                files.leave(number, scanner.span(video, cfg, survey, cut, told))


def joined_ahead(run: PartRun, source: SourceIdentity, cfg: FootageConfig) -> Iterator[Footage] | None:
    """The film's rows, where tasks have left all of its spans and these fit together."""
    files = SpanFiles.of(run, source, cfg)
    survey = files.survey()
    if survey is None or not all(files.has(number) for number in range(len(survey.spans))):
        return None
    ends = [files.end(number) for number in range(len(survey.spans))]
    whole = [end for end in ends if end is not None]
    return join_spans(whole, files.rows, cfg) if can_join(survey, ends, cfg) else None


@contextmanager
def local_video(source: SourceIdentity) -> Iterator[LocalVideo]:
    """The file on this machine's disk. Raises OSError where it cannot be read, or has changed."""
    file = source.file
    if file.version and stat_file(file.url, file.license) != file:
        raise OSError("its bytes are no longer those that were read when the build began")
    with local_copy(file.url) as path:
        yield LocalVideo(str(path), source.video_id, file.name, file.size_bytes, file.license)


@dataclass(frozen=True)
class SpanFiles:
    """What tasks leave of one film."""

    store: Store
    folder: str

    @classmethod
    def of(cls, run: PartRun, source: SourceIdentity, cfg: FootageConfig) -> "SpanFiles":
        """The folder is named by all that decides what lies there."""
        made_by = fingerprint("spans", scan.VERSION, cfg, [source.video_id])
        return cls(run.store, f"spans/{run.inputs.name}-{made_by}")

    @property
    def is_surveyed(self) -> bool:
        """Whether it is known where the spans lie, or that there are none."""
        return self.store.exists(self._survey)

    def leave_survey(self, survey: Survey | None) -> None:
        """None: the film has to be scanned in one pass."""
        self.store.write_bytes(self._survey, sealed_json(Surveyed(survey=survey), self._survey))

    def survey(self) -> Survey | None:
        """Where the spans lie; None where nobody knows, or only one pass will do."""
        try:
            return read_record(self.store, self._survey, Surveyed).survey
        except FileNotFoundError:
            return None

    def has(self, number: int) -> bool:
        """Whether the span was scanned."""
        return self.store.exists(self._span(number))

    def leave(self, number: int, rows: Iterator[SpanRow]) -> None:
        """Write a span's rows. Where it is not sound, the film has to be scanned in one pass."""
        schema = arrow_schema(SpanRow)
        with write_parquet(self.store, self._span(number), schema, compression="zstd") as writer:
            write_records(writer, rows, SpanRow, rows_at_once=1)
        end = self.end(number)
        if end is None or not end.is_sound:
            self.leave_survey(None)

    def end(self, number: int) -> SpanEnd | None:
        """How the span's scan went."""
        with open_parquet(self.store, self._span(number)) as file:
            if not file.num_row_groups:
                return None
            (last,) = file.read_row_group(file.num_row_groups - 1, columns=["end"]).to_pylist()
        return SpanEnd.model_validate(last["end"]) if last["end"] else None

    def rows(self, number: int) -> Iterator[SpanRow]:
        """The span's rows, one in memory at a time."""
        with open_parquet(self.store, self._span(number)) as file:
            for group in range(file.num_row_groups):
                yield from from_table(file.read_row_group(group), SpanRow)

    def remove(self) -> None:
        """Once the part is made."""
        self.store.remove_folder(self.folder)

    @property
    def _survey(self) -> str:
        return f"{self.folder}/survey.json"

    def _span(self, number: int) -> str:
        return f"{self.folder}/span-{number:05d}.parquet"


@dataclass(frozen=True)
class _Told:
    """Counts seconds of film as a span is scanned."""

    counter: UseCounter
    before_s: float
    start_s: float

    def __call__(self, scanned_s: float, _of_s: float) -> None:
        self.counter.film_s = self.before_s + scanned_s - self.start_s
