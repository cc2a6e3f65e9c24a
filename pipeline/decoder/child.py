"""Videos -> footage, ticks and clips, in a child process that may crash, hang or swell at the cost of one."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Self

from reelproof.pipeline.decoder.pipes import (
    ClipCut,
    CutJob,
    Job,
    Shelf,
    SoundJob,
    SoundWritten,
    SpanJob,
    SpanScanned,
    SurveyJob,
    TicksJob,
    TicksTold,
    TrackJob,
    TrackRead,
    VideoJob,
)
from reelproof.pipeline.decoder.process import (
    CHILD_COMMAND,
    ChildLimits,
    DecodingProcess,
    LostError,
    Outcome,
    Told,
)
from reelproof.pipeline.decoder.trial import second_of_film
from reelproof.pipeline.decoder.waiting import MOST_JOBS, give_back, take_child
from reelproof.pipeline.errors import BrokenHere
from reelproof.schemas.footage import Footage, Quarantine, joined
from reelproof.schemas.span import SpanCut, SpanRow, Survey, Surveyed
from reelproof.stages.footage.cutting import Cut, Recording
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.scan import FootageConfig, rows_of
from reelproof.stages.footage.sound import Sound
from reelproof.stages.footage.text_tracks import TextTrack


def scan_in_child(
    sources: Iterable[LocalVideo],
    cfg: FootageConfig,
    limits: ChildLimits,
    command: Sequence[str] = CHILD_COMMAND,
) -> Iterator[Footage | Quarantine]:
    """`scan_footage`, one record per source in order, whatever the decoder does; see Scanner."""
    with Scanner(limits, command) as scanner:
        for source in sources:
            rows = list(scanner.footage(source, cfg))
            whole = [row for row in rows if isinstance(row, Footage)]
            yield joined(whole) if whole else rows[0]


class Scanner:
    """A decoding child at hand: taken when first needed, and anew after one that died, or that did much.

    Use in a `with`. A child that is left in good order waits for who scans next in this process.

    A child that dies is a quarantine `crashed`, one that exceeds its time `timeout`, its memory `too_large`.
    Raises RuntimeError where a child cannot even start, BrokenHere where it can scan nothing.
    """

    def __init__(
        self, limits: ChildLimits, command: Sequence[str] = CHILD_COMMAND, passed: Sequence[int] = ()
    ) -> None:
        """`passed` are open files that the child has as well, by the same numbers."""
        self._limits, self._command, self._passed = limits, command, passed
        self._child: DecodingProcess | None = None
        self._is_any = tuple(command) == CHILD_COMMAND and not passed
        """Whether another scanner's child would do."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child and self._is_any:
            give_back(self._child)
            self._child = None
        self._end()

    def footage(
        self, source: LocalVideo, cfg: FootageConfig, told: Told | None = None
    ) -> Iterator[Footage | Quarantine]:
        """The rows of a film, or why it has none: memory does not grow with the length of a film."""
        with Shelf() as pieces:
            answer = self._ask(Job(source, cfg, self._limits.threads), pieces, told)
            if isinstance(answer, Footage):
                yield from rows_of(pieces, answer)
            elif isinstance(answer, Quarantine):
                yield answer

    def survey(self, source: LocalVideo, cfg: FootageConfig) -> Survey | None:
        """Where the film's spans lie; None where only one pass will do, or none at all."""
        with Shelf() as pieces:
            answer = self._ask(SurveyJob(source, cfg), pieces)
        return answer.survey if isinstance(answer, Surveyed) else None

    def span(
        self, source: LocalVideo, cfg: FootageConfig, survey: Survey, cut: SpanCut, told: Told | None = None
    ) -> Iterator[SpanRow]:
        """The rows of a span; none where it could not be scanned."""
        with Shelf() as pieces:
            job = SpanJob(source, cfg, survey, cut, self._limits.threads)
            if isinstance(self._ask(job, pieces, told), SpanScanned):
                yield from pieces

    def text_track(self, source: LocalVideo, language: str | None) -> TextTrack | Quarantine | None:
        """What the film's text track says, or why it cannot be read; None where there is none."""
        with Shelf() as pieces:
            answer = self._ask(TrackJob(source, language), pieces)
        return (
            answer.track
            if isinstance(answer, TrackRead)
            else answer
            if isinstance(answer, Quarantine)
            else None
        )

    def sound(self, source: LocalVideo, target: Path) -> Sound | Quarantine | None:
        """Where the film's sound begins, once it is written; why it cannot be; None where there is none."""
        with Shelf() as pieces:
            answer = self._ask(SoundJob(source, str(target)), pieces)
        if isinstance(answer, SoundWritten):
            return answer.sound
        return answer if isinstance(answer, Quarantine) else None

    def cut(
        self, recordings: Sequence[Recording], start_s: float, end_s: float, target: Path, slack_s: float
    ) -> Cut | Quarantine:
        """Where a clip really begins and ends, once it is written; or why there is none."""
        first = Path(recordings[0].path)
        source = LocalVideo(str(first), "", first.name, first.stat().st_size)
        with Shelf() as pieces:
            job = CutJob(source, tuple(recordings), start_s, end_s, str(target), slack_s)
            answer = self._ask(job, pieces)
        if not isinstance(answer, ClipCut | Quarantine):
            raise TypeError(f"the decoding process sent {type(answer).__name__}, not a clip")
        return answer.cut if isinstance(answer, ClipCut) else answer

    def ticks(self, job: TicksJob, silent_s: float) -> Iterator[TicksTold | None]:
        """What a film or a connection comes to, as it comes, and None now and then while nothing does.

        Raises LostError where the child died, or told nothing for so many seconds: then the next call starts
        another one. One that is not read to its end ends its child.
        """
        child, is_over = self._ready(), False
        try:
            yield from child.ticks(job, silent_s)
            is_over = True
        except LostError as lost:
            if lost.is_misfit:
                _refuse_where_nothing_decodes(self._command, self._limits)
            raise
        finally:
            if not is_over:
                self._end()

    def _ready(self) -> DecodingProcess:
        """The child, for another job."""
        if self._child and self._child.jobs >= MOST_JOBS:
            self._end()
        if self._child is None:
            self._child = (
                take_child(self._limits)
                if self._is_any
                else DecodingProcess(self._command, self._limits, self._passed)
            )
        return self._child

    def _ask(self, job: VideoJob, pieces: Shelf, told: Told | None = None) -> Outcome:
        child = self._ready()
        try:
            return child.scan(job, pieces, told)
        except LostError as lost:
            self._end()
            if lost.is_misfit:
                _refuse_where_nothing_decodes(self._command, self._limits)
            source = job.source
            return Quarantine(video_id=source.video_id, name=source.name, kind=lost.kind, detail=str(lost))
        except BaseException:
            self._end()  # it may go on with its job for long
            raise

    def _end(self) -> None:
        if self._child:
            self._child.kill()
        self._child = None


def _refuse_where_nothing_decodes(command: Sequence[str], limits: ChildLimits) -> None:
    """Raises BrokenHere where not even a film of our own can be scanned: it was not the video's fault."""
    with tempfile.TemporaryDirectory(prefix="reelproof-trial-") as folder, Shelf() as pieces:
        child = DecodingProcess(command, limits)
        try:
            child.scan(Job(second_of_film(Path(folder)), FootageConfig(), threads=1), pieces)
        except LostError as lost:
            raise BrokenHere(
                f"not even a film of our own can be decoded with PyAV {version('av')}: {lost}; no video was "
                "set aside; install the versions that pyproject.toml names, and build again"
            ) from None
        finally:
            child.kill()
