"""Two values of a kind -> how far they overlap, in [0, 1]: words, lines of text, spans, boxes."""

import re
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from rapidfuzz.distance import LCSseq, Levenshtein

from reelproof.schemas.answers.amounts import spelt_as_digits
from reelproof.schemas.answers.places import Box, Interval
from reelproof.schemas.answers.wording import words

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]{{0,6}}"
_DATE = re.compile(rf"\b(?:{_MONTH}\.? (\d{{1,2}}),? (\d{{4}})|(\d{{1,2}}) {_MONTH}\.?,? (\d{{4}}))\b")
_SPELLINGS = {"grey": "gray", "colour": "color", "tv": "television", "theatre": "theater", "centre": "center"}
_NEGATIONS = frozenset(
    (
        *("no", "not", "never", "nobody", "nothing", "none", "without", "cannot", "nicht", "kein", "keine"),
        *("nie", "ne", "pas", "jamais", "nunca", "sin", "sem", "não", "не", "нет", "不", "没", "未"),
    )
)
_BY = re.compile(
    r"^(?P<whom>.{1,200}?)\s(?:is|are|was|were|gets?|got|(?:is|are|was|were)\sbeing|(?:has|have|had)\sbeen)\s"
    r"(?P<deed>\w{2,20}(?:ed|en|t|wn|ught))\sby\s(?P<by>[^.,;]{1,200})[.]?$",
    re.IGNORECASE,
)
_HISSES = re.compile(r"(?:ch|sh|x|zz)e$")
"""`watches` without its s."""
_WANTS_E = re.compile(r"[^\Waeiou\d_]{1,4}[aeiou][bdgklmnprtvz]|[^\W\d_]{2,20}[cvz]")
"""`riding` without its ending: were it `rid`, it would be `ridding`."""
_MOST_STEMS = 512
_ARTICLES = frozenset(("a", "an", "the"))
_MOST_WORDS = 4096
"""Words of a text that are compared; keeps hostile sizes cheap."""


def statement_f1(said: str, gold: str) -> float:
    """Harmonic mean of the precision and recall of word stems (arXiv 1606.05250), held against their order.

    One of two statements that denies what the other says scores 0, and words that both share count as far as
    they stand in the same order (Kendall's tau): "the man hits the ball" is not "the ball hits the man".
    """
    one, other = stems(said), stems(gold)
    fewest = 3  # words that both share from which their order tells something
    if ("by" in one) != ("by" in other) and (_BY.search(said) or _BY.search(gold)):
        one, other, fewest = stems(_BY.sub(_as_done, said)), stems(_BY.sub(_as_done, gold)), 2
    if bool(_NEGATIONS & {*one}) != bool(_NEGATIONS & {*other}):
        return 0.0
    place = {word: index for index, word in enumerate(other)}
    shared = [place[word] for word in dict.fromkeys(one) if word in place]
    tau = 2 * ordered_share(shared) - 1 if len(shared) >= fewest else 1.0
    return _f1(one, other) * max(0.0, tau)


def _as_done(found: re.Match[str]) -> str:
    """`a cat is chased by a dog` is `a dog chased a cat`."""
    return f"{found['by']} {found['deed']} {found['whom']}"


def line_accuracy(said: Sequence[str], gold: Sequence[str]) -> float:
    """`word_accuracy`, where signs and blanks between the same characters do not count."""
    return 1.0 if gold and "".join(said) == "".join(gold) else word_accuracy(said, gold)


def ordered_share(places: Sequence[int]) -> float:
    """(Kendall's tau + 1) / 2 of a permutation against 0, 1, 2 …: the share of pairs that stand in the right
    order.
    """
    seen: list[int] = []
    agreeing = 0
    for place in places:
        agreeing += bisect_left(seen, place)
        insort(seen, place)
    pairs = len(places) * (len(places) - 1) // 2
    return agreeing / pairs if pairs else 1.0


