"""Traces -> does the thought itself say that its answer is a guess?

A hedge is none: "it might be rain, since the street is wet" gives a reason. A declared guess gives none: it
says that the answer was picked, drawn, or cannot be told. Each language has its wordings.
"""

import functools
import re
from collections.abc import Iterable, Iterator, Mapping

from reelproof.schemas.scores import GuessScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case
from reelproof.stages.checks.check import Check

VERSION = 1

_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])|\n+")
_LEFT_OPEN = r"(?!.*\b(?:but|until|however|yet|though|except)\b.*\[\d)"
"""What could not be told from one place and is told, with its time, from another is no guess."""
_UNREASONED = r"(?!.*\b(?:because|since|as|for)\b.*\[\d)"
_MERELY = r"(?:(?:a|my|an|just|only|pure(?:ly)?|mere(?:ly)?|simply|still|really|basically|therefore|thus)\s)+"
_PICK = r"(?:pick|choose|select|take|answer|guess|say|opt|settle|go\s(?:with|for)|assume|default)"
_I = r"\bI(?:'(?:ll|d|m)|\s(?:will|would|shall|can|could|must|have\sto|need\sto|had\sto|am))?"
_JUST = r"(?:\s(?:just|simply))?"
_CANNOT = r"\bI\s(?:really\s|honestly\s|simply\s|just\s)*(?:cannot|can't|can\snot|could\snot|couldn't)\s"
_TELL = r"(?:really\s|possibly\s|actually\s)*(?:tell|say|know|determine|decide|be\ssure|make\sout|judge)"
_AT_ALL = (
    r"(?=\W*$|[,;:]|\s(?:which|whether|what|who|how|if|when|where|why|from|so|and\sso|here|for\s(?:sure|certain)"
    r"|the\s(?:answer|direction|order))\b)"
)
"""Not any thing in the picture: who cannot tell the colour of a hat may well know the answer."""
_STOPS = r"(?=\W*$|,)"

