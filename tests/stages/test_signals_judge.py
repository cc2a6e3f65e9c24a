import pytest

from reelproof.schemas.question import Task
from reelproof.stages.answers.sufficiency import SufficiencyConfig, judge_sufficiency
from reelproof.stages.checks.sufficiency import SufficiencyScoreConfig, measure_sufficiency
from reelproof.stages.teachers.embedded.signals import SignalsTeacher
from tests.cases import completion, made_case

SHARP = "The picture changes sharply between [1.0 s] and [2.0 s]."
AGAIN = "It also changes sharply between [5.0 s] and [6.0 s]."
HALVES = ("the first half, up to 10.0 s", "the second half, from 10.0 s")
COUNT, CUT = "How many scenes does the clip consist of?", "When is the first cut, in seconds?"
ORDER = "The frames are shown in random order. In which order do they come in the clip?"
MOTION, BACK = "Which half of the clip holds more motion?", "Is the clip played backwards?"
ODD, SPAN = "One of the frames comes from another video. Which one?", "Footage of another video is shown."
SAME = "The picture at [4.0 s] is the same as that at"
TWICE = "Which two of the frames show exactly the same picture?"
STILL = "For a while the picture stands still. From when to when?"
PAIRS = ("those at 1.0 s and 2.0 s", "those at 1.0 s and 4.0 s")
TIMES = ("the frame at 1.0 s", "the frame at 11.0 s")


@pytest.mark.parametrize(
    ("task", "text", "options", "observed", "says"),
    [
        (Task.NUMERICAL, COUNT, (), f"{SHARP} {AGAIN}", "3"),
        (Task.NUMERICAL, COUNT, (), f"{SHARP} After that it changes sharply 4 more times.", "6"),
        (Task.NUMERICAL, COUNT, (), "But even there it changes little, so I see no cut.", "1"),
        (Task.NUMERICAL, COUNT, (), "A dog barks.", "unknown"),
        (Task.NUMERICAL, CUT, (), f"{SHARP} {AGAIN}", "1.5"),
        (Task.NUMERICAL, CUT, (), "The largest change is that from [3.0 s] to [4.0 s].", "3.5"),
        (Task.ORDERING, ORDER, (), "The smoothest way through the frames is Frame 2, Frame 1.", "2, 1"),
        (Task.BOOLEAN, BACK, (), "The picture moves by 3 grey levels at first.", "unknown"),
        (
            Task.MULTIPLE_CHOICE, MOTION, HALVES,
            "A step is 2.5 grey levels on average in the first half, 4.0 in the second.", "B",
        ),
        (Task.MULTIPLE_CHOICE, ODD, TIMES, "The frame at [1.0 s] looks unlike those at [2.0 s].", "A"),
        (Task.MULTIPLE_CHOICE, ODD, TIMES, "The frame at [4.0 s] looks unlike those at [2.0 s].", "unknown"),
        (Task.TEMPORAL_GROUNDING, SPAN, (), f"{SHARP} {AGAIN}", "[2.0, 5.0]"),
        (Task.TEMPORAL_GROUNDING, SPAN, (), SHARP, "unknown"),
        (Task.MULTIPLE_CHOICE, TWICE, PAIRS, f"{SAME} [1.0 s].", "B"),
        (Task.MULTIPLE_CHOICE, TWICE, PAIRS, f"{SAME} [2.0 s].", "unknown"),
        (
            Task.TEMPORAL_GROUNDING, STILL, (),
            "From [1.0 s] to [4.0 s] the picture stands still.", "[1.0, 4.0]",
        ),
        (Task.TEMPORAL_GROUNDING, STILL, (), SHARP, "unknown"),
        (Task.OPEN_ENDED, "Who comes in?", (), f"{SHARP} {AGAIN}", "unknown"),
    ],
)  # fmt: skip
def test_signals_draws_answers_from_observations_of_its_own_kinds(task, text, options, observed, says):
    case = made_case([completion(observed, "x")], task=task, text=text, options=options)
    (judged,) = judge_sufficiency([case], SignalsTeacher(), SufficiencyConfig())
    assert judged.said == says


def test_an_observation_changed_is_an_answer_changed():
    conclusion = "That makes 3 scenes. So the answer is 3."
    thoughts = [f"{SHARP} {AGAIN} {conclusion}", f"{SHARP} {conclusion}", f"A dog barks. {conclusion}"]
    case = made_case([completion(each, "3") for each in thoughts], text=COUNT, answer="3")
    judged = tuple(judge_sufficiency([case], SignalsTeacher(), SufficiencyConfig()))
    scores = measure_sufficiency([case._replace(sufficiencies=judged)], SufficiencyScoreConfig())
    assert [each.sufficient for each in scores] == [1, 0, 0]
