"""Files of a build that carry a checksum of their bytes and of their name: what is damaged is not believed.

In a Parquet file it stands between the last page and the footer, where no reader looks: a hash of all before
it, and one of the footer, so that some columns can be read alone; pages have Parquet's own checksums. JSON
has it as its last field. A file without one is an earlier version's, and taken as it is.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Any, NamedTuple, Protocol, TypeVar

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import xxhash
from pydantic import BaseModel, ValidationError

from reelproof.pipeline.errors import Damaged

M = TypeVar("M", bound=BaseModel)

MISMATCH = "its bytes do not match its checksum"
NO_CHECKSUM = "it has no checksum: an earlier version wrote it, or it is damaged"
_MARK = b"reelproof-seal-1"
_HASH_BYTES = 16
_SEAL_BYTES = len(_MARK) + 2 * _HASH_BYTES
_TAIL_BYTES = 8
"""The footer's length, and Parquet's four letters."""
_CHUNK_BYTES = 1 << 20
_AT_ONCE_BYTES = 2_000_000
"""Below this, an object store takes longer to answer than to send."""
_BLOCK_BYTES = 8_000_000
"""Of a larger file, read at once."""
_JSON_SEAL = re.compile(rb',\n"checksum": "[0-9a-f]{32}"\}\n$')
_TEXT_SEAL = re.compile(r"# checksum [0-9a-f]{32}\n$")


class Files(Protocol):
    """A store, as far as it is read and written here."""

    @property
    def url(self) -> str:
        """Where it is."""
        ...

    @property
    def fs(self) -> Any:
        """Its fsspec file system."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        ...

    def path(self, name: str) -> str:
        """A file's path as `fs` knows it."""
        ...

    def read_bytes(self, name: str) -> bytes:
        """All of a file. Raises FileNotFoundError."""
        ...

    def open_read(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """A seekable binary stream. Raises FileNotFoundError."""
        ...

    def open_write(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """A binary stream into a file that is there, whole, once the block ends well."""
        ...


@contextmanager
def write_parquet(store: Files, name: str, schema: pa.Schema, **options: Any) -> Iterator[pq.ParquetWriter]:
    """A writer of a Parquet file that is there, whole and with its checksum, once the block ends well."""
    with store.open_write(name) as stream:
        with pq.ParquetWriter(stream, schema, write_page_checksum=True, **options) as writer:
            yield writer
        _seal(stream, name)


@contextmanager
def open_parquet(store: Files, name: str) -> Iterator[pq.ParquetFile]:
    """A Parquet file whose footer is checked, and whose pages are as they are read.

    A small one from an object store comes whole, in one request. Raises FileNotFoundError, and Damaged for
    one that is not as it was written, whenever that is found.
    """
    try:
        with _opened(store, name) as (stream, source):
            _check(_footer(stream, name))
            stream.seek(0)
            local = pafs.LocalFileSystem() if store.is_local else None
            with pq.ParquetFile(source, filesystem=local, page_checksum_verification=True) as file:
                yield file
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, _Wrong) as error:
        why = damage(store, name)
        if not why and not isinstance(error, _Wrong):
            raise  # nothing is wrong with the file
        told = f"it cannot be read ({error})" if why == NO_CHECKSUM else why or str(error)
        raise Damaged(store.url, name, told) from None


def read_table(store: Files, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A Parquet file's table; `columns` are dotted names of leaves or of whole columns.

    Raises FileNotFoundError, and Damaged for a file that is not as it was written.
    """
    if columns is None and not store.is_local:
        return _read_at_once(store, name)
    if columns is None and (why := damage(store, name)) and why != NO_CHECKSUM:
        raise Damaged(store.url, name, why)
    with open_parquet(store, name) as file:
        return file.read(columns=None if columns is None else list(columns))


def _read_at_once(store: Files, name: str) -> pa.Table:
    """The same of an object, in one request."""
    content = store.read_bytes(name)
    why = _damage_in(io.BytesIO(content), name)
    if why not in ("", NO_CHECKSUM):
        raise Damaged(store.url, name, why)
    try:
        return pq.ParquetFile(pa.BufferReader(content)).read()
    except (OSError, pa.ArrowException) as error:
        raise Damaged(store.url, name, f"it cannot be read ({error})") from None


def damage(store: Files, name: str) -> str:
    """Why a Parquet file is not as it was written, all of it read; empty where it is.

    Raises FileNotFoundError.
    """
    with store.open_read(name) as stream:
        return _damage_in(stream, name)


def _damage_in(stream: IO[bytes], name: str) -> str:
    try:
        seal = _footer(stream, name)
        _check(seal)
        if seal.body is None:
            return NO_CHECKSUM
        stream.seek(0)
        return "" if _hash_of(stream, seal.at, name) == seal.body else MISMATCH
    except _Wrong as error:
        return str(error)


def sealed_json(record: BaseModel, name: str) -> bytes:
    """A record as JSON, with the checksum as its last field."""
    return _with_seal(record.model_dump_json(indent=1).removesuffix("}").rstrip().encode(), name)


def json_damage(content: bytes, name: str) -> str:
    """Why a JSON file is not as it was written; empty where it is."""
    seal = _JSON_SEAL.search(content)
    if seal is None:
        return NO_CHECKSUM
    text = content[: seal.start()]
    return "" if content == _with_seal(text, name) else MISMATCH


def read_record(store: Files, name: str, record: type[M]) -> M:
    """The record in a JSON file. Raises FileNotFoundError, and Damaged for one that is not as it was."""
    content = store.read_bytes(name)
    if json_damage(content, name) == MISMATCH:
        raise Damaged(store.url, name, MISMATCH)
    try:
        return record.model_validate_json(_JSON_SEAL.sub(b"}", content))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        told = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first["loc"] else first["msg"]
        raise Damaged(store.url, name, f"it is of another version, or no record: {told}") from None


def _with_seal(text: bytes, name: str) -> bytes:
    return text + b',\n"checksum": "%s"}\n' % _digest_bytes(name, text).hex().encode()


def sealed_text(text: str) -> str:
    """Text with a last line that tells its checksum, behind `#`; its name does not count."""
    return f"{text}# checksum {_digest_bytes('', text.encode()).hex()}\n"


def text_is_whole(text: str) -> bool | None:
    """Whether a text is as its last line says; None where that tells no checksum."""
    seal = _TEXT_SEAL.search(text)
    return None if seal is None else sealed_text(text[: seal.start()]) == text


class _Wrong(Exception):  # noqa: N818 - says what is wrong
    """A file cannot be what it was."""


class _Footer(NamedTuple):
    at: int
    """Where the seal begins, or the footer of a file without one."""
    body: bytes | None
    """Hash of what is before; None without a seal."""
    footer: bytes
    held: bytes
    """The footer's hash as it should be, and as it is."""


def _footer(stream: IO[bytes], name: str) -> _Footer:
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _TAIL_BYTES))
    tail = stream.read(_TAIL_BYTES)
    at = size - _TAIL_BYTES - int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or at < 4:
        raise _Wrong("it does not end as a Parquet file does: it was cut off or overwritten")
    stream.seek(max(0, at - _SEAL_BYTES))
    seal = stream.read(min(at, _SEAL_BYTES))
    held = _digest_bytes(name, stream.read(size - at))
    if not seal.startswith(_MARK):
        return _Footer(at, None, held, held)
    body, footer = seal[len(_MARK) : -_HASH_BYTES], seal[-_HASH_BYTES:]
    return _Footer(at - _SEAL_BYTES, body, footer, held)


