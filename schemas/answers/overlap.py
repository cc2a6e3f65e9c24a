"""Two values of a kind -> how far they overlap, in [0, 1]: words, lines of text, spans, boxes."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from reelproof.schemas.answers.quantities import Box, Interval
from reelproof.schemas.answers.wording import words

_ARTICLES = frozenset(("a", "an", "the"))
_MOST_WORDS = 4096
"""Words of a text that are compared; keeps hostile sizes cheap."""


def token_f1(said: str, gold: str) -> float:
    """Harmonic mean of the precision and recall of words, articles dropped. Source: arXiv 1606.05250."""
    return _f1(_content(said), _content(gold))


def rouge_mean(said: str, gold: str) -> float:
    """Mean of ROUGE-1, ROUGE-2 and ROUGE-L F1 (Lin, 2004), without stemming.

    A text of one word has no bigrams: ROUGE-2 is left out where both have none.
    """
    one, other = words(said)[:_MOST_WORDS], words(gold)[:_MOST_WORDS]
    pairs, other_pairs = list(pairwise(one)), list(pairwise(other))
    scores = [_f1(one, other), _harmonic(_longest_common(one, other), len(one), len(other))]
    if pairs or other_pairs:
        scores.append(_f1(pairs, other_pairs))
    return sum(scores) / len(scores)


def word_accuracy(said: Sequence[str], gold: Sequence[str]) -> float:
    """1 − word error rate (edits per gold word), not below 0."""
    if not gold or len(said) >= 2 * len(gold):  # each surplus word is an edit
        return 0.0
    gold, said = gold[:_MOST_WORDS], said[: 2 * _MOST_WORDS]
    return max(0.0, 1 - _edits(said, gold) / len(gold))


def span_iou(said: Sequence[Interval], gold: Sequence[Interval]) -> float:
    """Length of the intersection over length of the union, of unions of spans; 0 if one is reversed."""
    if any(span.end_s < span.start_s for span in (*said, *gold)):
        return 0.0
    one, other = _merged(said), _merged(gold)
    union = _length(_merged([*one, *other]))
    if union == 0:
        return float(one == other)
    return max(0.0, min(1.0, (_length(one) + _length(other) - union) / union))


def box_match(said: Sequence[Box], gold: Sequence[Box], tolerance_s: float) -> float:
    """Sum of the IoUs of boxes paired off, best first, over the larger number of boxes.

    A pair counts only where the claimed frame lies within `tolerance_s` of the gold frame, before or after; a
    gold box that names no time may be claimed on any frame.
    """
    pairs = [
        (box_iou(one, other), -i, -j)
        for i, one in enumerate(said)
        for j, other in enumerate(gold)
        if other.time_s is None
        or (one.time_s is not None and abs(one.time_s - other.time_s) <= tolerance_s + 1e-9)
    ]
    used_said: set[int] = set()
    used_gold: set[int] = set()
    total = 0.0
    for iou, i, j in sorted(pairs, reverse=True):
        if i not in used_said and j not in used_gold:
            used_said.add(i)
            used_gold.add(j)
            total += iou
    return min(1.0, total / max(len(said), len(gold)))


def box_iou(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, in any unit; two equal boxes without area score 1."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    shared = max(0.0, width) * max(0.0, height)
    union = _area(one) + _area(other) - shared
    return shared / union if union > 0 else float(one[:4] == other[:4])


def _content(text: str) -> list[str]:
    said = words(text)[:_MOST_WORDS]
    return [word for word in said if word not in _ARTICLES] or said


def _f1(one: Sequence[object], other: Sequence[object]) -> float:
    shared = sum((Counter(one) & Counter(other)).values())
    return _harmonic(shared, len(one), len(other))


def _harmonic(shared: int, one: int, other: int) -> float:
    return 2 * shared / (one + other) if shared else 0.0


def _places(items: Sequence[str]) -> dict[str, int]:
    """Each item's places as the set bits of one integer."""
    places: dict[str, int] = {}
    for place, item in enumerate(items):
        places[item] = places.get(item, 0) | 1 << place
    return places


def _edits(said: Sequence[str], gold: Sequence[str]) -> int:
    """Levenshtein distance, a column at a time in one integer. Source: Myers 1999, in Hyyrö's form."""
    places, full, last = _places(gold), (1 << len(gold)) - 1, 1 << (len(gold) - 1)
    up, down, distance = full, 0, len(gold)
    for item in said:
        same = places.get(item, 0)
        across = (((same & up) + up) ^ up) | same | down
        grows, shrinks = down | ~(across | up), up & across
        distance += bool(grows & last) - bool(shrinks & last)
        grows, shrinks = grows << 1 | 1, shrinks << 1
        up = (shrinks | ~(same | down | grows)) & full
        down = grows & (same | down) & full
    return distance


def _longest_common(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence, a column at a time in one integer. Source: Hyyrö 2004."""
    places, full = _places(other), (1 << len(other)) - 1
    free = full
    for item in one:
        taken = free & places.get(item, 0)
        free = ((free + taken) | (free - taken)) & full
    return len(other) - free.bit_count()


def _merged(spans: Sequence[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for span in sorted(spans):
        if merged and span.start_s <= merged[-1].end_s:
            merged[-1] = Interval(merged[-1].start_s, max(merged[-1].end_s, span.end_s))
        else:
            merged.append(span)
    return merged


def _length(spans: Sequence[Interval]) -> float:
    return sum(span.end_s - span.start_s for span in spans)


def _area(box: Box) -> float:
    return (box.right - box.left) * (box.bottom - box.top)
