import pytest

from reelproof.schemas.question import Task
from reelproof.stages.checks.agreement import AgreementConfig, measure_agreement
from tests.cases import completion, made_case

MC, NUM, REG, OPEN, OCR = Task.MULTIPLE_CHOICE, Task.NUMERICAL, Task.REGRESSION, Task.OPEN_ENDED, Task.OCR
TIME, BOX, ORDER, TRUTH = Task.TEMPORAL_GROUNDING, Task.SPATIAL_GROUNDING, Task.ORDERING, Task.BOOLEAN

CASES = [
    (NUM, "3 sharp changes make 4 scenes. So the answer is 4.", "4", True),
    (NUM, "3 sharp changes make 4 scenes. So the answer is 4.", "5", False),
    (NUM, "I see cuts at [3.0 s], [5.0 s] and [9.0 s], so there are 4 scenes.", "4", True),
    (NUM, "I see cuts at [3.0 s], [5.0 s] and [9.0 s], so there are 4 scenes.", "5", False),
    (NUM, "There are 4 scenes. The last one begins at [9.0 s].", "5", False),
    (NUM, "There are four scenes in total.", "4", True),
    (NUM, "Therefore, I count 4.", "four", True),
    (NUM, "It cuts three times in all.", "4", False),
    (NUM, "It cuts three times, altogether!", "3", True),
    (NUM, "It does not cut at all.", "3", None),
    (NUM, "So I first thought 3. But no, that makes 4 scenes.", "4", True),
    (NUM, "So the answer is 3. Wait, one more cut at [9.0 s]. So the answer is 4.", "4", True),
    (NUM, "So the answer is 3. Wait, one more cut at [9.0 s]. So the answer is 4.", "3", False),
    (NUM, "So the first cut is at [3.2 s].", "3.2", True),
    (NUM, "So the first cut is at [3.2 s].", "4.0", False),
    (NUM, "Cuts at [3.0 s] and [5.0 s].", "3", None),
    (NUM, "The man walks to the door.", "3", None),
    (NUM, "So it is hard to tell.", "3", None),
    (NUM, "", "3", None),
    (NUM, "There are 2 men at the door.", "3", None),
    (REG, "So it lasts about 10.2 s.", "10", True),
    (REG, "So it lasts about 20 s.", "10", False),
    (MC, "The car is red. So the answer is B.", "B", True),
    (MC, "The car is red. So the answer is B.", "A", False),
    (MC, "The car is red. So the answer is (B) red.", "b", True),
    (MC, "Therefore the car is red.", "B", True),
    (MC, "Therefore the car is red.", "A", False),
    (MC, "Thus it is either red or blue.", "A", None),
    (MC, "Option B fits best, so I choose it.", "B", True),
    (MC, "So the answer is A and C.", "A, C", True),
    (MC, "The answer isn't A since the car is no longer there. It must be B.", "B", True),
    (MC, "The answer isn’t A. So it must be B.", "B", True),
    (MC, "So the answer isn't A. It must be B.", "B", True),
    (MC, "So it isn't blue. It must be B.", "B", True),
    (MC, "So it is not blue. It must be B.", "B", True),
    (MC, "So the car is red and does not move.", "B", True),
    (ORDER, "So the order is 2, 1, 3.", "2, 1, 3", True),
    (ORDER, "So the order is Frame 2, Frame 1, Frame 3.", "2, 1, 3", True),
    (ORDER, "So the order is 2, 1, 3.", "1, 2, 3", False),
    (ORDER, "So the answer is 2, 1, 3.", "2 1 3", True),
    (TRUTH, "So the answer is yes.", "yes", True),
    (TRUTH, "So the answer is yes.", "no", False),
    (TRUTH, "Therefore no.", "No", True),
    (TRUTH, "So it is played backwards.", "yes", None),
    (TIME, "So it is shown from 3.0 to 5.5 s.", "[3.0, 5.5]", True),
    (TIME, "So the answer is [3.0, 5.5].", "[3.0, 5.5]", True),
    (TIME, "So it is shown during [3.0-5.5 s].", "[3.0, 5.5]", True),
    (TIME, "So it is shown during [3.0-5.5 s].", "[8.0, 9.5]", False),
    (TIME, "So it is not shown during [3.0-5.5 s].", "[8.0, 9.5]", None),
    (BOX, "So the answer is [1.0 s] [0, 0, 10, 10].", "[1.0 s] [0, 0, 10, 10]", True),
    (BOX, "So the answer is [1.0 s] [0, 0, 10, 10].", "[1.0 s] [90, 90, 99, 99]", False),
    (OPEN, "So a dog chases the ball.", "a dog chases the ball", True),
    (OPEN, "So the dog happily chases the big ball.", "dog chases ball", True),
    (OPEN, "So the answer is a cat.", "a dog", False),
    (OPEN, "So something moves.", "a dog", None),
    (MC, "If it were red, the answer would be B. But it is blue.", "B", None),
    (MC, "The answer is not B but A.", "A", True),
    (MC, "The answer is not B but A.", "B", False),
    (MC, "So B contradicts the video.", "B", None),
    (ORDER, "So 2 comes before 1, and 1 before 3.", "2, 1, 3", None),
    (ORDER, "So the order, from last to first, is 3, 1, 2.", "3, 1, 2", None),
    (OCR, "So the sign says STOP.", "STOP", True),
    (OCR, "The answer is EXIT.", "STOP", False),
]


