"""What a thought states of the film as a whole, and so what a verifier is shown with all frames."""

import time

import pytest

from reelproof.schemas.answers.observing import uncited_claims
from reelproof.schemas.answers.statements import cited_statements

STATED = [
    "He carries a black bag.",
    "To the left of the door stands a lamp.",
    "We can see that nobody else is there.",
    "I see two dogs in the garden.",
    "Note that the door stays shut.",
    "Then a second man enters.",
    "The dog never moves",
    "Frame 3 looks unlike frame 2.",
    "The man appears to be angry.",
    'The sign reads "EXIT".',
    "一个男人走进房间。",
    "These cars are parked.",
]
NOT_STATED = [
    "First, let me look at the frames.",
    "Let's think step by step.",
    "I need to find when he falls.",
    "I think it is night.",
    "To find out, one looks at each frame.",
    "Step 1: Identify the people.",
    "Next, compare the first and the last frame.",
    "The question asks who enters.",
    "Option B says that he leaves.",
    "A is wrong.",
    "The other two are ruled out.",
    "If he were alone, the lamp would be off.",
    "The man must have left before.",
    "The lamp turns off because he leaves.",
    "This means that he is alone.",
    "That is the first one.",
    "Does the dog move?",
    "Here is what happens:",
    "Looking closely at the frame.",
    "Well, okay then.",
    "Two cars.",
    "So the answer is B.",
    "In total there are three.",
    "The task is to count cuts.",
    "A man walks " + "and walks " * 120 + "home.",
]


@pytest.mark.parametrize("sentence", STATED)
def test_what_is_seen_is_stated(sentence):
    thought = f"At [3.0 s] a man enters. {sentence}\nAt [5.0 s] he leaves. So it is B."
    assert uncited_claims(thought, cited_statements(thought)) == (sentence,)


def test_what_asks_plans_supposes_infers_or_speaks_of_the_question_is_not():
    for sentence in NOT_STATED:
        thought = f"At [3.0 s] a man enters. {sentence}\nAt [5.0 s] he leaves."
        assert uncited_claims(thought, cited_statements(thought)) == (), sentence


def test_what_options_say_nobody_states():
    thought = """A. The man leaves the room. He does so at once.
(B) The man sits down
- C) The man sings a song
**D:** The man falls asleep
A man sits down on a chair."""
    assert uncited_claims(thought, cited_statements(thought)) == ("A man sits down on a chair.",)


@pytest.mark.parametrize("unit", ["\n", "A. ", "(A) \n", "- ", "step 1: ", "to ", "let ", "A man walks. "])
def test_hostile_thoughts_take_linear_time(unit):
    start = time.process_time()
    uncited_claims(unit * (200_000 // len(unit)), ())
    assert time.process_time() - start < 5  # quadratic would be a minute and more
