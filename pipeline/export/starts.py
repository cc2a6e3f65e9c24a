"""How to start each project's trainer on what was exported for it: files that are put beside it."""

import json
from collections.abc import Mapping, Set
from pathlib import Path

_TEMPLATES = Path(__file__).with_name("templates")

STARTS: Mapping[str, tuple[str, ...]] = {
    "trl": ("train_sft.py", "train_dpo.py", "train_grpo.py", "reward.py"),
    "llama-factory": ("dataset_info.json", "reelproof_sft.yaml", "reelproof_dpo.yaml"),
    "ms-swift": ("train_sft.sh", "train_dpo.sh", "train_grpo.sh", "reward.py"),
    "verl": ("reward.py", "train_grpo.sh"),
    "video-r1": ("README.md",),
    "webdataset": ("load.py",),
    "lmms-eval": ("utils.py",),
}
"""Layout -> names of its files, the first to be looked at first."""


_LEARNS_FROM = {"sft": "sft", "dpo": "dpo", "grpo": "rl"}


def learns_from(name: str) -> str | None:
    """The config whose rows a starting file trains on, by its name; None where it trains on none."""
    return _LEARNS_FROM.get(Path(name).stem.rpartition("_")[2])


def start_text(layout: str, name: str, configs: Set[str] = frozenset()) -> str:
    """The text of one of them, `templates/LAYOUT/NAME.txt`; a list of data in JSON names the configs'."""
    text = (_TEMPLATES / layout / f"{name}.txt").read_text(encoding="utf-8")
    if not name.endswith(".json"):
        return text
    held = {data: told for data, told in json.loads(text).items() if learns_from(data) in configs}
    return json.dumps(held, indent=2) + "\n"
