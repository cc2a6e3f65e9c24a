"""Rollouts as they go through one forward pass, and whether a server that drew them read the same prompts."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from reelproof.training.batches import Inputs
from reelproof.training.groups import Group
from reelproof.training.logprobs import Bundle
from reelproof.training.preflight import SetupError
from reelproof.training.sampling import Said


class Piece(NamedTuple):
    """What goes through one forward pass."""

    bundle: Bundle
    learned: Tensor
    """(N, T) bool: the tokens that the loss counts."""
    gains: Tensor
    """(N,) advantages."""
    share: float
    """Of the step's loss."""
    drawn: Tensor | None
    """(N, T) log-probabilities of a server that drew them."""


def as_drawn(said: Sequence[Said], counted: Tensor) -> Tensor | None:
    """A server's log-probabilities, each in the place of its token; None where no server drew."""
    told = [each for one in said for each in one.logprobs]
    if not told:
        return None
    return torch.zeros(counted.shape, device=counted.device).masked_scatter(
        counted, torch.tensor(told, device=counted.device)
    )


def check_prompt(row: Inputs, group: Group) -> None:
    """Raise SetupError where a server read a question in other tokens than the trainer learns from."""
    theirs, ours = group.said[0].prompt_ids, tuple(row["input_ids"][0].tolist())
    if theirs and theirs != ours:
        pairs = enumerate(zip(theirs, ours, strict=False))
        same = next((place for place, (one, other) in pairs if one != other), "the end")
        raise SetupError(
            f"the server reads question {group.example.question_id} in {len(theirs)} tokens, the trainer in "
            f"{len(ours)}, and they differ from place {same} on. Serve the very model that is trained, with "
            "its chat template and the settings of its image processor"
        )
