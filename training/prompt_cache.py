"""What a network read of a prompt -> what all its completions go on from, without a copy for each.

Neither kind of layer changes once it is filled: layers that are computed again on the way back (gradient
checkpointing) find what they found at first.
"""

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import CacheLayerMixin


class Prompt(CacheLayerMixin):  # type: ignore[no-untyped-call]  # transformers' is untyped
    """Keys and values of a prompt: (P, heads, T, width), kept when they first come."""

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Keep them."""
        self.keys, self.values, self.is_initialized = key_states, value_states, True

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """The same: nothing came before a prompt."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        return key_states, value_states

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(how many keys, from which on)."""
        return query_length, 0

    def get_seq_length(self) -> int:
        """Before the prompt there is nothing."""
        return 0

    def get_max_length(self) -> int:
        """There is none."""
        return -1

    get_max_cache_shape = get_max_length  # its name before


class AfterPrompt(Prompt):  # type: ignore[no-untyped-call]
    """A prompt's keys and values, each row for `copies` completions, which are kept nowhere."""

    def __init__(self, prompt: Any, copies: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.keys, self.values, self.copies = prompt.keys, prompt.values, copies
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """The prompt's, then these."""
        return self._before(self.keys, key_states), self._before(self.values, value_states)

    def _before(self, prompt: Any, states: Tensor) -> Tensor:
        return torch.cat([prompt.repeat_interleave(self.copies, dim=0), states], dim=-2)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(how many keys, from which on)."""
        return self.get_seq_length() + query_length, 0

    def get_seq_length(self) -> int:
        """Of the prompt."""
        return 0 if self.keys is None else self.keys.shape[-2]
