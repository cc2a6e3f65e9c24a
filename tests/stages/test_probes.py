import random
from collections.abc import Iterator, Mapping, Sequence

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.schemas.question import Task
from reelproof.schemas.speech import SpeechLine
from reelproof.schemas.trace import Case, ProbeResult
from reelproof.stages.answers.probes import Probe, ProbeConfig, probe_questions, shown_instead
from reelproof.stages.policy import PolicyConfig
from reelproof.stages.rates import above_luck
from tests.cases import made_case
from tests.views import made_clip


class SightedTeacher:
    """Answers 4 where it sees all frames in order, and what it is told where it does not."""

    model = "sighted@1"

    def __init__(
        self, blind: str = "1", single: str = "2", shuffled: str = "3", finish: str = "stop"
    ) -> None:
        self.says = {0: blind, 1: single, 2: shuffled}
        self.finish = finish
        self.requests: list[ChatRequest] = []

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        self.requests += requests
        for request in reversed(requests):
            said = self.says[min(len(request.images), 2)]
            text = f"<think>so</think><answer>{said}</answer>"
            yield Completion(
                request_id=request.request_id, model=self.model, text=text, finish_reason=self.finish
            )


def cases(count: int = 3, seconds: float = 20.0) -> list[Case]:
    return [made_case([], name=f"q{i}", clip=made_clip(f"film{i}", seconds)) for i in range(count)]


def test_each_question_is_asked_blind_from_one_frame_and_shuffled():
    teacher = SightedTeacher(blind="4", shuffled="four")
    results = list(probe_questions(cases(), teacher, ProbeConfig(rollouts=3), {}))
    assert [each.question_id for each in results] == ["q0", "q1", "q2"]
    assert {(each.blind_passes, each.single_passes, each.shuffled_passes) for each in results} == {(3, 0, 3)}
    assert {(each.blind_rollouts, each.single_rollouts, each.shuffled_rollouts) for each in results} == {
        (3, 3, 3)
    }
    assert len({request.request_id for request in teacher.requests}) == 27


class Tossing:
    """Right in a share of its answers, whatever is shown; the draws follow from the request."""

    model = "tossing@1"

    def __init__(self, share: float) -> None:
        self.share = share
        self.calls = self.rounds = 0

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        self.rounds += 1
        for request in requests:
            self.calls += 1
            right = random.Random(request.request_id).random() < self.share
            text = f"<answer>{'yes' if right else 'no'}</answer>"
            yield Completion(request_id=request.request_id, model=self.model, text=text, finish_reason="stop")


def yes_or_no(count: int) -> list[Case]:
    clip = made_clip("film")
    return [
        made_case([], name=f"q{i}", task=Task.BOOLEAN, answer="yes", text=f"Is it {i}?", clip=clip)
        for i in range(count)
    ]


def rejected(results: Sequence[ProbeResult], preset: str) -> float:
    """Share of questions for which the preset says that they are answered blind."""
    fires = above_luck(PolicyConfig(preset=preset), "blind")
    rows = [each.model_dump() | {"guess_rate": 0.5, "task": "boolean"} for each in results]
    return float(pl.DataFrame(rows).select(fires.alias("fires"))["fires"].mean())


@pytest.mark.parametrize("preset", ["balanced", "strict"])
def test_by_default_two_option_questions_that_are_known_blind_are_rejected_and_tossed_ones_are_not(preset):
    known = list(probe_questions(yes_or_no(20), Tossing(1.0), ProbeConfig(), {}))
    assert rejected(known, preset) == 1
    tossed = list(probe_questions(yes_or_no(300), Tossing(0.5), ProbeConfig(), {}))
    assert rejected(tossed, preset) <= 0.05


def test_more_is_asked_only_where_the_first_answers_leave_it_open():
    """Of questions half of which are known blind and half are not: at most half as many calls again."""
    sure, tossing = Tossing(1.0), Tossing(0.5)
    list(probe_questions(yes_or_no(150), sure, ProbeConfig(), {}))
    results = list(probe_questions(yes_or_no(150), tossing, ProbeConfig(), {}))
    assert (sure.calls + tossing.calls) / 300 <= 1.5 * 12
    assert {each.blind_rollouts for each in results} > {4, 8}
    for each in results:
        if each.blind_rollouts == 4:
            assert each.blind_passes <= 2  # 0.5 is within what luck gets
        assert each.shuffled_rollouts == 4


def test_rounds_double_so_that_few_follow_each_other_and_little_more_is_asked():
    """6.76 blind answers a question is what rounds of four come to, over these shares, exactly."""
    asked = []
    for share in (0, 0.1, 0.25, 0.35, 0.5, 0.6, 0.75, 0.9, 1):
        teacher = Tossing(share)
        asked += [each.blind_rollouts for each in probe_questions(yes_or_no(100), teacher, ProbeConfig(), {})]
        assert teacher.rounds <= 3
    assert set(asked) == {4, 8, 16}
    assert sum(asked) / len(asked) <= 6.76 * 1.1  # the other two probes are asked once: 3 % more in all


@pytest.mark.parametrize(
    ("first", "most", "ends"), [(4, 16, {4, 8, 16}), (4, 10, {4, 8, 10}), (12, 16, {12, 16}), (20, 16, {20})]
)
def test_a_question_is_asked_on_up_to_the_most_and_its_first_round_is_whole(first, most, ends):
    cfg = ProbeConfig(rollouts=first, max_rollouts=most)
    results = probe_questions(yes_or_no(100), Tossing(0.75), cfg, {})
    assert {each.blind_rollouts for each in results} == ends


