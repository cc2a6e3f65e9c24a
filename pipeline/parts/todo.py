"""What is left to do for a part, and whom that asks."""

from collections.abc import Iterable
from dataclasses import dataclass

from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.parts.step import PartStep, Step
from reelproof.pipeline.teachers.kinds import TeacherConfig


@dataclass(frozen=True)
class Todo:
    """A part, and the steps that have left no file for it yet, in the DAG's order."""

    inputs: PartInputs
    steps: tuple[Step[PartStep], ...]


def teachers_of(todos: Iterable[Todo]) -> tuple[TeacherConfig, ...]:
    """The models that these steps ask, each once."""
    return tuple(dict.fromkeys(ask.teacher for todo in todos for step in todo.steps for ask in step.asks))
