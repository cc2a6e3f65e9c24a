"""Films, and builds of them by the command itself, as a user runs it."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import dask
import pytest
from distributed import LocalCluster
from filelock import FileLock

from reelproof.pipeline.cli import main
from reelproof.pipeline.cluster.local_or_remote import MEMORY
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


def reelproof(*arguments: str | Path, timeout_s: float = 600, **environment: str) -> Ran:
    """Run the command to its end."""
    done = subprocess.run(
        [COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=os.environ | environment,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def reelproof_here(*arguments: str | Path) -> Ran:
    """The same in this process, which has loaded its libraries: for what starts no workers of its own."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["reelproof", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    return Ran(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def film(folder: Path, number: int) -> Path:
    """A film of three shots whose looks no other number shares; the last is long enough for another film's
    frames to be told in it.
    """
    looks = [
        Shot(100 * number + shot, (1.6 + 0.4 * ((number + shot) % 3)) * (1, 1, 3)[shot], motion_px=shot)
        for shot in range(3)
    ]
    return make_film(folder / f"film {number}.mp4", looks, fps=10, size=(320, 180))


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first test process to want it makes, and that all of them use."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    done = folder.with_suffix(".done")
    with FileLock(folder.with_suffix(".lock")):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six films. Not to be changed."""

    def make(folder: Path) -> None:
        for number in range(6):
            film(folder, number)

    return made_once(tmp_path_factory, "films", make)


SMALL = (
    *("--set", "parts.videos=2", "--set", "shards.megabytes=1", "--set", "splits.test_share=0.3"),
    *("--set", "policy.luck_confidence=0", "--set", "card.plots=false"),
)
"""Several parts and shards of little footage: so few answers are all explained by luck. Plots have tests of
their own, and take as long as all else."""


@pytest.fixture(scope="session")
def built(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished build of the films. Not to be changed: take a copy."""

    def make(folder: Path) -> None:
        ran = reelproof("build", films, "--out", folder / "build", *SMALL, "--json")
        assert ran.code == 0, ran.err

    return made_once(tmp_path_factory, "built", make) / "build"


@pytest.fixture(scope="session")
def ready() -> Iterator[tuple[str, ...]]:
    """`--scheduler ADDRESS` of workers that started already: for builds whose workers are not what is tested.

    They start once, and load their libraries once, where a build's own would for each build. Plots are left
    out.
    """
    memory = {f"distributed.nanny.pre-spawn-environ.{name}": value for name, value in MEMORY.items()}
    with (
        dask.config.set({"distributed.worker.daemon": False, **memory}),  # they start decoders
        LocalCluster(
            n_workers=2,
            memory_limit=0,  # as in a cluster of ours: nobody need look at it ten times a second
            threads_per_worker=3,
            protocol="tcp://",
            host="127.0.0.1",
            resources={"CPU": 1, "TEACHER": 2},
            dashboard_address=None,
            silence_logs="ERROR",
        ) as cluster,
    ):
        yield ("--scheduler", cluster.scheduler_address, "--set", "card.plots=false")


@pytest.fixture
def build_copy(built: Path, tmp_path: Path) -> Path:
    """The finished build, to work on."""
    return Path(shutil.copytree(built, tmp_path / "build"))


@pytest.fixture
def films_copy(films: Path, tmp_path: Path) -> Callable[[], Path]:
    """Makes a copy of the films, to add to or to break."""
    return lambda: Path(shutil.copytree(films, tmp_path / "films"))
