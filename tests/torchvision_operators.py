"""A CPU torch beside a CUDA torchvision: declares `nms` and `qnms`, which torchvision wants on import.

Run by a `.pth` file at every start of that environment's Python, so torch is imported with torchvision only.
"""

import sys
from importlib.abc import MetaPathFinder


class _BeforeTorchvision(MetaPathFinder):
    def find_spec(self, fullname, path, target=None):
        if fullname != "torchvision":
            return
        sys.meta_path.remove(self)
        import torch

        for operator in ("nms", "qnms"):
            torch.library.define(
                f"torchvision::{operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )


sys.meta_path.insert(0, _BeforeTorchvision())
