"""A row's `key_items` and `key_frames`, as Open-o3-Video has them -> what proves the answer, where and when.

`key_frames` are `[{"idx": 12, "time": 1.5}]`, `key_items` `{"12": {"dog": [[left, top, right, bottom]]}}`,
corners in shares of the frame, or in pixels of `image_size`. Source: arXiv 2510.20579 and its repository.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from reelproof.schemas.place import Place

KEY_COLUMNS = ("key_items", "key_frames")


def key_places(row: Mapping[str, Any]) -> tuple[Place, ...]:
    """In the order of the row; none where it has none. Raises ValueError for what cannot be read.

    A box in pixels of a picture whose size the row does not tell is left out.
    """
    items = row.get("key_items") or {}
    if not isinstance(items, Mapping):
        raise ValueError(f"`key_items` is an object of frames, got {items!r}"[:200])
    times_s = dict(_times(row.get("key_frames") or []))
    found: list[Place] = []
    for index, things in items.items():
        for label, boxes in (things or {}).items() if isinstance(things, Mapping | None) else _no(things):
            for box in boxes if isinstance(boxes, list) else _no(boxes):
                place = _place(str(label), box, times_s.get(str(index)), row.get("image_size"))
                found += [place] if place else []
    return tuple(found)


def _times(frames: Any) -> Iterator[tuple[str, float]]:
    for each in frames if isinstance(frames, list) else _no(frames):
        if not isinstance(each, Mapping) or not _is_number(each.get("time")):
            raise ValueError(f"a key frame has `idx` and `time` in seconds, got {each!r}"[:200])
        yield str(each.get("idx")), float(each["time"])


def _place(label: str, box: Any, time_s: float | None, size: Any) -> Place | None:
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        raise ValueError(f"a key item's box is [left, top, right, bottom], got {box!r}"[:200])
    across, down = 1.0, 1.0
    if max(box) > 1:
        if not isinstance(size, list) or len(size) != 2 or not all(map(_is_number, size)) or min(size) <= 0:
            return None
        across, down = size
    left, top, right, bottom = box
    return Place(
        label=label,
        time_s=time_s,
        left=left / across,
        top=top / down,
        right=right / across,
        bottom=bottom / down,
    )


def _no(value: Any) -> Any:
    raise ValueError(
        "`key_items` is {frame: {name: [[left, top, right, bottom]]}} and `key_frames` "
        f'[{{"idx": frame, "time": seconds}}], got {value!r}'[:300]
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
