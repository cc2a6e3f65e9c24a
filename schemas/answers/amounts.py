"""The text of an answer -> the number that it says, with its unit.

Strictly: a plain numeral. Leniently: what a person would accept. A reading is None where the text says no one
value: hedges ("3 or 4"), bounds ("up to 3", "3+") and ranges are no answers. Every pattern takes linear time.
"""

import re
from typing import NamedTuple

from reelproof.schemas.answers.wording import LONGEST_VALUE, tidy

CLOCK = r"\d{1,3}:\d{1,2}(?::\d{1,2})?(?:\.\d{1,9})?"
"""`m:s` or `h:m:s`, as a regular expression without groups."""
PLAIN_NUMBER = r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?"


class Unit(NamedTuple):
    """A unit of measurement: what it measures, and how many of that measure's base unit it is."""

    measures: str
    size: float


class Amount(NamedTuple):
    """A number as it was said."""

    value: float
    percent: bool
    """It was followed by a percent sign; the value is as written."""
    unit: Unit | None
    """None without a unit that is known here."""


def clock_seconds(text: str) -> float:
    """`12.4`, `1:02` or `1:02:03.5` -> seconds."""
    seconds = 0.0
    for field in text.split(":"):
        seconds = seconds * 60 + float(field)
    return seconds


def _named(measures: str, table: dict[str, float]) -> dict[str, Unit]:
    return {name: Unit(measures, size) for names, size in table.items() for name in names.split()}


SECONDS_OF = {
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "秒", "초"), 1.0),
    **dict.fromkeys(("min", "mins", "minute", "minutes", "分", "分钟", "분"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "小时", "시간"), 3600.0),
}
UNITS: dict[str, Unit] = {
    **{name: Unit("time", size) for name, size in SECONDS_OF.items()},
    **_named(
        "length",
        {
            "mm millimeter millimeters millimetre millimetres": 0.001,
            "cm centimeter centimeters centimetre centimetres": 0.01,
            "m meter meters metre metres": 1.0,
            "km kilometer kilometers kilometre kilometres": 1000.0,
            "inch inches": 0.0254,
            "ft foot feet": 0.3048,
            "yd yard yards": 0.9144,
            "mi mile miles": 1609.344,
        },
    ),
    **_named(
        "mass",
        {
            "mg milligram milligrams": 1e-6,
            "g gram grams": 0.001,
            "kg kilo kilos kilogram kilograms": 1.0,
            "lb lbs pound pounds": 0.45359237,
            "oz ounce ounces": 0.028349523125,
        },
    ),
    **_named("volume", {"ml milliliter milliliters": 0.001, "l liter liters litre litres": 1.0}),
    **_named("speed", {"mph": 0.44704, "kmh": 1 / 3.6}),
}


def _counted(words: str, first: int = 1) -> dict[str, float]:
    """Words in a row -> the numbers that they spell, one after the other."""
    return {word: float(value) for value, word in enumerate(words.split(), first)}


