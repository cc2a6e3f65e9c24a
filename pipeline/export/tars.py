"""Published rows -> tar files of JSON and JPEGs, and the card by which `datasets` reads them as they are."""

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from reelproof.pipeline.export.rows import PublishedRow, gold_columns, placeholder_text

_TAR_BYTES = 500_000_000
_CARD = "README.md"
_FACTS: dict[str, Any] = {
    "question_id": {"dtype": "string"},
    "question": {"dtype": "string"},
    "answer": {"dtype": "string"},
    "task": {"dtype": "string"},
    "options": {"list": "string"},
    "tolerance": {"dtype": "float64"},
    "prompt": {"list": [{"name": "role", "dtype": "string"}, {"name": "content", "dtype": "string"}]},
    "completion": {"dtype": "string"},
    "frame_times_s": {"list": "float64"},
    "frame_sha256": {"list": "string"},
    "video": {"dtype": "string"},
    "license": {"dtype": "string"},
}
"""What a sample's JSON holds, in the words of a card."""


class TarRows:
    """`CONFIG/SPLIT-000000.tar`, …: `KEY.json` and `KEY.000.jpg`, `KEY.001.jpg`, … side by side."""

    def __init__(self, root: Path, config: str, split: str) -> None:
        self._root, self._config, self._split = root, config, split
        self._shards = _TarShards(root / config, split)
        self._frames = 0

    def add(self, row: PublishedRow) -> bool:
        """Write a row's JSON and frames; there is room for any."""
        turns = [{"role": turn.role, "content": placeholder_text(turn)} for turn in row.prompt]
        facts = {
            "question_id": row.question_id,
            "question": row.question,
            **gold_columns(row),
            "prompt": turns,
            "completion": row.completion,
            "frame_times_s": row.frame_times_s,
            "frame_sha256": row.frame_sha256,
            "video": row.video,
            "license": row.license,
        }
        self._shards.add(row.sample_id, facts, row.jpegs)
        self._frames = max(self._frames, len(row.jpegs))
        return True

    def close(self) -> None:
        """Finish the last file, and name this split in the card.

        Without it, `datasets` takes the columns of the first five samples for those of all: it refuses
        samples with other numbers of frames, and a tolerance where the first ones have none.
        """
        self._shards.close()
        card = self._root / _CARD
        held = yaml.safe_load(card.read_text().split("---")[1]) if card.exists() else {}
        configs = {each["config_name"]: each for each in held.get("configs", ())}
        infos = {each["config_name"]: each["features"] for each in held.get("dataset_info", ())}
        mine = configs.setdefault(self._config, {"config_name": self._config, "data_files": []})
        mine["data_files"].append({"split": self._split, "path": f"{self._config}/{self._split}-*.tar"})
        infos[self._config] = max(infos.get(self._config, []), _features(self._frames), key=len)
        told = {
            "configs": list(configs.values()),
            "dataset_info": [{"config_name": name, "features": found} for name, found in infos.items()],
        }
        card.write_text(f"---\n{yaml.safe_dump(told, sort_keys=False)}---\n", encoding="utf-8")


def _features(frames: int) -> list[dict[str, Any]]:
    """A sample's columns as a card tells them; frames that one does not have are null."""
    return [
        {"name": "__key__", "dtype": "string"},
        {"name": "__url__", "dtype": "string"},
        {"name": "json", "struct": [{"name": name, **kind} for name, kind in _FACTS.items()]},
        *({"name": f"{place:03d}.jpg", "dtype": "image"} for place in range(frames)),
    ]


class _TarShards:
    """Samples as members of tar files `NAME-000000.tar`, …: a JSON file and its frames each, in one order."""

    def __init__(self, root: Path, name: str) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._root, self._name = root, name
        self._number, self._bytes = 0, 0
        self._tar = self._open()

    def add(self, key: str, row: Any, jpegs: Sequence[bytes]) -> None:
        """Write one sample; a new file begins where this one is large enough."""
        if self._bytes >= _TAR_BYTES:
            self._tar.close()
            self._number, self._bytes = self._number + 1, 0
            self._tar = self._open()
        self._write(f"{key}.json", json.dumps(row, ensure_ascii=False, sort_keys=True).encode())
        for place, jpeg in enumerate(jpegs):
            self._write(f"{key}.{place:03d}.jpg", jpeg)

    def close(self) -> None:
        """Finish the last file."""
        self._tar.close()

    def _open(self) -> tarfile.TarFile:
        return tarfile.open(
            self._root / f"{self._name}-{self._number:06d}.tar", "w", format=tarfile.USTAR_FORMAT
        )

    def _write(self, name: str, content: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        self._tar.addfile(member, io.BytesIO(content))
        self._bytes += len(content)
