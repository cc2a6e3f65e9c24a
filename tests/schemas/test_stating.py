"""What a thought states of the film as a whole, and so what a verifier is shown with all frames."""

import time

import pytest

from reelproof.schemas.answers.statements import cited_statements
from reelproof.schemas.answers.stating import uncited_claims

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
    'The scoreboard says "1:0".',
    "一个男人走进房间。",
    "These cars are parked.",
    "The man falls from the ladder.",
    "An old woman falls down and nobody helps.",
    "The football match begins.",
    "His tie matches a hat.",
    "In May the garden is green.",
    "She answers the phone.",
    "The user clicks the red button.",
    "The sign indicates a left turn.",
    "Someone questions the guard.",
    "To my left stands a tree.",
    "I noticed that the ball is red.",
    "We know that the dog is brown.",
    "Note: he is on the phone.",
    "Based on the video, she wears a hat.",
    "In this scene, a man sits down.",
    "It might be an elephant.",
    "A student answers a question.",
    "The teacher asks three questions.",
    "The command prompt fills the screen.",
    "The menu has three options.",
    "The user picks the second option from the dialog.",
    "The man is probably a guard.",
    "Das könnte ein Taxi sein.",
    "他可能在厨房里。",
    "This is a street scene with tanks.",
    "These are images of a desert.",
    "This glass is broken.",
    "Next to him stands a dog.",
]
NOT_STATED = [
    "This is a question about colours.",
    "The question asks which option of the menu is picked.",
    "Option B says that the menu opens.",
    "There are four options here.",
    "The correct option is the settings menu.",
    "Possible reasons: hunger, a stranger, pain.",
    "It might have rained before.",
    "So it is likely B.",
    "A doctor: he'd be in a hospital.",
    "That's the first one.",
    "First, let me look at the frames.",
    "Let's think step by step.",
    "I need to find when he falls.",
    "To find out, one looks at each frame.",
    "Step 1: Identify the people.",
    "Next, compare the first and the last frame.",
    "The question asks who enters.",
    "Option B says that he leaves.",
    "A is wrong.",
    "The other two are ruled out.",
    "If he were alone, the lamp would be off.",
    "The man must have left before.",
    "The lamp is off because of him.",
    "Option B says that he leaves because he is tired.",
    "Option C is incorrect because it states that the man sings.",
    "Option D is ruled out because swimming requires water.",
    "We know that the correct answer is among these.",
    "Let me check the statement: the man leaves the room.",
    "So frame 3 comes first, then frame 1, then frame 2.",
    "Thus there are 2 + 3 cars, which makes it five of them.",
    "If he had left, the room would be dark, so nobody would stay.",
    "I need to find this: a man who leaves.",
    "Let me recall option B: the man leaves the room.",
    "In this frame, no car is to be seen.",
    "Nobody else is visible here.",
    "The order is 2, 3, 1.",
    "The final sequence: 2, 3, 1.",
    "Therefore there are three parked cars here.",
    "So the man stops.",
    "选项B不对。",
    "让我看一下视频。",
    "This means that he is alone.",
    "That is the first one.",
    "Does the dog move?",
    "Falls er geht, ist die Tür zu.",
    "The user asks who enters.",
    "It matches the description of A.",
    "The second scene matches B.",
    "The lamp indicates that it is night.",
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


@pytest.mark.parametrize(
    ("sentence", "stated"),
    [
        ("Because a guard waves, he stops there.", ("a guard waves", "he stops there")),
        ("The lamp turns off because he leaves.", ("The lamp turns off",)),
        ("Option B is wrong because the dog never lies down.", ("the dog never lies down",)),
        ("The answer is A since the dog has the ball.", ("the dog has the ball",)),
        ("The road is covered with sand, so it must be hot.", ("The road is covered with sand",)),
        ("The door stays shut, which means he is in.", ("The door stays shut",)),
        ("So the dog, which had slept before, has it, and the answer is A.",
         ("the dog, which had slept before, has it",)),
        ("Thus there are 3 cars, two of which are taxis.", ("there are 3 cars, two of which are taxis",)),
        ("Overall, we see a man, a cat and two horses.", ("we see a man, a cat and two horses",)),
        ("Let me look at the end, where five children play.", ("five children play",)),
        ("Next, I check the last frames: the dog swims away.", ("the dog swims away",)),
        ("选项B不对，因为狗在厨房里。", ("狗在厨房里",)),
        ("I think that it is night.", ("it is night",)),
        ("The user asks what the girl, who stands on a horse, sees.", ("the girl, who stands on a horse",)),
        ("I need to count the cats in this film, which is in colour.", ("this film, which is in colour",)),
        ("If one looks closely, one sees a dog.", ("If one looks closely, one sees a dog",)),
        ("Option B: a dog -> the dog is asleep.", ("the dog is asleep",)),
        ("I'm fairly sure it has white feathers.", ("it has white feathers",)),
        ("The user asks what he does after the fall, in which he drops a box.", ("he drops a box",)),
    ],
)  # fmt: skip
def test_of_what_infers_excludes_or_plans_that_is_put_which_it_rests_on(sentence, stated):
    stated_of = uncited_claims(sentence, (), ["A dog", "A cat"])
    assert tuple(each.rstrip(".。") for each in stated_of) == stated


@pytest.mark.parametrize(
    "taken_back",
    [
        "Wait, no.",
        "No, wait, it is a cat.",
        "But actually, it is a cat.",
        "Hmm, that's not right.",
        "Actually [5.0 s] shows a cat.",
        "等等，这是一只猫。",
        "No, it has whiskers.",
        "Wait, a cat has whiskers.",
    ],
)
def test_what_is_taken_back_right_after_nobody_states(taken_back):
    thought = f"At [3.0 s] a man enters. It looks like a dog. {taken_back}"
    stated = uncited_claims(thought, cited_statements(thought))
    assert "It looks like a dog." not in stated
    (claim,) = [
        each
        for each in cited_statements(f"At [3.0 s] it looks like a dog. {taken_back}")
        if "dog" in each.text
    ]
    assert claim.is_taken_back


@pytest.mark.parametrize(
    "goes_on", ["Wait, let me check.", "That is right.", "No dog barks.", "So no, it isn't."]
)
def test_what_is_checked_or_goes_on_is_not_taken_back(goes_on):
    assert "It looks like a dog." in uncited_claims(f"It looks like a dog. {goes_on}", ())


def test_a_plain_no_takes_back_only_what_was_unsure():
    assert "It is a dog." in uncited_claims("It is a dog. No, it does not bark.", ())


def test_what_a_line_says_of_its_option_is_stated_and_the_option_is_not():
    thought = """A. It catches a ball: the girl claps her hands.
**B. It sleeps under a tree** - The lawn has no trees.
C. Digging a hole: the lawn is flat."""
    stated = ("the girl claps her hands.", "The lawn has no trees.")
    assert uncited_claims(thought, (), ("It catches a ball", "It sleeps under a tree", "It digs")) == stated
    assert uncited_claims(thought, ()) == ()


def test_what_options_say_nobody_states():
    thought = """A. The man leaves the room. He does so at once.
(B) The man sits down
- C) The man sings a song
**D:** The man falls asleep
A man sits down on a chair."""
    assert uncited_claims(thought, cited_statements(thought)) == ("A man sits down on a chair.",)


@pytest.mark.parametrize(
    "unit",
    [
        "\n",
        "A. ",
        "(A) \n",
        "- ",
        "step 1: ",
        "to ",
        "let ",
        "A man walks. ",
        "because ",
        "so, ",
        "no here ",
        "A. It is red ",
    ],
)
def test_hostile_thoughts_take_linear_time(unit):
    start = time.process_time()
    uncited_claims(unit * (200_000 // len(unit)), ())
    assert time.process_time() - start < 5  # quadratic would be a minute and more
