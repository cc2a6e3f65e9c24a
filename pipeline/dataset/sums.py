"""A dataset's files -> `SHA256SUMS` beside them, which `sha256sum --check` reads; and what does not match."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from reelproof.pipeline.dataset.stats_files import put_file
from reelproof.pipeline.disk.own_files import LISTING
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.manifest import Manifest
from reelproof.schemas.published import MANIFEST

SUMS = "SHA256SUMS"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
"""Within the folder, whatever a list says."""
_LINE = re.compile(rf"([0-9a-f]{{64}})  ({_NAME.pattern})")


class Wrong(NamedTuple):
    """A file of a dataset that is not what its dataset says."""

    name: str
    why: str


def write_sums(store: Store, manifest: Manifest, folder: str) -> None:
    """Leave the list: shards as the manifest has them, every other file as it is."""
    shards = {each.path: each.sha256 for each in manifest.files}
    others = sorted(name for name in store.sizes(folder) if _is_listed(name) and name not in shards)
    hashes = side_by_side(store, lambda name: sha256_of(store, f"{folder}/{name}"), others)
    listed = {**shards, **dict(zip(others, hashes, strict=True))}
    put_file(
        store, f"{folder}/{SUMS}", "".join(f"{listed[each]}  {each}\n" for each in sorted(listed)).encode()
    )


def read_sums(store: Store, folder: str) -> dict[str, str] | None:
    """Name -> sha256; None where there is no such list. A line that is none has the name `SHA256SUMS`."""
    try:
        text = store.read_bytes(f"{folder}/{SUMS}").decode(errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    lines = [_LINE.fullmatch(line) for line in text.splitlines()]
    return {line[2]: line[1] for line in lines if line} | (
        {} if all(lines) and text.endswith("\n") else {SUMS: ""}
    )


def is_vouched(store: Store, folder: str) -> bool:
    """Whether the manifest is the one that the list was written for."""
    return (read_sums(store, folder) or {}).get(MANIFEST) == sha256_of(store, f"{folder}/{MANIFEST}")


def wrong_files(
    store: Store, folder: str, shards: Mapping[str, str], by_list: bool = True
) -> Iterator[Wrong]:
    """Files that are gone, or are not what the list and the manifest's `shards` (name -> sha256) say.

    Not `by_list`: what the list says does not count.
    """
    sums = read_sums(store, folder) if by_list else {}
    if sums is None:
        yield Wrong(SUMS, "it is not there")
    elif SUMS in sums:
        yield Wrong(SUMS, "it holds lines that are none")
    listed = {name: sha256 for name, sha256 in (sums or {}).items() if name != SUMS}
    expected = sorted({*listed, *shards})
    found = side_by_side(store, lambda name: sha256_of_large(store, f"{folder}/{name}"), expected)
    for name, sha256 in zip(expected, found, strict=True):
        said = {each for each in (listed.get(name), shards.get(name)) if each}
        if not sha256:
            yield Wrong(name, "it is gone")
        elif sha256 not in said:
            yield Wrong(name, "it does not match its sha256")
        elif len(said) > 1:
            yield Wrong(SUMS if sha256 == shards[name] else MANIFEST, f"it names another sha256 of {name}")


def sha256_of(store: Store, name: str) -> str:
    """Of a small file's bytes; of no file, nothing."""
    try:
        return hashlib.sha256(store.read_bytes(name)).hexdigest()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""


def sha256_of_large(store: Store, name: str) -> str:
    """The same of a file that is not held in memory."""
    try:
        with store.open_read(name) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""


def _is_listed(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and name not in (SUMS, LISTING)
