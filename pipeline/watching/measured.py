"""The folder of an evaluation -> how often its model is right on each kind of question."""

import json
from collections.abc import Mapping
from pathlib import Path

from reelproof.pipeline.errors import UsageError
from reelproof.schemas.event import Measured
from reelproof.schemas.question import Task

_STYLE = "published"
"""With a thought, as it is asked here."""


def measured_by_task(folder: Path, model: str) -> Mapping[Task, Measured]:
    """Of questions asked for a thought, the lenient score. `model` is what the command names.

    Raises UsageError where no evaluation lies there, or one of another model.
    """
    file = folder / "evaluate.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        of, reports = str(found["model"]), list(found["reports"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"measured: {file} is no evaluation's; name the --out of `reelproof evaluate`"
        ) from None
    if not _is_same(of, model):
        raise UsageError(
            f"measured: {folder} measured {of}, and {model} is asked here; evaluate this model, or leave "
            "`measured` out: what it says is then told as `untested`"
        )
    return {
        Task(each["group"]): Measured(
            accuracy=each["lenient"]["value"],
            low=each["lenient"]["low"],
            high=each["lenient"]["high"],
            questions=each["questions"],
            of=f"{each['group']}, {_STYLE}",
        )
        for each in reports
        if each["by"] == "task" and each["style"] == _STYLE
    }


def _is_same(one: str, other: str) -> bool:
    """Whether two names mean one model: a run and the model in it do, however the path is written."""
    return one == other or _place(one) == _place(other)


def _place(model: str) -> str:
    path = Path(model)
    inside = path / "model"
    return str((inside if (inside / "config.json").is_file() else path).resolve()) if path.exists() else model
