"""A cluster that runs already -> refused unless its workers run this very code and see the build's folder."""

import functools
import hashlib
import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distributed import Client, get_worker

from reelproof.pipeline.disk.store import MARKER, Store
from reelproof.pipeline.errors import BrokenHere, UsageError

_PACKAGES = ("pipeline", "schemas", "stages", "training")


@functools.cache
def code_identity() -> str:
    """Of the code that this process runs, as it lies on disk: hex."""
    digest = hashlib.sha256()
    for name in _PACKAGES:
        root = Path(importlib.import_module(f"reelproof.{name}").__path__[0])
        for file in sorted(root.rglob("*.py")):
            digest.update(f"{name}/{file.relative_to(root)}\n".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def refuse_strangers(client: Client, store: Store) -> None:
    """Raises UsageError where a worker runs other code, or sees not the folder that we see."""
    mine, folder = code_identity(), store.path(MARKER) if store.is_local else None
    for address, seen in client.run(_look, folder, on_error="return").items():
        if isinstance(seen, BaseException):
            raise UsageError(f"the worker at {address} runs no code of ours ({seen}); {_INSTALL}")
        code, sees_folder = seen
        if code != mine:
            raise UsageError(f"the worker at {address} runs other code than this command; {_INSTALL}")
        if not sees_folder:
            raise UsageError(
                f"the worker at {address} does not see {store.path('')}; name a folder for --out that all "
                "workers see, or an object store"
            )


_INSTALL = "install the same version of reelproof there, and start its workers anew"


def _look(folder: str | None) -> tuple[str, bool]:
    return code_identity(), folder is None or os.path.exists(folder)  # noqa: PTH110  # as the store looks


@dataclass(frozen=True)
class OnlyOurs:
    """Work that only this very code does: workers that join later may have been started with other code."""

    work: Callable[..., Any]
    code: str = field(default_factory=code_identity)

    def __call__(self, *arguments: Any) -> Any:
        """Raises BrokenHere in a worker of other code."""
        if code_identity() != self.code:
            where = get_worker().address
            raise BrokenHere(f"the worker at {where} runs other code than this command; {_INSTALL}")
        return self.work(*arguments)
