"""Completions -> the append-only log of a part.

On a local disk each run appends to a segment of its own, one write a record, so a killed run loses at most
the record it was writing. Object stores cannot append: there, small segments are written every few records or
seconds. Segments are never changed, merged or deleted, so two attempts at one part can run side by side.
"""

import itertools
import re
import secrets
import threading
from collections import Counter
from collections.abc import Collection, Iterator
from io import FileIO
from pathlib import Path
from typing import Any, Self

import xxhash
from fsspec import AbstractFileSystem
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from pydantic import ValidationError

from reelproof.pipeline.disk.renaming import written_then_renamed
from reelproof.schemas.chat import Completion

_SEGMENT = re.compile(r"(?:^|/)\d{5}-[0-9a-f]{8}(?:-\d{6})?\.jsonl$")
_STEM = len("00001-01234567")
"""Of a file's name: what stays where an object store has several of one run."""
_ID = re.compile(rb'\{"request_id":"([^"\\]*)"')
_FAILED = b'"finish_reason":"error"'
"""Within a text, quotes are escaped: this stands in no reply."""
_SEGMENTS_AT_ONCE = 64
_SEAL, _END = b',"checksum":"', b'"}\n'
_SEALED = len(_SEAL) + 16 + len(_END)


class CompletionLog:
    """The completions of one part, in `folder` of a filesystem: `00001-<random>.jsonl`, a record per line."""

    def __init__(
        self,
        fs: AbstractFileSystem,
        folder: str,
        *,
        records_per_segment: int = 64,
        seconds_per_segment: float = 10.0,
    ) -> None:
        """The last two count only where the filesystem cannot append."""
        self._fs, self._folder = _without_prefix(fs, folder)
        self._records_per_segment = records_per_segment
        self._seconds_per_segment = seconds_per_segment
        self._writer: _LocalWriter | _ObjectWriter | None = None

    def read(self, wanted: Collection[str]) -> Iterator[Completion]:
        """The wanted request ids that are in the log, each once: the first success, else the first failure.

        One pass over the segments; only wanted lines are parsed, and nothing else is held. A line that does
        not match its checksum is none. Raises ValueError where one that does is not a completion.
        """
        left, failures = set(wanted), dict[str, Completion]()
        for request_id, text in self._records() if left else ():
            completion = self._parsed(text) if request_id in left else None
            if completion is None:
                continue
            if completion.error is not None:
                failures.setdefault(completion.request_id, completion)
            else:
                left.discard(completion.request_id)
                failures.pop(completion.request_id, None)
                yield completion
        yield from failures.values()

    def ids(self) -> set[str]:
        """Every request id that the log holds, failures included."""
        return {request_id for request_id, _ in self._records()}

    def holds_failures(self) -> bool:
        """Whether a request failed that was not answered since."""
        failed: set[str] = set()
        for request_id, text in self._records():
            failed.add(request_id) if _FAILED in text else failed.discard(request_id)
        return bool(failed)

    def sizes(self) -> dict[str, int]:
        """Name -> bytes of its files, in the order in which their runs began."""
        return {path.rpartition("/")[2]: int(self._fs.size(path)) for path in self._segments()}

    def damaged(self) -> dict[str, int]:
        """Name of a file -> lines in it that are no records, cut off or changed; where there are some."""
        bad = Counter(name for name, line in self._lines() if not _unsealed(line, name))
        return dict(bad)

    def drop_damaged(self) -> None:
        """Write the files that hold such lines anew, without them. Nobody else may be at the log."""
        for name in self.damaged():
            lines = (line for each, line in self._lines() if each == name and _unsealed(line, name))
            content, path = b"".join(lines), f"{self._folder}/{name}"
            if isinstance(self._fs, LocalFileSystem):
                with written_then_renamed(Path(path)) as stream:
                    stream.write(content)
            else:
                self._fs.pipe_file(path, content)

    def append(self, completion: Completion) -> None:
        """Write one record. On a local disk it survives the death of this process from here on.

        Where an object store refuses them, the records stay buffered for the next append or close.
        """
        if self._writer is None:
            self._writer = self._open_writer()
        try:
            self._writer.write(completion.model_dump_json().encode())
        except OSError:
            if isinstance(self._writer, _LocalWriter):
                self.close()  # what was half written stays the last line of its segment
            raise

    def close(self) -> None:
        """Write what is still buffered. The log can be read, and appended to again.

        Where an object store refuses them, the records stay buffered: closing again writes them.
        """
        writer = self._writer
        if isinstance(writer, _LocalWriter):
            self._writer = None  # closed, whatever its disk says
        if writer is not None:
            writer.close()
        self._writer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_writer(self) -> "_LocalWriter | _ObjectWriter":
        self._fs.makedirs(self._folder, exist_ok=True)
        runs = [int(path.rpartition("/")[2][:5]) for path in self._segments()]
        stem = f"{self._folder}/{max(runs, default=0) + 1:05d}-{secrets.token_hex(4)}"
        if isinstance(self._fs, LocalFileSystem):
            return _LocalWriter(Path(f"{stem}.jsonl"))
        return _ObjectWriter(self._fs, stem, self._records_per_segment, self._seconds_per_segment)

    def _segments(self) -> list[str]:
        """Paths in the order in which their runs began."""
        self._fs.invalidate_cache(self._folder)
        try:
            names = self._fs.ls(self._folder, detail=False)
        except FileNotFoundError:
            return []
        return sorted(name for name in names if _SEGMENT.search(name))

    def _records(self) -> Iterator[tuple[str, bytes]]:
        """Request id and JSON of every record that is as it was written."""
        for name, line in self._lines():
            text = _unsealed(line, name)
            if match := _ID.match(text):
                yield match[1].decode(), text

    def _lines(self) -> Iterator[tuple[str, bytes]]:
        """Every line, and the name of its file."""
        segments = self._segments()
        if isinstance(self._fs, LocalFileSystem):
            for path in segments:
                with Path(path).open("rb", buffering=1 << 20) as segment:
                    yield from zip(itertools.repeat(path.rpartition("/")[2]), segment, strict=False)
            return
        for first in range(0, len(segments), _SEGMENTS_AT_ONCE):  # fetched side by side
            contents = self._fs.cat(batch := segments[first : first + _SEGMENTS_AT_ONCE])
            for path in batch:
                content = contents if isinstance(contents, bytes) else contents[path]
                name = path.rpartition("/")[2]
                yield from ((name, line) for line in content.splitlines(keepends=True))

    def _parsed(self, text: bytes) -> Completion | None:
        try:
            return Completion.model_validate_json(text)
        except ValidationError as error:
            if text.endswith(b"\n"):  # without a checksum, nobody knows whether it was ever one
                return None
            first = error.errors()[0]
            raise ValueError(
                f"completions log {self._folder}: a line is no completion of this version of reelproof "
                f"({'.'.join(map(str, first['loc']))}: {first['msg']}); read it with the version that "
                "wrote it, or move the folder away to ask again"
            ) from error


