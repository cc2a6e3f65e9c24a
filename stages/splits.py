"""Videos -> train or test: near-duplicates together, and a video's split never changes when others come."""

import hashlib
from collections.abc import Iterable, Mapping

from pydantic import Field

from reelproof.schemas.settings import Settings

VERSION = 1


class SplitsConfig(Settings):
    """How much is held out of training."""

    test_share: float = Field(default=0.05, ge=0, le=1)
    """Share of groups of near-duplicate videos that goes to `test`, unless their source says otherwise."""
    seed: int = 0
    """Which groups are held out follows from it."""


def assign_splits(
    video_ids: Iterable[str],
    groups: Mapping[str, str],
    test_share: float,
    seed: int,
    given: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """video_id -> `train` or `test`.

    `groups` names the group of each video that has near-duplicates; the rest stand alone. `given` holds the
    splits that the source states: one video that is said to be `test` takes its whole group along, so that
    nothing held out is ever trained on.

    Raises ValueError for a given split that is neither.
    """
    given = given or {}
    if wrong := sorted({split for split in given.values() if split not in ("train", "test")}):
        raise ValueError(f"splits: got {', '.join(wrong)}; expected train or test")
    wanted = sorted(set(video_ids))
    stated: dict[str, set[str]] = {}
    for video_id, split in given.items():
        stated.setdefault(groups.get(video_id, video_id), set()).add(split)
    return {each: _split(groups.get(each, each), stated, test_share, seed) for each in wanted}


def _split(group: str, stated: Mapping[str, set[str]], test_share: float, seed: int) -> str:
    if group in stated:
        return "test" if "test" in stated[group] else "train"
    digest = hashlib.sha256(f"split {seed} {group}".encode()).digest()
    return "test" if int.from_bytes(digest[:8]) < test_share * 2**64 else "train"