_ONES = _counted(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS = _counted("twenty thirty forty fifty sixty seventy eighty ninety", first=2)
_ENGLISH = {"zero": 0.0, **_ONES, **{word: 10 * value for word, value in _TENS.items()}}
_ALONE = {
    "once": 1.0,
    "twice": 2.0,
    "thrice": 3.0,
    "a dozen": 12.0,
    "dozen": 12.0,
    "half": 0.5,
    "a half": 0.5,
    **_counted("un dos tres cuatro cinco seis siete ocho nueve diez"),
    **_counted("eins zwei drei vier fünf sechs sieben acht neun zehn"),
    **_counted("une deux trois quatre cinq"),
    **_counted("零 一 二 三 四 五 六 七 八 九 十", first=0),
    "两": 2.0,
}
"""Numbers in words that are answers only where nothing else stands beside them."""
_SCALES = {"hundred": 100.0, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_GROUPED = (
    r"\d{1,3}(?:,\d{3}){1,5}(?![\d,])(?:\.\d{1,15})?|\d{1,3}(?: \d{3}){1,5}(?![\d.])"
    r"|\d{1,3}(?:\.\d{3}){2,5}(?![\d.])(?:,\d{1,15})?|\d{1,3}(?:\.\d{3}){1,5},\d{1,15}"
)
_NUMERAL = rf"{_GROUPED}|\d{{1,18}}(?:[.,]\d{{1,15}})?|\.\d{{1,15}}"
_NOT_WITHIN = r"(?<![^\W一-鿿぀-ヿ가-힣])(?<![.第])(?<![a-z]-)"
"""Before a number: no part of a word or number, where a script has spaces."""
_DIGITS = re.compile(
    rf"{_NOT_WITHIN}(?P<sign>[+-]\s?|minus |negative )?(?P<clock>{CLOCK})(?!\d)"
    rf"|{_NOT_WITHIN}(?P<sign2>[+-]\s?|minus |negative )?[$€£]?(?P<number>{_NUMERAL})(?![.,]?\d)"
    r"(?:(?:e|\s?[x×*]\s?10\^?)(?P<exponent>\(?[+-]?\d{1,3}\)?))?(?:\s?/\s?(?P<divisor>\d{1,9})(?![\d/]))?"
    r"\s?(?P<unit>%|°\s?[cf]\b|[^\W\d_]{0,20})"
)
_NUMBER_WORD = "|".join((*_ENGLISH, *_SCALES))
_SPELT = re.compile(
    r"(?<!\w)(?<!\d )(?P<sign>minus |negative )?(?P<article>a )?"
    rf"(?P<words>(?:{_NUMBER_WORD})(?:(?:\s|-| and |-and-)(?:{_NUMBER_WORD}))*)(?!\w)"
    r"(?P<half> and a half)?\s?(?P<unit>%|[^\W\d_]{0,20})"
)
_BOUND = re.compile(
    r"[<>≤≥]|n't\b|\d\s?\+(?!\s?\d)|\bup to\b|\band (?:up|above)\b|^from\b|\btoo (?:many|few|much)\b"
    r"|\b(?:plus|beyond|never|hardly|wrong|incorrect|false|squared|cubed|dozen|quarters?|something)\b"
    r"|\b(?:nicht|kein|mindestens|höchstens|mehr als|weniger als|pas|au (?:moins|plus)|plus de|moins de"
    r"|al menos|como máximo|más de|menos de|o más|pelo menos|mais de|não|almeno|più|niet|minstens|meer dan"
    r"|не|более|менее|больше|меньше|минимум|максимум)\b"
    r"|\b(?:thirds?|fifths?|sixths?)\b|大于|小于|多于|少于|高于|低于|以上|以下|超过|不|非|没|至少|至多|ない|이상|이하|최소|최대|아니"
    r"|\b(?:before|until|till|prior to)\s(?=\d)"
    r"|\b(?:less|more|fewer|least|most|over|under|between|or|nor|unless|below|above|maximum|minimum|versus|vs|cannot|can't)\b"
)
_DENIED = re.compile(
    r"\(?\bnot\s(?:exactly\s)?(?!more|less|fewer|over|under|at|only)[\w.]{1,12}\b\)?,?(?:\sbut\b)?"
)
_MARGIN = re.compile(r"\s?(?:±|\+/-)\s?\d{1,9}(?:\.\d{1,9})?")
_LETTER_SCALE = re.compile(r"(?<=\d)\s?(?:([kK])|(M)|(B))(?![\w/])")
_COMPOUND = re.compile(
    r"(?<![\w.])(?:(\d{1,4})\s?(?:h|hrs?|hours?)\s?(?:and\s)?)?(?:(\d{1,4})\s?(?:m|mins?|minutes?)\s?(?:and\s)?)?"
    r"(\d{1,5}(?:\.\d{1,9})?)\s?(?:s|secs?|seconds?)\b"
)
_NOTHING = re.compile(
    r"(?:there (?:are|is|were|was) |i (?:see|count) )?(?:none(?! of the above)|nil"
    r"|no(?= [a-z])(?! (?:idea|clue|answer|information|evidence|way|telling|doubt|reason)\b))"
    r"(?: [a-z]{1,20}){0,3}[.!]?"
)
_STRICT_NUMBER = re.compile(PLAIN_NUMBER)


_CJK_COUNT = re.compile(
    r"(?:一?共|总共|總共|大?约|有|是){0,3}([一二三四五六七八九十两]|[一二三四五六七八九]?十[一二三四五六七八九]?)"
    r"(?:(?P<seconds>秒)钟?|[个個次人名位辆輛只隻条張张回台つ本](?:人|车|車)?)?"
)
_AND_A_HALF = re.compile(r"(?<![\d.,])(\d{1,9}) and a half\b")
_ONE = re.compile(r"\b(?:" + "|".join(_ONES) + r")\b")


def spelt_as_digits(plain: str) -> str:
    """`two to four` is `2 to 4`: numbers up to nineteen, for places and moments."""
    return _ONE.sub(lambda found: f"{_ONES[found[0]]:g}", plain)


def strict_amount(text: str) -> Amount | None:
    """`3`, `-2.5`: a plain numeral and nothing else."""
    if not _STRICT_NUMBER.fullmatch(text.strip()) or len(text) > LONGEST_VALUE:
        return None
    return Amount(float(text), percent=False, unit=None)


def lenient_amount(text: str) -> Amount | None:
    """`3.0`, `three`, `1,000`, `3 s`, `00:03`, `1m30s`, `50 %`, `3 apples`, `2 + 1 = 3`; None for two."""
    if len(text) > LONGEST_VALUE:
        return None
    cased = _LETTER_SCALE.sub(_scale_word, tidy(text))
    plain = _concluded(_MARGIN.sub("", cased.casefold()))
    plain = re.sub(r"\\d?frac\{(\d{1,9})\}\{(\d{1,9})\}", r"\1/\2", plain).replace("\\%", "%").strip("$ ")
    if _NOTHING.fullmatch(plain):
        return Amount(0.0, percent=False, unit=None)
    if counted := _CJK_COUNT.fullmatch(plain.strip(" .!")):
        return Amount(_cjk_number(counted[1]), percent=False, unit=UNITS["s"] if counted["seconds"] else None)
    if (alone := plain.strip(" .!")) in _ALONE:
        return Amount(float(_ALONE[alone]), percent=False, unit=None)
    plain = _AND_A_HALF.sub(r"\1.5", plain)
    plain = _DENIED.sub(" ", plain)
    if _BOUND.search(plain) or re.search(r"\bnot\b", plain):
        return None
    plain = _COMPOUND.sub(_in_seconds, plain)
    found = {_digits_amount(m) for m in _DIGITS.finditer(plain)} | {
        _spelt_amount(m) for m in _SPELT.finditer(plain)
    }
    by_value = {each.value: each for each in sorted(found - {None}, key=repr) if each is not None}
    unread = re.search(r"\d", _DIGITS.sub(" ", plain))
    return None if unread or None in found or len(by_value) != 1 else next(iter(by_value.values()))


def _cjk_number(said: str) -> float:
    """`三十五` is 35, `十二` 12, `三` 3."""
    tens, ten, ones = said.partition("十")
    if not ten:
        return _ALONE[said]
    return 10 * (_ALONE[tens] if tens else 1) + (_ALONE[ones] if ones else 0)


def _scale_word(found: re.Match[str]) -> str:
    return " thousand" if found[1] else " million" if found[2] else " billion"


def _concluded(plain: str) -> str:
    """What a sum or a count comes to: `2 + 1 = 3`, `1, 2, 3: 3`. Two equations have two results."""
    if plain.count("=") == 1:
        return plain.rpartition("=")[2].strip()
    before, colon, after = plain.rpartition(": ")
    counted = re.findall(r"\d+", before)
    is_count = counted == [str(number) for number in range(1, len(counted) + 1)] and len(counted) > 1
    return after.strip() if colon and is_count and after.strip(" .") == counted[-1] else plain


def _in_seconds(found: re.Match[str]) -> str:
    """`1m30s` is `90 s`; seconds alone stay as they are."""
    if found[1] is None and found[2] is None:
        return found[0]
    seconds = 3600 * float(found[1] or 0) + 60 * float(found[2] or 0) + float(found[3])
    return f"{seconds:.12g} s"


def _digits_amount(found: re.Match[str]) -> Amount | None:
    sign = -1.0 if (found["sign"] or found["sign2"] or "+").strip() not in ("+", "") else 1.0
    if found["clock"]:
        return Amount(sign * clock_seconds(found["clock"]), percent=False, unit=UNITS["s"])
    value = _numeral(found["number"])
    if found["exponent"]:
        value *= 10.0 ** min(int(found["exponent"].strip("()")), 100)
    if found["divisor"]:
        if int(found["divisor"]) == 0:
            return None
        value /= int(found["divisor"])
    unit = found["unit"] or ""
    return _with_unit(sign * value * _SCALES.get(unit, 1.0), unit)


def _numeral(text: str) -> float:
    """`1,000` and `1.234.567` are grouped, `3,5` is three and a half: one comma groups only three digits."""
    whole = text.replace(" ", "")
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", whole):
        return float(whole.replace(",", ""))
    if re.fullmatch(r"\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|\d{1,3}(?:\.\d{3})+,\d+", whole):
        return float(whole.replace(".", "").replace(",", "."))
    return float(whole.replace(",", "."))


def _spelt_amount(found: re.Match[str]) -> Amount | None:
    total = group = 0.0
    for word in re.findall(r"[a-z]+", found["words"]):
        if word == "hundred":
            group = (group or 1.0) * 100
        elif word in _SCALES:
            total, group = total + (group or 1.0) * _SCALES[word], 0.0
        elif word in _ENGLISH:
            if group % 100 and not (group % 10 == 0 and _ENGLISH[word] < 10):
                return None  # "three four" is two numbers
            group += _ENGLISH[word]
    value = total + group + (0.5 if found["half"] else 0.0)
    return _with_unit(value * (-1.0 if found["sign"] else 1.0), found["unit"] or "")


def _with_unit(value: float, unit: str) -> Amount:
    return Amount(value, percent=unit in ("%", "percent"), unit=UNITS.get(unit))
