"""A build's verifier -> evidence for rewards and votes: the claim check, on what a model in training says."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from reelproof.pipeline.teachers.kinds import open_teacher
from reelproof.pipeline.teachers.trust import require_trusted
from reelproof.pipeline.workplace import RECIPE, open_workplace
from reelproof.schemas.answers.scores import cited_spans
from reelproof.schemas.question import ShownPicture
from reelproof.stages.answers.claims import verify
from reelproof.stages.answers.panel import Panel
from reelproof.stages.answers.put_claims import ClaimConfig, Thought
from reelproof.stages.teachers.protocol import Teacher
from reelproof.training.frames import frame_labels
from reelproof.training.shards import Example


class TrainingVerifier:
    """Puts each claim of a thought to the verifier with the frames that it cites."""

    def __init__(self, verifier: Teacher | Panel, cfg: ClaimConfig) -> None:
        self._verifier = verifier
        self._cfg = cfg

    def evidence(self, cases: Sequence[tuple[Example, str]]) -> list[float | None]:
        """For each example and thought, the mean belief in its claims; None where none could be judged."""
        frames = {_sha256(jpeg): jpeg for example, _ in cases for jpeg in example.images}
        thoughts = [Thought(thought, _shown(example), example.speech) for example, thought in cases]
        beliefs = verify(thoughts, self._verifier, self._cfg, frames)
        return [sum(each) / len(each) if each else None for each in beliefs]


@contextmanager
def open_verifier(build_dir: Path, trusted: bool) -> Iterator[TrainingVerifier | None]:
    """The verifier of the build in DIR; None where DIR is only a published dataset.

    Raises UsageError where the build's recipe is not trusted, and chooses programs or secrets for it.
    """
    if not (build_dir / RECIPE).is_file():
        yield None
        return
    recipe = open_workplace(str(build_dir)).recipe
    if not trusted:
        require_trusted(recipe.verifiers)
    with ExitStack() as stack:
        members = tuple(stack.enter_context(open_teacher(each)) for each in recipe.verifiers)
        yield TrainingVerifier(Panel(members), recipe.claims)


def _shown(example: Example) -> list[ShownPicture]:
    """Each frame under its printed time."""
    labels = zip(example.images, frame_labels(example), strict=True)
    times = ((jpeg, cited_spans(label)) for jpeg, label in labels)
    return [ShownPicture(_sha256(jpeg), spans[0].start_s if spans else None) for jpeg, spans in times]


def _sha256(jpeg: bytes) -> str:
    return hashlib.sha256(jpeg).hexdigest()
