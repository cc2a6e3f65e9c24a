"""A node of the DAG: what it makes, out of what, and what its results depend on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from reelproof.pipeline.disk.fingerprint import fingerprint
from reelproof.pipeline.parts.part import PartInputs, PartRun
from reelproof.pipeline.teachers.kinds import TeacherConfig, gpus_a_server
from reelproof.schemas.record import Record
from reelproof.stages.teachers.protocol import ServerTeacherConfig

StepFunction = Callable[[PartRun, Any], Iterator[Record]]
"""The part and the step's settings in, records out."""

Slot = Literal["CPU", "TEACHER", "GPU"]
"""The worker resource that a step takes where one is declared: TEACHER waits for a server, GPU holds one."""


@dataclass(frozen=True)
class Step:
    """What happens to every part once."""

    name: str
    version: int
    """Bumped by hand when the output changes for the same input."""
    settings: Any
    """Handed to `run`: the stage's config."""
    makes: type[Record]
    run: StepFunction
    after: tuple["Step", ...] = ()
    asks: tuple[TeacherConfig, ...] = ()
    """The models that it puts requests to."""
    identity: Any = None
    """What of the settings counts for the fingerprint, where not all does (a server's address does not)."""
    rests_on_given: bool = False
    """Whether the questions that came with the videos are among its inputs."""
    rows_at_once: int = 512
    """Records in memory, and in a row group of its file."""

    @property
    def slot(self) -> Slot:
        """Where it runs: beside a server of ours, waiting for one, or as plain work."""
        if gpus_a_server(self.asks):
            return "GPU"
        return "TEACHER" if any(isinstance(each, ServerTeacherConfig) for each in self.asks) else "CPU"

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that name its results."""
        identity = self.settings if self.identity is None else self.identity
        return fingerprint(self.name, self.version, identity, [step.fingerprint for step in self.after])

    @cached_property
    def ancestors(self) -> tuple["Step", ...]:
        """Every step above it, each once."""
        above = {each.name: each for step in self.after for each in (*step.ancestors, step)}
        return tuple(above.values())

    @cached_property
    def sees_given(self) -> bool:
        """Whether it, or a step above it, rests on given questions."""
        return self.rests_on_given or any(step.sees_given for step in self.after)

    @property
    def folder(self) -> str:
        """Where its files lie, within the build's folder."""
        return f"parts/{self.name}-{self.fingerprint}"

    def file(self, part: PartInputs) -> str:
        """The file that it leaves for a part."""
        return f"{self.folder}/{part.name}{part.given_key if self.sees_given else ''}.parquet"
