"""Pictures -> vectors by any image encoder that transformers loads: a folder, or a name on the Hub."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import AutoImageProcessor, AutoModel

from reelproof.stages.teachers.protocol import TeacherUnavailable

_PROCESSORS: Any = AutoImageProcessor
_MODELS: Any = AutoModel


class HubEncoder:
    """Of a model of pictures and text (CLIP, SigLIP) its pictures' side; of others what they pool."""

    def __init__(self, model: str, revision: str | None, name: str) -> None:
        """`name` is `name@revision`. Raises TeacherUnavailable where it cannot be loaded."""
        self.name = name
        self._place = "cuda" if torch.cuda.is_available() else "cpu"
        pinned = {} if revision is None else {"revision": revision}
        try:
            self._processor = _PROCESSORS.from_pretrained(model, **pinned)
            self._network = _MODELS.from_pretrained(model, **pinned).to(self._place).eval()
        except (OSError, ValueError, ImportError, RuntimeError) as error:
            raise TeacherUnavailable(
                f"embedding.encoder {model}: transformers cannot load it: {error}; expected a folder or "
                "a Hub name of an image encoder, with its preprocessor_config.json"
            ) from error

    def encode(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """(H, W, 3) uint8 RGB each -> (N, D) float32."""
        pixels = self._processor(images=list(images), return_tensors="pt")["pixel_values"].to(self._place)
        sees = getattr(self._network, "get_image_features", self._network)
        with torch.inference_mode():
            vectors: np.ndarray = _pooled(sees(pixel_values=pixels)).float().cpu().numpy()
        return vectors


def _pooled(seen: Any) -> torch.Tensor:
    """One vector a picture, however the model gives it: as it is, pooled, or the mean of its patches."""
    pooled = seen if isinstance(seen, torch.Tensor) else getattr(seen, "pooler_output", None)
    vectors: torch.Tensor = seen.last_hidden_state.mean(dim=1) if pooled is None else pooled.flatten(1)
    return vectors
