"""Two free texts -> does one say something else in place of what the other says? By their content words.

Words that both share do not make `a dog runs` of `a cat runs`. No list of words that mean the same stands
behind this: who says `chop` for `cut` is taken to say something else, so that what is taken for right can be
defended.
"""

import re

from reelproof.schemas.answers.opposites import cannot_mean
from reelproof.schemas.answers.overlap import statement_f1, stem, stems

_SAYS_LITTLE = """
a an the this that these those some any it its he him his she her hers they them their theirs we us our i
me my you your who which what where when there here is are was were be been being am do does did doing
done has have had having will would could may might must should shall to of in on at by for from with
into onto over under out up down off about as and or but because so then than very also just s t re ve ll
d m der das dem des ein eine einer einen einem und im am auf mit zu von es er sie ist sind le la
les l un une du de d et au aux dans sur avec il elle est sont el los las una unos unas y en del al con es
está están lo su gli uno i e di da nel nella sul sulla o os as um uma no na do da het een is zijn в
на и с он она это 的 在 了 着 是 一 个 只 他 她 它 が は を に の で と た て る
"""
"""Articles, pronouns, prepositions and auxiliaries of the languages that answers are in most; none that is a
thing or a deed in English: a can, a den, a van, to die."""
_FORMS = """
ran/run fell/fall fallen/fall sang/sing sung/sing sat/sit stood/stand took/take taken/take gave/give
given/give went/go gone/go goes/go came/come threw/throw thrown/throw caught/catch held/hold got/get
made/make broke/break broken/break wrote/write written/write drew/draw drawn/draw drove/drive
driven/drive rode/ride ridden/ride flew/fly flown/fly flies/fly swam/swim swum/swim ate/eat eaten/eat
drank/drink began/begin begun/begin brought/bring bought/buy hid/hide hidden/hide kept/keep led/lead
lost/lose met/meet rose/rise risen/rise sold/sell sent/send shook/shake shot/shoot spoke/speak
slept/sleep slid/slide spun/spin stuck/stick swung/swing taught/teach told/tell wore/wear worn/wear
left/leave found/find said/say paid/pay built/build fed/feed felt/feel heard/hear thought/think
fought/fight saw/see seen/see chose/choose chosen/choose froze/freeze frozen/freeze stole/steal
stolen/steal tore/tear torn/tear hung/hang sank/sink sunk/sink bent/bend spent/spend lit/light
understood/understand swept/sweep crept/creep struck/strike beaten/beat bitten/bite clung/cling
forgot/forget forgotten/forget knelt/kneel leapt/leap lent/lend sped/speed sprang/spring sprung/spring
woke/wake woken/wake going/go doing/do dried/dry fried/fry wolves/wolf wives/wife halves/half
shelves/shelf thieves/thief geese/goose mice/mouse teeth/tooth
won/win blew/blow grew/grow knew/know dug/dig children/child men/man women/woman people/person feet/foot
knives/knife cries/cry tries/try carries/carry studies/study cried/cry tried/try carried/carry
"""
_FUNCTION_WORDS = frozenset(map(stem, _SAYS_LITTLE.split()))
_AFTER_S = re.compile(r"(?<=[^\W\d_]s)(?:ing|ed|e)$")
_LIKE_Y = re.compile(r"ie$|(?<=\w{3})i$|(?<=^[^\W\d_])ying$")
_IRREGULAR = {stem(form): stem(word) for form, _, word in (each.partition("/") for each in _FORMS.split())}


def content_words(text: str) -> frozenset[str]:
    """Stems of the words that say something; of all words where none does."""
    return frozenset(content_stems(text))


def content_stems(text: str) -> list[str]:
    """The same in their order."""
    said = stems(text)
    return [_root(word) for word in [each for each in said if each not in _FUNCTION_WORDS] or said]


def _root(word: str) -> str:
    """`add` and `ad`, `closing` and `close`, `hurri` and `hurry` are one: `stem` leaves them two."""
    root = _LIKE_Y.sub("y", _AFTER_S.sub("", _IRREGULAR.get(word, word)))
    if len(root) > 2 and root[-1] == root[-2]:
        return root[:-1]
    return root[:-1] if len(root) > 3 and root.endswith("e") else root


def puts_other_words(said: str, gold: str) -> bool:
    """Whether content words of the right answer are missing and others stand in their place."""
    one, other = content_words(said), content_words(gold)
    return bool(other - one and one - other)


def exclude_each_other(one: str, other: str) -> bool:
    """Whether of two texts only one can be right: they say half of the same and another word in it, or each
    one thing; what is said in other words altogether may mean the same.
    """
    if cannot_mean(one, other):
        return True
    mine, theirs = content_words(one), content_words(other)
    is_one_thing = len(mine) == len(theirs) == 1
    return puts_other_words(one, other) and (is_one_thing or statement_f1(one, other) >= 0.5)
