"""What a model said to one question, several times: a line of rollouts.jsonl, which pages are made from."""

from collections.abc import Mapping

from pydantic import Field

from reelproof.schemas.record import Record


class ShownFrame(Record):
    """A frame of the question, as the model saw it."""

    sha256: str
    """Of its JPEG, which lies beside the log as `frames/SHA256.jpg` where frames are kept."""
    label: str
    """What stands before it: `[12.4 s]` or `Frame 1`; empty where nothing does."""


class Rollout(Record):
    """One completion."""

    text: str
    reward: float
    """The total, as training has it."""
    right: float = 0.0
    """The answer's score alone."""
    advantage: float | None = None
    """What the policy learns from it: positive makes it likelier; null where nothing is learned."""
    components: Mapping[str, float] = Field(default={})
    """By name, before weights."""
    version: int = 0
    """So many steps of training made the weights that drew it."""


class RolloutGroup(Record):
    """One question and what was said to it."""

    step: int
    """Of training; 0 where nothing is trained."""
    question_id: str
    question: str
    options: tuple[str, ...] = ()
    answer: str
    """Gold."""
    video: str = ""
    """The file's name."""
    frames: tuple[ShownFrame, ...] = ()
    rollouts: tuple[Rollout, ...]