DECLARES: Mapping[str, tuple[str, ...]] = {
    "en": (
        rf"\b(?:is|was|be|remains?|were|are|it's|that's)\s{_MERELY}(?:\w+\s){{0,2}}?"
        r"(?:guess(?:es|work|ing)?|coin\s(?:toss|flip)|shot\sin\sthe\sdark|gamble)\b",
        r"\b(?:is|was|remains|it's|that's)\sguess(?:work|ing)\b",
        r"\b(?:my|a)\s(?:best|blind|wild|random|lucky|pure|rough|educated)\sguess\b",
        r"\bmy\sguess\s(?:is|would|will)\b",
        rf"{_I}\s(?:(?:just|only|simply|then|so|therefore|now|going\sto|forced\sto|merely)\s)*guess(?:ing)?\b",
        r"\bso,?\s(?:just\s)?guess(?:ing)?\b",
        r"^\W*(?:just\s)?guessing\b",
        r"\btak(?:e|ing)\sa\s(?:wild\s)?(?:guess|stab)\b",
        _CANNOT + _TELL + _AT_ALL + _LEFT_OPEN,
        r"\bI\s(?:really\s|honestly\s)?(?:do\snot|don't)\sknow(?=\W*$|[,;:]|\s(?:which|the\sanswer|so|what)\b)"
        + _LEFT_OPEN,
        r"\bI\shave\sno\s(?:idea|clue|way\s(?:to|of))\b" + _LEFT_OPEN,
        r"\b(?:there\sis|there's|with)\sno\sway\s(?:to\s(?:tell|know|say)|of\s(?:telling|knowing))\b"
        + _LEFT_OPEN,
        r"\b(?:hard|difficult|impossible|tough)\sto\s(?:say|tell|know|determine|judge|be\ssure)\b.*"
        + _I
        + _JUST
        + rf"\s{_PICK}\b"
        + _LEFT_OPEN
        + _UNREASONED,
        r"\bnot\s(?:really\s|at\sall\s|entirely\s)?(?:sure|certain)\b.*\b(?:so|but|hence|therefore)\s"
        + _I
        + _JUST
        + r"\s(?:pick|choose|guess|go\swith)\b"
        + _LEFT_OPEN
        + _UNREASONED,
        r"\b(?:does|do)\snot\s(?:tell|show|reveal|give)\s(?:me\s|us\s)?the\s(?:right\s|correct\s)?answer\b",
        _I + _JUST + r"\s(?:pick|choose|chose|select|answer|go|draw|settle)(?:ing)?\b.*"
        r"\b(?:at\srandom|randomly|arbitrarily|by\schance|blindly)\b",
        _I + _JUST + rf"\s(?:randomly|arbitrarily|blindly)\s{_PICK}",
        r"\b(?:randomly|arbitrarily)\s(?:picking|choosing|selecting|guessing)\b",
        r"\b(?:picking|choosing|selecting)\s.*(?:at\srandom|randomly|arbitrarily)\b",
        rf"{_I}\s(?:just\s|simply\s|mentally\s)*(?:flip|toss)\sa\scoin\b",
        r"\b(?:an?|this)\s(?:arbitrary|random)\s(?:choice|pick|answer)\b",
        r"\bmy\s(?:choice|answer|pick)\sis\s(?:arbitrary|random)\b",
    ),
    "de": (
        r"\b(?:ist|war|bleibt|wäre)\s(?:(?:nur|bloß|lediglich|also|daher|hier|eine?|reine?|bloße|wilde)\s)*"
        r"(?:raterei|ratespiel|geraten|vermutung\sohne|schuss\sins\sblaue)",
        r"\bich\s(?:rate|muss\s(?:\w+\s){0,3}raten|kann\snur\sraten|tippe\seinfach)\b",
        r"\bich\s(?:kann|könnte)\s(?:(?:es|das|hier|wirklich|leider)\s)*nicht\s(?:sicher\s)?"
        r"(?:sagen|erkennen|wissen|beurteilen)" + _STOPS,
        r"\bich\sweiß\s(?:es\s)?nicht" + _STOPS,
        r"\b(?:schwer|unmöglich)\szu\ssagen\b.*\b(?:wähle|nehme|rate|antworte|tippe)\b",
        r"\b(?:wähle|nehme|antworte|rate)\b.*\b(?:zufällig|aufs\sgeratewohl|willkürlich|auf\sgut\sglück)\b",
    ),
    "fr": (
        r"\b(?:c'est|est|reste)\s(?:(?:donc|juste|simplement|une?|pure|simple)\s)*"
        r"(?:supposition\sau\shasard|devinette|réponse\sau\shasard|pari)\b",
        r"\bje\s(?:devine|dois\sdeviner|ne\speux\sque\sdeviner)\b",
        r"\bje\s(?:choisis|réponds|prends|tire)\b.*\bau\shasard\b|\bau\shasard,?\sje\b",
        r"\bje\sne\s(?:peux|saurais)\spas\s(?:le\s)?(?:dire|savoir|déterminer)"
        r"(?=\W*$|,|\s(?:si|quel|lequel|laquelle)\b)",
        r"\bje\sne\ssais\spas" + _STOPS,
        r"\bdifficile\sà\sdire\b.*\bje\s(?:choisis|prends|réponds|dis)\b",
    ),
    "es": (
        r"\b(?:es|será|sería)\s(?:(?:sólo|solo|simplemente|pura?|una?|mera)\s)*"
        r"(?:adivinanza|conjetura\sal\sazar|suposición\sal\sazar)\b",
        r"\b(?:adivino|tengo\sque\sadivinar|debo\sadivinar|solo\spuedo\sadivinar|estoy\sadivinando)\b",
        r"\b(?:elijo|escojo|respondo|tomo)\b.*\b(?:al\sazar|aleatoriamente)\b",
        r"\bno\s(?:puedo|sé)\s(?:saberlo|decirlo|determinarlo)\b|\bno\slo\ssé" + _STOPS,
        r"\bdifícil\s(?:de\s)?(?:decir|saber)\b.*\b(?:elijo|escojo|respondo|digo)\b",
    ),
    "it": (
        r"\b(?:tiro\sa\sindovinare|devo\sindovinare|indovino)\b",
        r"\b(?:scelgo|rispondo|prendo)\b.*\b(?:a\scaso|casualmente)\b",
        r"\bnon\s(?:posso\sdirlo|posso\ssaperlo|so\sdire|lo\sso)" + _STOPS,
        r"\bdifficile\s(?:da\s)?dire\b.*\b(?:scelgo|prendo|rispondo|dico)\b",
    ),
    "pt": (
        r"\b(?:é|seria)\s(?:(?:só|apenas|um|puro|mero)\s)*(?:palpite|chute)\b",
        r"\b(?:vou\schutar|estou\schutando|chuto|tenho\sque\sadivinhar|adivinho)\b",
        r"\b(?:escolho|respondo)\b.*\b(?:ao\sacaso|aleatoriamente)\b",
        r"\bnão\s(?:consigo|posso|sei)\s(?:dizer|saber|determinar)" + _STOPS + r"|\bnão\ssei" + _STOPS,
        r"\bdifícil\s(?:de\s)?dizer\b.*\b(?:escolho|respondo|digo)\b",
    ),
    "nl": (
        r"\bis\s(?:(?:dus|slechts|gewoon|een|pure)\s)*(?:gok|gokwerk)\b|\bik\s(?:gok|moet\sgokken)\b",
        r"\bik\s(?:kies|neem|antwoord)\b.*\b(?:willekeurig|lukraak)\b",
        r"\bik\s(?:kan\shet\sniet\s(?:zeggen|zien|weten)|weet\shet\sniet)" + _STOPS,
        r"\bmoeilijk\ste\szeggen\b.*\bik\s(?:kies|neem|antwoord)\b",
    ),
    "ru": (
        r"\b(?:это|ответ|лишь|просто)\s(?:(?:всего|лишь|просто|чистая)\s)*(?:догадка|угадывание)\b",
        r"\b(?:угадываю|прид[её]тся\sугадывать|могу\sтолько\sгадать|гадаю)\b",
        r"\b(?:выбираю|выберу|отвечаю|отвечу)\b.*\b(?:наугад|случайно|наобум|случайным\sобразом)\b",
        r"\bнаугад\b.*\b(?:выб|отве)",
        r"\bне\sмогу\s(?:сказать|определить|понять)" + _STOPS + r"|\bя\sне\sзнаю" + _STOPS,
        r"\b(?:трудно|сложно)\sсказать\b.*\b(?:выбираю|выберу|отвечу|отвечаю)\b",
    ),
    "zh": (
        r"(?<!不是)(?<!并非)(?<!不)(?:只是|只能|纯属|全凭|凭)(?:一个|靠|我的)?(?:猜测|猜|瞎猜|乱猜|运气)",
        r"我(?:就|只好|只能|来|随便|瞎|先)?猜(?!测试)|(?:随机|随便)(?:选|猜|挑|回答)|瞎猜|蒙一个",
        r"无法(?:判断|确定|得知|看出|分辨)(?:答案|正确|方向|顺序|是哪|哪)?(?:[,，。].*(?:选|猜)|。?$)",
        r"(?:很难|难以)(?:说|判断|确定).*(?:选|猜)|我不知道(?:答案|[,，。]|$)",
    ),
    "ja": (
        r"(?:推測|当てずっぽう|勘|当て推量|運任せ)(?:に過ぎない|にすぎない|です|だ|で(?:答え|選))",
        r"(?:ランダムに|適当に|でたらめに|無作為に)(?:選|答え)",
        r"(?:分からない|わからない|判断できない|言えない)ので.*(?:選|答え|します|した)",
        r"(?:答え|どちら|どれ)(?:か|が|は)(?:分か|わか)(?:らない|りません)(?=$|[。、])",
    ),
    "ko": (
        r"추측(?:일\s?뿐|입니다|이다|에\s불과|할\s수밖에|하겠|해서)|찍(?:겠습니다|는다|었다|기로)",
        r"(?:무작위로|아무거나)\s?(?:고르|선택|골라|답)",
        r"(?:알\s수\s없|모르겠)(?:으므로|어서|지만|으니|습니다|다)(?:.*(?:고르|선택|고른|추측)|\.?$)",
    ),
    "ar": (
        r"(?:مجرد|محض)\sتخمين",
        r"(?:سأ|أ)خمن",
        r"(?:أختار|سأختار).*عشوائي",
        r"لا\sأ(?:ستطيع\sأن\sأحدد|عرف\sالإجابة)",
    ),
    "hi": (
        r"(?:सिर्फ|केवल|बस|महज)\s(?:एक\s)?(?:अंदाज़ा|अंदाजा|अनुमान|तुक्का)",
        r"(?:यूँ\sही|बेतरतीब)\s.*चुन",
        r"मुझे\sनहीं\sपता",
    ),
}
"""Language -> what a declared guess sounds like in it, within one sentence."""

