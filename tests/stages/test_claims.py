import random
from collections.abc import Iterator, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.schemas.chat import ChatRequest, Completion, TextPart
from reelproof.schemas.footage import Span
from reelproof.schemas.question import Question, ShownPicture
from reelproof.stages.answers.claims import (
    ClaimConfig,
    Thought,
    cited_frames,
    cited_statements,
    control_frames,
    verify,
    verify_claims,
)
from tests.cases import completion, made_case
from tests.views import made_clip


class FrameReader:
    """Believes a claim where it sees the frames that it is told to believe in."""

    model = "reader@1"

    def __init__(self, believed: Sequence[str], verdict: str = "<answer>{}</answer>") -> None:
        self.believed = set(believed)
        self.verdict = verdict
        self.requests: list[ChatRequest] = []

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        self.requests += requests
        for request in reversed(requests):
            said = self.verdict.format("yes" if set(request.images) <= self.believed else "no")
            yield Completion(request_id=request.request_id, model=self.model, text=said, finish_reason="stop")


def times(question: Question) -> list[float]:
    return [each.shown_s for each in question.frames]


def one_claim(verifier: FrameReader, thought: str, **settings: object):
    case = made_case([completion(thought, "4")])
    return list(verify_claims([case], verifier, ClaimConfig(**settings), {}))


def test_sentences_that_cite_times_are_statements():
    thought = "A car stops at [1.0 s]. It is red. Then [2.0-3.5 s] it turns; at [4.0 s] it is gone!"
    thought += " So 4.\nEnd [0:05]"
    statements = cited_statements(thought)
    assert [each.text for each in statements] == [
        "A car stops at [1.0 s].", "Then [2.0-3.5 s] it turns;", "at [4.0 s] it is gone!", "End [0:05]",
    ]  # fmt: skip
    assert statements[1].cited == (Span(start_s=2.0, end_s=3.5),)


def test_a_claim_is_judged_by_its_frames_and_by_others_under_the_same_times():
    question = made_case([]).question
    time_s, sha256 = question.frames[3].shown_s, question.frames[3].frame.sha256
    verifier = FrameReader([sha256])
    (claim,) = one_claim(verifier, f"A car at [{time_s} s]. It is red.")
    assert (claim.cited_score, claim.control_score, claim.verifier) == (1.0, 0.0, "reader@1")
    assert (claim.trace_id, claim.index, claim.text) == ("q/0", 0, f"A car at [{time_s} s].")
    cited, control = verifier.requests
    assert cited.images == (sha256,)
    assert control.images != cited.images
    texts = [
        [part.text for part in each.messages[0].content if isinstance(part, TextPart)]
        for each in (cited, control)
    ]
    assert texts[0] == texts[1]
    assert f"[{time_s:.1f} s]" in texts[0]


def test_claims_of_equal_rollouts_are_put_once():
    question = made_case([]).question
    text = completion(f"A car at [{question.frames[3].shown_s} s].", "4")
    verifier = FrameReader([])
    claims = list(verify_claims([made_case([text, text, text])], verifier, ClaimConfig(), {}))
    assert [claim.trace_id for claim in claims] == ["q/0", "q/1", "q/2"]
    assert len(verifier.requests) == 2


def test_a_time_where_nothing_was_shown_is_not_judged():
    verifier = FrameReader([])
    (claim,) = one_claim(verifier, "A car at [500.0 s].")
    assert (claim.cited_score, claim.control_score, verifier.requests) == (None, None, [])


@pytest.mark.parametrize(
    ("verdict", "score"),
    [("<answer>yes</answer>", 1), ("<think>hm</think><answer>No.</answer>", 0), ("Yes", 1),
     ("<answer>unknown</answer>", None), ("", None), ("<answer>yes or no</answer>", None)],
)  # fmt: skip
def test_verdicts_are_read_leniently(verdict, score):
    question = made_case([]).question
    (claim,) = one_claim(FrameReader([], verdict), f"A car at [{question.frames[0].shown_s} s].")
    assert claim.cited_score == claim.control_score == score


