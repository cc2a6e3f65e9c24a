"""Finished shards -> the dataset's folder, so that nothing false is believed if we die in between."""

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import pyarrow.parquet as pq
from pydantic import ValidationError

from reelproof.pipeline.dataset.sums import is_vouched, sha256_of_large
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.disk.store import DiskFull, Store
from reelproof.pipeline.errors import NO_ROOM
from reelproof.schemas.manifest import Manifest, ManifestFile
from reelproof.schemas.published import MANIFEST

_STAGING = ".staging"
_REPLACING = ".replacing"
"""There while files are being replaced: the manifest may then name bytes that are no longer there."""


def read_manifest(store: Store, folder: str = "dataset") -> Manifest | None:
    """The dataset's manifest; None where there is none, or none that this version can read."""
    try:
        return Manifest.model_validate_json(store.read_bytes(f"{folder}/{MANIFEST}"))
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def trusted_files(store: Store, folder: str, manifest: Manifest | None) -> dict[str, ManifestFile]:
    """Path -> entry of the files that are as the manifest says.

    By size; by hash after an interruption, or where nothing vouches for the manifest.
    """
    if manifest is None:
        return {}
    sizes = store.sizes(folder)
    there = [each for each in manifest.files if sizes.get(each.path) == each.size_bytes]
    if _REPLACING in sizes or not is_vouched(store, folder):
        whole = side_by_side(store, lambda each: _is_whole(store, f"{folder}/{each.path}", each), there)
        there = [each for each, is_whole in zip(there, whole, strict=True) if is_whole]
    return {each.path: each for each in there}


@contextmanager
def open_staging(store: Store, folder: str) -> Iterator[str]:
    """A folder of the store for files that are not in their place yet; it is gone afterwards.

    No other attempt writes there, nor tasks that it left running. Raises DiskFull where there is no room.
    """
    staging = f"{folder}/{_STAGING}"
    if store.is_local:
        _clear(store, staging)
    try:
        yield f"{staging}/{uuid.uuid4().hex}"
    except OSError as error:
        if not store.is_local or error.errno not in NO_ROOM:
            raise
        raise DiskFull(
            f"no room to write shards in {store.url}/{folder} ({error.strerror}); the dataset that was there "
            "is as it was: make room for a second copy of what changes and run the same command again"
        ) from error
    finally:
        _clear(store, staging)


def replace_files(store: Store, folder: str, staged: Mapping[str, str], manifest: Manifest) -> None:
    """Put staged files of the store in their places, then the manifest, then remove what it does not name.

    A manifest that says what the one there says is left alone.
    """
    if staged:
        store.write_bytes(f"{folder}/{_REPLACING}", b"Files are being replaced.\n")
    side_by_side(store, lambda name: store.move(staged[name], f"{folder}/{name}"), staged)
    text = manifest.model_dump_json(indent=2).encode() + b"\n"
    with suppress(FileNotFoundError):
        if store.read_bytes(f"{folder}/{MANIFEST}") == text:
            text = b""
    if text:
        store.write_bytes(f"{folder}/{MANIFEST}", text)
    _remove_others(store, folder, {each.path for each in manifest.files})
    store.remove(f"{folder}/{_REPLACING}")


def _is_whole(store: Store, name: str, entry: ManifestFile) -> bool:
    """By its hash, and by what the entry says of it."""
    if sha256_of_large(store, name) != entry.sha256:
        return False
    with store.open_read(name) as stream:
        return bool(pq.read_metadata(stream).num_rows == entry.rows)


def _clear(store: Store, staging: str) -> None:
    if store.is_local:
        shutil.rmtree(store.path(staging), ignore_errors=True)
    else:
        side_by_side(store, lambda name: store.remove(f"{staging}/{name}"), store.sizes(staging))


def _remove_others(store: Store, folder: str, named: set[str]) -> None:
    others = [
        each
        for each in store.sizes(f"{folder}/data")
        if each.endswith(".parquet") and f"data/{each}" not in named
    ]
    side_by_side(store, lambda each: store.remove(f"{folder}/data/{each}"), others)
