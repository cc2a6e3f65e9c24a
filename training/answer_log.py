"""Questions and a sampler -> completions, kept in a file as they come, so that none is asked for twice."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from reelproof.training.runs import model_path
from reelproof.training.sampling import OF_ROLLOUTS, Ask, CutOff, Said, Sampler, not_all_refused
from reelproof.training.settings.asking import SamplingConfig
from reelproof.training.shards import Example


class AnswerLog:
    """A JSONL file of answers. Those that were given under another setup are left where they are, unused."""

    def __init__(self, file: Path, setup: Sequence[Any]) -> None:
        """`setup` is all that decides an answer but its question."""
        plain = [each.model_dump(mode="json") if isinstance(each, BaseModel) else each for each in setup]
        self._file = file
        self._setup = hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:16]

    def request_id(self, example: Example) -> str:
        """Of the request that the row and the setup make: the same one is never asked again."""
        return hashlib.sha256(f"{self._setup} {example.sample_id}".encode()).hexdigest()[:32]

    def ask(
        self,
        open_sampler: Callable[[], Sampler],
        examples: Sequence[Example],
        cfg: SamplingConfig,
        shown: Callable[[Example], Example | None] = lambda example: example,
        tell: Callable[[int], None] = lambda _: None,
    ) -> list[Said | None]:
        """One completion per example, in order; a batch is written before the next is asked for.

        The sampler is opened where there is something to ask. `shown` gives a row its frames; where it gives
        None, the row is not asked. `tell` hears after each batch how many are answered. What a server refused
        is not kept: it is asked for again the next time. Raises SetupError where it refused all, CutOff where
        no more can be asked.
        """
        known = self._read()
        size = cfg.batch_rows
        left = {}
        for first in range(0, len(examples), size):
            batch = [each for each in examples[first : first + size] if each.sample_id not in known]
            if batch:
                left[first] = batch
        sampler = open_sampler() if left else None
        for first, batch in zip(left, _with_frames(list(left.values()), shown), strict=True):
            if sampler is None or not batch:
                continue
            seeded = cfg.model_copy(update={"seed": cfg.seed + first})
            try:
                said: Sequence[Said | None] = sampler.sample([Ask(each) for each in batch], seeded)
            except CutOff as cut:
                self._keep(batch, cut.said)
                raise
            known |= self._keep(batch, said)
            tell(sum(each.sample_id in known for each in examples))
        answers = [known.get(each.sample_id) for each in examples]
        not_all_refused([each for each in answers if each is not None])
        return answers

    def _keep(self, batch: Sequence[Example], said: Sequence[Said | None]) -> dict[str, Said]:
        """Write the answers to a batch; what was refused only goes back."""
        new = {each.sample_id: one for each, one in zip(batch, said, strict=True) if one is not None}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a") as file:
            for sample_id, one in new.items():
                told = {name: value for name, value in one._asdict().items() if name not in OF_ROLLOUTS}
                if not one.refused:
                    row = {"setup": self._setup, "sample_id": sample_id, **told}
                    file.write(json.dumps(row) + "\n")
        return new

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


def _with_frames(
    batches: Sequence[Sequence[Example]], shown: Callable[[Example], Example | None]
) -> Iterator[list[Example]]:
    """Each batch's rows that can be shown; those of the next are fetched while one is answered."""
    waiting = iter(batches)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        coming = pool.map(shown, next(waiting, ()))
        for _ in batches:
            now, coming = coming, pool.map(shown, next(waiting, ()))
            yield [found for found in now if found is not None]


def model_version(model: str) -> list[Any]:
    """Its name, and of a folder the state of its files: one that was trained on gives other answers."""
    folder = Path(model_path(model))
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return [model, *([file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files)]
