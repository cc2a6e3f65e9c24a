"""What a command of ours put into a folder or a repository: only that is ever replaced or removed there.

A list of names lies beside the files, and says whose they are. A place that holds something and has no such
list, or that of another command, is somebody else's: it is refused, unless the user says `--into-used`; what
is there then stays, save files of the very names that are written.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

from pydantic import ValidationError

from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import UsageError
from reelproof.schemas.record import Record

LISTING = "reelproof-files.json"
ASK, BROWSE, HIGHLIGHTS = "ask", "browse", "highlights"
PUBLISH = {"dataset": "publish of a dataset", "model": "publish of a model"}
_SHOWN = 3


class OwnFiles(Record):
    """Names from the folder's root, sorted."""

    by: str = ""
    """The command that put them there, such as `highlights`; lists of before do not say."""
    files: tuple[str, ...]


def listing(by: str, names: Iterable[str]) -> bytes:
    """The list of what is a command's, as it is written."""
    own = OwnFiles(by=by, files=tuple(sorted({*names} - {LISTING})))
    return own.model_dump_json(indent=1).encode() + b"\n"


def read_listing(by: str, content: bytes | None) -> frozenset[str] | None:
    """The names of a command's list; None where there is none, another command's, or something else."""
    try:
        own = None if content is None else OwnFiles.model_validate_json(content)
    except ValidationError:
        return None
    return frozenset(own.files) if own and own.by in (by, "") else None


def refuse_used(by: str, place: str, held: Collection[str], into_used: bool) -> None:
    """Raise UsageError where a place that is not ours holds something; hidden files are nothing."""
    others = sorted(name for name in held if not name.startswith(".") and name not in (LISTING, "lost+found"))
    if others and not into_used:
        shown = ", ".join(others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
        raise UsageError(
            f"{place} holds {shown}, which reelproof's {by} did not put there; name a new or an empty "
            "place, or say --into-used to write beside it and over files of the same names"
        )


def listed_files(by: str, store: Store, into_used: bool) -> frozenset[str] | None:
    """Names of what is a command's in a folder; None of one that is new to it.

    Raises UsageError where the folder holds something of others, or is a file.
    """
    if store.is_local and Path(store.path(".")).is_file():
        raise UsageError(f"{store.url} is a file; name a folder")
    before = read_listing(by, store.read_bytes(LISTING)) if store.exists(LISTING) else None
    if before is None:
        refuse_used(by, store.url, store.names(""), into_used)
    return before


def own_files(by: str, store: Store, into_used: bool) -> frozenset[str]:
    """As `listed_files`, and from now on the folder is known as that command's."""
    before = listed_files(by, store, into_used)
    if before is None:
        store.write_bytes(LISTING, listing(by, ()))
    return before or frozenset()


def replace_own_files(by: str, store: Store, before: Collection[str], now: Collection[str]) -> None:
    """Remove what was a command's and is no longer written, then list what is there now."""
    for name in sorted({*before} - {*now}):
        store.remove(name)
    store.write_bytes(LISTING, listing(by, now))