def verdict(task, thought, answer, **asked):
    options = ("blue", "red", "green") if task is MC else ()
    case = made_case([completion(thought, answer)], task=task, options=options, **asked)
    (score,) = measure_agreement([case], AgreementConfig())
    return score.agrees


@pytest.mark.parametrize(("task", "thought", "answer", "agrees"), CASES)
def test_the_last_conclusion_is_held_against_the_answer(task, thought, answer, agrees):
    assert verdict(task, thought, answer) is agrees


KITCHEN = (
    "A woman chops onions on a wooden board",
    "A man washes the dishes in the sink",
    "A child spills milk over the table",
    "A dog sleeps beside the stove",
)
PROSE = [
    (
        "A child sits there and spills its milk; the table is white with it. The man by the sink only looks.",
        "C",
        True,
    ),
    (
        "The woman holds a knife. This suggests that she chops the onions on the board, not the bread.",
        "A",
        True,
    ),
    ("Someone stands at the sink. There is no sign of a dog or of spilt milk. He washes dishes.", "B", True),
    (
        "- A: a woman chops onions on a wooden board\n- B: a man washes dishes\nThe dog sleeps by the stove.",
        "D",
        True,
    ),
    ("The woman chops the onions on the wooden board, and nothing else happens.", "D", None),
    ("This is consistent with option B.", "B", True),
    ("The answer is option B.", "A", False),
    ("So A is unlikely.", "A", None),
    ("It is a kitchen with a window.", "B", None),
]


@pytest.mark.parametrize(("thought", "answer", "agrees"), PROSE)
def test_prose_speaks_for_an_option_in_its_words_and_only_what_is_said_outright_against(
    thought, answer, agrees
):
    case = made_case([completion(thought, answer)], task=MC, text="What happens here?", options=KITCHEN)
    (score,) = measure_agreement([case], AgreementConfig())
    assert score.agrees is agrees


@pytest.mark.parametrize(
    ("thought", "answer", "agrees"),
    [
        ("Full moon, full moon, and full moon again. What comes is the waning gibbous.", "C", True),
        ("Full moon, full moon, and full moon again. What comes is the waning gibbous.", "B", None),
        ("It waxes and waxes. What comes is not the full moon.", "B", False),
        ("It wanes. The next is a waning gibbous moon phase.", "D", None),
    ],
)
def test_the_last_sentence_says_more_than_the_words_before_it(thought, answer, agrees):
    options = ("Full", "Full moon", "Waning gibbous", "Gibbous")
    case = made_case([completion(thought, answer)], task=MC, text="Which phase is next?", options=options)
    (score,) = measure_agreement([case], AgreementConfig())
    assert score.agrees is agrees


CELLS = ("mRNA", "tRNA", "DNA polymerase", "Ribosome")


@pytest.mark.parametrize(
    ("thought", "answer", "agrees"),
    [
        ("mRNA and tRNA are shown with a ribosome. However, DNA polymerase is not mentioned.", "C", True),
        (
            "mRNA and tRNA are shown with a ribosome. It never shows, nor names, DNA polymerase.",
            "C",
            True,
        ),
        ("tRNA is there, and tRNA again, with tRNA. A ribosome reads the mRNA.", "B", None),
        ("All but one are drawn. The most unlikely part of this scene would be the ribosome.", "D", True),
        ("Three of them are drawn. The most incorrect statement is B.", "B", True),
        ("Three of them are drawn. The most incorrect statement is B.", "A", False),
        ("The best hint seems to be a lack of ribosomes.", "A", None),
    ],
)
def test_the_odd_one_is_the_one_that_is_denied(thought, answer, agrees):
    case = made_case([completion(thought, answer)], task=MC, text="What is NOT shown here?", options=CELLS)
    (score,) = measure_agreement([case], AgreementConfig())
    assert score.agrees is agrees