def test_tasks_about_order_are_asked_on_without_their_order_as_well():
    case = made_case([], task=Task.ORDERING, answer="2, 1, 3", text="In which order?")
    teacher = SightedTeacher(blind="1", single="2, 1, 3", shuffled="2, 1, 3")
    (result,) = probe_questions([case], teacher, ProbeConfig(), {})
    assert (result.blind_rollouts, result.single_rollouts, result.shuffled_rollouts) == (
        4,
        4,
        4,
    )  # 4 of 4 are sure
    same = ProbeConfig(limits=(0.6,))
    (result,) = probe_questions([case], teacher, same, {})
    assert (result.blind_rollouts, result.single_rollouts, result.shuffled_rollouts) == (4, 8, 8)
    (count,) = probe_questions([cases(1)[0]], SightedTeacher(single="4", shuffled="4"), same, {})
    assert (count.single_rollouts, count.shuffled_rollouts) == (4, 4)


def test_probes_that_are_not_asked_are_null():
    (result,) = probe_questions(cases(1), SightedTeacher(), ProbeConfig(probes=(Probe.SINGLE,)), {})
    assert (result.blind_passes, result.shuffled_rollouts) == (None, None)
    assert (result.single_passes, result.single_rollouts) == (0, 4)


def test_failed_requests_are_no_rollouts():
    (result,) = probe_questions(cases(1), SightedTeacher("4", "4", "4", finish="error"), ProbeConfig(), {})
    assert (result.blind_passes, result.blind_rollouts) == (0, 0)


def test_a_question_with_one_frame_is_only_asked_blind():
    case = cases(1)[0]
    question = case.question.model_copy(update={"frames": case.question.frames[:1]})
    (result,) = probe_questions([case._replace(question=question)], SightedTeacher(), ProbeConfig(), {})
    assert (result.blind_rollouts, result.single_rollouts, result.shuffled_rollouts) == (4, None, None)


def test_graded_answers_pass_from_the_configured_score_up():
    case = made_case([], task=Task.TEMPORAL_GROUNDING, answer="[0, 10]")
    passes = []
    for enough in (0.6, 0.61):
        cfg = ProbeConfig(min_graded_score=enough, rollouts=1, max_rollouts=1)
        (result,) = probe_questions([case], SightedTeacher(blind="[0, 6]"), cfg, {})
        passes.append(result.blind_passes)
    assert passes == [1, 0]


def test_an_unanswered_probe_is_an_error():
    class Silent(SightedTeacher):
        def complete(self, requests, frames):
            return super().complete(requests[1:], frames)

    with pytest.raises(RuntimeError, match="left 1 of its requests unanswered"):
        list(probe_questions(cases(1), Silent(), ProbeConfig(), {}))


@given(seed=st.integers(0, 10**6), seconds=st.floats(3, 60), timed=st.booleans())
def test_shuffling_keeps_times_and_frames_but_not_their_order(seed, seconds, timed):
    question = made_case([], clip=made_clip("film", seconds), timed=timed).question
    shown = shown_instead(Probe.SHUFFLED, question, seed)
    assert shown is not None
    assert [each.shown_s for each in shown] == [each.shown_s for each in question.frames]
    assert [each.frame for each in shown] != [each.frame for each in question.frames]
    assert sorted(each.frame.sha256 for each in shown) == sorted(
        each.frame.sha256 for each in question.frames
    )
    (single,) = shown_instead(Probe.SINGLE, question, seed)
    assert single in question.frames


def test_a_still_picture_cannot_be_shuffled():
    question = made_case([]).question
    still = question.model_copy(update={"frames": question.frames[:1] * 5})
    assert shown_instead(Probe.SHUFFLED, still, 0) is None


def test_probes_do_not_depend_on_the_company_of_a_question():
    alone, together = SightedTeacher(), SightedTeacher()
    list(probe_questions(cases()[1:2], alone, ProbeConfig(), {}))
    list(probe_questions(cases(), together, ProbeConfig(), {}))
    assert {each.request_id for each in alone.requests} < {each.request_id for each in together.requests}


class Listening(SightedTeacher):
    """Answers 4 only where it reads what is said."""

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        self.requests += requests
        for request in requests:
            heard = any(LINE.told in part.text for part in request.messages[0].content if part.type == "text")
            text = f"<think>so</think><answer>{4 if heard else 1}</answer>"
            yield Completion(request_id=request.request_id, model=self.model, text=text, finish_reason="stop")


LINE = SpeechLine(start_s=1.0, end_s=2.0, text="There are four of them.")


def test_where_lines_are_shown_they_are_asked_about_without_a_frame():
    silent, spoken = cases(1)[0], cases(2)[1]._replace(lines=(LINE,))
    teacher = Listening()
    results = list(probe_questions([silent, spoken], teacher, ProbeConfig(rollouts=4, max_rollouts=4), {}))
    assert [(each.blind_passes, each.speech_passes) for each in results] == [(0, None), (0, 4)]
    assert [each.single_passes for each in results] == [0, 4]  # one frame, and what is said
    asked = [each for each in teacher.requests if not each.images]
    assert len(asked) == 12
    unprobed = ProbeConfig(probes=(Probe.SHUFFLED,))
    assert next(probe_questions([spoken], Listening(), unprobed, {})).speech_rollouts is None
