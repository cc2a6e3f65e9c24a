"""Rollouts and a network -> the log-probability of every token that was drawn, as sampling saw it.

The rollouts of one question share its prompt: the network reads it once, and each rollout goes on from there.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reelproof.training.batches import Batch, PromptConfig, join, prompt_batch
from reelproof.training.networks import logits_needed, takes
from reelproof.training.shards import Example


class Bundle(NamedTuple):
    """P questions and G completions of each, N = P·G, the completions of a question side by side."""

    prompts: dict[str, Tensor]
    """What the model's forward takes for the P prompts, left-padded."""
    ids: Tensor
    """(N, T) of the completions, right-padded."""
    counted: Tensor
    """(N, T) bool: where a completion has a token."""


def bundle_batch(
    processor: Any,
    examples: Sequence[Example],
    completions: Sequence[Sequence[int]],
    cfg: PromptConfig,
    device: torch.device,
) -> Bundle:
    """P examples and the ids of their N completions, on the device."""
    prompts = prompt_batch(processor, examples, cfg, [""] * len(examples)).to(device)
    longest = max(map(len, completions))
    ids = torch.full((len(completions), longest), processor.tokenizer.pad_token_id)
    counted = torch.zeros((len(completions), longest), dtype=torch.bool)
    for row, said in enumerate(completions):
        ids[row, : len(said)] = torch.tensor(said, dtype=torch.long)
        counted[row, : len(said)] = True
    return Bundle(dict(prompts), ids.to(device), counted.to(device))


def bundle_logprobs(network: Any, bundle: Bundle, forbidden: Sequence[int], temperature: float) -> Tensor:
    """Log-probability of each counted token given its prompt and those before it, else 0. (N, T)

    Gradients flow through the shared prompts.
    """
    copies = bundle.ids.shape[0] // bundle.prompts["input_ids"].shape[0]
    last = {"logits_to_keep": 1} if takes(network, "logits_to_keep") else {}
    rotating = [module for module in network.modules() if hasattr(module, "rope_deltas")]
    for module in rotating:
        module.rope_deltas = None  # what another batch left would be taken for this one's
    read = network(**bundle.prompts, **last, use_cache=True)
    logits = read.logits[:, -1:].repeat_interleave(copies, dim=0)
    if bundle.ids.shape[1] > 1:
        read.past_key_values.batch_repeat_interleave(copies)
        seen = bundle.prompts["attention_mask"].repeat_interleave(copies, dim=0)
        rest = network(
            input_ids=bundle.ids[:, :-1],
            attention_mask=torch.cat([seen, bundle.counted[:, :-1].to(seen.dtype)], dim=1),
            past_key_values=read.past_key_values,
            use_cache=True,
            **_positions(rotating, seen, bundle.ids.shape[1] - 1),
        )
        logits = torch.cat([logits, rest.logits], dim=1)
    chances = token_logprobs(without(logits, forbidden) / temperature, bundle.ids)
    return torch.where(bundle.counted, chances, 0.0)


def _positions(rotating: Sequence[Any], seen: Tensor, count: int) -> dict[str, Tensor]:
    """Where `count` tokens after the prompts stand, for models that number pictures in three dimensions.

    A picture takes fewer positions than tokens, by what such a model notes in `rope_deltas` (M-RoPE, arXiv
    2409.12191); told nothing, it would number the prompts once more. Other models go on by themselves.
    """
    shifts = [module.rope_deltas for module in rotating if module.rope_deltas is not None]
    if not shifts:
        return {}
    shift = shifts[0].to(seen.device).repeat_interleave(len(seen) // len(shifts[0]), dim=0)
    places = seen.sum(dim=1, keepdim=True) + shift + torch.arange(count, device=seen.device)
    return {"position_ids": places.expand(3, *places.shape)}


def completion_logprobs(network: Any, batch: Batch, forbidden: Sequence[int], temperature: float) -> Tensor:
    """The same of whole sequences: of each counted token of (B, T), else 0. (B, T − 1)

    For networks that keep no cache while they train, as gradient checkpointing demands.
    """
    logits = network(**batch.inputs, **logits_needed(network, batch), use_cache=False).logits[:, :-1]
    width = logits.shape[1]
    logits = without(logits, forbidden) / temperature
    chances = token_logprobs(logits, batch.inputs["input_ids"][:, -width:])
    counted = batch.counted[:, 1:]
    left_out = counted.shape[1] - width
    return torch.where(counted, torch.nn.functional.pad(chances, (left_out, 0)), 0.0)


def whole_batch(
    processor: Any,
    examples: Sequence[Example],
    completions: Sequence[Sequence[int]],
    cfg: PromptConfig,
    device: torch.device,
) -> Batch:
    """As `bundle_batch`, each completion in a sequence with a prompt of its own."""
    copies = len(completions) // len(examples)
    asked = [example for example in examples for _ in range(copies)]
    batch = join(processor, prompt_batch(processor, asked, cfg, [""] * len(asked)), completions)
    moved = {name: value.to(device) for name, value in batch.inputs.items()}
    return Batch(moved, batch.counted.to(device))


def forbidden_tokens(processor: Any) -> list[int]:
    """Ids that no completion may hold: images and padding."""
    tokenizer = processor.tokenizer
    found = {tokenizer.convert_tokens_to_ids(processor.image_token)}
    if tokenizer.pad_token_id != tokenizer.eos_token_id:
        found.add(tokenizer.pad_token_id)
    return sorted(found)


def without(logits: Tensor, forbidden: Sequence[int]) -> Tensor:
    """Logits (…, V) under which the forbidden tokens have no chance."""
    logits = logits.float().clone()
    logits[..., list(forbidden)] = -torch.inf
    return logits


def token_logprobs(logits: Tensor, ids: Tensor) -> Tensor:
    """Log-probability of each id: (…, V), (…) -> (…). A forbidden id (padding after the end) gives −inf."""
    picked = logits.gather(-1, ids.unsqueeze(-1)).squeeze(-1)
    return picked - logits.logsumexp(dim=-1)
