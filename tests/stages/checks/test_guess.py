import pytest

from reelproof.stages.checks.guess import DECLARES, GuessConfig, declares_guess, measure_guess
from tests.cases import completion, made_case

GUESSES = {
    "en": """
        Such steps look the same both ways, so the direction is a guess. So the answer is yes.
        So this is a guess.
        It would be as smooth backwards, so where it begins is a guess.
        This is my best guess.
        That's just a guess, but B.
        It is purely a guess between A and C.
        My guess is that he leaves.
        I guess it is B.
        I'm guessing that the car is red.
        I will just guess: C.
        I have to guess here.
        I can only guess.
        So, guessing, I say 3.
        I'll take a wild guess and say four.
        I cannot tell.
        I can't tell which of them is faster, so B.
        I cannot really say, so yes.
        I could not determine the order from these frames.
        I don't know, so I answer no.
        I honestly do not know which option is right.
        I have no idea what happens here.
        There is no way to tell, so I say yes.
        Hard to say, so I pick A.
        It is hard to tell from these frames, but I will go with D.
        It's difficult to judge, therefore I choose B.
        I am not sure, so I pick C.
        I randomly choose option D.
        I pick one at random: B.
        Choosing at random, the answer is A.
        I simply answer yes arbitrarily.
        I just flip a coin: no.
        This is an arbitrary choice.
        My answer is random.
        I only measure how frames differ, and that does not tell the answer here.
        It is a shot in the dark.
        This remains guesswork.
        The answer is only a guess [3.0 s].
        At [2.0 s] the light is dim, so I guess it is evening.
    """,
    "de": """
        Das ist nur geraten.
        Ich rate: B.
        Ich muss hier raten.
        Ich kann es nicht sagen, also ja.
        Ich weiß es nicht, also nehme ich A.
        Schwer zu sagen, ich nehme also B.
        Ich wähle zufällig die zweite Antwort.
        Das ist ein Schuss ins Blaue.
    """,
    "fr": """
        Je devine : oui.
        Je choisis B au hasard.
        Je ne peux pas le dire, donc je réponds A.
        Difficile à dire, je choisis donc C.
        C'est une réponse au hasard.
        Je ne sais pas, donc non.
    """,
    "es": """
        Elijo la B al azar.
        Es pura adivinanza.
        Tengo que adivinar, así que sí.
        No lo sé, así que respondo B.
        Difícil de decir, elijo la A.
    """,
    "it": "Scelgo a caso la B.\nTiro a indovinare.\nDifficile da dire, scelgo A.\nNon lo so, quindi no.",
    "pt": "É só um palpite.\nVou chutar a B.\nEscolho ao acaso.\nDifícil dizer, escolho A.",
    "nl": "Dit is een gok.\nIk gok B.\nIk kies willekeurig A.\nMoeilijk te zeggen, dus ik kies B.",
    "ru": """
        Это просто догадка.
        Выбираю наугад: Б.
        Трудно сказать, выберу А.
        Не могу сказать, поэтому да.
        Могу только гадать.
    """,
    "zh": """
        这只是猜测。
        我猜是B。
        我只能猜。
        随机选一个，选A。
        无法判断，所以选B。
        很难说，我就选C。
        我不知道答案。
    """,
    "ja": """
        これは推測に過ぎない。
        ランダムに選びます。
        分からないので、Aを選びます。
        当てずっぽうで答えます。
        どちらかわかりません。
    """,
    "ko": """
        이것은 추측일 뿐이다.
        무작위로 선택합니다.
        알 수 없으므로 B를 고른다.
        추측할 수밖에 없다.
    """,
    "ar": "هذا مجرد تخمين.\nسأختار عشوائيا الإجابة ب.",
    "hi": "यह सिर्फ एक अंदाज़ा है।\nमुझे नहीं पता, इसलिए हाँ।",
}
SOUND = """
    It might be rain, since the street is wet [4.0 s].
    It is probably the same man, for he wears the same coat at [3.0 s] and [9.0 s].
    The car is likely red: it looks so at [2.0 s].
    This is not a guess: at [3.0 s] the light turns green.
    I do not need to guess, the sign is legible at [2.5 s].
    Without guessing, the count is 3.
    Rather than guess, I count the cuts: [1.0 s] and [4.0 s].
    A man plays a guessing game at [3.0 s].
    The contestant makes a guess at [3.0 s] and is right.
    His guess is right, and the host nods at [7.0 s].
    The cars move randomly over the square [2.0-8.0 s].
    People walk in random directions at [1.0 s].
    The referee tosses a coin at [2.0 s].
    I cannot tell the colour of his hat, but the car is red at [3.0 s].
    At first I cannot tell who wins, but at [5.0 s] the red one crosses the line.
    It is hard to see his face at [1.0 s], but at [3.0 s] he turns round.
    It is hard to tell at [1.0 s], but I say B because at [4.0 s] the door is open.
    The picture changes sharply between [0.7 s] and [1.2 s]. That makes 2 scenes.
    The cut lies in between, I take the middle.
    He does not know what to do and shrugs at [6.0 s].
    She cannot say a word and sits down at [2.0 s].
    The sun is low, so it seems to be evening [5.0 s].
    Another option comes close, so I am not sure.
    I pick the second one, since it shows the open door [4.0 s].
    The arrow points left, therefore I choose A [2.0 s].
    Perhaps he is tired, as he yawns at [3.0 s].
    The dealer shuffles the cards randomly at [2.0 s].
    Der Mann ist vermutlich müde, denn er gähnt [3.0 s].
    Das ist nicht geraten, das Schild ist lesbar [2.0 s].
    Die Straße ist nass, also regnet es wohl [4.0 s].
    Il pleut sans doute, car la rue est mouillée [4.0 s].
    Probablemente llueve, porque la calle está mojada [4.0 s].
    Forse piove, perché la strada è bagnata [4.0 s].
    Наверное, идёт дождь: улица мокрая [4.0 s].
    可能在下雨，因为街道是湿的 [4.0 s]。
    这不是猜测，[2.0 s] 可以看到标志。
    おそらく雨です。道が濡れているからです [4.0 s]。
    길이 젖어 있으므로 비가 오는 것 같다 [4.0 s].
"""


def lines(block: str) -> list[str]:
    return [each.strip() for each in block.splitlines() if each.strip()]


DECLARED = [(language, each) for language, block in GUESSES.items() for each in lines(block)]


def test_table_is_large_and_covers_every_language():
    assert len(DECLARED) >= 60
    assert {language for language, _ in DECLARED} == set(DECLARES)


@pytest.mark.parametrize(("language", "sentence"), DECLARED)
def test_a_thought_that_declares_a_guess_is_found_wherever_it_does(language, sentence):
    assert declares_guess(sentence)
    assert declares_guess(f"The picture is dark at [1.0 s]. {sentence}\nSo the answer is B.")


@pytest.mark.parametrize("sentence", lines(SOUND))
def test_a_hedge_with_a_reason_is_no_guess(sentence):
    assert not declares_guess(sentence)


def test_one_score_a_trace_in_order():
    case = made_case([completion(text, "4") for text in ("I cannot tell.", "It is red at [2.0 s].")])
    assert [each.declared_guess for each in measure_guess([case], GuessConfig())] == [True, False]
