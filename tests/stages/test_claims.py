import gc
import itertools
import random
from collections.abc import Iterator, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.schemas.answers.statements import cited_frames, cited_statements
from reelproof.schemas.chat import ChatRequest, Completion, TextPart
from reelproof.schemas.footage import Span, hash_distance
from reelproof.schemas.question import Question, ShownFrame, ShownPicture
from reelproof.schemas.speech import SpeechLine
from reelproof.schemas.trace import ClaimKind, ControlKind
from reelproof.stages.answers.claims import verify, verify_claims
from reelproof.stages.answers.controls import control_frames
from reelproof.stages.answers.put_claims import ClaimConfig, Thought
from tests.cases import completion, made_case
from tests.views import made_clip, made_frame


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


def test_what_is_said_of_a_time_without_brackets_is_put_to_the_verifier():
    first, second, third, *_ = times(made_case([]).question)
    thought = (
        f"At [{first} s] a car stops. At {second} s it burns. From {second} to {third} seconds it is gone. "
    )
    case = made_case([completion(thought + "That lasts 2 seconds.", "4")])
    shown = [each.sha256 for each in case.question.frames]
    claims = list(verify_claims([case], FrameReader(shown[:1]), ClaimConfig(), {}))
    assert [each.cited_score for each in claims] == [1.0, 0.0, 0.0]
    assert [each.frames for each in claims] == [(shown[0],), (shown[1],), tuple(shown[1:3])]


def test_of_two_frames_close_to_each_other_the_one_that_is_cited_is_seen():
    case = made_case(
        [completion("A car at [3.02 s] is on <obj>the road</obj><box>[1,1,9,9]</box>at<t>3.02</t>s.", "4")]
    )
    frames = tuple(
        ShownFrame(frame=made_frame("film", time_s), shown_s=time_s) for time_s in (1.0, 2.98, 3.02, 5.0)
    )
    case = case._replace(question=case.question.model_copy(update={"frames": frames}))
    verifier = FrameReader([frames[2].sha256])
    (claim,) = verify_claims([case], verifier, ClaimConfig(controls=0, places_per_claim=0), {})
    assert (claim.frames, claim.cited_score) == ((frames[2].sha256,), 1.0)
    thought = Thought(case.traces[0].thought, frames)
    assert verify([thought], verifier, ClaimConfig(places_per_claim=0), {}) == [(1.0,)]
    for request in verifier.requests:
        said = [part.text for part in request.messages[0].content if isinstance(part, TextPart)]
        assert said[1] == "[3.02 s]"
        assert "A car at [3.02 s] is on the road at [3.02 s]." in said[2]


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
    (claim,) = one_claim(verifier, f"A car at [{time_s} s]. It is.")
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


def test_of_equal_rollouts_one_request_is_held():
    """A long film has thousands of them, which are all made before the first is asked."""
    held: list[int] = []

    class Counting(FrameReader):
        def complete(self, requests, frames):
            held.append(sum(isinstance(each, ChatRequest) for each in gc.get_objects()))
            return super().complete(requests, frames)

    gc.collect()
    before = sum(isinstance(each, ChatRequest) for each in gc.get_objects())
    text = completion(f"A car at [{made_case([]).question.frames[3].shown_s} s].", "4")
    list(verify_claims([made_case([text] * 20)], Counting([]), ClaimConfig(), {}))
    assert held[0] - before == 2


def test_a_time_where_nothing_was_shown_is_not_judged():
    verifier = FrameReader([])
    (claim,) = one_claim(verifier, "A car at [500.0 s].")
    assert (claim.cited_score, claim.control_score, verifier.requests) == (None, None, [])