class _LocalWriter:
    """One segment of its own on a local disk, one write a record."""

    def __init__(self, path: Path) -> None:
        self._file: FileIO = path.open("xb", buffering=0)
        self._name = path.name

    def write(self, text: bytes) -> None:
        rest = memoryview(_sealed(text, self._name))
        while rest:
            rest = rest[self._file.write(rest) :]

    def close(self) -> None:
        self._file.close()


class _ObjectWriter:
    """Segments that hold a few records each, for stores that cannot append; kept until they are written."""

    def __init__(self, fs: Any, stem: str, records: int, seconds: float) -> None:
        self._fs, self._stem, self._records, self._seconds = fs, stem, records, seconds
        self._buffer: list[bytes] = []
        self._written = 0
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def write(self, text: bytes) -> None:
        with self._lock:
            self._buffer.append(_sealed(text, self._stem.rpartition("/")[2]))
            if len(self._buffer) >= self._records:
                self._flush()
            else:
                self._flush_soon()

    def close(self) -> None:
        with self._lock:
            self._flush()

    def _flush_soon(self) -> None:
        """Also when no further record comes."""
        if self._timer is None:
            self._timer = threading.Timer(self._seconds, self._flush_late)
            self._timer.daemon = True
            self._timer.start()

    def _flush_late(self) -> None:
        with self._lock:
            try:
                self._flush()
            except OSError:  # there is nobody here to tell; close() tells
                self._flush_soon()

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._buffer:
            self._fs.pipe_file(f"{self._stem}-{self._written + 1:06d}.jsonl", b"".join(self._buffer))
            self._written += 1
            self._buffer.clear()


def _without_prefix(fs: Any, folder: str) -> tuple[Any, str]:
    """The filesystem under `dir::` wrappers, so that a local disk is known as one."""
    while isinstance(fs, DirFileSystem):
        fs, folder = fs.fs, fs._join(folder)
    return fs, fs._strip_protocol(folder)


def _sealed(text: bytes, name: str) -> bytes:
    """A record as a line, with its checksum, of the file's name as well, as the last field."""
    digest = xxhash.xxh3_64_hexdigest(name[:_STEM].encode() + text)
    return text[:-1] + _SEAL + digest.encode() + _END


def _unsealed(line: bytes, name: str) -> bytes:
    """The record of a whole line that matches its checksum; else nothing.

    Of a line without a checksum: itself, if it can be a record.
    """
    if line[-_SEALED:].startswith(_SEAL):
        text = line[:-_SEALED] + b"}"
        return text if _sealed(text, name) == line else b""
    return line if line.endswith(b"}\n") and _ID.match(line) and _SEAL[1:] not in line[-64:] else b""
