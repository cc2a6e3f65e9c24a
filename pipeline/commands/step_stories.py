"""A step of the DAG -> its story in lines: what it is made from, what it rests on, how far it is."""

import json
from collections.abc import Iterator
from typing import Any

from reelproof.pipeline.disk.fingerprint import plain
from reelproof.pipeline.parts.step import PartStep, Step
from reelproof.pipeline.parts.whole import is_done, read_outcome
from reelproof.pipeline.workplace import Workplace


def step_of(workplace: Workplace, name: str) -> Step[Any] | None:
    """The recipe's step of that name, over parts or over all; None where there is none."""
    dag = workplace.dag
    return next((step for step in (*dag.steps, *dag.whole) if step.name == name), None)


def tell_step(workplace: Workplace, step: Step[Any]) -> Iterator[str]:
    """The lines of its story."""
    over = "each part" if isinstance(step.kind, PartStep) else "all parts"
    above = ", ".join(each.name for each in step.after) or "the sources"
    yield f"step {step.name}, over {over}: made from {above}"
    yield f"  version {step.kind.version}, fingerprint {step.fingerprint}"
    yield f"  settings that count: {json.dumps(plain(step.counts), ensure_ascii=False)}"
    for ask in step.asks:
        frames, tokens = ask.needs.images, ask.needs.max_tokens
        yield f"  asks {ask.teacher.kind}: at most {frames} frames in, {tokens} tokens out"
    if isinstance(step.kind, PartStep):
        todo = sum(step.name in {each.name for each in todo.steps} for todo in workplace.todos())
        parts = len(workplace.parts)
        yield f"  {parts - todo} of {parts} parts done, in {step.folder}"
        return
    task = workplace.whole_tasks(step.name)[-1]
    if not is_done(workplace.store, task):
        yield "  not done for the parts as they are now"
        return
    yield f"  done, in {task.folder}: {read_outcome(workplace.store, task).model_dump_json()}"
