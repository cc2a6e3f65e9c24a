"""A training run's folder: what it was made from, its metrics, its checkpoints, its result.

RUN/run.json            data, policy, frames, settings, versions, and what came out
RUN/metrics.jsonl       one line a logged step
RUN/rollouts.jsonl      what was said now and then, of RUN/frames: `reelproof browse RUN`
RUN/checkpoints/step-…  the last one, written whole or not at all
RUN/model               the result, for the Auto classes
"""

import json
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from reelproof.schemas.install import version_of
from reelproof.training.preflight import SetupError

LIBRARIES = ("reelproof", "torch", "transformers", "accelerate", "peft", "trl", "datasets", "pyarrow")

Tell = Callable[[str], None]
"""What a person at the terminal is told, a line at a time."""
_TOLD = ("loss", "reward/total", "right", "test/right", "preferred", "tokens_per_s", "memory_gb")
_TELL_EVERY_S = 5.0
_BEGUN = "run.json.partial"
"""All that is left of a run that was killed as it began."""


class RunFolder:
    """Files of one run. Only the process `writes` is true for touches them."""

    def __init__(
        self,
        folder: Path,
        setup: Mapping[str, Any],
        writes: bool = True,
        tell: Tell = lambda _: None,
        may_change: Set[str] = frozenset(),
    ) -> None:
        """Open or begin the run, whose steps `tell` is told.

        Raises SetupError where the folder holds a run of another setup; what `may_change` makes no other.
        """
        self.folder = folder
        self._writes = writes
        self._tell = tell
        self._first: tuple[int, float] | None = None
        self._told_s = 0.0
        self._setup = json.loads(json.dumps(setup, default=str))
        file = folder / "run.json"
        if file.is_file():
            differing = differences(_setup_of(file), self._setup, may_change)
            if differing:
                raise SetupError(
                    f"{folder} holds a run that differs in {', '.join(differing)}; "
                    "choose another --out, or give the settings it was begun with to go on"
                )
        elif writes:
            _refuse_used(folder)
            folder.mkdir(parents=True, exist_ok=True)
            self.write_outcome({"state": "running"})

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the run; the kernel lets go of a dead process. Raises SetupError where another holds it."""
        if not self._writes:
            yield
            return
        try:
            held = FileLock(self.folder / ".lock").acquire(timeout=0)
        except Timeout:
            raise SetupError(
                f"another process trains in {self.folder}; wait for it, or choose another --out"
            ) from None
        with held:
            yield

    @property
    def model(self) -> Path:
        """Where the result lies."""
        return self.folder / "model"

    @property
    def outcome(self) -> Mapping[str, Any]:
        """What a finished run came to, as `write_outcome` left it; empty for one that is not finished."""
        try:
            held = json.loads((self.folder / "run.json").read_text())
        except FileNotFoundError:
            return {}
        return held if held.get("state") == "done" else {}

    def log(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl, and tell of it."""
        if not self._writes:
            return
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"step": step, **metrics}) + "\n")
        self._tell_step(step, metrics)

    def _tell_step(self, step: int, metrics: Mapping[str, Any]) -> None:
        """One line every few seconds, and for the last step."""
        now_s, steps = time.monotonic(), self._setup.get("config", {}).get("steps")
        if steps is None or (now_s - self._told_s < _TELL_EVERY_S and step < steps):
            return
        self._told_s = now_s
        told = [
            f"{name.replace('_', ' ').removesuffix('/total')} {metrics[name]:.4g}"
            for name in _TOLD
            if name in metrics
        ]
        if self._first is not None and step < steps:
            first, then_s = self._first
            told.append(f"{(now_s - then_s) / (step - first) * (steps - step):.0f} s left")
        self._first = self._first or (step, now_s)
        self._tell(f"step {step}/{steps}: {', '.join(told)}")

    def forget_after(self, step: int) -> None:
        """Drop what a killed process left: lines of later steps, and checkpoints but the last whole one."""
        if not self._writes:
            return
        self._drop_checkpoints(but=self.latest_checkpoint())
        for file in self.folder.glob("*.jsonl"):
            lines = file.read_text().splitlines()
            kept = [line for line in lines if _step_of(line) <= step]
            write_whole(file, "".join(line + "\n" for line in kept))

    def latest_checkpoint(self) -> Path | None:
        """The last complete checkpoint."""
        found = sorted(self.folder.glob("checkpoints/step-*[0-9]"))
        return found[-1] if found else None

    @contextmanager
    def checkpoint(self, step: int) -> Iterator[Path]:
        """A folder to fill, which then is the latest checkpoint; those before it are dropped."""
        partial = self.folder / "checkpoints" / f"step-{step:08d}.partial"
        yield partial
        if self._writes:
            done = partial.with_suffix("")
            shutil.rmtree(done, ignore_errors=True)
            partial.rename(done)
            self._drop_checkpoints(but=done)

    def _drop_checkpoints(self, but: Path | None) -> None:
        for old in (self.folder / "checkpoints").glob("step-*"):
            if old != but:
                shutil.rmtree(old)

    def write_outcome(self, outcome: Mapping[str, Any]) -> None:
        """Write run.json whole."""
        if self._writes:
            content = {"setup": self._setup, "versions": versions(), **outcome}
            write_whole(self.folder / "run.json", json.dumps(content, indent=1, default=str) + "\n")


def versions() -> dict[str, str]:
    """Of Python and of the libraries that decide the result."""
    found = {name: version_of(name) or "absent" for name in LIBRARIES}
    return {"python": platform.python_version(), **found}


def write_whole(file: Path, text: str) -> None:
    """Write by rename, so that a killed process leaves the old file or the new one."""
    partial = file.with_name(file.name + ".partial")
    partial.write_text(text)
    partial.replace(file)


def model_path(model: str) -> str:
    """A model's name or folder, or the folder of the run that trained it."""
    inside = Path(model) / "model"
    return str(inside) if (inside / "config.json").is_file() else model


def trained_with(model: str) -> Mapping[str, Any]:
    """The settings of the run that a model's folder is of; none where it is of no run."""
    file = Path(model) / "run.json"
    settings: Mapping[str, Any] = _setup_of(file).get("config", {}) if file.is_file() else {}
    return settings


def _refuse_used(folder: Path) -> None:
    """A new run begins in a new folder: checkpoints, logs and a model of others would be written over."""
    held = sorted({each.name for each in folder.iterdir()} - {_BEGUN}) if folder.is_dir() else []
    if held:
        raise SetupError(
            f"{folder} holds {', '.join(held[:3])}{', …' * (len(held) > 3)} and is no training run; "
            "choose a new --out, so that nothing there is written over"
        )


def _setup_of(file: Path) -> Mapping[str, Any]:
    """What a run was begun with. Raises SetupError where the file is not a run's."""
    try:
        setup = json.loads(file.read_text())["setup"]
    except (ValueError, KeyError, TypeError):
        setup = None
    if not isinstance(setup, dict):
        raise SetupError(f"{file} is not the run.json of a training run; choose a new --out")
    return setup


def _step_of(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except ValueError:  # the line that was being written
        return 1 << 62


def flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Each setting under its dotted name."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{name}.")
        else:
            yield before + name, value


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], may_change: Set[str] = frozenset()
) -> list[str]:
    """Each setting that is another, with both values."""
    before, after = dict(flat(old)), dict(flat(new))
    return [
        f"{name} ({before.get(name)!r} there, {after.get(name)!r} now)"
        for name in sorted({*before, *after} - may_change)
        if before.get(name) != after.get(name)
    ]