@pytest.mark.parametrize(
    ("verdict", "score"),
    [("<answer>yes</answer>", 1), ("<think>hm</think><answer>No.</answer>", 0), ("Yes", 1),
     ("<answer>unknown</answer>", None), ("", None), ("<answer>yes or no</answer>", None),
     ("<think>yes, it is", None), ("<think>a</think>yes", 1.0), ("No.", 0.0)],
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
    assert cited_frames([Span(start_s=at[2] + 0.1, end_s=at[2] + 0.1)], shown, 0.25, 3) == [2]
    assert cited_frames([Span(start_s=at[2], end_s=at[4])], shown, 0.25, 3) == [2, 3, 4]
    assert cited_frames([Span(start_s=at[2], end_s=at[10])], shown, 0.25, 3) == [2, 6, 10]
    pair = [Span(start_s=at[5], end_s=at[5]), Span(start_s=at[1], end_s=at[1])]
    assert cited_frames(pair, shown, 0.25, 3) == [1, 5]
    assert cited_frames([*pair, Span(start_s=500, end_s=500)], shown, 0.25, 3) is None


def test_a_frame_stands_for_times_up_to_the_tolerance_and_no_further():
    shown = list(made_case([]).question.frames)
    first_s = shown[0].shown_s
    for away_s, found in ((0.25, [0]), (0.26, None)):
        at = Span(start_s=first_s + away_s, end_s=first_s + away_s)
        assert cited_frames([at], shown[:1], 0.25, 8) == found


def test_of_a_thoughts_many_claims_chance_draws_those_that_are_judged():
    at = made_case([]).question.frames[3].shown_s

    def judged(seed: int) -> tuple[int, ...]:
        thought = " ".join(f"Car {number} at [{at} s]." for number in range(8))
        claims = one_claim(FrameReader([]), thought, claims_per_trace=3, seed=seed)
        assert [claim.index for claim in claims] == list(range(8))
        return tuple(claim.index for claim in claims if claim.cited_score is not None)

    drawn = [judged(seed) for seed in range(30)]
    assert drawn[0] == judged(0)
    assert {len(each) for each in drawn} == {3}
    assert {place for each in drawn for place in each} == set(range(8)), "a place is never judged"


def test_a_run_on_sentence_that_is_cut_off_is_not_judged():
    at = made_case([]).question.frames[3].shown_s
    long = f"At [{at} s] a car is here" + " and a car is there" * 60
    claims = one_claim(FrameReader([]), f"{long}. At [{at} s] a car is here.", observations_per_trace=0)
    assert [claim.cited_score is None for claim in claims] == [True, False]


def test_what_is_observed_without_a_time_is_held_against_all_frames_that_are_shown():
    question = made_case([]).question
    shown = [each.sha256 for each in question.frames]
    verifier = FrameReader(shown)
    thought = (
        f"First, let me look. A car at [{question.frames[3].shown_s} s]. The car is red. If it were blue, "
        'option A would be right. Is it? To the left stands a tree. She says "wait for me". So it is 4.'
    )
    cited, *observed = one_claim(verifier, thought, controls=0)
    assert cited.kind is ClaimKind.MOMENT
    assert [(each.index, each.text, each.cited_score) for each in observed] == [
        (1, "The car is red.", 1.0),
        (2, "To the left stands a tree.", 1.0),
        (3, 'She says "wait for me".', None),  # no frame can tell
    ]
    assert {(each.kind, each.cited, each.control_score) for each in observed} == {
        (ClaimKind.OBSERVATION, (), None)
    }
    assert [len(each.images) for each in verifier.requests] == [1, len(shown), len(shown)]
    assert len(one_claim(verifier, thought, observations_per_trace=0)) == 1


def test_quotes_without_a_time_are_held_against_all_lines_and_scare_quotes_against_frames():
    case = made_case(
        [completion('She says "wait for me". He says "go away". A so-called "beetle" parks.', "4")]
    )
    lines = (SpeechLine(start_s=1.0, end_s=3.0, text="Wait for me!"),)
    verifier = FrameReader([])
    claims = list(verify_claims([case._replace(lines=lines)], verifier, ClaimConfig(), {}))
    assert [(each.cited_score, each.verifier) for each in claims] == [
        (1.0, "speech@1"), (0.0, "speech@1"), (0.0, verifier.model)
    ]  # fmt: skip
    assert len(verifier.requests) == 1


def test_chance_draws_observations_and_none_is_denied_by_a_part_of_the_frames():
    thought = " ".join(f"There is car number {place}." for place in range(6))
    drawn = set()
    for seed in range(20):
        claims = one_claim(FrameReader([]), thought, observations_per_trace=2, seed=seed)
        assert [each.text for each in claims] == [f"There is car number {place}." for place in range(6)]
        drawn.add(tuple(each.index for each in claims if each.cited_score is not None))
    assert {len(each) for each in drawn} == {2}
    assert set().union(*drawn) == set(range(6))
    frames = len(made_case([]).question.frames)
    assert any(
        each.cited_score is not None
        for each in one_claim(FrameReader([]), thought, frames_per_observation=frames)
    )
    few = one_claim(FrameReader([]), thought, frames_per_observation=frames - 1)
    assert [each.cited_score for each in few] == [None] * 6


def test_a_frame_that_is_called_by_its_place_is_so_for_who_judges_what_is_observed():
    case = made_case([completion("Frame 2 shows a red car.", "4")], timed=False)
    verifier = FrameReader([])
    (claim,) = verify_claims([case], verifier, ClaimConfig(), {})
    assert (claim.kind, claim.cited_score) == (ClaimKind.OBSERVATION, 0.0)
    (request,) = verifier.requests
    said = [part.text for part in request.messages[0].content if isinstance(part, TextPart)]
    assert said[1:3] == ["Frame 1", "Frame 2"]


def test_a_reward_takes_off_for_what_is_denied_and_gives_nothing_for_what_is_true_of_any_film():
    case = made_case([])
    first = case.question.frames[0]
    padding = " There is a picture to see. It has some colours in it."

    def believed(thought, *frames):
        return verify([Thought(thought, case.question.frames)], FrameReader(frames), ClaimConfig(), {})

    every = [each.sha256 for each in case.question.frames]
    cited = f"A car at [{first.shown_s} s]."
    assert believed(cited + padding, *every) == [(1.0,)]
    assert believed(cited + padding, first.sha256) == [(1.0, 0.0, 0.0)]
    assert believed(cited, first.sha256) == [(1.0,)]


def test_votes_that_cannot_tell_are_no_votes_against():
    at = made_case([]).question.frames[3].shown_s

    class Unsure(FrameReader):
        def complete(self, requests, frames):
            for request in requests:
                said = "unknown" if request.sample_index else "yes"
                yield Completion(
                    request_id=request.request_id, model=self.model, text=said, finish_reason="stop"
                )

    (claim,) = one_claim(Unsure([]), f"A car at [{at} s].", votes=3, temperature=1)
    assert claim.cited_score == 1.0


@given(st.data())
def test_control_frames_differ_by_as_much_as_asked_and_stand_under_the_cited_times(data):
    shown = list(made_case([], clip=made_clip("film", data.draw(st.floats(4, 40)))).question.frames)
    cited = sorted(data.draw(st.sets(st.integers(0, len(shown) - 1), min_size=1, max_size=len(shown))))
    kind = (
        ClaimKind.MOMENT
        if len(cited) == 1
        else data.draw(st.sampled_from([ClaimKind.STRETCH, ClaimKind.CHANGE]))
    )
    elsewhere = [[each.frame for each in made_case([], clip=made_clip("other", 10.0)).question.frames]]
    bits, rng = data.draw(st.integers(1, 40)), random.Random(data.draw(st.integers(0, 999)))
    own = [shown[place].frame for place in cited]
    for control in control_frames(kind, cited, shown, elsewhere, bits, rng):
        assert [each.shown_s for each in control.frames] == [shown[place].shown_s for place in cited]
        others = [each.frame for each in control.frames]
        assert len({each.sha256 for each in others}) == len(others)
        if kind is ClaimKind.CHANGE:
            pairs = list(itertools.combinations(range(len(own)), 2))
            away = [
                abs(hash_distance(own[a], own[b]) - hash_distance(others[a], others[b])) for a, b in pairs
            ]
            assert max(away) >= bits
        else:
            assert sum(hash_distance(a, b) for a, b in zip(own, others, strict=True)) / len(own) >= bits
        assert (control.kind is ControlKind.ROLES) == ({*others} == {*own})
        assert (control.kind is ControlKind.OTHER_CLIP) == (others[0].video_id == "other")


def looking(phashes: Sequence[int], video_id: str = "film") -> list[ShownFrame]:
    """Frames a second apart whose perceptual hashes are these, with so many of the lowest bits set."""
    return [
        ShownFrame(
            frame=made_frame(video_id, float(place)).model_copy(update={"phash": f"{(1 << bits) - 1:016x}"}),
            shown_s=float(place),
        )
        for place, bits in enumerate(phashes)
    ]


@pytest.mark.parametrize(
    ("kind", "cited", "looks", "elsewhere", "where", "control"),
    [
        # two scenes: a picture is held against the other scene, not against its neighbour
        (ClaimKind.MOMENT, [0], [0, 1, 2, 30, 31], [60], ControlKind.SAME_CLIP, [31]),
        (ClaimKind.STRETCH, [0, 1], [0, 1, 2, 30, 31], [60], ControlKind.SAME_CLIP, [30, 31]),
        # one scene: only another clip looks otherwise
        (ClaimKind.MOMENT, [0], [0, 1, 2, 3], [60], ControlKind.OTHER_CLIP, [60]),
        # a cut is held against neighbours that are alike, a still stretch against the cut
        (ClaimKind.CHANGE, [1, 2], [0, 0, 40, 40, 40], [], ControlKind.SAME_CLIP, [40, 40]),
        # which of two pairs differs more: each in the other's place
        (ClaimKind.CHANGE, [0, 1, 2, 3], [0, 30, 30, 31], [], ControlKind.ROLES, None),
        # nothing looks otherwise anywhere
        (ClaimKind.MOMENT, [0], [0, 1, 2, 3], [4], None, None),
    ],
)
def test_controls_are_taken_from_where_they_can_tell(kind, cited, looks, elsewhere, where, control):
    others = [[each.frame for each in looking(elsewhere, "other")]] if elsewhere else []
    found = next(control_frames(kind, cited, looking(looks), others, 8, random.Random(0)), None)
    assert (found and found.kind) == where
    if found and control:
        assert [int(each.frame.phash, 16).bit_count() for each in found.frames] == control
    if found and where is ControlKind.ROLES:
        turned = [int(each.frame.phash, 16).bit_count() for each in found.frames]
        assert abs(turned[0] - turned[1]) <= 1 <= abs(turned[2] - turned[3])


def test_a_claim_that_no_frame_can_test_is_put_without_control():
    case = made_case([completion("A car at [0.0 s].", "4")])
    question = case.question.model_copy(update={"frames": tuple(looking([0, 1, 2]))})
    (claim,) = verify_claims([case._replace(question=question)], FrameReader([]), ClaimConfig(), {})
    assert (claim.kind, claim.control, claim.cited_score, claim.control_score) == ("moment", None, 0.0, None)


def test_a_claim_true_of_any_frame_gains_nothing_by_its_citation():
    case = made_case([completion("There is light at [0.0 s].", "4")])
    question = case.question.model_copy(update={"frames": tuple(looking([0, 40]))})
    everything = [each.frame.sha256 for each in question.frames]
    (claim,) = verify_claims([case._replace(question=question)], FrameReader(everything), ClaimConfig(), {})
    assert (claim.cited_score, claim.control_score) == (1.0, 1.0)


def test_controls_from_another_clip_are_of_the_same_video():
    case = made_case([completion("A car at [0.0 s].", "4")])
    own = case._replace(
        question=case.question.model_copy(update={"frames": tuple(looking([0, 1, 2], case.clip.video_id))})
    )
    found = []
    for video_id in (case.clip.video_id, "another"):
        clip = case.clip.model_copy(update={"clip_id": "elsewhere", "video_id": video_id})
        question = own.question.model_copy(
            update={"question_id": "elsewhere", "frames": tuple(looking([60, 60], video_id))}
        )
        others = case._replace(clip=clip, question=question, traces=())
        (claim,) = verify_claims([own, others], FrameReader([]), ClaimConfig(), {})
        found.append(claim.control)
    assert found == [ControlKind.OTHER_CLIP, None]


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
    assert beliefs == [(1.0, 0.0, 0.0), (), (0.0,)]  # no frame bears out what is said of 500 s
    for trace, judged in zip(case.traces, beliefs, strict=True):
        mine = [each.cited_score for each in claims if each.trace_id == trace.trace_id]
        assert tuple(each or 0.0 for each in mine) == judged
    assert of_thoughts.requests == of_traces.requests


def test_thought_that_was_left_unjudged_is_an_error():
    class Silent(FrameReader):
        def complete(self, requests, frames):
            return iter(())

    shown = [ShownPicture("a" * 64, 1.0)]
    with pytest.raises(RuntimeError, match="left 1 of 1 claims unjudged"):
        verify([Thought("Red at [1.0 s].", shown)], Silent([]), ClaimConfig(), {})


def test_a_reward_believes_quotes_by_the_lines_and_asks_nobody():
    lines = (SpeechLine(start_s=1.0, end_s=3.0, text="Put the pan down."),)
    said = ('At [1.5 s] "put the pan down" is said.', 'At [1.5 s] "pick the cup up" is said.')
    thoughts = [Thought(each, (), lines) for each in said]
    assert verify(thoughts, Silent(), ClaimConfig(), {}) == [(1.0,), (0.0,)]


class Silent:
    model = "silent@1"

    def complete(self, requests, frames):
        assert not requests
        return iter(())
