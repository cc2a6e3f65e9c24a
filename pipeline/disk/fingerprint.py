"""Settings -> a short hash: what a folder of results depends on, and nothing else."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel


def fingerprint(name: str, version: int, settings: Any, upstream: Sequence[str] = ()) -> str:
    """16 hex digits over a step's name, version, settings and the fingerprints above it.

    Settings are pydantic models, tuples, lists, dicts with string keys, and scalars. Their order in a dict
    does not matter; a path, a clock, a batch size or a worker count must not be among them.
    """
    named = [name, version, plain(settings), list(upstream)]
    content = json.dumps(named, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def plain(settings: Any) -> Any:
    """Settings as JSON values. Raises TypeError for what has no stable text, such as a set or an object."""
    if isinstance(settings, BaseModel):
        return settings.model_dump(mode="json")
    if isinstance(settings, (list, tuple)):
        return [plain(each) for each in settings]
    if isinstance(settings, dict):
        return {str(key): plain(value) for key, value in settings.items()}
    if settings is None or isinstance(settings, (str, int, float, bool)):
        return settings
    raise TypeError(f"a fingerprint takes plain values and pydantic models, got {type(settings).__name__}")
