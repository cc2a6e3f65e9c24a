"""Steps x parts -> tasks on a cluster, a bounded window of parts at a time; receipts come back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from distributed import Client, Future, as_completed

from reelproof.pipeline.cluster.ahead import AMOUNTS, named_key, submit_ahead
from reelproof.pipeline.cluster.by_workers import ByWorkers
from reelproof.pipeline.cluster.local_or_remote import declared_resources, slot_count
from reelproof.pipeline.cluster.same_code import OnlyOurs
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.parts.run_step import Receipt, ScannedAhead, run_step
from reelproof.pipeline.parts.step import PartStep, Step
from reelproof.pipeline.parts.todo import Todo
from reelproof.pipeline.parts.whole import WholeTask, run_whole

_PARTS_A_SLOT = 4
"""Where so many parts wait for each slot, none of their films is shared: all slots have work."""


@dataclass(frozen=True)
class StepFailed:
    """A step that raised on a part, or over all of them. What comes after it did not run."""

    step: str
    part: int | None
    error: BaseException


def run_todos(
    client: Client, todos: Sequence[Todo], store_url: str, parts_ahead: int
) -> Iterator[Receipt | ScannedAhead | StepFailed]:
    """Work through all parts, in order, and yield what became of each step as it finishes.

    The window bounds how far the first steps run ahead: tasks with resources get no back-pressure.
    Raises UsageError where a step wants a resource that no worker declares.
    """
    resources = declared_resources(client)
    _refuse_missing(todos, resources)
    slots = int(resources.get("CPU") or slot_count(client))
    window = parts_ahead * max(1, slot_count(client))
    waiting = iter(todos)
    running = as_completed(with_results=False)
    tasks: dict[object, tuple[Step[PartStep] | None, Todo]] = {}
    unfinished: dict[int, int] = {}
    broken: dict[int, set[str]] = {}
    left = len(todos)

    def start(todo: Todo) -> None:
        shared_by = slots if left < _PARTS_A_SLOT * slots else 1
        ahead = submit_ahead(client, todo, store_url, resources, shared_by)
        futures = _submit(client, todo, store_url, resources, ahead)
        unfinished[todo.inputs.part.number] = len(ahead) + len(futures)
        tasks.update({future.key: (None, todo) for future in ahead})
        tasks.update({future.key: (step, todo) for step, future in zip(todo.steps, futures, strict=True)})
        for each in (ahead, futures):
            running.update(each)

    for todo in [each for _, each in zip(range(window), waiting, strict=False)]:
        start(todo)
    for future in running:
        step, todo = tasks.pop(future.key)
        number = todo.inputs.part.number
        yield from _outcome(future, step, number, broken.setdefault(number, set()))
        future.release()
        unfinished[number] -= 1
        if not unfinished[number]:
            left -= 1
            following = next(waiting, None)
            if following is not None:
                start(following)


def _outcome(
    future: Future[Any], step: Step[PartStep] | None, number: int, failed: set[str]
) -> Iterator[Receipt | ScannedAhead | StepFailed]:
    """What became of a task; `failed` are the part's steps that did. What was begun ahead has no step."""
    if future.status == "finished":
        yield future.result()
    elif step is not None:  # what failed ahead, the step has met again
        if failed.isdisjoint(each.name for each in step.ancestors):  # else it did not run at all
            yield StepFailed(step.name, number, future.exception())
        failed.add(step.name)


def run_whole_tasks(
    client: Client, tasks: Sequence[WholeTask], parts: Sequence[PartInputs], store_url: str
) -> Iterator[Receipt | StepFailed]:
    """Do steps over all parts, each after those above it, and yield what became of each as it finishes.

    Raises UsageError where a step says that the recipe asks for what cannot be done.
    """
    resources = declared_resources(client)
    shared = client.scatter(tuple(parts), broadcast=False)
    futures: dict[str, Future[Receipt]] = {}
    for task in tasks:
        above = [futures[name] for name in task.folders if name in futures]
        futures[task.step.name] = client.submit(
            run_whole,
            task,
            shared,
            store_url,
            None,
            ByWorkers(),
            *above,
            key=named_key(task.step.name, f"{store_url}\n{task.folder}"),
            resources={"CPU": AMOUNTS["CPU"]} if "CPU" in resources else None,
            pure=False,
        )
    for task in tasks:
        future = futures[task.step.name]
        error = future.exception()
        if isinstance(error, UsageError):
            raise error
        if error is not None:
            yield StepFailed(task.step.name, None, error)
            return
        yield future.result()


def _submit(
    client: Client,
    todo: Todo,
    store_url: str,
    resources: dict[str, float],
    ahead: Sequence[Future[ScannedAhead]],
) -> list[Future[Receipt]]:
    futures: dict[str, Future[Receipt]] = {}
    work = run_step if client.cluster else OnlyOurs(run_step)
    for step in todo.steps:
        above = [futures[each.name] for each in step.ancestors if each.name in futures]
        futures[step.name] = client.submit(
            work,
            step,
            todo.inputs,
            store_url,
            *above,
            *(ahead if step.kind.ahead else ()),
            key=named_key(step.name, f"{store_url}\n{step.file(todo.inputs)}"),
            resources={step.slot: AMOUNTS[step.slot]} if step.slot in resources else None,
            priority=-todo.inputs.part.number,
            pure=False,
        )
    return list(futures.values())


def _refuse_missing(todos: Sequence[Todo], resources: dict[str, float]) -> None:
    wanted = {step.slot for todo in todos for step in todo.steps}
    if "GPU" in wanted and "GPU" not in resources:
        raise UsageError(
            "a teacher that reelproof starts needs workers that declare a GPU, and none does; "
            "start them with `dask worker ADDRESS --resources GPU=1`, or name a running server as the teacher"
        )
