"""Right-padded rows -> one sequence of their tokens alone, in which no row sees another.

Positions begin anew with each row: from that, transformers masks rows from each other, or tells a varlen
kernel (`flash_attention_2`) where they end.
"""

from typing import Any

import torch
from torch import Tensor

from reelproof.training.heads import Wanted


def pack(network: Any, inputs: dict[str, Tensor], wanted: Wanted) -> tuple[dict[str, Tensor], Wanted]:
    """What the model's forward takes for B rows, as one; and where the wanted tokens are foretold there."""
    seen = inputs["attention_mask"].bool()
    packed = {
        name: value[seen].unsqueeze(0) if value.shape == seen.shape else value
        for name, value in inputs.items()
    }
    del packed["attention_mask"]
    if "pixel_attention_mask" in packed:  # pictures come nested in their rows (SmolVLM, Idefics)
        for name in ("pixel_values", "pixel_attention_mask"):
            packed[name] = packed[name].flatten(0, 1).unsqueeze(0)
    packed["position_ids"] = _positions(network, inputs, seen)[..., seen].unsqueeze(-2)
    places = (seen.flatten().cumsum(0) - 1).view(seen.shape)[wanted.rows, wanted.places]
    return packed, Wanted(torch.zeros_like(places), places, wanted.ids)


def _positions(network: Any, inputs: dict[str, Tensor], seen: Tensor) -> Tensor:
    """(B, T); for M-RoPE (4, B, T): in the text, then the three of a picture's patches."""
    places = seen.cumsum(1) - 1
    rotating = [module for module in network.modules() if hasattr(module, "get_rope_index")]
    if not rotating or "image_grid_thw" not in inputs:
        return places
    named = ("input_ids", "mm_token_type_ids", "image_grid_thw", "attention_mask")
    of_patches, _ = rotating[0].get_rope_index(**{name: inputs[name] for name in named})
    return torch.cat([places.unsqueeze(0), of_patches.to(places.device)])
