"""Texts -> vectors by any text encoder that transformers loads: a folder, or a name on the Hub."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from huggingface_hub import constants
from transformers import AutoModel, AutoTokenizer

from reelproof.schemas.hub import go_offline_without_hub
from reelproof.stages.embedding.hub_encoder import has_a_pooler
from reelproof.stages.teachers.protocol import TeacherUnavailable

_TOKENIZERS: Any = AutoTokenizer
_MODELS: Any = AutoModel


class TransformersTextEncoder:
    """The mean of what a network makes of each token of a text. One text at a time: none hangs on others."""

    def __init__(self, model: str, revision: str | None, name: str) -> None:
        """`name` is `name@revision`. Raises TeacherUnavailable where it cannot be loaded."""
        self.name = name
        self._place = "cuda" if torch.cuda.is_available() else "cpu"
        pinned = {} if revision is None else {"revision": revision}
        go_offline_without_hub(model, constants)
        try:
            self._tokenizer = _TOKENIZERS.from_pretrained(model, **pinned)
            network, told = _MODELS.from_pretrained(model, output_loading_info=True, **pinned)
            self._network = network.to(self._place).float().eval()
            has_a_pooler(told["missing_keys"])  # it is not asked, but all else must be there
            self.encode(["Is it read?"])
        except (OSError, ValueError, ImportError, RuntimeError, TypeError, AttributeError) as error:
            raise TeacherUnavailable(
                f"questions.embedding.encoder {model}: transformers cannot load it: "
                f"{' '.join(str(error).split())}; expected a folder or a Hub name of a text encoder, with "
                "its tokenizer"
            ) from error

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Texts -> (N, D) float32. What is longer than the network takes is cut."""
        return np.stack([self._read(text) for text in texts])

    def _read(self, text: str) -> np.ndarray:
        tokens = self._tokenizer(text, truncation=True, return_tensors="pt").to(self._place)
        with torch.inference_mode():
            seen = self._network(**tokens).last_hidden_state[0]
        vector: np.ndarray = seen.mean(dim=0).float().cpu().numpy()
        return vector
