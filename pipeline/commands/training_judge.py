"""A build's verifier -> a judge for rewards and votes: the claim check, on what a model in training says."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from reelproof.pipeline.teachers.kinds import open_teacher
from reelproof.pipeline.workplace import RECIPE, open_workplace
from reelproof.schemas.answers.scores import cited_spans
from reelproof.schemas.footage import Clip, ClipKind, FrameRef
from reelproof.schemas.question import Question, QuestionSource, ShownFrame
from reelproof.schemas.trace import Case, Trace
from reelproof.stages.answers.claims import ClaimConfig, verify_claims
from reelproof.stages.teachers.protocol import Teacher
from reelproof.training.batches import frame_labels
from reelproof.training.shards import Example


class VerifierJudge:
    """Puts each claim of a thought to the verifier with the frames that it cites."""

    def __init__(self, verifier: Teacher, cfg: ClaimConfig) -> None:
        self._verifier = verifier
        self._cfg = cfg.model_copy(update={"controls": 0})

    def evidence(self, cases: Sequence[tuple[Example, str]]) -> list[float | None]:
        """For each example and thought, the mean belief in its claims; None where none could be judged."""
        frames = {_sha256(jpeg): jpeg for example, _ in cases for jpeg in example.images}
        asked = [_case(str(place), example, thought) for place, (example, thought) in enumerate(cases)]
        beliefs: defaultdict[str, list[float]] = defaultdict(list)
        for claim in verify_claims(asked, self._verifier, self._cfg, frames):
            if claim.cited_score is not None:
                beliefs[claim.trace_id].append(claim.cited_score)
        return [_mean(beliefs[str(place)]) for place in range(len(cases))]


@contextmanager
def open_judge(build_dir: Path) -> Iterator[VerifierJudge | None]:
    """The verifier of the build in DIR; None where DIR is only a published dataset."""
    if not (build_dir / RECIPE).is_file():
        yield None
        return
    recipe = open_workplace(str(build_dir)).recipe
    with open_teacher(recipe.claims.verifier) as verifier:
        yield VerifierJudge(verifier, recipe.claims)


def _case(name: str, example: Example, thought: str) -> Case:
    """The example as the claim check takes it: what is shown, and a thought that cites."""
    frames = tuple(
        _shown(jpeg, label) for jpeg, label in zip(example.images, frame_labels(example), strict=True)
    )
    question = Question(
        question_id=example.question_id,
        clip_id="",
        video_id="",
        source=QuestionSource.GIVEN,
        kind="",
        task=example.task,
        text=example.question,
        options=example.options,
        answer=example.answer,
        frames=frames,
    )
    return Case(_clip(example), question, (_trace(name, example, thought),))


def _shown(jpeg: bytes, label: str) -> ShownFrame:
    """A frame under its printed time; claims are judged by the picture, not by its recorded size or hash."""
    times = cited_spans(label)
    shown_s = times[0].start_s if times else None
    sha256 = _sha256(jpeg)
    frame = FrameRef(sha256=sha256, video_id="", time_s=shown_s or 0.0, width=1, height=1, phash="0" * 16)
    return ShownFrame(frame=frame, shown_s=shown_s)


def _clip(example: Example) -> Clip:
    return Clip(
        clip_id="",
        video_id="",
        kind=ClipKind.SHORT,
        start_s=example.clip_start_s,
        end_s=example.clip_end_s,
        scenes=(),
        keyframes=(),
        timeline=(),
        motion=np.zeros(0, np.float32),
    )


def _trace(name: str, example: Example, thought: str) -> Trace:
    return Trace(
        trace_id=name,
        question_id=example.question_id,
        clip_id="",
        video_id="",
        prompt_id="",
        model="",
        sample_index=0,
        text=thought,
        thought=thought,
        answer=None,
        cited=cited_spans(thought),
        finish_reason="stop",
    )


def _mean(beliefs: Sequence[float]) -> float | None:
    return sum(beliefs) / len(beliefs) if beliefs else None


def _sha256(jpeg: bytes) -> str:
    return hashlib.sha256(jpeg).hexdigest()
