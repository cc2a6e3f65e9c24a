"""A finished dataset's folder -> somewhere else: only what changed goes, and the manifest is read back."""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from reelproof.pipeline.dataset.stats_files import known_manifest
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import BuildFailed, UsageError

MANIFEST = "manifest.json"


class SentFile(NamedTuple):
    """A file of the dataset, by its name from the dataset's folder."""

    name: str
    path: Path
    size_bytes: int
    sha256: str


class Target(Protocol):
    """Where a dataset is published."""

    def missing(self, files: Sequence[SentFile]) -> list[SentFile]:
        """Those that it does not hold with the same content."""
        ...

    def stale(self, names: set[str]) -> list[str]:
        """Shards and frames that it holds and that are not among the names."""
        ...

    def send(self, files: Sequence[SentFile], stale: Sequence[str]) -> None:
        """Put files there, the last one last, then remove the stale ones."""
        ...

    def read(self, name: str) -> bytes:
        """A file as it is there now."""
        ...


class Published(NamedTuple):
    """What went, or would go."""

    sent: tuple[SentFile, ...]
    removed: tuple[str, ...]
    unchanged: int

    @property
    def size_bytes(self) -> int:
        """Of what went."""
        return sum(each.size_bytes for each in self.sent)


def publish(build: Store, target: Target, dry_run: bool = False, folder: str = "dataset") -> Published:
    """Publish the dataset of a build in a local folder; with `dry_run`, only tell what would go.

    Raises UsageError where there is no dataset, or one whose files are not what its manifest says, and
    BuildFailed where the target does not give back what was sent.
    """
    files = list_files(build, folder)
    sent, stale = target.missing(files), target.stale({each.name for each in files})
    published = Published(tuple(sent), tuple(stale), len(files) - len(sent))
    if dry_run or not (sent or stale):
        return published
    target.send(sent, stale)
    if target.read(MANIFEST) != (Path(build.path(folder)) / MANIFEST).read_bytes():
        raise BuildFailed("the target does not give back the manifest that was sent; publish again")
    return published


def list_files(build: Store, folder: str = "dataset") -> list[SentFile]:
    """The dataset's files in the order in which they are to be sent: the manifest last. Hidden ones stay.

    Raises UsageError where a shard is not what the manifest says.
    """
    if not build.is_local:
        raise UsageError(f"{build.url} is not a folder of this machine; run publish where the build is")
    manifest, root = known_manifest(build, folder), Path(build.path(folder))
    files = [_file(root, path) for path in sorted(root.rglob("*")) if _goes(root, path)]
    found = {each.name: each.sha256 for each in files}
    if wrong := [each.path for each in manifest.files if found.get(each.path) != each.sha256]:
        raise UsageError(
            f"{root}: {len(wrong)} shards are not what the manifest says, such as {wrong[0]}; refilter"
        )
    named = {each.path for each in manifest.files}
    files = [each for each in files if not each.name.endswith(".parquet") or each.name in named]
    return sorted(files, key=lambda each: (each.name == MANIFEST, each.name))


def tell_published(published: Published, dry_run: bool) -> Iterator[str]:
    """What went, in lines."""
    for each in published.sent:
        yield f"{'would send' if dry_run else 'sent'} {each.name} ({each.size_bytes / 1e6:.1f} MB)"
    for name in published.removed:
        yield f"{'would remove' if dry_run else 'removed'} {name}"
    yield f"{len(published.sent)} files, {published.size_bytes / 1e6:.1f} MB; {published.unchanged} unchanged"


class FolderTarget:
    """A folder or any fsspec URL; what it holds is known by its content."""

    def __init__(self, url: str) -> None:
        self._store = Store(url)

    def missing(self, files: Sequence[SentFile]) -> list[SentFile]:
        """By size, then by hash."""
        return [each for each in files if not self._holds(each)]

    def stale(self, names: set[str]) -> list[str]:
        """Shards and example frames that are no longer among the names."""
        folders = [*(f"data/{config}" for config in self._store.names("data")), "examples"]
        held = [f"{folder}/{name}" for folder in folders for name in self._store.names(folder)]
        return [name for name in held if name.endswith((".parquet", ".jpg")) and name not in names]

    def send(self, files: Sequence[SentFile], stale: Sequence[str]) -> None:
        """One by one, each written whole or not at all."""
        for each in files:
            with each.path.open("rb") as source, self._store.open_write(each.name) as target:
                shutil.copyfileobj(source, target)
        for name in stale:
            self._store.remove(name)

    def read(self, name: str) -> bytes:
        """As it lies there."""
        return self._store.read_bytes(name)

    def _holds(self, file: SentFile) -> bool:
        path = self._store.path(file.name)
        if not self._store.exists(file.name) or self._store.fs.size(path) != file.size_bytes:
            return False
        with self._store.open_read(file.name) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256  # type: ignore[arg-type]


def _goes(root: Path, path: Path) -> bool:
    return path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)


def _file(root: Path, path: Path) -> SentFile:
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return SentFile(path.relative_to(root).as_posix(), path, path.stat().st_size, sha256)
