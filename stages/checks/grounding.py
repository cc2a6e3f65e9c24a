"""Judged claims -> how many of a thought's claims its frames bear out, and better than others do."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import Field

from reelproof.schemas.scores import GroundingScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case, Claim, ClaimedPlace, ClaimKind
from reelproof.stages.checks.check import Check

VERSION = 6


class GroundingConfig(Settings):
    """When a claim counts as grounded."""

    min_belief: float = Field(default=0.5, gt=0, le=1)
    """The verifier's belief with the cited frames from which it does."""


def measure_grounding(cases: Iterable[Case], cfg: GroundingConfig) -> Iterator[GroundingScore]:
    """One score a trace, in order. Claims that the verifier cannot judge are counted apart."""
    for case in cases:
        by_trace: dict[str, list[Claim]] = {}
        for claim in case.claims:
            by_trace.setdefault(claim.trace_id, []).append(claim)
        for trace in case.traces:
            yield _score(trace.trace_id, by_trace.get(trace.trace_id, ()), cfg)


CHECK = Check("grounding", VERSION, measure_grounding, GroundingConfig, GroundingScore, "claims")


def _score(trace_id: str, every: Sequence[Claim], cfg: GroundingConfig) -> GroundingScore:
    observations = [claim for claim in every if claim.kind is ClaimKind.OBSERVATION]
    observed = [claim.cited_score for claim in observations if claim.cited_score is not None]
    claims = [claim for claim in every if claim.kind is not ClaimKind.OBSERVATION]
    beliefs = [claim.cited_score for claim in claims if claim.cited_score is not None]
    margins = [
        claim.cited_score - claim.control_score
        for claim in claims
        if claim.cited_score is not None and claim.control_score is not None
    ]
    return GroundingScore(
        trace_id=trace_id,
        judged_claims=len(beliefs),
        claims_unjudged=len(claims) - len(beliefs),
        testable_claims=len(margins),
        grounded_share=sum(each >= cfg.min_belief for each in beliefs) / len(beliefs) if beliefs else None,
        worst_belief=min(beliefs, default=None),
        best_margin=max(margins) if margins else None,
        worst_margin=min(margins) if margins else None,
        judged_observations=len(observed),
        observations_unjudged=len(observations) - len(observed),
        worst_observation_belief=min(observed, default=None),
        **_of_boxes([place for claim in claims for place in claim.places], cfg.min_belief),
    )


def _of_boxes(places: Sequence[ClaimedPlace], min_belief: float) -> dict[str, Any]:
    grounded = [each for place in places if (each := place.is_grounded(min_belief)) is not None]
    return {
        "boxes": len(places),
        "sound_boxes": sum(each.fault is None for each in places) / len(places) if places else None,
        "spatial_grounded_share": sum(grounded) / len(grounded) if grounded else None,
    }
