import random

import pytest

from reelproof.schemas.answers.quotes import QuoteFault, judge_quote, quotes_in, said_quotes
from reelproof.schemas.answers.statements import cited_statements
from reelproof.schemas.footage import Span
from reelproof.schemas.speech import SpeechLine

TEXTS = [
    "Hello and welcome to the show.",
    "Today we cook two eggs in a red pan.",
    "Put the pan down, now!",
    "I did not take it.",
    "Yes.",
    "That is 42 degrees.",
    "Yes.",
]
LINES = [SpeechLine(start_s=3 * n, end_s=3 * n + 2.5, text=text) for n, text in enumerate(TEXTS)]
RIGHT, NOT_SAID, OTHER_TIME = None, QuoteFault.NOT_SAID, QuoteFault.OTHER_TIME


@pytest.mark.parametrize(
    ("quote", "cited", "fault", "said_at"),
    [
        ("put the pan down NOW", (6, 8), RIGHT, (6, 8.5)),
        ("we cook two egs in a red pan", (3.2, 5), RIGHT, (3, 5.5)),
        ("red pan. Put the pan", (4, 5), RIGHT, (3, 8.5)),  # goes on in the next line
        ("Hello … the show", (1, 1), RIGHT, (0, 2.5)),
        ("put the pan down", (14, 15), OTHER_TIME, (6, 8.5)),
        ("cook three potatoes", (3, 5), NOT_SAID, None),
        ("I did take it", (9, 10), NOT_SAID, None),  # a negation turns it round
        ("That is 43 degrees", (15, 16), NOT_SAID, None),  # and so does a number
        ("Yes", (12, 13), RIGHT, (12, 14.5)),
        ("No", (12, 13), NOT_SAID, None),
        ("Put the pan down, now! Or else I shall have to call for somebody", (6, 8), NOT_SAID, None),
    ],
)
def test_a_quote_is_held_against_what_is_said_then(quote, cited, fault, said_at):
    found = judge_quote(quote, [Span(start_s=cited[0], end_s=cited[1])], LINES)
    assert found.fault is fault
    assert found.said_at == (said_at and Span(start_s=said_at[0], end_s=said_at[1]))


@pytest.mark.parametrize(
    ("quote", "fault"),
    [
        ("The water in the big tank is at 42 degrees and does not boil", RIGHT),
        ("The water in the big tank is at 43 degrees and does not boil", NOT_SAID),
        ("The water in the big tank is at 42 degrees and does now boil", NOT_SAID),
    ],
)
def test_a_number_or_a_denial_tells_however_many_words_are_the_same(quote, fault):
    line = SpeechLine(
        start_s=0, end_s=4, text="The water in the big tank is at 42 degrees and does not boil."
    )
    assert judge_quote(quote, [Span(start_s=0, end_s=4)], [line]).fault is fault


def test_what_is_said_again_at_another_time_is_known():
    assert judge_quote("Yes", [Span(start_s=12, end_s=13)], LINES).said_elsewhere
    assert not judge_quote("That is 42 degrees", [Span(start_s=15, end_s=15)], LINES).said_elsewhere


@pytest.mark.parametrize(
    ("sentence", "quotes"),
    [
        ('At [1.0 s] she says "Put it down" and “go”.', ("Put it down", "go")),
        ("Er sagt „Halt“ und «stop».", ("Halt", "stop")),
        ("It's the dogs' house, isn't it?", ()),
        ('A 12" screen and a 14" one', ()),
        ('"…" she says', ()),
    ],
)
def test_quotes_are_what_stands_in_quotation_marks(sentence, quotes):
    assert quotes_in(sentence) == quotes


def test_what_is_written_in_the_picture_is_no_quote_of_speech():
    at = [Span(start_s=0, end_s=2)]
    assert said_quotes('The sign reads "Put the pan down" at [1.0 s].', at, LINES) == ()
    assert len(said_quotes('He reads the sign and says "Hello" at [1.0 s].', at, LINES)) == 1
    for sign in (
        "The sign",
        "At [1.0 s] the sign [1.0 s]",
        "A <obj>sign</obj><box>[1,2,3,4]</box>at<t>1.0</t>s",
    ):
        assert said_quotes(f'{sign} says "Hello" at [1.0 s].', at, LINES) == ()
    assert said_quotes('[0.0-2.0 s] "Hello"', at, ()) == ()


def test_a_word_or_two_in_quotes_that_nobody_says_or_is_told_to_say_are_a_name():
    at = [Span(start_s=0, end_s=2)]
    assert said_quotes('The bus with the number "42" comes at [1.0 s].', at, LINES) == ()
    assert said_quotes('A so-called "beetle" is parked at [1.0 s].', at, LINES) == ()
    assert [each.fault for each in said_quotes('At [1.0 s] he says "beetle".', at, LINES)] == [NOT_SAID]
    assert [each.fault for each in said_quotes('At [1.0 s], "that is a beetle".', at, LINES)] == [NOT_SAID]


def test_a_quote_is_not_torn_apart_by_what_ends_sentences():
    thought = 'At [6.0-8.5 s] "Put the pan down! Now." is said. At [1.0 s] a man waves.'
    assert [each.text for each in cited_statements(thought, whole_quotes=True)] == [
        'At [6.0-8.5 s] "Put the pan down! Now." is said.',
        "At [1.0 s] a man waves.",
    ]
    assert len(cited_statements(thought)) == 2
    assert cited_statements(thought)[0].text == 'At [6.0-8.5 s] "Put the pan down!'


def test_planted_quotes_are_told_apart():
    """50 each of true ones, of ones moved in time and of ones that nobody says."""
    draw = random.Random(7)
    names = [
        "baker",
        "sailor",
        "teacher",
        "doctor",
        "farmer",
        "painter",
        "singer",
        "driver",
        "lawyer",
        "cook",
    ]
    acts = ["opens", "carries", "paints", "sells", "breaks", "finds", "hides", "cleans", "weighs", "counts"]
    things = ["door", "lamp", "basket", "ladder", "mirror", "bottle", "carpet", "kettle", "wallet", "hammer"]
    texts = [
        f"The {draw.choice(names)} {draw.choice(acts)} a {draw.choice(things)} near the river."
        for _ in range(80)
    ]
    lines = [SpeechLine(start_s=4.0 * n, end_s=4.0 * n + 3, text=text) for n, text in enumerate(texts)]
    told = {fault: [] for fault in (RIGHT, OTHER_TIME, NOT_SAID)}
    for place in draw.sample(range(80), 50):
        line = lines[place]
        spelt = line.text.lower().rstrip(".").replace("river", draw.choice(["river", "rivers"]))
        here = Span(start_s=line.start_s, end_s=line.end_s)
        far = lines[(place + draw.randrange(20, 60)) % 80]
        away = Span(start_s=far.start_s, end_s=far.end_s)
        told[RIGHT].append(judge_quote(spelt, [here], lines).fault)
        told[OTHER_TIME].append(judge_quote(spelt, [away], lines).fault)
        wrong = line.text.replace(line.text.split()[1], "ghost").replace(line.text.split()[2], "eats")
        told[NOT_SAID].append(judge_quote(wrong, [here], lines).fault)
    for planted, found in told.items():
        recall = found.count(planted) / len(found)
        claimed = [each for faults in told.values() for each in faults if each is planted]
        precision = found.count(planted) / len(claimed)
        assert recall >= 0.9, (planted, recall)
        assert precision >= 0.9, (planted, precision)
