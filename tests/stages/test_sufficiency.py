from collections.abc import Iterator, Mapping, Sequence

import pytest

from reelproof.schemas.answers.observing import observations
from reelproof.schemas.chat import ChatRequest, Completion, TextPart
from reelproof.stages.answers.sufficiency import SufficiencyConfig, judge_sufficiency
from reelproof.stages.checks.sufficiency import SufficiencyScoreConfig, measure_sufficiency
from tests.cases import completion, made_case


class Adder:
    """Adds up the numbers of cuts that it reads; a judge that sees nothing can do no more."""

    model = "adder@1"

    def __init__(self) -> None:
        self.requests: list[ChatRequest] = []

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        self.requests += requests
        for request in reversed(requests):
            text = request.messages[0].content[-1].text
            cuts = text.partition("What was asked:")[0].count("changes sharply")
            said = f"<answer>{cuts + 1 if cuts else 'unknown'}</answer>"
            yield Completion(request_id=request.request_id, model=self.model, text=said, finish_reason="stop")


SEEN = "The picture changes sharply at [1.0 s]. It changes sharply again at [5.0 s]."


def test_conclusions_are_cut_out_and_observations_stay():
    thought = (
        f"{SEEN} That makes 3 scenes. Therefore 3. The car is red, and so is the door. So the answer is 3."
    )
    assert observations(thought) == (
        "The picture changes sharply at [1.0 s].",
        "It changes sharply again at [5.0 s].",
        "The car is red, and so is the door.",
    )


@pytest.mark.parametrize(
    ("thought", "sufficient"),
    [
        (f"{SEEN} So the answer is 3.", 1),
        ("It changes sharply at [1.0 s]. So the answer is 3.", 0),
        ("I like the film. So the answer is 3.", 0),
        ("So the answer is 3.", None),
    ],
)
def test_observations_are_sufficient_if_a_blind_judge_reaches_the_answer(thought, sufficient):
    case = made_case([completion(thought, "3")], answer="3")
    judged = tuple(judge_sufficiency([case], Adder(), SufficiencyConfig()))
    (score,) = measure_sufficiency([case._replace(sufficiencies=judged)], SufficiencyScoreConfig())
    assert score.sufficient == sufficient


def test_the_judge_sees_no_frame_and_not_the_answer_and_is_asked_once_for_equal_thoughts():
    judge = Adder()
    case = made_case([completion(f"{SEEN} So the answer is 371.", "371")] * 3, answer="371")
    judged = list(judge_sufficiency([case], judge, SufficiencyConfig()))
    assert [(each.trace_id, each.observations, each.judge) for each in judged] == [
        (f"q/{place}", 2, "adder@1") for place in range(3)
    ]
    (request,) = judge.requests
    assert request.images == ()
    said = " ".join(part.text for part in request.messages[0].content if isinstance(part, TextPart))
    assert "371" not in said
    assert case.question.text in said


def test_sufficiency_is_unknown_without_a_judge():
    (score,) = measure_sufficiency([made_case([completion(SEEN, "3")])], SufficiencyScoreConfig())
    assert score.sufficient is None
