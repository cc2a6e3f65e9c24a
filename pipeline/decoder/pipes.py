"""What a parent and its decoding child say to each other, and how it goes through a pipe."""

import pickle
import tempfile
from collections.abc import Iterator
from typing import IO, Any, NamedTuple, Self

from reelproof.schemas.footage import FootagePiece, QuarantineKind
from reelproof.schemas.span import SpanCut, SpanRow, Survey
from reelproof.schemas.tick import WatchedFilm
from reelproof.stages.footage.cutting import Cut, Recording
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.live import Stream
from reelproof.stages.footage.recording import Recorded
from reelproof.stages.footage.scan import FootageConfig
from reelproof.stages.footage.sound import Sound
from reelproof.stages.footage.text_tracks import TextTrack
from reelproof.stages.footage.watched import SeenTick, TickConfig

CHUNK_BYTES = 1 << 20
Piece = FootagePiece | SpanRow
"""What a child sends as it scans."""


class Job(NamedTuple):
    """Parent to child: scan this."""

    source: LocalVideo
    cfg: FootageConfig
    threads: int


class SurveyJob(NamedTuple):
    """Parent to child: say where this film's spans lie."""

    source: LocalVideo
    cfg: FootageConfig


class SpanJob(NamedTuple):
    """Parent to child: scan this span of it."""

    source: LocalVideo
    cfg: FootageConfig
    survey: Survey
    cut: SpanCut
    threads: int


class TrackJob(NamedTuple):
    """Parent to child: read this film's text track, in this language where one is named."""

    source: LocalVideo
    language: str | None


class SoundJob(NamedTuple):
    """Parent to child: write this film's sound there."""

    source: LocalVideo
    target: str


class CutJob(NamedTuple):
    """Parent to child: write this stretch of recordings there."""

    source: LocalVideo
    """The first of them."""
    recordings: tuple[Recording, ...]
    start_s: float
    end_s: float
    target: str
    slack_s: float


class FilmJob(NamedTuple):
    """Parent to child: tell this film's ticks, from one on."""

    film: WatchedFilm
    window: TickConfig
    footage: FootageConfig
    from_tick: int


class LiveJob(NamedTuple):
    """Parent to child: connect to this, and tell the ticks of what comes."""

    address: str
    stream: Stream
    name: str
    """Of the source, without secrets."""
    number: int
    """Of the connection."""
    from_tick: int
    """The first that was not told yet."""
    first_at: float | None
    """When the first connection began, where there was one."""
    window: TickConfig
    footage: FootageConfig
    recording: str
    """What comes is recorded there, under names that begin so."""


TicksJob = FilmJob | LiveJob
VideoJob = Job | SurveyJob | SpanJob | TrackJob | SoundJob | CutJob
"""About one video, and soon done."""
AnyJob = VideoJob | TicksJob


class Ready(NamedTuple):
    """Child to parent, once: imports are done."""

    pid: int


class Opened(NamedTuple):
    """Child to parent: the file is open and declares this duration (0: none)."""

    declared_s: float


class SpanScanned(NamedTuple):
    """Child to parent: all rows of the span were sent."""


class TrackRead(NamedTuple):
    """Child to parent: what the text track says; null where there is none."""

    track: TextTrack | None


class SoundWritten(NamedTuple):
    """Child to parent: where the sound begins; null where there is none."""

    sound: Sound | None


class ClipCut(NamedTuple):
    """Child to parent: the clip is written."""

    cut: Cut


class Connected(NamedTuple):
    """Child to parent: something comes, and this is what it is called."""

    film: WatchedFilm


class Ticked(NamedTuple):
    """Child to parent: a tick, and when its last frame was decoded."""

    tick: SeenTick
    arrived_at: float


class ClockJumped(NamedTuple):
    """Child to parent: the sender's clock went there, and the wall's did not."""

    to_s: float


class Beat(NamedTuple):
    """Child to parent: so many frames were decoded by now."""

    frames: int


class Over(NamedTuple):
    """Child to parent: nothing more comes of this film or connection."""

    is_whole: bool
    """As much as was promised came."""
    why: str


TicksTold = Connected | Ticked | Recorded | ClockJumped | Beat | Over


class Failed(NamedTuple):
    """Child to parent: the scan raised; the child lives on."""

    kind: QuarantineKind
    detail: str
    is_misfit: bool = False
    """It is such an error as a library of another version gives, whatever the video."""


def write_message(pipe: IO[bytes], message: Any) -> None:
    """Pickle straight into the pipe in chunks (4 bytes of length, then data); no copy is made."""
    writer = _ChunkWriter(pipe)
    pickle.dump(message, writer, protocol=5)
    writer.finish()


class Shelf:
    """Pieces of footage put aside on disk, unseen by others, until all of it is known to be usable."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed on exit
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, piece: Piece) -> None:
        """Append a piece to those that are there."""
        pickle.dump(piece, self._file, protocol=5)
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        """One in memory at a time, in the order in which they came."""
        end = self._file.tell()
        self._file.seek(0)
        while self._file.tell() < end:
            yield pickle.load(self._file)  # noqa: S301  # we wrote it


class MessageReader:
    """Puts messages together from the bytes of a pipe, however they were cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._message = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """The messages that these bytes complete."""
        self._buffer += data
        complete = []
        while (chunk := self._take_chunk()) is not None:
            self._message += chunk
            if not chunk:
                complete.append(pickle.loads(self._message))  # noqa: S301  # both ends are ours
                self._message.clear()
        return complete

    def _take_chunk(self) -> bytes | None:
        size = int.from_bytes(self._buffer[:4], "big")
        if len(self._buffer) < 4 + size:
            return None
        chunk = bytes(self._buffer[4 : 4 + size])
        del self._buffer[: 4 + size]
        return chunk


class _ChunkWriter:
    """What pickle writes, gathered into chunks; an empty chunk ends the message."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._pending = bytearray()

    def write(self, data: bytes) -> int:
        self._pending += data
        if len(self._pending) >= CHUNK_BYTES:
            self._flush()
        return len(data)

    def finish(self) -> None:
        if self._pending:
            self._flush()
        _write_all(self._pipe, bytes(4))

    def _flush(self) -> None:
        _write_all(self._pipe, len(self._pending).to_bytes(4, "big") + self._pending)
        self._pending = bytearray()


def _write_all(pipe: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[pipe.write(view) :]
