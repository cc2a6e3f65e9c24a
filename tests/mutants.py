"""tests/mutants.tsv -> which of its one-line faults the tests find: `make mutants`.

Each line names a file, what stands in it once, what is put there instead, and the tests that must then fail.
They run in copies of the tree, two at a time, and must pass there as long as nothing is changed, else they
are broken. A line that does not fit its file any more is stale: renew it with the code.
"""

import ast
import compileall
import csv
import os
import queue
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.films import FOOTAGE

ROOT = Path(__file__).parents[1]
TABLE = Path(__file__).with_suffix(".tsv")
AT_ONCE = 2
TIMEOUT_S = 600
"""A fault after which the tests never end is found, too."""
KILLED, SURVIVED, STALE, BROKEN = "killed", "survived", "stale", "broken"


class Mutant(NamedTuple):
    """One fault that is put into one file."""

    file: str
    before: str
    """Stands there once."""
    after: str
    tests: str
    """Arguments of pytest."""

    def planted(self, source: str) -> str | None:
        """The file with the fault; None where `before` stands there not once, or no Python comes of it."""
        if source.count(self.before) != 1:
            return None
        faulty = source.replace(self.before, self.after)
        try:
            ast.parse(faulty)
        except SyntaxError:
            return None
        return faulty


class Copies:
    """Copies of the tree, each lent to one run of the tests at a time."""

    def __init__(self, folder: Path) -> None:
        self._free: queue.Queue[Path] = queue.Queue()
        for number in range(AT_ONCE):
            self._free.put(copied(folder / str(number)))

    @contextmanager
    def one(self) -> Iterator[Path]:
        copy = self._free.get()
        try:
            yield copy
        finally:
            self._free.put(copy)

    def sound(self, tests: str) -> bool:
        """Whether the tests pass as long as nothing is changed."""
        with self.one() as copy:
            passed = run_tests(copy, tests) == 0
        print(f"{'sound' if passed else BROKEN:<8} {tests}", flush=True)
        return passed

    def fate(self, mutant: Mutant) -> str:
        """What becomes of a mutant, which is told as well."""
        with self.one() as copy:
            came = _fate(copy / mutant.file, copy, mutant)
        print(f"{came:<8} {mutant.file}: {mutant.before} -> {mutant.after}", flush=True)
        return came


def main(words: Sequence[str]) -> None:
    """Those mutants whose line has one of the words; all where none is given."""
    began = time.perf_counter()
    mutants = [each for each in read_mutants() if not words or any(word in "\t".join(each) for word in words)]
    with (
        tempfile.TemporaryDirectory(prefix="reelproof-mutants-") as folder,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        copies = Copies(Path(folder))
        tests = list(dict.fromkeys(each.tests for each in mutants))
        sound = {each for each, passed in zip(tests, pool.map(copies.sound, tests), strict=True) if passed}
        fates = list(pool.map(copies.fate, (each for each in mutants if each.tests in sound)))
    seconds = time.perf_counter() - began
    print(f"{fates.count(KILLED)} of {len(mutants)} mutants were killed, in {seconds:.0f} s")
    sys.exit(fates.count(KILLED) < len(mutants))


def read_mutants() -> list[Mutant]:
    with TABLE.open(newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(rows)
        return [Mutant(*row) for row in rows]


def copied(folder: Path) -> Path:
    """The tree as git sees it, compiled, for what is planted is newer than its compiled file; and footage."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    for name in listed.splitlines():
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    compileall.compile_dir(folder, quiet=2)
    if FOOTAGE.exists():  # without it, some tests are skipped, and find nothing
        (folder / "build").mkdir()
        (folder / "build/footage").symlink_to(FOOTAGE)
    return folder


def run_tests(copy: Path, tests: str) -> int:
    """What pytest says: 0 where all passed, 1 where one failed, or where they did not end."""
    surroundings = os.environ | {
        "PYTHONPATH": str(copy / ".src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_PROFILE": "unshrunk",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *shlex.split(tests)]
    try:
        done = subprocess.run(command, cwd=copy, env=surroundings, capture_output=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return 1
    return done.returncode


def _fate(file: Path, copy: Path, mutant: Mutant) -> str:
    faulty = mutant.planted(file.read_text())
    if faulty is None:
        return STALE
    file.write_text(faulty)
    try:
        return {0: SURVIVED, 1: KILLED}.get(run_tests(copy, mutant.tests), BROKEN)
    finally:
        shutil.copy2(ROOT / mutant.file, file)


if __name__ == "__main__":
    main(sys.argv[1:])
