"""A thought -> the things that it boxes, with their times; how near these are to given ones, in [0, 1].

What filter, reward and evaluation share. The scores are the rewards of Open-o3-Video (arXiv 2510.20579)
for times and for places, where a cited time may lie before or after the given one, equally far.
"""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence

from reelproof.schemas.answers.citing import citations
from reelproof.schemas.answers.overlap import box_iou
from reelproof.schemas.answers.placed import Boxed, BoxUnit, boxed_things, in_tags, places_of
from reelproof.schemas.answers.places import Interval, lenient_boxes
from reelproof.schemas.footage import FrameRef, Span
from reelproof.schemas.place import Place

NEAR_S = 1.0
"""A box counts only where a given frame is nearer in time than this."""


def placed_things(text: str, before_s: float | None = None) -> tuple[Boxed, ...]:
    """What a text in tags boxes; what names no time of its own is on the frame that was last cited before it.

    `before_s` is the time that was cited before the text began.
    """
    return tuple(_timed(text, before_s)) if "<obj>" in text else ()


def said_places(thought: str, width: int, height: int, unit: BoxUnit) -> tuple[tuple[Place, ...], ...]:
    """The places of each thing that a thought boxes, on frames of that size."""
    return tuple(places_of(each, width, height, unit) for each in placed_things(in_tags(thought)))


def unsound_boxes(answer: str, frames: Sequence[FrameRef], tolerance_s: float) -> str | None:
    """Why an answer that is boxes cannot be right about these frames: one is faulty, or on none of them."""
    for box in lenient_boxes(answer) or ():
        near = [
            each for each in frames if box.time_s is not None and abs(each.time_s - box.time_s) <= tolerance_s
        ]
        if not near:
            return f"a box is on a frame that is shown, got {answer!r}"
        size = near[0].width, near[0].height
        (place,) = places_of(Boxed("", (box[:4],), box.time_s, 0), *size, "pixels")
        if place.flaw is not None:
            sides = f"{size[0]} x {size[1]} pixels"
            return f"a box lies in its frame of {sides} and is not all of it, got {answer!r}"
    return None


def key_time_score(cited: Sequence[Span], keys_s: Sequence[float], sigma_s: float) -> float:
    """Mean nearness of the cited times, both ends of a span, to the nearest given time: a Gaussian's.

    0 where nothing is cited or given.
    """
    times_s = _times_of(cited)
    if not times_s or not keys_s:
        return 0.0
    away_s = (min(abs(time_s - key_s) for key_s in keys_s) for time_s in times_s)
    return sum(math.exp(-((each / sigma_s) ** 2) / 2) for each in away_s) / len(times_s)


def share_within_spans(cited: Sequence[Span], spans: Sequence[Interval]) -> float:
    """Share of the cited times, both ends of a span, that lie in one of the given spans; 0 without any."""
    times_s = _times_of(cited)
    inside = (any(span.start_s <= time_s <= span.end_s for span in spans) for time_s in times_s)
    return sum(inside) / len(times_s) if times_s else 0.0


def key_place_score(said: Sequence[Sequence[Place]], keys: Sequence[Place]) -> float:
    """Mean over the boxed things of the best IoU with a given thing of the nearest given frame.

    A thing with several given boxes counts by the mean over those; one that no given frame is near counts 0.
    Names are not compared: other words mean the same.
    """
    return sum(_best_iou(thing, keys) for thing in said) / len(said) if said else 0.0


def _times_of(cited: Sequence[Span]) -> list[float]:
    return [time_s for span in cited for time_s in dict.fromkeys((span.start_s, span.end_s))]


def _best_iou(thing: Sequence[Place], keys: Sequence[Place]) -> float:
    time_s = thing[0].time_s if thing else None
    timed = [
        (abs(each.time_s - time_s), each) for each in keys if time_s is not None and each.time_s is not None
    ]
    near = [each for each in timed if each[0] < NEAR_S]
    if not near:
        return 0.0
    nearest_s = min(away_s for away_s, _ in near)
    given = defaultdict[tuple[float | None, str], list[Place]](list)
    for away_s, key in near:
        if away_s == nearest_s:
            given[key.time_s, key.label].append(key)
    return max(sum(_iou(thing, key) for key in boxes) / len(boxes) for boxes in given.values())


def _iou(thing: Sequence[Place], key: Place) -> float:
    return max(box_iou(each.box, key.box) for each in thing)


def _timed(text: str, before_s: float | None) -> Iterator[Boxed]:
    cited = citations(text)
    places = [each.place for each in cited]
    for thing in boxed_things(text):
        earlier = bisect_left(places, thing.place)
        last_s = cited[earlier - 1].span.start_s if earlier else before_s
        yield thing if thing.time_s is not None else thing._replace(time_s=last_s)
