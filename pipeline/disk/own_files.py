"""What a command of ours put into a folder or a repository: only that is ever replaced or removed there.

A list of names lies beside the files. A place that holds something and has no such list is somebody else's:
it is refused, unless the user says `--into-used`; what is there then stays, save files of the very names that
are written.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

from pydantic import ValidationError

from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import UsageError
from reelproof.schemas.record import Record

LISTING = "reelproof-files.json"
_SHOWN = 3


class OwnFiles(Record):
    """Names from the folder's root, sorted."""

    files: tuple[str, ...]


def listing(names: Iterable[str]) -> bytes:
    """The list of what is ours, as it is written."""
    return OwnFiles(files=tuple(sorted({*names} - {LISTING}))).model_dump_json(indent=1).encode() + b"\n"


def read_listing(content: bytes | None) -> frozenset[str] | None:
    """The names of a list; None where there is none, or something else of its name."""
    try:
        return None if content is None else frozenset(OwnFiles.model_validate_json(content).files)
    except ValidationError:
        return None


def refuse_used(place: str, held: Collection[str], into_used: bool) -> None:
    """Raise UsageError where a place that is not ours holds something; hidden files are nothing."""
    others = sorted(name for name in held if not name.startswith(".") and name != "lost+found")
    if others and not into_used:
        shown = ", ".join(others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
        raise UsageError(
            f"{place} holds {shown}, which reelproof did not put there; name a new or an empty place, or say "
            "--into-used to write beside it and over files of the same names"
        )


def listed_files(store: Store, into_used: bool) -> frozenset[str] | None:
    """Names of what is ours in a folder; None of one that is new to us.

    Raises UsageError where it holds something of others, or is a file.
    """
    if store.is_local and Path(store.path(".")).is_file():
        raise UsageError(f"{store.url} is a file; name a folder")
    before = read_listing(store.read_bytes(LISTING)) if store.exists(LISTING) else None
    if before is None:
        refuse_used(store.url, store.names(""), into_used)
    return before


def own_files(store: Store, into_used: bool) -> frozenset[str]:
    """As `listed_files`, and from now on the folder is known as ours."""
    before = listed_files(store, into_used)
    if before is None:
        store.write_bytes(LISTING, listing(()))
    return before or frozenset()


def replace_own_files(store: Store, before: Collection[str], now: Collection[str]) -> None:
    """Remove what was ours and is no longer written, then list what is there now."""
    for name in sorted({*before} - {*now}):
        store.remove(name)
    store.write_bytes(LISTING, listing(now))
