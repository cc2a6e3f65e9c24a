"""Small files beside the shards -> what the step that left them knows of them: are they as it left them?"""

from collections.abc import Mapping

from reelproof.pipeline.dataset.sums import sha256_of
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.record import Record


class Left(Record):
    """Small files that a step left in the published folder."""

    files: Mapping[str, str]
    """Path in the build -> sha256."""


def left_files(store: Store, *names: str) -> Left:
    """Those of the names that are there."""
    hashes = side_by_side(store, lambda name: sha256_of(store, name), names)
    return Left(files={name: sha256 for name, sha256 in zip(names, hashes, strict=True) if sha256})


def are_there(store: Store, left: Left) -> bool:
    """Whether all are as they were left."""
    return not changed_files(store, left)


def changed_files(store: Store, left: Left) -> list[str]:
    """Those that are not as they were left."""
    hashes = side_by_side(store, lambda name: sha256_of(store, name), left.files)
    return [name for name, now in zip(left.files, hashes, strict=True) if now != left.files[name]]
