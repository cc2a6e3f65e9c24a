"""A manifest's questions -> the same as a task folder of lmms-eval, which opens their videos itself."""

from pathlib import Path

from reelproof.pipeline.benchmark.questions import BenchmarkQuestion, ManifestQuestions
from reelproof.pipeline.export.export import new_folder
from reelproof.pipeline.export.lmms_eval import LAYOUT, TaskWriter
from reelproof.pipeline.export.starts import start_text
from reelproof.schemas.answers.conclusion import Posed
from reelproof.stages.teachers.messages import request_text
from reelproof.stages.teachers.prompts import DIRECT, ROLLOUT, Prompt

_STRETCH = "This is about the video from {start_s:.1f} s to {end_s:.1f} s."


def export_manifest(asked: ManifestQuestions, name: str, target: Path) -> int:
    """Write every question whose video is there to a new folder; returns how many those are.

    Raises UsageError for a target that holds something.
    """
    there = [each for each in asked.questions if not asked.is_lost(each)]
    with new_folder(target) as root:
        (root / "utils.py").write_text(start_text(LAYOUT, "utils.py"), encoding="utf-8")
        task = TaskWriter(root, name)
        for question in there:
            task.write(
                _facts(asked, question), _parts(asked, question, ROLLOUT), _parts(asked, question, DIRECT)
            )
        task.close()
    return len(there)


def _facts(asked: ManifestQuestions, question: BenchmarkQuestion) -> dict[str, object]:
    return {
        "question_id": question.question_id,
        "video": question.video,
        "path": asked.film(question)[0],
        "frames": [],
        "kind": question.given.kind,
        "task": question.task.value,
        "question": question.given.question,
        "options": list(question.given.options),
        "answer": question.given.answer,
        "tolerance": None,
        "labels": ", ".join(f"{name}: {value}" for name, value in question.labels.items()),
    }


def _parts(asked: ManifestQuestions, question: BenchmarkQuestion, prompt: Prompt) -> list[tuple[str, str]]:
    given = question.given
    request = request_text(prompt, Posed(question.task, given.question, given.options))
    if given.start_s is None and given.end_s is None:
        return [("media", ""), ("text", request)]
    length_s = asked.film(question)[1]
    end_s = length_s if given.end_s is None else min(given.end_s, length_s)
    stretch = _STRETCH.format(start_s=given.start_s or 0.0, end_s=end_s)
    return [("media", ""), ("text", f"{stretch}\n{request}")]
