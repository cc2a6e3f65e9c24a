"""Files -> which video each is, by the sha256 of its bytes; those that are known already are not read."""

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from reelproof.pipeline.disk.files import open_file, stat_file
from reelproof.schemas.footage import Quarantine, QuarantineKind
from reelproof.schemas.source import SourceFile, SourceIdentity
from reelproof.schemas.text import without_secrets

_READERS, _READ_BYTES = 4, 1 << 20


class Identities(NamedTuple):
    """Which video each file is, in the files' order, and the files that could not be read."""

    found: tuple[SourceIdentity, ...]
    lost: tuple[Quarantine, ...]
    hashed: int
    """Files that were read; the others were known."""


def identify(files: Sequence[SourceFile], known: Iterable[SourceIdentity] = ()) -> Identities:
    """Which video each file is, by the sha256 of its bytes; each file is read at most once, as a stream.

    A file that `known` holds with the same URL, size and version is trusted and not read. One that cannot
    be read is lost (`unreadable`, or `changed` where it changed while it was read).
    """
    trusted = {_key(identity.file): identity.video_id for identity in known if identity.file.version}

    def one(file: SourceFile) -> SourceIdentity | Quarantine:
        video_id = trusted.get(_key(file))
        return _hash_file(file) if video_id is None else SourceIdentity(video_id=video_id, file=file)

    with ThreadPoolExecutor(_READERS) as pool:
        results = list(pool.map(one, files))
    return Identities(
        found=tuple(each for each in results if isinstance(each, SourceIdentity)),
        lost=tuple(each for each in results if isinstance(each, Quarantine)),
        hashed=sum(_key(file) not in trusted for file in files),
    )


def _hash_file(file: SourceFile) -> SourceIdentity | Quarantine:
    """Its identity as it lies there now, unless it changes under our eyes."""
    try:
        before = stat_file(file.url, file.license)
        digest = hashlib.sha256()
        with open_file(file.url) as stream:
            while block := stream.read(_READ_BYTES):
                digest.update(block)
        after = stat_file(file.url, file.license)
    except Exception as error:  # stores have errors of their own; one file never costs the others
        return _lost(file, QuarantineKind.UNREADABLE, f"{type(error).__name__}: {error}")
    if before != after:
        return _lost(
            file, QuarantineKind.CHANGED, "the file changed while it was read; build again when it is still"
        )
    return SourceIdentity(video_id=digest.hexdigest(), file=after)


def _lost(file: SourceFile, kind: QuarantineKind, detail: str) -> Quarantine:
    """Its bytes are unknown, so it goes by its URL."""
    unread = "unread-" + hashlib.sha256(file.url.encode()).hexdigest()[:32]
    return Quarantine(video_id=unread, name=file.name, kind=kind, detail=without_secrets(detail))


def _key(file: SourceFile) -> tuple[str, int, str]:
    """What makes it the same file, whatever its licence."""
    return file.url, file.size_bytes, file.version
