"""Texts -> vectors by any text encoder that transformers loads: a folder, or a name on the Hub."""

from collections.abc import Sequence

import numpy as np
import torch
from transformers import AutoTokenizer

from reelproof.stages.embedding.hub_encoder import UNLOADABLE, loaded
from reelproof.stages.teachers.protocol import TeacherUnavailable


class TransformersTextEncoder:
    """The mean of what a network makes of each token of a text. One text at a time: none hangs on others."""

    def __init__(self, model: str, revision: str | None, name: str) -> None:
        """`name` is `name@revision`. Raises TeacherUnavailable where it cannot be loaded."""
        self.name = name
        try:
            self._tokenizer, self._network, _ = loaded(model, revision, AutoTokenizer)
            self.encode(["Is it read?"])
        except UNLOADABLE as error:
            raise TeacherUnavailable(
                f"questions.embedding.encoder {model}: transformers cannot load it: "
                f"{' '.join(str(error).split())}; expected a folder or a Hub name of a text encoder, with "
                "its tokenizer"
            ) from error

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Texts -> (N, D) float32. What is longer than the network takes is cut."""
        return np.stack([self._read(text) for text in texts])

    def _read(self, text: str) -> np.ndarray:
        tokens = self._tokenizer(text, truncation=True, return_tensors="pt").to(self._network.device)
        with torch.inference_mode():
            seen = self._network(**tokens).last_hidden_state[0]
        vector: np.ndarray = seen.mean(dim=0).float().cpu().numpy()
        return vector
