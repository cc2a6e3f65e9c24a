"""A question with its clip -> a teacher's answers; thoughts -> their claims, held to the frames they cite."""

from collections.abc import Iterable, Mapping, Sequence

from reelproof.schemas.trace import Case, ClaimVerdict, ControlKind, JudgedClaim, Trace
from reelproof.stages.answers.claims import verify_claims
from reelproof.stages.answers.provenance import claims_of_traces
from reelproof.stages.answers.put_claims import ClaimConfig
from reelproof.stages.answers.traces import ClipQuestion, RolloutConfig, read_trace, rollout_requests
from reelproof.stages.checks.guess import declares_guess
from reelproof.stages.teachers.protocol import Teacher, complete_all

_BORNE_OUT = (ClaimVerdict.GROUNDED, ClaimVerdict.UNTESTED)


def answers_to(
    about: ClipQuestion,
    places: Iterable[int],
    teacher: Teacher,
    cfg: RolloutConfig,
    jpegs: Mapping[str, bytes],
) -> list[Trace]:
    """The rollouts at these places. Raises TeacherUnavailable."""
    requests = rollout_requests(about, teacher.model, places, cfg)
    completions = complete_all(teacher, requests, jpegs)
    return [read_trace(about.question, each, completions[each.request_id]) for each in requests]


def stands(thought: str, claims: Sequence[JudgedClaim]) -> bool:
    """Whether a thought is no declared guess, and its claims are borne out."""
    return not declares_guess(thought) and are_borne_out(claims)


def are_borne_out(claims: Sequence[JudgedClaim]) -> bool:
    """Whether some claim that cites a time holds, or at least none is denied: what nobody can judge denies
    nothing.
    """
    holds = any(each.verdict in _BORNE_OUT and each.cited for each in claims)
    return holds or not any(map(_is_denied, claims))


def _is_denied(claim: JudgedClaim) -> bool:
    """By the frames that it cites, or as true of another clip: what lasts looks alike for a while."""
    if claim.verdict is ClaimVerdict.CONTROL_BELIEVED:
        return claim.control is ControlKind.OTHER_CLIP
    return claim.verdict is ClaimVerdict.UNGROUNDED


def judged_claims(
    cases: Sequence[Case], verifier: Teacher, cfg: ClaimConfig, min_belief: float, jpegs: Mapping[str, bytes]
) -> tuple[JudgedClaim, ...]:
    """The claims of the first case's thoughts; what others show may be held against them."""
    claims = tuple(verify_claims(cases, verifier, cfg, jpegs))
    judged = claims_of_traces([cases[0]._replace(claims=claims)], min_belief)
    return tuple(claim for each in judged for claim in each.claims)