def test_votes_and_controls_are_averaged():
    question = made_case([]).question
    verifier = FrameReader([each.frame.sha256 for each in question.frames[:10]])
    (claim,) = one_claim(
        verifier, f"A car at [{question.frames[0].shown_s} s].", votes=3, controls=8, temperature=1
    )
    assert claim.cited_score == 1
    assert 0 < claim.control_score < 1
    (without,) = one_claim(verifier, f"A car at [{question.frames[0].shown_s} s].", controls=0)
    assert without.control_score is None


def test_points_take_the_nearest_frame_and_spans_all_of_theirs():
    shown = list(made_case([]).question.frames)
    at = [each.shown_s for each in shown]
    cfg = ClaimConfig(frames_per_claim=3)
    assert cited_frames([Span(start_s=at[2] + 0.1, end_s=at[2] + 0.1)], shown, cfg) == [2]
    assert cited_frames([Span(start_s=at[2], end_s=at[4])], shown, cfg) == [2, 3, 4]
    assert cited_frames([Span(start_s=at[2], end_s=at[10])], shown, cfg) == [2, 6, 10]
    pair = [Span(start_s=at[5], end_s=at[5]), Span(start_s=at[1], end_s=at[1])]
    assert cited_frames(pair, shown, cfg) == [1, 5]
    assert cited_frames([*pair, Span(start_s=500, end_s=500)], shown, cfg) is None


@given(st.data())
def test_control_frames_are_others_in_as_many_places_under_the_cited_times(data):
    shown = list(made_case([], clip=made_clip("film", data.draw(st.floats(4, 40)))).question.frames)
    cited = sorted(data.draw(st.sets(st.integers(0, len(shown) - 1), min_size=1, max_size=len(shown))))
    control = control_frames(cited, shown, random.Random(data.draw(st.integers(0, 999))))
    if control is None:
        assert len(shown) - len(cited) < len(cited)
    else:
        assert [each.shown_s for each in control] == [shown[place].shown_s for place in cited]
        assert not {each.frame.sha256 for each in control} & {shown[place].frame.sha256 for place in cited}
        places = [[each.frame for each in shown].index(each.frame) for each in control]
        assert places == sorted(set(places))


def test_thoughts_are_judged_as_traces_are_without_controls():
    first, second, third = times(made_case([]).question)[1:4]
    texts = [
        f"A car at [{first} s]. It is [{second}-{third} s] red. Gone at [500.0 s].",
        "So 4.",
        f"It stays at [{second} s].",
    ]
    case = made_case([completion(text, "4") for text in texts])
    believed = [each.frame.sha256 for each in case.question.frames if each.shown_s <= first]
    of_traces, of_thoughts = FrameReader(believed), FrameReader(believed)
    claims = list(verify_claims([case], of_traces, ClaimConfig(controls=0, votes=2, temperature=1), {}))
    shown = [ShownPicture(each.frame.sha256, each.shown_s) for each in reversed(case.question.frames)]
    thoughts = [Thought(trace.thought, shown) for trace in case.traces]
    beliefs = verify(thoughts, of_thoughts, ClaimConfig(controls=3, votes=2, temperature=1), {})
    assert beliefs == [(1.0, 0.0), (), (0.0,)]
    for trace, judged in zip(case.traces, beliefs, strict=True):
        mine = [each.cited_score for each in claims if each.trace_id == trace.trace_id]
        assert tuple(each for each in mine if each is not None) == judged
    assert of_thoughts.requests == of_traces.requests


def test_thought_that_was_left_unjudged_is_an_error():
    class Silent(FrameReader):
        def complete(self, requests, frames):
            return iter(())

    shown = [ShownPicture("a" * 64, 1.0)]
    with pytest.raises(RuntimeError, match="left 1 of 1 claims unjudged"):
        verify([Thought("Red at [1.0 s].", shown)], Silent([]), ClaimConfig(), {})
