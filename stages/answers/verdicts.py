"""Requests for a verdict -> a verifier's beliefs."""

from collections.abc import Iterable, Mapping, Sequence

from reelproof.schemas.answers.reading import read_completion
from reelproof.schemas.answers.truths import lenient_truth
from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.stages.teachers.protocol import Teacher


def ask_all(
    requests: Iterable[ChatRequest], verifier: Teacher, frames: Mapping[str, bytes]
) -> dict[str, Completion]:
    """Every request's completion by its id; equal requests are put once.

    Raises RuntimeError where the verifier left some unanswered.
    """
    asked = {each.request_id: each for each in requests}  # rollouts say the same: ask once
    completions = {each.request_id: each for each in verifier.complete(list(asked.values()), frames)}
    if missing := len(asked.keys() - completions.keys()):
        raise RuntimeError(
            f"verifier {verifier.model} left {missing} of {len(asked)} claims unjudged; expected one "
            "completion each"
        )
    return completions


def belief_of(requests: Sequence[ChatRequest], completions: Mapping[str, Completion]) -> float | None:
    """The share of yes among the answers to these requests; None where none of them knows."""
    verdicts = [_verdict(completions[each.request_id]) for each in requests]
    known = [each for each in verdicts if each is not None]
    return sum(known) / len(known) if known else None


def _verdict(completion: Completion) -> bool | None:
    """Yes or no; None for `unknown`, for a failure, and for anything else."""
    if completion.finish_reason == "error":
        return None
    answer = read_completion(completion.text).stated
    return None if answer is None else lenient_truth(answer)