_STEMS = (
    "guess", "coin", "shot", "gambl", "stab", " tell", " say", "know", "determin", "decide", "sure",
    "make out", "judge", " idea", " clue", "no way", "certain", "show the", "reveal", "give ", "random",
    "arbitrar", "blind", "chance", "rat", "schuss", "tipp", "sagen", "erkennen", "wissen", "beurteilen",
    "weiß", "zufällig", "geratewohl", "willkürlich", "glück", "hasard", "devin", "pari", " dire",
    "savoir", "sais pas", "adivin", "azar", "aleatori", "decir", " sé", "saber", "indovin", "caso",
    "casual", "saperlo", "dirlo", " so", "palpite", "chut", "acaso", "dizer", "sei", "gok",
    "willekeurig", "lukraak", "zeggen", "zien", "weten", "weet", "догад", "угад", "гадать", "гадаю",
    "наугад", "случайн", "наобум", "могу", "знаю", "猜", "随机", "随便", "蒙", "无法", "难", "不知道",
    "运气", "推測", "当て", "勘", "運任", "ランダム", "適当", "でたらめ", "無作為", "ない", "ません",
    "추측", "찍", "무작위", "아무거나", "알 수", "모르", "تخمين", "خمن", "عشوائي", "لا أ", "अंदाज",
    "अनुमान", "तुक्का", "बेतरतीब", "यूँ ही", "पता", "сказать",
)  # fmt: skip
"""Every sentence that declares a guess holds one of them; others need no closer look."""
_DENIES = re.compile(
    r"\b(?:without|instead\sof|rather\sthan|no\sneed\sto|not|never|no|nothing\sis\sa|avoid)\s(?:\w+\s)?"
    r"(?:a\s|any\s|just\s|merely\s)*guess(?:es|ing|work)?\b|不(?:是|用|必|需要)猜|(?:kein|nicht)\s(?:bloß\s)?geraten",
    re.IGNORECASE,
)


@functools.cache
def _declaring() -> re.Pattern[str]:
    """Compiled when first asked for: it takes as long as to load all of our checks."""
    every = (f"(?:{pattern})" for patterns in DECLARES.values() for pattern in patterns)
    return re.compile("|".join(every), re.IGNORECASE)


class GuessConfig(Settings):
    """Nothing to choose."""


def measure_guess(cases: Iterable[Case], _cfg: GuessConfig) -> Iterator[GuessScore]:
    """One score a trace, in order."""
    for case in cases:
        for trace in case.traces:
            yield GuessScore(trace_id=trace.trace_id, declared_guess=declares_guess(trace.thought))


CHECK = Check("guess", VERSION, measure_guess, GuessConfig, GuessScore, "traces")


def declares_guess(thought: str) -> bool:
    """Whether a sentence of the thought says that the answer is guessed, drawn or not to be told."""
    sentences = _SENTENCE_END.split(thought.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    told = (each for each in sentences if any(stem in each.lower() for stem in _STEMS))
    return any(_declaring().search(_DENIES.sub(" ", each)) for each in told)
