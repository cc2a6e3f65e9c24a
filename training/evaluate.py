"""A model and a dataset's questions -> accuracy per task with intervals, viewing budget and baselines."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from reelproof.schemas.answers.reading import Reading
from reelproof.schemas.answers.scores import lenient_score, read_completion, strict_score
from reelproof.schemas.intervals import Interval, wilson
from reelproof.schemas.settings import Settings
from reelproof.training.answer_log import AnswerLog, model_version
from reelproof.training.batches import PromptConfig, PromptStyle, limit_frames
from reelproof.training.rewards import RewardConfig, Verifier, score_completions
from reelproof.training.runs import write_whole
from reelproof.training.sampling import Said, SamplingConfig
from reelproof.training.shards import Example, ShardsConfig, open_shards, stream_in_order
from reelproof.training.tables import text_table
from reelproof.training.tts import open_sampler
from reelproof.training.tts_settings import BackendConfig


class EvaluateConfig(Settings):
    """Which rows are asked, and how."""

    shards: ShardsConfig = ShardsConfig(subset="rl", split="test")
    max_rows: int | None = Field(default=None, ge=1)
    """Only so many rows are asked, the first ones; by default all."""
    styles: tuple[PromptStyle, ...] = ("published", "direct")
    """Each is one evaluation: with a thought, and answering at once."""
    max_frames: int | None = Field(default=None, ge=1)
    """No question shows more frames than this; by default all of its own."""
    backend: BackendConfig = BackendConfig()
    sampling: SamplingConfig = SamplingConfig(temperature=0.0)


class TaskReport(NamedTuple):
    """One style on the questions of one task; `all` for every task together."""

    style: str
    task: str
    questions: int
    strict: Interval
    lenient: Interval
    constant: float
    """Strict score of always giving the commonest gold answer."""
    agreement: float
    """Share of thoughts that conclude the answer."""
    evidence: float | None
    """Share of claims that the verifier bears out; null without one."""
    thought_words: float
    completion_tokens: float
    frames: float
    finished: float
    refused: int
    """Questions that the server would not take; they count as wrong."""


def evaluate_model(
    build_dir: Path, model: str, out: Path, cfg: EvaluateConfig, verifier: Verifier | None = None
) -> list[TaskReport]:
    """Ask DIR's questions in each style; leaves evaluate.json and evaluate.md in `out`.

    Answers go to answers.jsonl as they come: begun again, a run asks only for what is not there.
    """
    shards = open_shards(build_dir, cfg.shards)
    examples = list(stream_in_order(shards))[: cfg.max_rows]
    reports = []
    for style in cfg.styles:
        prompt = PromptConfig(style=style, max_frames=cfg.max_frames)
        sampler = open_sampler(model, cfg.backend, prompt, shards, cfg.sampling.max_tokens)
        setup = [model_version(model), shards.dataset_sha256, prompt, cfg.backend, cfg.sampling]
        log = AnswerLog(out / "answers.jsonl", setup)
        said = log.ask(sampler, examples, cfg.sampling)
        reports += evaluate_examples(examples, said, style, cfg, verifier)
    out.mkdir(parents=True, exist_ok=True)
    plain = [{**r._asdict(), "strict": r.strict._asdict(), "lenient": r.lenient._asdict()} for r in reports]
    content = {"model": model, "dataset_sha256": shards.dataset_sha256, "reports": plain}
    write_whole(out / "evaluate.json", json.dumps(content, indent=1) + "\n")
    write_whole(out / "evaluate.md", _table(reports))
    return reports


def evaluate_examples(
    examples: Sequence[Example],
    said: Sequence[Said],
    style: str,
    cfg: EvaluateConfig,
    verifier: Verifier | None = None,
) -> list[TaskReport]:
    """One report per task, then one for all where there are several."""
    tasks = sorted({example.task for example in examples})
    reports = []
    for task in tasks:
        places = [place for place, example in enumerate(examples) if example.task is task]
        reports.append(_report(style, str(task), examples, said, places, cfg, verifier))
    if len(tasks) > 1:
        reports.append(_report(style, "all", examples, said, list(range(len(examples))), cfg, verifier))
    return reports


def _report(
    style: str,
    task: str,
    examples: Sequence[Example],
    said: Sequence[Said],
    places: Sequence[int],
    cfg: EvaluateConfig,
    verifier: Verifier | None,
) -> TaskReport:
    asked = [examples[place] for place in places]
    texts = [said[place].text for place in places]
    readings = [read_answer(text, style) for text in texts]
    pairs = list(zip(asked, readings, strict=True))
    strict = sum(strict_score(e.task, r.answer, e.answer, e.options, e.tolerance) for e, r in pairs)
    lenient = sum(lenient_score(e.task, r.stated, e.answer, e.options, e.tolerance) for e, r in pairs)
    weights = RewardConfig(evidence=1.0 if verifier is not None else 0.0)
    scored = score_completions(list(zip(asked, texts, strict=True)), weights, verifier)
    count = len(places)
    return TaskReport(
        style=style,
        task=task,
        questions=count,
        strict=wilson(strict, count),
        lenient=wilson(lenient, count),
        constant=constant_baseline(asked),
        agreement=sum(each.components["agreement"] for each in scored) / count,
        evidence=sum(each.components["evidence"] for each in scored) / count
        if verifier is not None
        else None,
        thought_words=sum(len(reading.thought.split()) for reading in readings) / count,
        completion_tokens=sum(said[place].tokens for place in places) / count,
        frames=sum(len(limit_frames(example, cfg.max_frames).images) for example in asked) / count,
        finished=sum(said[place].finished for place in places) / count,
        refused=sum(bool(said[place].refused) for place in places),
    )


def read_answer(text: str, style: str) -> Reading:
    """As any completion is read; what is asked at once may come without tags for the strict score, too."""
    reading = read_completion(text)
    return reading if style != "direct" or reading.thought else reading._replace(answer=reading.stated)


def constant_baseline(examples: Sequence[Example]) -> float:
    """Mean strict score of the one gold answer that does best on all."""
    golds = Counter(example.answer for example in examples).most_common(20)
    return max(
        sum(strict_score(e.task, gold, e.answer, e.options, e.tolerance) for e in examples) / len(examples)
        for gold, _ in golds
    )


def _table(reports: Sequence[TaskReport]) -> str:
    head = [
        "style",
        "task",
        "n",
        "strict",
        "95 %",
        "lenient",
        "constant",
        "agrees",
        "words",
        "tokens",
        "frames",
        "refused",
    ]
    rows = [
        [
            each.style,
            each.task,
            str(each.questions),
            f"{each.strict.value:.3f}",
            f"{each.strict.low:.3f}–{each.strict.high:.3f}",
            f"{each.lenient.value:.3f}",
            f"{each.constant:.3f}",
            f"{each.agreement:.3f}",
            f"{each.thought_words:.1f}",
            f"{each.completion_tokens:.1f}",
            f"{each.frames:.1f}",
            str(each.refused),
        ]
        for each in reports
    ]
    return text_table(head, rows)
