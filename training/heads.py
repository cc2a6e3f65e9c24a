"""A forward pass -> log-probabilities of chosen tokens, without the whole vocabulary's logits of all places.

The network's head is given the places that count, some at a time; on the way back each lot is computed again.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from reelproof.training.networks import bare

AT_ONCE = 256
"""So many places have logits at a time: 160 MB of float32 each time they are touched, at 150,000 tokens."""

RESCALED = ("final_logit_softcapping", "logit_scale", "logits_scaling")
"""Models with these change what comes out of their head."""


class Wanted(NamedTuple):
    """The tokens whose chances are wanted, and where they are foretold."""

    rows: Tensor
    places: Tensor
    """(n,) with `rows`: the network's output there foretells …"""
    ids: Tensor
    """… (n,) these tokens."""

    @classmethod
    def of(cls, counted: Tensor, ids: Tensor) -> Self:
        """Those of (B, T) `ids` that count, each foretold at its own place of (B, T)."""
        rows, places = counted.nonzero(as_tuple=True)
        return cls(rows, places, ids[counted])


def score(
    network: Any,
    inputs: Mapping[str, Any],
    wanted: Wanted,
    forbidden: Sequence[int] = (),
    temperature: float = 1.0,
) -> Tensor:
    """Log-probability of each wanted token in a forward pass of `network` over `inputs`. (n,) float32"""

    def chances(logits: Tensor, ids: Tensor) -> Tensor:
        return token_logprobs(without(logits, forbidden) / temperature, ids)

    text = bare(network).config.get_text_config()
    if any(getattr(text, name, None) is not None for name in RESCALED):
        logits: Tensor = network(**inputs, use_cache=False).logits
        return chances(logits[wanted.rows, wanted.places], wanted.ids)
    with _head_gives(network, wanted, chances):
        found: Tensor = network(**inputs, use_cache=False).logits
    return found


@contextmanager
def _head_gives(network: Any, wanted: Wanted, chances: Any) -> Iterator[None]:
    """Within, what the network calls its logits are the wanted tokens' chances."""
    head = bare(network).get_output_embeddings()
    project = head.forward

    def of_places(hidden: Tensor, ids: Tensor) -> Tensor:
        found: Tensor = chances(project(hidden), ids)
        return found

    def forward(hidden: Tensor) -> Tensor:
        picked = hidden[wanted.rows, wanted.places]
        lots = list(zip(torch.split(picked, AT_ONCE), torch.split(wanted.ids, AT_ONCE), strict=True))
        if len(lots) == 1:
            return of_places(*lots[0])
        return torch.cat([checkpoint(of_places, *lot, use_reentrant=False) for lot in lots])

    head.forward = forward
    try:
        yield
    finally:
        del head.forward


def without(logits: Tensor, forbidden: Sequence[int]) -> Tensor:
    """Logits (…, V) under which the forbidden tokens have no chance."""
    logits = logits.float()
    if forbidden:
        logits = logits.clone()
        logits[..., list(forbidden)] = -torch.inf
    return logits


def token_logprobs(logits: Tensor, ids: Tensor) -> Tensor:
    """Log-probability of each id: (…, V), (…) -> (…). A forbidden id (padding after the end) gives −inf."""
    picked = logits.gather(-1, ids.unsqueeze(-1)).squeeze(-1)
    return picked - logits.logsumexp(dim=-1)
