"""The text of an answer -> yes or no; None where a text says both, or neither."""

import re
from itertools import pairwise

from reelproof.schemas.answers.overlap import stem
from reelproof.schemas.answers.wording import LONGEST_VALUE, tidy, words

_NOT = re.compile(r"\s?n't\b", re.IGNORECASE)
_TRUE = frozenset(
    [
        "yes",
        "true",
        "y",
        "yeah",
        "yep",
        "correct",
        "right",
        "absolutely",
        "definitely",
        "certainly",
        "indeed",
        "yup",
        "wahr",
        "richtig",
        "verdadero",
        "vrai",
        "sì",
        "evet",
        "1",
        "да",
        "sí",
        "oui",
        "ja",
        "sim",
    ]
)
_FALSE = frozenset(
    [
        *("no", "false", "n", "nope", "incorrect", "wrong", "untrue", "never", "0"),
        *("нет", "non", "nein", "não", "nee", "falsch", "faux", "falso", "hayır"),
    ]
)
_PLAIN_TRUE, _PLAIN_FALSE = frozenset(("yes", "true")), frozenset(("false",))
_WHOLE = {
    **dict.fromkeys(
        [
            "是",
            "是的",
            "对",
            "对的",
            "對",
            "正确",
            "正確",
            "有",
            "有的",
            "会",
            "会的",
            "はい",
            "예",
            "네",
            "맞습니다",
            "그렇습니다",
        ],
        True,
    ),
    **dict.fromkeys(
        [
            "否",
            "不",
            "不是",
            "不对",
            "不對",
            "没有",
            "不会",
            "不能",
            "沒有",
            "错误",
            "いいえ",
            "아니요",
            "아니오",
            "아닙니다",
        ],
        False,
    ),
}
"""Of languages without spaces between words, whole answers."""
_FIRST_CLAUSE = re.compile(r"[,.!;]")
_NO_ANSWER = (
    *("way", "one", "idea", "evidence", "answer", "clue", "information", "telling"),
    *("doubt", "problem", "question", "objection", "wonder"),
)
"""What follows a `no` that leaves it open."""
_CONDITION = re.compile(r"^[^.!;\n]*\b(?:if|unless|whether|unclear|depends)\b")
"""In the first sentence: what follows may well speak of an if."""
_JUDGES = re.compile(
    r"(?:\bis|'s|,)\s(?P<right>correct|true)\b|(?:\bis|'s)\s(?P<wrong>incorrect|wrong|false|untrue)\b"
)
"""`No, that is correct`, `Yes, that's wrong`: what is told at last is not sure."""
_SO = re.compile(
    r"[,;.]\s(?:and\s)?(?:so|therefore|thus|hence)\b,?\s(?:the\sanswer\sis\s|it\sis\sa\s)?(yes|no)[.!]?$"
)
_BUT_CJK = re.compile("但|不过|不過|然而|可是|けど|しかし")
_STANDING_NO = re.compile(r"\bno\b(?=\s*(?:$|[.,;:!?)]))", re.IGNORECASE)

_CLAUSE_END = re.compile(r"[,;:]|\b(?:and|but)\b")
_DENIALS = frozenset(("not", "no", "never", "nobody", "nothing", "none", "neither", "nor"))
_EMPTY = frozenset(
    (
        *("is", "are", "was", "were", "do", "does", "did", "has", "have", "had", "can", "will"),
        *("the", "a", "an", "there", "any", "this", "that", "in", "of", "clip", "video", "film", "it", "be"),
    )
)
"""Words of questions that answers do without."""
_SUPPOSED = frozenset(
    (
        *("whether", "if", "may", "might", "could", "would", "should", "almost", "nearly", "hardly"),
        *("barely", "fail", "refuse", "try", "trie", "want", "about", "unclear", "unsure", "seem"),
        *(
            "until",
            "only",
            "doubt",
            "fals",
            "false",
            "untrue",
            "wrong",
            "incorrect",
            "unlikely",
            "impossible",
        ),
        *("den", "deny", "denie", "denies"),
    )
)
"""Stems of words beside which nothing is asserted."""


def strict_truth(text: str) -> bool | None:
    """`yes`, `no`, `true` or `false`, in lower case."""
    return {"yes": True, "true": True, "no": False, "false": False}.get(text.strip())


def lenient_truth(text: str) -> bool | None:
    """`Yes.`, `YES`, `True`, `yes, it is`, `No, it is not`, `not true`, `是`; None where a text says both."""
    if len(text) > LONGEST_VALUE:
        return None
    plain = _NOT.sub(" not", tidy(text))
    whole = re.sub(r"[\s.,!?]+", "", plain)
    if whole in _WHOLE:
        return _WHOLE[whole]
    if (first := _FIRST_CLAUSE.split(plain, maxsplit=1)[0].strip()) in _WHOLE:
        return None if _BUT_CJK.search(plain) else _WHOLE[first]
    if _CONDITION.search(plain.casefold()):
        return None
    said = words(plain)
    if said[:1] == ["not"] and len(said) > 1:
        return False if said[1] in _TRUE else None
    if said and said[0] in _TRUE | _FALSE:
        judged = {"wrong" if each["wrong"] else "right" for each in _JUDGES.finditer(plain.casefold())}
        return None if judged == {"wrong" if said[0] in _TRUE else "right"} else _opened(said)
    claimed = {word in _PLAIN_TRUE for word in said if word in _PLAIN_TRUE | _PLAIN_FALSE}
    if so := _SO.search(plain.casefold()):
        return so[1] == "yes"
    if "not" in said:
        return _denied(said)
    claimed |= {False for _ in _STANDING_NO.finditer(plain)}
    return claimed.pop() if len(claimed) == 1 else None


def _denied(said: list[str]) -> bool | None:
    """`It is not true`: one denial, straight before the one word that says yes."""
    place = said.index("not")
    others = {*said[:place], *said[place + 2 :]} & (_TRUE | _FALSE | {"not"})
    return False if said[place + 1 : place + 2] and said[place + 1] in _TRUE and not others else None


def _opened(said: list[str]) -> bool | None:
    """An answer that begins with yes or no, unless the rest takes it back."""
    first, rest = said[0] in _TRUE, said[1:]
    if first and rest[:1] == ["not"]:
        return False if said[0] not in _PLAIN_TRUE else None
    if not first:  # "No, it is not true" says so twice
        rest = [word for before, word in pairwise(said) if not (before == "not" and word in _TRUE)]
    if rest.count("not") > 1:
        return None
    against = {"not", "false"} if first else {"yes", "true"}
    taken_back = against & {*rest} or (first and rest[-1:] == ["no"])
    if said[0] == "no" and len(said) > 1 and rest[0] in _NO_ANSWER:
        return None
    return None if taken_back else first


def asserted_truth(statement: str, question: str) -> bool | None:
    """Whether a statement says that what a question asks is so: `the car does not stop` says that it is not.

    None where no clause of it has the question's words in their order, where that supposes or denies twice,
    and for questions of fewer than two words, that deny, or that ask which of two it is.
    """
    asked = [stem(word) for word in words(question) if word not in _EMPTY]
    if len(asked) < 2 or (_DENIALS | {"or"}) & {*asked}:
        return None
    for clause in reversed(_CLAUSE_END.split(_NOT.sub(" not", statement))):
        said = [stem(word) for word in words(clause)]
        if not {*asked} <= {*said} or [each for each in said if each in asked] != asked:
            continue
        denials = sum(word in _DENIALS for word in said)
        return None if denials > 1 or _SUPPOSED & {*said} else not denials
    return None
