"""A finished dataset's files -> somewhere else: only what changed goes, and the manifest is read back."""

import hashlib
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from reelproof.pipeline.accounts.use_figures import tell_size
from reelproof.pipeline.dataset.reading import open_dataset
from reelproof.pipeline.disk.own_files import (
    LISTING,
    PUBLISH,
    listing,
    read_listing,
    refuse_used,
    replace_own_files,
)
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import BuildFailed, UsageError
from reelproof.schemas.counted import counted
from reelproof.schemas.published import MANIFEST, DatasetError, read_contents

Kind = Literal["dataset", "model"]
"""What is published."""
_SAYS_WHICH = {
    "README.md": re.compile(r"^Data sha256 `([0-9a-f]{64})`", re.MULTILINE),
    "croissant.json": re.compile(r"version \S+, sha256 ([0-9a-f]{64})"),
}
"""Where a dataset's files say which one they tell of."""


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

    def own(self, into_used: bool) -> frozenset[str]:
        """Names of what was published there before. Raises UsageError where it holds something of others."""
        ...

    def send(self, files: Sequence[SentFile], stale: Sequence[str], own: Collection[str]) -> None:
        """Put files there, the last one last, then remove the stale ones; `own` is ours afterwards."""
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
        """How many bytes went."""
        return sum(each.size_bytes for each in self.sent)


def publish(build: Store, target: Target, dry_run: bool = False, into_used: bool = False) -> Published:
    """Publish the dataset of a build in a local folder; with `dry_run`, only tell what would go.

    Only files that an earlier publishing put there are removed. Raises UsageError where there is no dataset,
    or one whose files are not what its manifest says, and for a target that holds something of others, unless
    `into_used`; BuildFailed where the target does not give back what was sent.
    """
    return publish_files(list_files(build), target, dry_run, into_used)


def publish_files(
    files: Sequence[SentFile], target: Target, dry_run: bool = False, into_used: bool = False
) -> Published:
    """Publish these, the last one last; it is read back. Raises as `publish` does."""
    names = {each.name for each in files}
    stale = sorted(target.own(into_used) - names)
    sent = target.missing(files)
    published = Published(tuple(sent), tuple(stale), len(files) - len(sent))
    if dry_run or not (sent or stale):
        return published
    target.send(sent, stale, names)
    if target.read(files[-1].name) != files[-1].path.read_bytes():
        raise BuildFailed(f"the target does not give back the {files[-1].name} that was sent; publish again")
    return published


def list_files(build: Store) -> list[SentFile]:
    """The dataset's files in the order in which they are to be sent: the manifest last. Hidden ones stay.

    Raises UsageError where a shard is not what the manifest says, or card and description are of others.
    """
    if not build.is_local:
        raise UsageError(f"{build.url} is not a folder of this machine; run publish where the build is")
    dataset = open_dataset(build)
    shards, root = dataset.contents.shards, Path(build.path(dataset.folder))
    files = [sent_file(root, path) for path in sorted(root.rglob("*")) if _goes(root, path)]
    found = {each.name: each.sha256 for each in files}
    if wrong := [each.path for each in shards if found.get(each.path) != each.sha256]:
        raise UsageError(
            f"{root}: {len(wrong)} shards are not what the manifest says, such as {wrong[0]}; refilter"
        )
    if other := [name for name in _SAYS_WHICH if _said_of(root / name, dataset.contents.dataset_sha256)]:
        raise UsageError(
            f"{root}: {' and '.join(other)} tell of other shards than lie there: a command was stopped "
            "half-way; run `reelproof refilter` there, then publish"
        )
    named = {each.path for each in shards}
    files = [each for each in files if not each.name.endswith(".parquet") or each.name in named]
    return sorted(files, key=lambda each: (each.name == MANIFEST, each.name))


def _said_of(path: Path, dataset_sha256: str) -> bool:
    """Whether a file says that it tells of another dataset than this one."""
    said = _SAYS_WHICH[path.name].search(path.read_text(encoding="utf-8")) if path.is_file() else None
    return said is not None and said[1] != dataset_sha256


def tell_published(published: Published, dry_run: bool) -> Iterator[str]:
    """What was published, in lines for a person."""
    for each in published.sent:
        yield f"{'would send' if dry_run else 'sent'} {each.name} ({tell_size(each.size_bytes)})"
    for name in published.removed:
        yield f"{'would remove' if dry_run else 'removed'} {name}"
    sent = f"{counted(len(published.sent), 'file')}, {tell_size(published.size_bytes)}"
    yield f"{sent}; {published.unchanged} unchanged"


class FolderTarget:
    """A folder or any fsspec URL; what it holds is known by its content."""

    def __init__(self, url: str, kind: Kind = "dataset") -> None:
        self._store, self._kind = Store(url), kind

    def missing(self, files: Sequence[SentFile]) -> list[SentFile]:
        """The files that the target lacks or holds otherwise, told by size, then by hash."""
        return [each for each in files if not self._holds(each)]

    def own(self, into_used: bool) -> frozenset[str]:
        """By the list that lies there, or by a manifest of ours from before there were lists."""
        held = self._store.names("")
        told = (self._store.read_bytes(n) if n in held else None for n in (LISTING, MANIFEST))
        before = known_files(self._kind, *told)
        if before is None:
            refuse_used(PUBLISH[self._kind], self._store.url, held, into_used)
        return frozenset(name for name in before or () if self._store.exists(name))

    def send(self, files: Sequence[SentFile], stale: Sequence[str], own: Collection[str]) -> None:
        """One by one, each written whole or not at all; a list of all that may be ours goes first."""
        self._store.write_bytes(LISTING, listing(PUBLISH[self._kind], {*own, *stale}))
        self._store.remove_leftovers()
        for each in files:
            with each.path.open("rb") as source, self._store.open_write(each.name) as target:
                shutil.copyfileobj(source, target)
        replace_own_files(PUBLISH[self._kind], self._store, stale, own)

    def read(self, name: str) -> bytes:
        """A file's bytes as they lie in the target."""
        return self._store.read_bytes(name)

    def _holds(self, file: SentFile) -> bool:
        path = self._store.path(file.name)
        if not self._store.exists(file.name) or self._store.fs.size(path) != file.size_bytes:
            return False
        with self._store.open_read(file.name) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256  # type: ignore[arg-type]


def known_files(kind: Kind, listed: bytes | None, manifest: bytes | None) -> frozenset[str] | None:
    """What a place says was published there; None where it says nothing that we wrote."""
    names = read_listing(PUBLISH[kind], listed)
    if names is not None or manifest is None or kind == "model":
        return names
    try:
        return frozenset(each.path for each in read_contents(manifest, MANIFEST).shards)
    except DatasetError:
        return None


def _goes(root: Path, path: Path) -> bool:
    name = path.relative_to(root)
    is_shown = not any(part.startswith(".") for part in name.parts)
    return path.is_file() and is_shown and name != Path(LISTING)


def sent_file(root: Path, path: Path) -> SentFile:
    """A file by its name from a folder, its size and its hash."""
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return SentFile(path.relative_to(root).as_posix(), path, path.stat().st_size, sha256)