SAID_OUTRIGHT = [
    (MC, "At [3.0 s] I see a red car. That corresponds to option B.", "B", True),
    (MC, "At [3.0 s] I see a red car. That corresponds to option B.", "A", False),
    (MC, "At [3.0 s] I see a red car. B is correct.", "C", False),
    (MC, "This does not match option A. It is B.", "B", True),
    (MC, "If A is correct, the car must be blue. It is not.", "B", None),
    (MC, "Option A is right about the place. I pick B since it is red.", "A", False),
    (MC, "So the answer can't be B.", "B", False),
    (MC, "So the car is not red.", "B", False),
    (MC, "So it is not only red.", "B", None),
    (MC, "So the car is not blue, it is red.", "B", True),
    (MC, "So the car is not blue, it is red.", "A", False),
    (MC, "So the answer is A. Wait, at [5.0 s] it looks otherwise.", "A", None),
    (MC, "So the answer is A. Wait, at [5.0 s] it is red, so it must be B instead.", "A", False),
    (MC, "在[3.0 s]看到红色的车。所以选B。", "B", True),
    (MC, "因此答案是B。", "A", False),
    (MC, "そのため、答えはBです。", "A", False),
    (MC, "Donc la réponse est B.", "A", False),
    (MC, "Daher ist die Antwort B.", "A", False),
    (MC, "Следовательно, ответ B.", "A", False),
    (NUM, "Cuts at [3.0 s] and [5.0 s]. The total is 3.", "4", False),
    (NUM, "It is either 3 or 4. I say 4.", "3", False),
    (ORDER, "So the order is 2, 1, 3 and not 1, 2, 3.", "2, 1, 3", True),
    (ORDER, "So the order isn't 1, 2, 3 but 2, 1, 3.", "1, 2, 3", False),
    (ORDER, "The order is 2, 1, 3.", "1, 2, 3", False),
    (ORDER, "因此顺序是2、1、3。", "1, 2, 3", False),
    (OPEN, "So he opens the door.", "he closes the door", False),
    (OPEN, "So the answer is that he opens the door.", "he closes the door", False),
    (OPEN, "So the man does not sing.", "sing", None),
    (OCR, "So the sign does not say STOP.", "STOP", None),
]


@pytest.mark.parametrize(("task", "thought", "answer", "agrees"), SAID_OUTRIGHT)
def test_what_is_concluded_in_other_words_and_languages_is_held_against_the_answer(
    task, thought, answer, agrees
):
    assert verdict(task, thought, answer, text="Which colour is the car?") is agrees


@pytest.mark.parametrize(
    ("thought", "concluded"),
    [
        ("At [3.0 s] it stands. So the car stops.", "yes"),
        ("At [3.0 s] it moves. Therefore, the car never stops.", "no"),
        ("There is no movement, and the car stops.", "yes"),
        ("Yes, the car stops at [3.0 s].", "yes"),
        ("So there is no sign that the car stops.", "no"),
        ("So I ask whether the car stops.", None),
        ("The car does not stop until [3.0 s].", None),
        ("The car almost stops.", None),
        ("It stops the car.", None),
        ("So something else stops.", None),
    ],
)
def test_a_statement_answers_the_question_that_asks_for_it(thought, concluded):
    agrees = []
    for said in ("yes", "no"):
        case = made_case([completion(thought, said)], task=TRUTH, text="Does the car stop?")
        (score,) = measure_agreement([case], AgreementConfig())
        agrees.append(score.agrees)
    assert agrees == ([None, None] if concluded is None else [concluded == "yes", concluded == "no"])


def test_who_does_it_to_whom_is_no_statement_of_the_other_way_round():
    case = made_case(
        [completion("So the woman is taller than the man.", "no")],
        task=TRUTH,
        text="Is the man taller than the woman?",
    )
    (score,) = measure_agreement([case], AgreementConfig())
    assert score.agrees is None


def test_agreement_is_unknown_without_an_answer():
    case = made_case(
        ["<think>So the answer is 4.</think>", "<think>So the answer is 4.</think><answer></answer>"]
    )
    assert [score.agrees for score in measure_agreement([case], AgreementConfig())] == [None, None]


def test_a_thought_that_counts_otherwise_disagrees_though_the_question_would_take_its_number():
    agrees = []
    for said in ("12", "13"):
        case = made_case([completion("So there are 12.", said)], task=NUM)
        near = case.question.model_copy(update={"tolerance": 2.0})
        (score,) = measure_agreement([case._replace(question=near)], AgreementConfig())
        agrees.append(score.agrees)
    assert agrees == [True, False]


def test_only_the_last_sentences_conclude():
    thought = "So the answer is 4. " + "The man walks on. " * 3
    case = made_case([completion(thought, "5")])
    looked = [next(measure_agreement([case], AgreementConfig(sentences=n))).agrees for n in (3, 4)]
    assert looked == [None, False]
