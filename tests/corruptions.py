"""A finished build's folder -> the same with one file bitten, cut, gone or in another's place.

And builds without a cluster, so that hundreds can be mended.
"""

import os
import random
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from reelproof.pipeline.build import summarise
from reelproof.pipeline.curate import curate
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.health import find_faults, mended, take_away
from reelproof.pipeline.ingest import Again, ingest, save_ingested
from reelproof.pipeline.inputs.sources import list_sources
from reelproof.pipeline.parts.run_step import run_step
from reelproof.pipeline.progress.run_summary import RunSummary
from reelproof.pipeline.recipe import recipe_for_sources

SETTINGS = (
    *("parts.videos=2", "shards.megabytes=1", "splits.test_share=0.3", "policy.luck_confidence=0"),
    *("card.examples=1", "rollouts.rollouts=2"),
)
UNREAD = frozenset((".reelproof/lock", ".reelproof/owner"))
"""Nobody reads the one, and the other only names who holds the lock."""


class Corruption(NamedTuple):
    """What was done, to which files."""

    kind: str
    names: tuple[str, ...]


def build_here(films: Path, out: Path, check: bool = False) -> RunSummary:
    """`reelproof build`, each step in this process."""
    store, recipe = Store(str(out)), recipe_for_sources(str(films), SETTINGS)

    def work() -> RunSummary:
        ingested = ingest(store, recipe, list_sources(recipe.sources), Again(), lambda _: None)
        save_ingested(ingested)
        workplace = ingested.workplace
        todos = workplace.todos()
        receipts = [run_step(step, todo.inputs, str(out)) for todo in todos for step in todo.steps]
        return summarise("build", time.monotonic(), workplace, [*receipts, *curate(workplace)])

    store.claim()
    with store.lock():
        if check:
            take_away(store, find_faults(store), lambda _: None)
        return mended(store, work)


def linked_copy(folder: Path, target: Path) -> Path:
    """A copy that takes no time; files of it are replaced, never written into."""
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(folder, target, copy_function=os.link))


def corrupt(folder: Path, rng: random.Random) -> Corruption:
    """Do one thing to one file, or to two of a kind; kinds of files come up alike, however many there are."""
    kinds: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and path.stat().st_size and name not in UNREAD:
            kinds.setdefault(_kind(name), []).append(name)
    of_kind = kinds[rng.choice(sorted(kinds))]
    name, way = rng.choice(of_kind), rng.choice(sorted(WAYS))
    return Corruption(way, tuple(WAYS[way](folder, name, of_kind, rng)))


def _kind(name: str) -> str:
    path = PurePosixPath(name)
    folder = str(path.parent) if name.startswith(("dataset", "blocks")) else path.parts[0]
    return f"{folder} {path.parts[1].partition('-')[0] if len(path.parts) > 2 else ''} {path.suffix}"


def _flip(folder: Path, name: str, _kind: Sequence[str], rng: random.Random) -> list[str]:
    content = bytearray((folder / name).read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return _replace(folder, name, bytes(content))


def _cut(folder: Path, name: str, _kind: Sequence[str], rng: random.Random) -> list[str]:
    content = (folder / name).read_bytes()
    return _replace(folder, name, content[: rng.randrange(len(content))])


def _overwrite(folder: Path, name: str, _kind: Sequence[str], rng: random.Random) -> list[str]:
    """A stretch of zeros, as a disk leaves it that lost a block."""
    content = bytearray((folder / name).read_bytes())
    start = rng.randrange(len(content))
    end = min(len(content), start + 512)
    content[start:end] = bytes(end - start)
    return _replace(folder, name, bytes(content))


def _delete(folder: Path, name: str, _kind: Sequence[str], _rng: random.Random) -> list[str]:
    (folder / name).unlink()
    return [name]


def _swap(folder: Path, name: str, of_kind: Sequence[str], rng: random.Random) -> list[str]:
    mine = (folder / name).read_bytes()
    others = [each for each in of_kind if (folder / each).read_bytes() != mine]
    if not others:
        return _flip(folder, name, of_kind, rng)
    other = rng.choice(others)
    return [*_replace(folder, name, (folder / other).read_bytes()), *_replace(folder, other, mine)]


def _replace(folder: Path, name: str, content: bytes) -> list[str]:
    (folder / name).unlink()
    (folder / name).write_bytes(content)
    return [name]


WAYS: dict[str, Callable[[Path, str, Sequence[str], random.Random], list[str]]] = {
    "flip": _flip,
    "cut": _cut,
    "overwrite": _overwrite,
    "delete": _delete,
    "swap": _swap,
}
