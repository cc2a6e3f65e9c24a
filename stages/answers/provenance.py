"""Judged claims -> what is published of them: each trace's own, with their frames and a verdict."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from reelproof.schemas.trace import (
    Case,
    Claim,
    ClaimedPlace,
    ClaimVerdict,
    JudgedClaim,
    JudgedPlace,
    TraceClaims,
)

VERSION = 3


def claims_of_traces(cases: Iterable[Case], min_belief: float) -> Iterator[TraceClaims]:
    """One record per trace, in order; `min_belief` is the belief from which frames bear a claim out."""
    for case in cases:
        by_trace = defaultdict[str, list[Claim]](list)
        for claim in case.claims:
            by_trace[claim.trace_id].append(claim)
        for trace in case.traces:
            own = sorted(by_trace[trace.trace_id], key=lambda claim: claim.index)
            yield TraceClaims(
                trace_id=trace.trace_id, claims=tuple(_published(each, min_belief) for each in own)
            )


def claim_verdict(claim: Claim, min_belief: float) -> ClaimVerdict:
    """What came of a claim."""
    if claim.cited_score is None:
        return ClaimVerdict.UNJUDGED
    if claim.cited_score < min_belief:
        return ClaimVerdict.UNGROUNDED
    if claim.control_score is None:
        return ClaimVerdict.UNTESTED
    return ClaimVerdict.GROUNDED if claim.cited_score > claim.control_score else ClaimVerdict.CONTROL_BELIEVED


def place_verdict(place: ClaimedPlace, min_belief: float) -> ClaimVerdict:
    """What came of a box."""
    grounded = place.is_grounded(min_belief)
    if grounded is None:
        return ClaimVerdict.UNJUDGED
    if place.belief is None or place.belief < min_belief:
        return ClaimVerdict.UNGROUNDED
    if not grounded:
        return ClaimVerdict.CONTROL_BELIEVED
    return ClaimVerdict.UNTESTED if place.margin is None else ClaimVerdict.GROUNDED


def _published(claim: Claim, min_belief: float) -> JudgedClaim:
    return JudgedClaim(
        text=claim.text,
        cited=claim.cited,
        kind=claim.kind,
        frame_sha256=claim.frames,
        control=claim.control,
        control_sha256=claim.control_frames,
        verifier=claim.verifier,
        cited_belief=claim.cited_score,
        control_belief=claim.control_score,
        verdict=claim_verdict(claim, min_belief),
        quotes=claim.quotes,
        places=tuple(
            JudgedPlace(**each.model_dump(), verdict=place_verdict(each, min_belief)) for each in claim.places
        ),
    )
