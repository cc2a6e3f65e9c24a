"""Rollouts of one question, rewarded together: what a step of reinforcement learning collects and reports."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from reelproof.schemas.rollout import Rollout, RolloutGroup, ShownFrame
from reelproof.training.batches import Inputs
from reelproof.training.frames import frame_labels
from reelproof.training.grpo import has_variance
from reelproof.training.preflight import SetupError
from reelproof.training.rewards import Scored
from reelproof.training.sampling import Said
from reelproof.training.shards import Example


class Group(NamedTuple):
    """One question's rollouts."""

    example: Example
    said: tuple[Said, ...]
    scored: tuple[Scored, ...]
    rewards: tuple[float, ...]
    """Totals, with the temporal bonus where there is one."""


def components(groups: Sequence[Group]) -> dict[str, float]:
    """Mean of every reward component over all rollouts, of the totals, and of the answers' own scores."""
    scored = [each for group in groups for each in group.scored]
    means = {
        f"reward/{name}": sum(each.components[name] for each in scored) / len(scored)
        for name in scored[0].components
    }
    totals = [reward for group in groups for reward in group.rewards]
    said = [each for group in groups for each in group.said]
    return {
        **means,
        "reward/total": sum(totals) / len(totals),
        "right": sum(each.right for each in scored) / len(scored),
        "completion_tokens": sum(each.tokens for each in said) / len(said),
        "finished": sum(each.finished for each in said) / len(said),
    }


def shuffle_frames(example: Example, seed: int) -> Example:
    """The same row with its pictures in another order under the same labels."""
    key = int.from_bytes(example.question_id.encode()[-8:].rjust(8, b"\0"))
    order = np.random.default_rng([seed, key]).permutation(len(example.images))
    if len(order) > 1 and (order == np.arange(len(order))).all():
        order = np.roll(order, 1)
    return example._replace(images=tuple(example.images[place] for place in order))


def teaches(group: Group) -> bool:
    """Whether the rollouts' rewards differ: otherwise the group teaches nothing."""
    return bool(has_variance(torch.tensor([group.rewards]))[0])


def check_prompt(row: Inputs, group: Group) -> None:
    """Raise SetupError where a server read a question in other tokens than the trainer learns from."""
    theirs, ours = group.said[0].prompt_ids, tuple(row["input_ids"][0].tolist())
    if theirs and theirs != ours:
        pairs = enumerate(zip(theirs, ours, strict=False))
        same = next((place for place, (one, other) in pairs if one != other), "the end")
        raise SetupError(
            f"the server reads question {group.example.question_id} in {len(theirs)} tokens, the trainer in "
            f"{len(ours)}, and they differ from place {same} on. Serve the very model that is trained, with "
            "its chat template and the settings of its image processor"
        )


def keep_rollouts(
    folder: Path, step: int, groups: Sequence[Group], gains: Sequence[Sequence[float | None]]
) -> None:
    """Append to a folder's rollouts.jsonl what was said, with advantages, and put the frames beside it."""
    (folder / "frames").mkdir(exist_ok=True)
    for jpeg in {jpeg for group in groups for jpeg in group.example.images}:
        file = folder / "frames" / f"{hashlib.sha256(jpeg).hexdigest()}.jpg"
        if not file.exists():
            file.write_bytes(jpeg)
    with (folder / "rollouts.jsonl").open("a") as log:
        for group, learned in zip(groups, gains, strict=True):
            log.write(_logged(step, group, learned).model_dump_json() + "\n")


def _logged(step: int, group: Group, gains: Sequence[float | None]) -> RolloutGroup:
    example = group.example
    shas = (hashlib.sha256(jpeg).hexdigest() for jpeg in example.images)
    said = zip(group.said, group.scored, group.rewards, gains, strict=True)
    return RolloutGroup(
        step=step,
        question_id=example.question_id,
        question=example.question,
        options=example.options,
        answer=example.answer,
        video=example.video,
        frames=tuple(
            ShownFrame(sha256=sha256, label=label)
            for sha256, label in zip(shas, frame_labels(example), strict=True)
        ),
        rollouts=tuple(
            Rollout(
                text=each.text,
                reward=reward,
                right=scored.right,
                advantage=gain,
                components=scored.components,
                version=each.version,
            )
            for each, scored, reward, gain in said
        ),
    )
