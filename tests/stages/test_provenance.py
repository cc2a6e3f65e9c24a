"""What is published of claims: their frames by hash, and what came of them."""

from collections.abc import Mapping, Sequence

import pytest

from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.schemas.footage import Span
from reelproof.schemas.trace import Claim, ClaimKind, ClaimVerdict
from reelproof.stages.answers.claims import verify_claims
from reelproof.stages.answers.provenance import claim_verdict, claims_of_traces
from reelproof.stages.answers.put_claims import ClaimConfig
from tests.cases import completion, made_case
from tests.views import made_clip

CLIP = made_clip("film", 20.0, [7.0, 12.0])
AT = [f"{frame.time_s:.1f}" for frame in CLIP.timeline]


class Believes:
    """Takes everything for true."""

    model = "v@1"

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> list[Completion]:
        del frames
        return [
            Completion(request_id=each.request_id, model=self.model, text="yes", finish_reason="stop")
            for each in requests
        ]


def claim(trace_id: str, index: int, cited: float | None, control: float | None) -> Claim:
    return Claim(
        trace_id=trace_id,
        index=index,
        text=f"claim {index}",
        cited=(Span(start_s=2, end_s=2),),
        cited_score=cited,
        control_score=control,
        kind=ClaimKind.MOMENT,
        frames=("f",),
        control_frames=("g",),
        verifier="v@1",
    )


@pytest.mark.parametrize(
    ("cited", "control", "verdict"),
    [
        (0.9, 0.1, ClaimVerdict.GROUNDED),
        (0.5, 0.4, ClaimVerdict.GROUNDED),
        (0.9, 0.9, ClaimVerdict.CONTROL_BELIEVED),
        (0.6, 0.9, ClaimVerdict.CONTROL_BELIEVED),
        (0.9, None, ClaimVerdict.UNTESTED),
        (0.4, 0.0, ClaimVerdict.UNGROUNDED),
        (0.4, None, ClaimVerdict.UNGROUNDED),
        (None, 0.9, ClaimVerdict.UNJUDGED),
        (None, None, ClaimVerdict.UNJUDGED),
    ],
)
def test_verdict_follows_from_both_beliefs(cited, control, verdict):
    assert claim_verdict(claim("t", 0, cited, control), 0.5) is verdict


def test_belief_that_counts_is_a_setting():
    assert claim_verdict(claim("t", 0, 0.5, 0.1), 0.6) is ClaimVerdict.UNGROUNDED


def test_each_trace_has_its_own_claims_in_their_order():
    case = made_case([completion("a", "1"), completion("b", "1"), completion("c", "1")], clip=CLIP)
    first, second, third = (trace.trace_id for trace in case.traces)
    claims = (claim(third, 1, 1.0, 0.0), claim(first, 0, 1.0, 0.0), claim(third, 0, 1.0, 0.0))
    told = list(claims_of_traces([case._replace(claims=claims)], 0.5))
    assert [(each.trace_id, [claim.text for claim in each.claims]) for each in told] == [
        (first, ["claim 0"]),
        (second, []),
        (third, ["claim 0", "claim 1"]),
    ]


def test_frames_of_a_claim_are_those_that_its_times_name():
    thought = (
        f"At [{AT[2]} s] it is red. From [{AT[3]} s] to [{AT[6]} s] it changes sharply. At [99.0 s] it ends."
    )
    case = made_case([completion(thought, "1")], clip=CLIP)
    claims = list(verify_claims([case], Believes(), ClaimConfig(), {}))
    shown = [frame.sha256 for frame in CLIP.timeline]
    assert [each.frames for each in claims] == [(shown[2],), (shown[3], shown[6]), ()]
    assert all(len(each.control_frames) in (0, len(each.frames)) for each in claims)
    assert any(each.control_frames for each in claims)
    for each in claims:
        assert set(each.control_frames).isdisjoint(each.frames) or each.control == "roles"