def _check(seal: _Footer) -> None:
    if seal.footer != seal.held:
        raise _Wrong("its footer does not match its checksum, or it was written under another name")


def _seal(stream: IO[bytes], name: str) -> None:
    """Put a seal into a Parquet file that was just written."""
    at = _footer(stream, name).at
    stream.seek(0)
    body = _hash_of(stream, at, name)
    stream.seek(at)
    footer = stream.read()
    stream.seek(at)
    stream.write(_MARK + body + _digest_bytes(name, footer) + footer)


def _hash_of(stream: IO[bytes], size: int, name: str) -> bytes:
    digest = xxhash.xxh3_128(name.encode())
    while size and (chunk := stream.read(min(_CHUNK_BYTES, size))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.digest()


def _digest_bytes(name: str, content: bytes) -> bytes:
    return xxhash.xxh3_128(name.encode() + content).digest()


@contextmanager
def _opened(store: Files, name: str) -> Iterator[tuple[IO[bytes], Any]]:
    """A stream over the file's bytes, and what Parquet's reader opens."""
    if store.is_local:
        with store.open_read(name) as stream:
            yield stream, store.path(name)
        return
    stream, source = remote_parquet(store, name)
    with stream:
        yield stream, source


def remote_parquet(store: Files, name: str) -> tuple[IO[bytes], Any]:
    """A stream over the bytes of an object, and what Parquet's reader opens; a small one in one request."""
    path = store.path(name)
    start = store.fs.cat_file(path, 0, _AT_ONCE_BYTES)
    if len(start) < _AT_ONCE_BYTES:
        return io.BytesIO(start), pa.BufferReader(start)
    stream = store.fs.open(path, "rb", block_size=_BLOCK_BYTES)
    return stream, pa.PythonFile(stream, "r")
