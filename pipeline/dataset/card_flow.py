"""Steps and what each is made from -> the DAG as Mermaid, without the edges that others imply."""

import re
from collections.abc import Mapping

Edges = Mapping[str, tuple[str, ...]]


def flow_lines(rests_on: Edges) -> list[str]:
    """A node a step, then an edge for each step that another is made from and reaches no other way."""
    places = {step: f"s{place}" for place, step in enumerate(rests_on)}
    nodes = [f'{place}["{re.sub(r"[^A-Za-z0-9_. -]", " ", step)}"]' for step, place in places.items()]
    arrows = [
        f"{places[above]} --> {places[step]}" for step in rests_on for above in needed_above(rests_on, step)
    ]
    return nodes + arrows


def needed_above(rests_on: Edges, step: str) -> list[str]:
    """The steps right above one, without those above another of them."""
    above = rests_on[step]
    implied = {far for near in above for far in _ancestors(rests_on, near)}
    return [each for each in above if each not in implied]


def _ancestors(rests_on: Edges, step: str) -> set[str]:
    found: set[str] = set()
    waiting = [*rests_on[step]]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += rests_on[each]
    return found
