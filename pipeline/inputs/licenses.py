"""Licences of files that hold the same bytes -> the one that counts: the stricter, or all of them."""

import re
from collections.abc import Iterable

_STRICTER: tuple[re.Pattern[str], ...] = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"cc0|pdm?\b|public.?domain|unlicense|0bsd|wtfpl",
        r"mit|apache|bsd|isc|zlib|cc[- ]?by(?:[- ]?\d.*)?$",
        r"cc[- ]?by[- ]?sa|gpl|lgpl|agpl|mpl|odbl",
        r"cc[- ]?by[- ]?nd",
        r"cc[- ]?by[- ]?nc(?![- ]?(?:sa|nd))",
        r"cc[- ]?by[- ]?nc[- ]?sa",
        r"cc[- ]?by[- ]?nc[- ]?nd",
    )
)
"""From what binds least to what binds most; of any other nobody knows what it allows, of `unknown` less."""


def stricter(names: Iterable[str]) -> str:
    """The strictest of some licences; several that bind alike, joined by `AND`, as SPDX has it."""
    ranks = {name: _rank(name) for name in sorted(set(names))}
    return " AND ".join(name for name, rank in ranks.items() if rank == max(ranks.values()))


def _rank(name: str) -> int:
    if name.casefold() == "unknown":
        return len(_STRICTER) + 1
    found = [place for place, pattern in enumerate(_STRICTER) if pattern.match(name)]
    return max(found, default=len(_STRICTER))
