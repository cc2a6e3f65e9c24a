"""A language's tag or name, as files and tracks have it -> two letters, and how its old files are encoded."""

from typing import NamedTuple


class Language(NamedTuple):
    """A language as subtitles name it."""

    codes: str
    """The tag of two letters, those of three, and its English name."""
    encodings: str
    """In which it was written before Unicode."""


# fmt: off
LANGUAGES = tuple(Language(*each) for each in (
    ("ar ara arabic", "cp1256"), ("bg bul bulgarian", "cp1251 koi8_r"), ("ca cat catalan", "cp1252"),
    ("cs ces cze czech", "cp1250"), ("da dan danish", "cp1252"), ("de deu ger german", "cp1252"),
    ("el ell gre greek", "cp1253"), ("en eng english", "cp1252"), ("es spa spanish", "cp1252"),
    ("et est estonian", "cp1257"), ("fa fas per persian", "cp1256"), ("fi fin finnish", "cp1252"),
    ("fr fra fre french", "cp1252"), ("he heb hebrew", "cp1255"), ("hi hin hindi", ""),
    ("hr hrv croatian", "cp1250"), ("hu hun hungarian", "cp1250"), ("id ind indonesian", "cp1252"),
    ("is isl ice icelandic", "cp1252"), ("it ita italian", "cp1252"), ("ja jpn japanese", "cp932 euc_jp"),
    ("ko kor korean", "cp949"), ("lt lit lithuanian", "cp1257"), ("lv lav latvian", "cp1257"),
    ("ms msa may malay", "cp1252"), ("nl nld dut dutch", "cp1252"), ("no nor nob norwegian", "cp1252"),
    ("pl pol polish", "cp1250"), ("pt por portuguese", "cp1252"), ("ro ron rum romanian", "cp1250"),
    ("ru rus russian", "cp1251 koi8_r"), ("sk slk slo slovak", "cp1250"), ("sl slv slovenian", "cp1250"),
    ("sr srp serbian", "cp1250"), ("sv swe swedish", "cp1252"), ("th tha thai", "cp874"),
    ("tr tur turkish", "cp1254"), ("uk ukr ukrainian", "cp1251 koi8_r"), ("vi vie vietnamese", "cp1258"),
    ("zh zho chi chinese", "gb18030 big5"),
))
# fmt: on
_BY_CODE = {code: each for each in LANGUAGES for code in each.codes.split()}


def language_of(tag: str) -> str | None:
    """`en` for `en`, `EN-us`, `eng` and `English`; an unknown tag as it is; None for what is no tag."""
    first = tag.strip().casefold().replace("_", "-").partition("-")[0]
    if known := _BY_CODE.get(first):
        return known.codes.split()[0]
    return first if first.isascii() and first.isalpha() and len(first) in (2, 3) and first != "und" else None


def encodings_of(language: str | None) -> tuple[str, ...]:
    """In which its files were written before Unicode; none where that is not known."""
    known = _BY_CODE.get(language or "")
    return tuple(known.encodings.split()) if known else ()
