"""A published dataset -> its shards as the manifest names them, and their rows: the one reader of datasets.

Only the manifest is trusted. Training, export, report, diff and publish read through here, each as many
columns and rows at a time as it needs; a manifest's policy and facts may be another version's.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol, TypeVar

import polars as pl
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from pydantic import ValidationError

from reelproof.schemas.errors import UsageError
from reelproof.schemas.manifest import FORMAT, Manifest, ManifestFile

MANIFEST = "manifest.json"

B = TypeVar("B")


class Files(Protocol):
    """A folder, on this machine or elsewhere, and how files in it are read there."""

    @property
    def place(self) -> str:
        """Its name, for messages."""
        ...

    def path(self, name: str) -> str | None:
        """A file's path on this machine; None where it lies elsewhere."""
        ...

    def read_bytes(self, name: str) -> bytes:
        """All of a file. Raises FileNotFoundError."""
        ...

    def open_read(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """A file as a stream. Raises FileNotFoundError."""
        ...

    def open_parquet(self, name: str) -> pq.ParquetFile:
        """A Parquet file, to be closed."""
        ...

    def each(self, work: Callable[[str], B], names: Sequence[str]) -> list[B]:
        """What comes of each file, in order; side by side where that is faster."""
        ...


@dataclass(frozen=True)
class Folder:
    """A folder of this machine."""

    root: Path

    @property
    def place(self) -> str:
        """Where the dataset is, as it was given."""
        return str(self.root)

    def path(self, name: str) -> str:
        """A file's path."""
        return str(self.root / name)

    def read_bytes(self, name: str) -> bytes:
        """All of a file. Raises FileNotFoundError."""
        return (self.root / name).read_bytes()

    def open_read(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """A file as a stream. Raises FileNotFoundError."""
        return (self.root / name).open("rb")

    def open_parquet(self, name: str) -> pq.ParquetFile:
        """A Parquet file, to be closed."""
        return pq.ParquetFile(self.path(name), filesystem=pafs.LocalFileSystem())

    def each(self, work: Callable[[str], B], names: Sequence[str]) -> list[B]:
        """Do the work for each item, one after the other."""
        return [work(name) for name in names]


class DatasetError(UsageError):
    """The folder holds no dataset that can be read; the message says why and what to do."""


class Contents(NamedTuple):
    """What a manifest of any version says that its readers need."""

    dataset_sha256: str
    policy: Mapping[str, Any]
    """As that version wrote it."""
    shards: tuple[ManifestFile, ...]

    def shards_of(self, *configs: str, split: str | None = None) -> tuple[ManifestFile, ...]:
        """Those that have rows, in the manifest's order."""
        return tuple(
            each
            for each in self.shards
            if each.rows and each.config in configs and split in (None, each.split)
        )

    @property
    def configs(self) -> tuple[str, ...]:
        """Those that have rows, sorted."""
        return tuple(sorted({each.config for each in self.shards if each.rows}))


@dataclass(frozen=True)
class Published:
    """One dataset, open for reading. Safe to ask from several threads."""

    files: Files
    folder: str
    """Where in `files` it lies: `dataset` in a build's folder, `.` in its own."""
    manifest_text: bytes
    contents: Contents

    @property
    def place(self) -> str:
        """The folder that it is in, for messages."""
        return self.files.place if self.folder == "." else f"{self.files.place}/{self.folder}"

    def manifest(self) -> Manifest:
        """All that the manifest says. Raises DatasetError where another version wrote it."""
        try:
            return Manifest.model_validate_json(self.manifest_text)
        except ValidationError as error:
            raise DatasetError(
                f"{self.place}/{MANIFEST} is of another version of reelproof ({_first(error)}); refilter "
                "first"
            ) from None

    def check(self, shard: ManifestFile) -> None:
        """Raise DatasetError where a shard's file is not the one that the manifest names."""
        found = self._sha256(shard)
        if found != shard.sha256:
            raise DatasetError(
                f"{self.place}/{shard.path} has sha256 {found[:16]}…, the manifest says "
                f"{shard.sha256[:16]}…: it was changed or damaged; build or fetch the dataset again"
            )

    @contextmanager
    def open(self, shard: ManifestFile) -> Iterator[pq.ParquetFile]:
        """A shard's Parquet file."""
        with self.files.open_parquet(self._name(shard)) as file:
            yield file

    def footers(self, shards: Sequence[ManifestFile]) -> list[pq.FileMetaData]:
        """What each shard's file says of itself."""

        def footer(name: str) -> pq.FileMetaData:
            with self.files.open_parquet(name) as file:
                return file.metadata

        return self.files.each(footer, [self._name(shard) for shard in shards])

    def columns(self, shards: Sequence[ManifestFile], names: Sequence[str]) -> pa.Table:
        """Columns of several shards, which all have them, below each other."""

        def columns(name: str) -> pa.Table:
            with self.files.open_parquet(name) as file:
                return file.read(columns=list(names))

        return pa.concat_tables(self.files.each(columns, [self._name(shard) for shard in shards]))

    def rows(
        self,
        shard: ManifestFile,
        columns: Sequence[str] = (),
        without: Sequence[str] = (),
        at_once: int = 16,
    ) -> Iterator[dict[str, Any]]:
        """A shard's rows in order, `at_once` of them in memory; of `columns` those that it has, or all."""
        with self.open(shard) as file:
            names = [name for name in file.schema_arrow.names if name in columns or not columns]
            held = [name for name in names if name not in without]
            for batch in file.iter_batches(at_once, columns=held):
                yield from batch.to_pylist()

    def scan(self, shard: ManifestFile, columns: Sequence[str]) -> pl.LazyFrame:
        """Columns of a shard as a query; on this machine, no more is read than the query asks for."""
        path = self.files.path(self._name(shard))
        if path is None:
            return pl.DataFrame(self.columns([shard], columns)).lazy()
        return pl.scan_parquet(path, glob=False).select(columns)

    def schema(self, shard: ManifestFile) -> Mapping[str, pl.DataType]:
        """Name -> type of a shard's columns."""
        with self.files.open_read(self._name(shard)) as stream:
            return pl.read_parquet_schema(stream)

    def _name(self, shard: ManifestFile) -> str:
        return shard.path if self.folder == "." else f"{self.folder}/{shard.path}"

    def _sha256(self, shard: ManifestFile) -> str:
        try:
            with self.files.open_read(self._name(shard)) as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
        except FileNotFoundError:
            raise DatasetError(
                f"{self.place}/{shard.path} is named by the manifest but missing; "
                "build or fetch the dataset again"
            ) from None


def open_folder(folder: Path) -> Published:
    """The dataset in a folder of this machine. Raises DatasetError where there is none."""
    return open_published(Folder(folder))


def open_published(files: Files) -> Published:
    """The dataset in a folder: a build's folder, where it lies in `dataset/`, or the dataset's own.

    Raises DatasetError where there is none, and for a manifest that is no dataset's.
    """
    for folder, name in (("dataset", f"dataset/{MANIFEST}"), (".", MANIFEST)):
        try:
            text = files.read_bytes(name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        return Published(files, folder, text, read_contents(text, f"{files.place}/{name}"))
    raise DatasetError(
        f"{files.place} holds no dataset (no {MANIFEST} there); name the folder of a finished build, or its "
        "`dataset`"
    )


def read_contents(text: bytes, place: str) -> Contents:
    """What a manifest's text says. Raises DatasetError where it is none, or a later version's."""
    try:
        said = json.loads(text)
        if said["format"] > FORMAT:
            raise DatasetError(
                f"{place} has format {said['format']}, this version of reelproof reads {FORMAT}: update it"
            )
        shards = tuple(ManifestFile.model_validate(each) for each in said["files"])
        return Contents(str(said["dataset_sha256"]), dict(said["policy"]), shards)
    except ValidationError as error:
        raise _no_manifest(place, _first(error)) from None
    except (ValueError, KeyError, TypeError) as error:
        raise _no_manifest(place, f"{type(error).__name__}: {error}") from None


def _no_manifest(place: str, why: str) -> DatasetError:
    return DatasetError(f"{place} is not a manifest of reelproof's ({why}); fetch the dataset again")


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
