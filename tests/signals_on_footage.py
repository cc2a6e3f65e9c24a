"""Real footage -> how often the embedded teacher is right, by kind of question. A script."""

import hashlib
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from reelproof.schemas.answers.scores import strict_score
from reelproof.schemas.footage import Clip, Footage
from reelproof.schemas.trace import Trace
from reelproof.stages.answers.traces import AdaptiveRolloutConfig, ClipQuestion, TeacherShare, ask_rollouts
from reelproof.stages.footage.clips import ClipConfig, VideoView, cut_clips
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.scan import FootageConfig, scan_footage
from reelproof.stages.footage.storyboard import StoryboardConfig, cut_scenes
from reelproof.stages.questions.computed import ComputedConfig, computed_questions
from reelproof.stages.teachers.embedded.signals import SignalsTeacher


class Part(NamedTuple):
    """The clips of some films, and their frames."""

    clips: list[Clip]
    jpegs: dict[str, bytes]


class Accuracy(NamedTuple):
    """Of all questions of one kind."""

    questions: int
    greedy: float
    """Mean strict score at temperature 0."""
    sampled: float
    """… at temperature 0.8."""
    mixed: float
    """Share of the questions that some sampled rollouts get right (a score of 0.5 or more) and some wrong."""


def scan(paths: Iterable[Path]) -> Part:
    """Decode the films and cut their clips."""
    videos = [LocalVideo(str(p), hashlib.sha256(p.read_bytes()).hexdigest(), p.name, 0, "") for p in paths]
    footage = [each for each in scan_footage(videos, FootageConfig()) if isinstance(each, Footage)]
    boards = cut_scenes(footage, StoryboardConfig())
    views = [VideoView.of(film, board) for film, board in zip(footage, boards, strict=True)]
    jpegs = {frame.frame.sha256: frame.jpeg for film in footage for frame in film.candidates}
    return Part(list(cut_clips(views, ClipConfig())), jpegs)


def accuracy_by_kind(part: Part, seeds: Sequence[int], rollouts: int = 4) -> dict[str, Accuracy]:
    """Ask every computed question that the clips allow, once for each seed."""
    by_id = {clip.clip_id: clip for clip in part.clips}
    scores: dict[str, list[list[float]]] = defaultdict(list)
    greedy: dict[str, list[float]] = defaultdict(list)
    for seed in seeds:
        cfg = ComputedConfig(seed=seed)
        asked = [ClipQuestion(by_id[each.clip_id], each) for each in computed_questions(part.clips, cfg)]
        for one, (score,) in zip(
            asked, _scores(part, asked, AdaptiveRolloutConfig(rollouts=1, temperature=0.0)), strict=True
        ):
            greedy[one.question.kind].append(score)
        for one, group in zip(
            asked, _scores(part, asked, AdaptiveRolloutConfig(rollouts=rollouts, seed=seed)), strict=True
        ):
            scores[one.question.kind].append(group)
    return {kind: _accuracy(greedy[kind], scores[kind]) for kind in sorted(scores)}


def _scores(part: Part, asked: Sequence[ClipQuestion], cfg: AdaptiveRolloutConfig) -> list[list[float]]:
    groups: dict[str, list[Trace]] = defaultdict(list)
    for trace in ask_rollouts(asked, [TeacherShare(SignalsTeacher(), 1)], cfg, part.jpegs):
        groups[trace.question_id].append(trace)
    return [
        [
            strict_score(q.task, trace.answer, q.answer, q.options, q.tolerance)
            for trace in groups[q.question_id]
        ]
        for q in (one.question for one in asked)
    ]


def _accuracy(greedy: Sequence[float], groups: Sequence[Sequence[float]]) -> Accuracy:
    rates = [float(np.mean([score >= 0.5 for score in group])) for group in groups]
    return Accuracy(
        questions=len(groups),
        greedy=float(np.mean(greedy)),
        sampled=float(np.mean([np.mean(group) for group in groups])),
        mixed=float(np.mean([0 < rate < 1 for rate in rates])),
    )


def main() -> None:
    """Print a table for the folder named on the command line."""
    part = scan(sorted(p for p in Path(sys.argv[1]).iterdir() if p.suffix not in (".md", ".txt")))
    lines = ["| kind | questions | greedy | temperature 0.8 | mixed |", "|---|---|---|---|---|"]
    for kind, each in accuracy_by_kind(part, range(6)).items():
        lines.append(
            f"| {kind} | {each.questions} | {each.greedy:.2f} | {each.sampled:.2f} | {each.mixed:.2f} |"
        )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
