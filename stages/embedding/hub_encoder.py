"""Pictures -> vectors by any image encoder that transformers loads: a folder, or a name on the Hub."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from huggingface_hub import constants
from transformers import AutoImageProcessor, AutoModel

from reelproof.schemas.hub import go_offline_without_hub
from reelproof.stages.teachers.protocol import TeacherUnavailable

UNLOADABLE = (OSError, ValueError, ImportError, RuntimeError, TypeError, AttributeError)
"""What transformers raises where it cannot load a model, or that is none of the kind that is wanted."""
_MODELS: Any = AutoModel


class Loaded(NamedTuple):
    """A network to look or read with."""

    reads: Any
    """What makes its input: a processor of pictures, or a tokenizer."""
    network: Any
    pools: bool
    """Whether its file has weights for its pooler."""


def loaded(model: str, revision: str | None, kind: Any) -> Loaded:
    """The network, on the GPU where there is one, and its part of that Auto class. Raises `UNLOADABLE`."""
    pinned = {} if revision is None else {"revision": revision}
    go_offline_without_hub(model, constants)
    reads = kind.from_pretrained(model, **pinned)
    network, told = _MODELS.from_pretrained(model, output_loading_info=True, **pinned)
    network = network.to("cuda" if torch.cuda.is_available() else "cpu").float().eval()
    return Loaded(reads, network, _has_a_pooler(told["missing_keys"]))


class HubEncoder:
    """Of a model of pictures and text (CLIP, SigLIP) its pictures' side; of others what they pool."""

    def __init__(self, model: str, revision: str | None, name: str) -> None:
        """`name` is `name@revision`. Raises TeacherUnavailable where it cannot be loaded."""
        self.name = name
        try:
            self._processor, self._network, self._pools = loaded(model, revision, AutoImageProcessor)
            self._look_twice()
        except UNLOADABLE as error:
            raise TeacherUnavailable(
                f"embedding.encoder {model}: transformers cannot load it: {' '.join(str(error).split())}; "
                "expected a folder or a Hub name of an image encoder, with its preprocessor_config.json"
            ) from error

    def encode(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """(H, W, 3) uint8 RGB each -> (N, D) float32."""
        shown = self._processor(images=list(images), return_tensors="pt").to(self._network.device)
        sees = getattr(self._network, "get_image_features", self._network)
        with torch.inference_mode():
            vectors: np.ndarray = _pooled(sees(**shown), self._pools).float().cpu().numpy()
        return vectors

    def _look_twice(self) -> None:
        """Raises what no image encoder raises, and ValueError where what it sees is a matter of chance."""
        picture = np.linspace(0, 255, 64 * 64 * 3).astype(np.uint8).reshape(64, 64, 3)
        if not np.allclose(self.encode([picture]), self.encode([picture]), rtol=1e-3, atol=1e-4):
            raise ValueError("it makes another vector of the same picture each time")


def _has_a_pooler(missing: Iterable[str]) -> bool:
    """False where a checkpoint lacks only that, as a classifier's does; ValueError where it lacks more."""
    if lacking := sorted(name for name in missing if "pooler" not in name.split(".")):
        raise ValueError(f"its file has no weights for {', '.join(lacking[:3])}, which would be random")
    return not missing


def _pooled(seen: Any, pools: bool) -> torch.Tensor:
    """One vector a picture, however the model gives it: as it is, pooled, or the mean of its patches."""
    pooled = seen if isinstance(seen, torch.Tensor) else getattr(seen, "pooler_output", None)
    if pooled is None or not pools:
        pooled = seen.last_hidden_state.mean(dim=1)
    vectors: torch.Tensor = pooled.flatten(1)
    return vectors
