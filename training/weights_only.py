"""A checkpoint, perhaps of somebody else -> loaded without running anything that it holds.

Plain checkpoints are read by `torch.load(weights_only=True)`. Those that processes share out have a table of
contents, which torch unpickles whatever it names, and values that it loads as whatever they are.
"""

import importlib
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import patch_environment

from reelproof.training.preflight import SetupError

_TABLES = "torch.distributed.checkpoint."
_NAMED = frozenset(
    (
        *((f"{_TABLES}metadata", name) for name in ("Metadata", "MetadataIndex", "StorageMeta")),
        *((f"{_TABLES}metadata", f"{kind}StorageMetadata") for kind in ("Bytes", "Chunk", "Tensor")),
        *((f"{_TABLES}metadata", name) for name in ("TensorProperties", "_MEM_FORMAT_ENCODING")),
        (f"{_TABLES}filesystem", "_StorageInfo"),
        ("torch", "Size"),
        ("torch.serialization", "_get_layout"),
        ("pathlib", "PosixPath"),
        ("pathlib._local", "PosixPath"),
    )
)
"""What torch writes into a table of contents, beside types of numbers."""


@contextmanager
def weights_only(checkpoint: Path) -> Iterator[None]:
    """Within, torch loads no more than weights from the folder. Raises SetupError where it holds more."""
    for table in checkpoint.rglob("*.metadata"):
        try:
            with table.open("rb") as file:
                _Table(file).load()
        except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError) as error:
            raise SetupError(
                f"{table} is no table of contents that torch wrote ({error}); begin anew in another --out"
            ) from None
    forced = patch_environment(TORCH_FORCE_WEIGHTS_ONLY_LOAD="1")
    with forced, torch.serialization.safe_globals(_of_deepspeed()):
        yield


def _of_deepspeed() -> list[Any]:
    """What it writes beside weights, where it is in use: an enumeration, and how losses are scaled."""
    named = (("zero.config", "ZeroStageEnum"), ("fp16.loss_scaler", "LossScaler"))
    if "deepspeed" not in sys.modules:
        return []
    return [getattr(importlib.import_module(f"deepspeed.runtime.{module}"), name) for module, name in named]


class _Table(pickle.Unpickler):
    """Finds only what torch writes into a table of contents."""

    def find_class(self, module: str, name: str) -> Any:
        is_number = module == "torch" and isinstance(getattr(torch, name, None), torch.dtype)
        if not is_number and (module, name) not in _NAMED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)
