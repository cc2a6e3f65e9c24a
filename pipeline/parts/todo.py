"""What is left to do for a part, and whom that asks."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec

from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.parts.step import PartStep, Step
from reelproof.pipeline.teachers.kinds import TeacherConfig
from reelproof.schemas.install import EXTRAS, installing


@dataclass(frozen=True)
class Todo:
    """A part, and the steps that have left no file for it yet, in the DAG's order."""

    inputs: PartInputs
    steps: tuple[Step[PartStep], ...]


def check_extras(todos: Iterable[Todo]) -> None:
    """Raise UsageError where these steps need a library of an extra that is not installed here."""
    for step in dict.fromkeys(step.kind for todo in todos for step in todo.steps if step.kind.extra):
        extra = str(step.extra)
        if missing := [package for package in EXTRAS[extra] if find_spec(package) is None]:
            raise UsageError(
                f"step `{step.name}` needs {' and '.join(missing)}, not installed here; {installing(extra)}"
            )


def teachers_of(todos: Iterable[Todo]) -> tuple[TeacherConfig, ...]:
    """The models that these steps ask, each once."""
    return tuple(dict.fromkeys(ask.teacher for todo in todos for step in todo.steps for ask in step.asks))
