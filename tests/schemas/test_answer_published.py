"""Where published rewards score otherwise: the case, what theirs gives, what ours gives, and why.

Their scores are read off the code that their authors publish (grpo.py of Video-R1, reward_func.py of
Open-o3-Video, grpo_video.py of Time-R1, onethinker_reward.py of OneThinker); ours are computed here.
"""

from typing import NamedTuple

import pytest

from reelproof.schemas.answers.scores import lenient_score, read_completion
from reelproof.schemas.question import Task


class Difference(NamedTuple):
    whose: str
    task: Task
    completion: str
    gold: str
    theirs: float
    ours: float
    reason: str


def _said(answer: str) -> str:
    return f"<think>It shows so.</think><answer>{answer}</answer>"


DIFFERENCES = [
    Difference(
        "Video-R1",
        Task.MULTIPLE_CHOICE,
        "<think>Not <answer>A</answer>.</think><answer>B</answer>",
        "A",
        1,
        0,
        "theirs takes the first answer block, and an answer quoted in the thought is none",
    ),
    Difference(
        "Video-R1",
        Task.MULTIPLE_CHOICE,
        "<think>Not <answer>A</answer>.</think><answer>B</answer>",
        "B",
        0,
        1,
        "the same, from the other side",
    ),
    Difference("Video-R1", Task.MULTIPLE_CHOICE, _said("(B)"), "B", 0, 1, "theirs compares strings"),
    Difference(
        "Video-R1", Task.NUMERICAL, _said("3.0"), "3", 0, 1, "theirs wants a point in both or in neither"
    ),
    Difference(
        "Video-R1", Task.NUMERICAL, _said("1,000"), "1000", 0, 1, "theirs takes the comma for a decimal mark"
    ),
    Difference("Video-R1", Task.NUMERICAL, _said("3,5"), "3.5", 0, 1, "theirs drops the comma and reads 35"),
    Difference(
        "Video-R1",
        Task.NUMERICAL,
        _said("3.004"),
        "3.00",
        1,
        0,
        "theirs rounds to two places; a tolerance is the question's to state",
    ),
    Difference("Video-R1", Task.NUMERICAL, _said("three"), "3", 0, 1, "theirs reads digits only"),
    Difference(
        "Video-R1",
        Task.REGRESSION,
        _said("0"),
        "0",
        0,
        1,
        "theirs adds the same epsilon above and below, so that 0 for 0 is wholly wrong",
    ),
    Difference(
        "Video-R1",
        Task.REGRESSION,
        _said("14"),
        "10",
        0.6,
        0.2,
        "theirs is 1 - relative error, which still rewards far guesses; ours is mean relative accuracy",
    ),
    Difference(
        "Video-R1", Task.OCR, _said("Stop."), "STOP", 0, 1, "theirs counts case and full stops as wrong words"
    ),
    Difference(
        "Video-R1",
        Task.OPEN_ENDED,
        _said("dog"),
        "dog",
        2 / 3,
        1,
        "theirs averages in a ROUGE-2 that one word cannot have, so that the gold itself is not right",
    ),
    Difference(
        "Open-o3-Video", Task.MULTIPLE_CHOICE, _said("B. red"), "B", 0, 1, "theirs lists four spellings"
    ),
    Difference(
        "Open-o3-Video",
        Task.MULTIPLE_CHOICE,
        "<think>Not <answer>A</answer></think><answer>B</answer>",
        "B",
        0,
        1,
        "theirs takes the first answer block, also inside the thought",
    ),
    Difference(
        "Open-o3-Video",
        Task.TEMPORAL_GROUNDING,
        _said("[2.5, 4.0]"),
        "[2.5, 4.0]",
        0,
        1,
        "theirs reads one tag notation only",
    ),
    Difference(
        "Open-o3-Video",
        Task.TEMPORAL_GROUNDING,
        _said("2 s to 4 s, 6 s to 8 s"),
        "[2, 4], [6, 8]",
        0.5,
        1,
        "theirs reads the first span only (given its notation); ours compares unions",
    ),
    Difference(
        "Open-o3-Video",
        Task.SPATIAL_GROUNDING,
        _said("[507.4 s] [0, 0, 10, 10]"),
        "[12.4 s] [0, 0, 10, 10]",
        1,
        0,
        "theirs gates `gold - claimed < 1 s` on one side only: 495 s late passes",
    ),
    Difference(
        "Open-o3-Video",
        Task.SPATIAL_GROUNDING,
        _said("[3 s] [0, 0, 1, 1], [3 s] [5, 5, 6, 6]"),
        "[3 s] [0, 0, 1, 1]",
        1,
        0.5,
        "theirs takes the best of the claimed boxes, so that more boxes never hurt",
    ),
    Difference(
        "Time-R1",
        Task.TEMPORAL_GROUNDING,
        _said("12.5 - 17.8"),
        "[12.5, 17.8]",
        0,
        1,
        "theirs reads `to` and `and` only",
    ),
    Difference(
        "Time-R1",
        Task.TEMPORAL_GROUNDING,
        _said("0:12 to 0:17"),
        "[12, 17]",
        0,
        1,
        "theirs reads the seconds of one clock time and the minutes of the next",
    ),
    Difference(
        "Time-R1",
        Task.TEMPORAL_GROUNDING,
        _said("2 to 4, 6 to 8"),
        "[2, 4], [6, 8]",
        0.5,
        1,
        "theirs reads the last span only; ours compares unions",
    ),
    Difference(
        "Time-R1",
        Task.TEMPORAL_GROUNDING,
        "<think>From <answer>2 to 4</answer>, but",
        "[2, 4]",
        1,
        0,
        "theirs takes an answer out of a thought that was cut off",
    ),
    Difference(
        "Time-R1",
        Task.TEMPORAL_GROUNDING,
        _said("2 to 2"),
        "[2, 4]",
        0,
        0,
        "agreed: a point covers nothing (theirs, for a gold that is a point, uses a variable never set)",
    ),
    Difference(
        "OneThinker",
        Task.MULTIPLE_CHOICE,
        "B",
        "B",
        1,
        0,
        "theirs takes the whole text for the answer where no tags are; ours has no answer then",
    ),
    Difference("OneThinker", Task.NUMERICAL, _said("3.004"), "3", 1, 0, "theirs rounds to two places"),
    Difference("OneThinker", Task.NUMERICAL, _said("3 s"), "3", 0, 1, "theirs reads bare numbers only"),
    Difference(
        "OneThinker",
        Task.TEMPORAL_GROUNDING,
        _said("[2, 4]"),
        "[2, 4]",
        0,
        1,
        "theirs wants a JSON object with a `time` key; form is the form check's matter",
    ),
    Difference(
        "OneThinker",
        Task.SPATIAL_GROUNDING,
        _said("[0 s] [0, 0, 1, 1]"),
        "[0 s] [0, 0, 1, 1], [3 s] [0, 0, 1, 1]",
        1,
        0.5,
        "theirs averages over the frames that were answered, so that saying less is safe",
    ),
    Difference("OneThinker", Task.OCR, _said("stop"), "STOP", 0, 1, "theirs counts case as a wrong word"),
    Difference("OneThinker", Task.OPEN_ENDED, _said("dog"), "dog", 2 / 3, 1, "ROUGE-2 of one word again"),
]


