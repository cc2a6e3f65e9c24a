"""Rollouts and a network -> the log-probability of every token that was drawn, as sampling saw it.

The rollouts of one question share its prompt: the network reads it once, and each rollout goes on from there.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers.cache_utils import Cache, DynamicLayer

from reelproof.training.batches import Batch, Inputs, go_on, stack
from reelproof.training.heads import Wanted, score
from reelproof.training.networks import takes
from reelproof.training.preflight import image_token_id


# Neither kind of layer changes once it is filled: layers that are computed again on the way back (gradient
# checkpointing) find what they found at first.
class Prompt(DynamicLayer):  # type: ignore[no-untyped-call]  # transformers' is untyped
    """Keys and values of a prompt: (P, heads, T, width), kept when they first come."""

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """The same: nothing came before a prompt."""
        if not self.is_initialized:
            self.keys, self.values, self.is_initialized = key_states, value_states, True
        return key_states, value_states

    def get_seq_length(self) -> int:
        """Before the prompt there is nothing."""
        return 0


class AfterPrompt(DynamicLayer):  # type: ignore[no-untyped-call]
    """A prompt's keys and values, each row for `copies` completions, which are kept nowhere."""

    def __init__(self, prompt: Any, copies: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.keys, self.values, self.copies = prompt.keys, prompt.values, copies
        self.is_initialized = prompt.is_initialized

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """The prompt's, then these."""
        return self._before(self.keys, key_states), self._before(self.values, value_states)

    def _before(self, prompt: Any, states: Tensor) -> Tensor:
        return torch.cat([prompt.repeat_interleave(self.copies, dim=0), states], dim=-2)


class Bundle(NamedTuple):
    """P questions and G completions of each, N = P·G, the completions of a question side by side."""

    prompts: Inputs
    """What the model's forward takes for the P prompts, left-padded."""
    ids: Tensor
    """(N, T) of the completions, right-padded."""
    counted: Tensor
    """(N, T) bool: where a completion has a token."""


def make_bundle(
    rows: Sequence[Inputs], completions: Sequence[Sequence[int]], pad: int, device: torch.device
) -> Bundle:
    """P rows and the ids of their N completions, on the device."""
    prompts = {name: value.to(device) for name, value in stack(rows, pad, "left").items()}
    said = [torch.tensor(each, dtype=torch.long) for each in completions]
    ids = pad_sequence(said, batch_first=True, padding_value=pad)
    counted = pad_sequence([torch.ones_like(each).bool() for each in said], batch_first=True)
    return Bundle(prompts, ids.to(device), counted.to(device))


def bundle_logprobs(network: Any, bundle: Bundle, forbidden: Sequence[int], temperature: float) -> Tensor:
    """Log-probability of each counted token given its prompt and those before it, else 0. (N, T)

    Gradients flow through the shared prompts.
    """
    copies = len(bundle.ids) // len(bundle.prompts["input_ids"])
    rotating = [module for module in network.modules() if hasattr(module, "rope_deltas")]
    for module in rotating:
        module.rope_deltas = None  # what another batch left would be taken for this one's
    name = "cache" if takes(network, "cache") else "past_key_values"
    read = Cache(layer_class_to_replicate=Prompt)
    asked = torch.arange(len(bundle.ids), device=bundle.ids.device)
    first = Wanted(asked // copies, torch.full_like(asked, -1), bundle.ids[:, 0])
    chances = torch.zeros(bundle.ids.shape, device=bundle.ids.device)
    chances[:, 0] = score(network, {**bundle.prompts, name: read}, first, forbidden, temperature)
    if bundle.ids.shape[1] > 1:
        counted = bundle.counted[:, 1:]
        seen = bundle.prompts["attention_mask"].repeat_interleave(copies, dim=0)
        inputs = {
            "input_ids": bundle.ids[:, :-1],
            "attention_mask": torch.cat([seen, bundle.counted[:, :-1].to(seen.dtype)], dim=1),
            name: Cache(layers=[AfterPrompt(layer, copies) for layer in read.layers]),
            **_positions(rotating, seen, counted.shape[1]),
        }
        rest = score(network, inputs, Wanted.of(counted, bundle.ids[:, 1:]), forbidden, temperature)
        chances[:, 1:] = chances[:, 1:].masked_scatter(counted, rest)
    return chances


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


def apart_logprobs(network: Any, bundle: Bundle, forbidden: Sequence[int], temperature: float) -> Tensor:
    """The same, for networks that cannot share prompts: of a bundle with as many prompts as completions."""
    inputs = go_on(bundle.prompts, bundle.ids, bundle.counted)
    rows, places = bundle.counted.nonzero(as_tuple=True)
    before = inputs["input_ids"].shape[1] - bundle.ids.shape[1] - 1
    wanted = Wanted(rows, before + places, bundle.ids[bundle.counted])
    found = score(network, inputs, wanted, forbidden, temperature)
    return torch.zeros(bundle.ids.shape, device=found.device).masked_scatter(bundle.counted, found)


def completion_logprobs(network: Any, batch: Batch, *, packed: bool = False) -> Tensor:
    """Of whole sequences: log-probability of each counted token of (B, T), else 0. (B, T − 1)

    `packed`, they go through the network as one, without their padding.
    """
    counted, inputs = batch.counted[:, 1:], batch.inputs
    wanted = Wanted.of(counted, inputs["input_ids"][:, 1:])
    if packed:
        inputs, wanted = _pack(network, inputs, wanted)
    found = score(network, inputs, wanted)
    return torch.zeros(counted.shape, device=found.device).masked_scatter(counted, found)


def _pack(network: Any, inputs: Inputs, wanted: Wanted) -> tuple[Inputs, Wanted]:
    """What the model's forward takes for B rows, as one; and where the wanted tokens are foretold there.

    Positions begin anew with each row: from that, transformers masks rows from each other, or tells a varlen
    kernel (`flash_attention_2`) where they end.
    """
    seen = inputs["attention_mask"].bool()
    packed = {
        name: value[seen].unsqueeze(0) if value.shape == seen.shape else value
        for name, value in inputs.items()
    }
    del packed["attention_mask"]
    if "pixel_attention_mask" in packed:  # pictures come nested in their rows (SmolVLM, Idefics)
        for name in ("pixel_values", "pixel_attention_mask"):
            packed[name] = packed[name].flatten(0, 1).unsqueeze(0)
    packed["position_ids"] = _packed_positions(network, inputs, seen)[..., seen].unsqueeze(-2)
    places = (seen.flatten().cumsum(0) - 1).view(seen.shape)[wanted.rows, wanted.places]
    return packed, Wanted(torch.zeros_like(places), places, wanted.ids)


def _packed_positions(network: Any, inputs: Inputs, seen: Tensor) -> Tensor:
    """(B, T); for M-RoPE (4, B, T): in the text, then the three of a picture's patches."""
    places = seen.cumsum(1) - 1
    rotating = [module for module in network.modules() if hasattr(module, "get_rope_index")]
    if not rotating or "image_grid_thw" not in inputs:
        return places
    named = ("input_ids", "mm_token_type_ids", "image_grid_thw", "attention_mask")
    of_patches, _ = rotating[0].get_rope_index(**{name: inputs[name] for name in named})
    return torch.cat([places.unsqueeze(0), of_patches.to(places.device)])


def forbidden_tokens(processor: Any) -> list[int]:
    """Ids that no completion may hold: images and padding."""
    padding = {processor.tokenizer.pad_token_id} - {processor.tokenizer.eos_token_id}
    return sorted({image_token_id(processor)} | padding)
