"""The names in an events' folder, and whose it is."""

import hashlib
import json
from pathlib import Path
from typing import Any

from reelproof.pipeline.disk.renaming import TEMPORARY, written_then_renamed
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.inputs.events_folder import WATCH
from reelproof.pipeline.watching.settings import WatchConfig

FILMS, JOURNAL = "films.jsonl", "journal"
_DECIDES_NOTHING = {"stream", "clips", "measured"}
"""Settings without which the same events come."""


def _is_new(folder: Path) -> bool:
    """Whether nothing lies there but what a watch left that was killed as it began."""
    return folder.is_dir() and all(each.name.startswith(TEMPORARY) for each in folder.iterdir())


def refuse_foreign(folder: Path) -> None:
    """Raises UsageError where something lies that is no watch's."""
    if folder.exists() and not (folder / WATCH).is_file() and not _is_new(folder):
        raise UsageError(f"{folder} holds other things and no watch; name a new --out")


def _read_watch(folder: Path) -> dict[str, Any]:
    """What a folder's watch was begun with. Raises UsageError where nobody can read it."""
    file = folder / WATCH
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        held = None
    if not isinstance(held, dict):
        raise UsageError(
            f"{file} cannot be read: it is damaged; with another --out the same command begins anew, and "
            "the events that were logged stay where they are"
        )
    return held


def claim(folder: Path, source: str, model: str, cfg: WatchConfig) -> str:
    """The watch's id, from all that decides its events; a new folder is begun.

    Raises UsageError where something else lies there.
    """
    own = {
        "source": source,
        "model": model,
        "settings": cfg.model_dump(mode="json", exclude=_DECIDES_NOTHING),
    }
    file = folder / WATCH
    if file.is_file():
        held = _read_watch(folder)
        if differing := [name for name in own if held.get(name) != own[name]]:
            raise UsageError(
                f"{folder} holds a watch with another {' and '.join(differing)}; name another --out, or give "
                "what it was begun with"
            )
    else:
        refuse_foreign(folder)
        with written_then_renamed(file) as stream:
            stream.write(json.dumps(own, indent=1, ensure_ascii=False).encode() + b"\n")
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:16]