@pytest.mark.parametrize("case", DIFFERENCES, ids=lambda case: f"{case.whose}-{case.task}-{case.reason[:30]}")
def test_our_score_is_ours_where_published_rewards_differ(case: Difference) -> None:
    said = read_completion(case.completion).answer
    assert lenient_score(case.task, said, case.gold) == pytest.approx(case.ours)
    assert case.theirs != case.ours or case.reason.startswith("agreed")


FORMS = [
    ("Video-R1", "<think></think><answer></answer>", "theirs takes empty tags for well formed"),
    (
        "Video-R1",
        "<think>a</think><answer>A</answer><answer>B</answer>",
        "its pattern spans two answer blocks",
    ),
    ("Time-R1", "<think>a</think> b </think><answer>2 to 4</answer>", "its pattern spans two closing tags"),
    ("Open-o3-Video", "so <think>a</think> b <answer>B</answer> c", "theirs looks for the blocks anywhere"),
    (
        "OneThinker",
        "<think>a<answer>A</answer></think><answer>B</answer>",
        "its pattern lets the thought hold answers",
    ),
]


@pytest.mark.parametrize(("whose", "completion", "reason"), FORMS)
def test_forms_that_published_rewards_accept_are_not_well_formed(
    whose: str, completion: str, reason: str
) -> None:
    assert not read_completion(completion).well_formed
