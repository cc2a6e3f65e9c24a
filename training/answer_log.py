"""Questions and a sampler -> completions, kept in a file as they come, so that none is asked for twice."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from reelproof.training.runs import model_path
from reelproof.training.sampling import Ask, Said, Sampler, SamplingConfig, not_all_refused
from reelproof.training.shards import Example


class AnswerLog:
    """A JSONL file of answers. Those that were given under another setup are left where they are, unused."""

    def __init__(self, file: Path, setup: Sequence[Any]) -> None:
        """`setup` is all that decides an answer but its question."""
        plain = [each.model_dump(mode="json") if isinstance(each, BaseModel) else each for each in setup]
        self._file = file
        self._setup = hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:16]

    def ask(self, sampler: Sampler, examples: Sequence[Example], cfg: SamplingConfig) -> list[Said]:
        """One completion per example, in order; a batch is written before the next is asked for.

        What a server refused is not kept: it is asked for again the next time. Raises SetupError where it
        refused all.
        """
        known = self._read()
        for first in range(0, len(examples), cfg.batch_rows):
            batch = [each for each in examples[first : first + cfg.batch_rows] if each.sample_id not in known]
            if batch:
                seeded = cfg.model_copy(update={"seed": cfg.seed + first})
                said = sampler.sample([Ask(each) for each in batch], seeded)
                new = {each.sample_id: one for each, one in zip(batch, said, strict=True)}
                self._append({sample_id: one for sample_id, one in new.items() if not one.refused})
                known |= new
        return not_all_refused([known[each.sample_id] for each in examples])

    def _read(self) -> dict[str, Said]:
        found = {}
        for line in self._file.read_text().splitlines() if self._file.is_file() else ():
            try:
                row = json.loads(line)
            except ValueError:  # the line that was being written
                continue
            setup, sample_id, ids = (row.pop(name) for name in ("setup", "sample_id", "token_ids"))
            if setup == self._setup:
                found[sample_id] = Said(**row, token_ids=tuple(ids))
        return found

    def _append(self, answers: Mapping[str, Said]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a") as file:
            for sample_id, said in answers.items():
                row = {"setup": self._setup, "sample_id": sample_id, **said._asdict()}
                file.write(json.dumps(row) + "\n")


def model_version(model: str) -> list[Any]:
    """Its name, and of a folder the state of its files: one that was trained on gives other answers."""
    folder = Path(model_path(model))
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return [model, *([file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files)]
