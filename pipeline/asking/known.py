"""Who is asked -> how often it is known to be right on such questions, where somebody measured that."""

from pathlib import Path

from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.watching.measured import measured_by_task
from reelproof.schemas.event import Measured
from reelproof.schemas.question import Task


def known_accuracy(model: str, task: Task, folder: Path | None) -> Measured | None:
    """From the evaluation in `folder`, or else from one in or beside the run that `model` names.

    Of several beside it, the one of the most questions of this task. Raises UsageError where `folder` holds
    none, or one of another model.
    """
    if folder is not None:
        return measured_by_task(folder, model).get(task)
    found = [known for each in _beside(model) if (known := _measured(each, model, task)) is not None]
    return max(found, key=lambda each: each.questions, default=None)


def _beside(model: str) -> list[Path]:
    run = Path(model)
    if not run.is_dir():
        return []
    run = run.resolve()
    inside = [each for folder in (run, run.parent) for each in sorted(folder.iterdir()) if each.is_dir()]
    return [each for each in dict.fromkeys((run, *inside)) if (each / "evaluate.json").is_file()]


def _measured(folder: Path, model: str, task: Task) -> Measured | None:
    try:
        return measured_by_task(folder, model).get(task)
    except UsageError:
        return None
