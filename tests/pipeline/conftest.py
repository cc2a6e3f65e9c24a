"""Films, and builds of them by the command itself, as a user runs it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.films import Shot, make_film

COMMAND = Path(sys.executable).with_name("reelproof")


class Ran(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        """What `--json` printed."""
        assert self.code == 0, self.err
        return json.loads(self.out)


def reelproof(*arguments: str | Path, timeout_s: float = 600) -> Ran:
    """Run the command to its end."""
    done = subprocess.run(
        [COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=timeout_s, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def film(folder: Path, number: int) -> Path:
    """A film of three shots whose looks no other number shares."""
    looks = [
        Shot(100 * number + shot, 1.6 + 0.4 * ((number + shot) % 3), motion_px=shot) for shot in range(3)
    ]
    return make_film(folder / f"film {number}.mp4", looks, fps=10, size=(320, 180))


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six films. Not to be changed."""
    folder = tmp_path_factory.mktemp("films")
    for number in range(6):
        film(folder, number)
    return folder


SMALL = (
    *("--set", "parts.videos=2", "--set", "shards.megabytes=1", "--set", "splits.test_share=0.3"),
    *("--set", "policy.luck_confidence=0"),
)
"""Several parts and shards of little footage: so few answers are all explained by luck."""


@pytest.fixture(scope="session")
def built(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished build of the films. Not to be changed: take a copy."""
    out = tmp_path_factory.mktemp("built") / "build"
    ran = reelproof("build", films, "--out", out, *SMALL, "--json")
    assert ran.code == 0, ran.err
    return out


@pytest.fixture
def build_copy(built: Path, tmp_path: Path) -> Path:
    """The finished build, to work on."""
    return Path(shutil.copytree(built, tmp_path / "build"))


@pytest.fixture
def films_copy(films: Path, tmp_path: Path) -> Callable[[], Path]:
    """Makes a copy of the films, to add to or to break."""
    return lambda: Path(shutil.copytree(films, tmp_path / "films"))