def rouge_mean(said: str, gold: str) -> float:
    """Mean of ROUGE-1, ROUGE-2 and ROUGE-L F1 (Lin, 2004), without stemming.

    A text of one word has no bigrams: ROUGE-2 is left out where both have none.
    """
    one, other = words(said)[:_MOST_WORDS], words(gold)[:_MOST_WORDS]
    pairs, other_pairs = list(pairwise(one)), list(pairwise(other))
    scores = [_f1(one, other), _harmonic(LCSseq.similarity(one, other), len(one), len(other))]
    if pairs or other_pairs:
        scores.append(_f1(pairs, other_pairs))
    return sum(scores) / len(scores)


def word_accuracy(said: Sequence[str], gold: Sequence[str]) -> float:
    """1 − word error rate (edits per gold word), not below 0."""
    if not gold or len(said) >= 2 * len(gold):  # each surplus word is an edit
        return 0.0
    gold, said = gold[:_MOST_WORDS], said[: 2 * _MOST_WORDS]
    return max(0.0, 1 - Levenshtein.distance(said, gold) / len(gold))


def span_iou(said: Sequence[Interval], gold: Sequence[Interval]) -> float:
    """T-IoU: length of the intersection over that of the union, of unions of spans; 0 if one is reversed."""
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
    return min(1.0, sum(_paired_off(said, gold, tolerance_s)) / max(len(said), len(gold)))


def video_iou(said: Sequence[Box], gold: Sequence[Box], tolerance_s: float) -> float:
    """V-IoU: the sum of the IoUs of boxes on frames of the same time over the boxes of either, a pair as one.

    Frames are the same within `tolerance_s`, as in `box_match`. Source: vIoU of arXiv 2001.06891, where every
    frame has one box.
    """
    pairs = _paired_off(said, gold, tolerance_s)
    either = len(said) + len(gold) - len(pairs)
    return min(1.0, sum(pairs) / either) if either else 0.0


def _paired_off(said: Sequence[Box], gold: Sequence[Box], tolerance_s: float) -> list[float]:
    """The IoU of each pair: a box of one side and one of the other on the same frame, best first."""
    pairs = [
        (box_iou(one, other), -i, -j)
        for i, one in enumerate(said)
        for j, other in enumerate(gold)
        if other.time_s is None
        or (one.time_s is not None and abs(one.time_s - other.time_s) <= tolerance_s + 1e-9)
    ]
    used_said: set[int] = set()
    used_gold: set[int] = set()
    paired: list[float] = []
    for iou, i, j in sorted(pairs, reverse=True):
        if i not in used_said and j not in used_gold:
            used_said.add(i)
            used_gold.add(j)
            paired.append(iou)
    return paired


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


def stems(text: str) -> list[str]:
    """Content words, dates as one form, endings and spellings that mean the same aside."""
    plain = spelt_as_digits(_DATE.sub(_iso_date, text.casefold().replace("n't", " not")))
    return [_SPELLINGS.get(word, stem(word)) for word in _content(plain)][:_MOST_STEMS]


def stem(word: str) -> str:
    """Without the commonest endings of English: `running`, `runs` and `run` are one."""
    for ending in ("ing", "ed", "s"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 2 and not stem.endswith("s"):
            if ending == "s":
                return stem[:-1] if _HISSES.search(stem) else stem
            if stem[-1] == stem[-2] and stem[-1] not in "ls":
                return stem[:-1]
            return f"{stem}e" if _WANTS_E.fullmatch(stem) else stem
    return word


def _iso_date(found: re.Match[str]) -> str:
    month, day, year = (found[1], found[2], found[3]) if found[1] else (found[5], found[4], found[6])
    return f"{year} {_MONTHS.index(month[:3]) + 1:02d} {int(day):02d}"


def _f1(one: Sequence[object], other: Sequence[object]) -> float:
    shared = sum((Counter(one) & Counter(other)).values())
    return _harmonic(shared, len(one), len(other))


def _harmonic(shared: int, one: int, other: int) -> float:
    return 2 * shared / (one + other) if shared else 0.0


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
