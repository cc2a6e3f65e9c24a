"""A model and a set of questions -> every answer, as read and as scored, and tables of them."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reelproof.schemas.answers.reading import read_answer
from reelproof.schemas.answers.scores import lenient_score, strict_score
from reelproof.schemas.evaluation import SCORED, EvaluatedAnswer
from reelproof.schemas.thinning import thinned_to_ends
from reelproof.training.answer_log import AnswerLog, model_version
from reelproof.training.evaluation_tables import GroupReport, group_reports, table_of
from reelproof.training.preflight import SetupError, check_length, frame_contract
from reelproof.training.questions import DatasetQuestions, QuestionSet
from reelproof.training.rewards import Verifier, score_completions
from reelproof.training.runs import differences, model_path, write_whole
from reelproof.training.sampling import Said
from reelproof.training.server import open_sampler
from reelproof.training.settings.asking import AskingConfig, EvaluateConfig
from reelproof.training.settings.rewards import RewardConfig
from reelproof.training.settings.rows import PromptStyle
from reelproof.training.shards import Example

_SHOWN_HERE = "as they are"
"""How a model in this process is shown frames: an answer to others is another one."""


_MAY_CHANGE: Any = {
    "max_rows": True,
    "sources": True,
    "backend": {"url", "key_variable"},
    "sampling": {"batch_rows"},
}
"""Settings that make a table longer, or say where things are; a set of questions is known by its hash."""


class Evaluation(NamedTuple):
    """What was asked and what came of it."""

    answers: tuple[EvaluatedAnswer, ...]
    reports: tuple[GroupReport, ...]
    lost: dict[str, str]
    """`question_id` -> why it could not be asked."""


def evaluate_model(
    build_dir: Path,
    model: str,
    out: Path,
    cfg: EvaluateConfig,
    verifier: Verifier | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> list[GroupReport]:
    """Ask DIR's questions, as `evaluate_questions` does."""
    asked = DatasetQuestions(build_dir, cfg.shards, cfg.max_frames, cfg.speech)
    return list(evaluate_questions(asked, model, out, cfg, verifier, tell).reports)


def evaluate_questions(
    asked: QuestionSet,
    model: str,
    out: Path,
    cfg: AskingConfig,
    verifier: Verifier | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Ask questions in each style; leaves evaluate.json, evaluate.md and scored.jsonl in `out`.

    Completions go to answers.jsonl as they come: begun again, a run asks only for what is not there. `tell`
    hears how far it is. Raises SetupError for a model or a server that cannot be used, and where `out` holds
    an evaluation of another model, of other questions, or by other settings.
    """
    made_of = {
        "model": model,
        "model_files": hashlib.sha256(json.dumps(model_version(model)).encode()).hexdigest()[:16],
        "dataset_sha256": asked.sha256,
        "settings": cfg.model_dump(mode="json", exclude=_MAY_CHANGE),
    }
    _refuse_other(out, made_of)
    answers: list[EvaluatedAnswer] = []
    for style in cfg.styles:
        rows = _ask(asked, model, out, cfg, style, tell)
        answers += _read(asked, style, rows, verifier)
    lost = {each.question_id: each.lost for each in answers if each.lost}
    kept = tuple(each for each in answers if not (each.lost and asked.leaves_out_lost))
    found = Evaluation(kept, tuple(group_reports(kept)), lost)
    _write(found, asked, made_of, out)
    return found


def _refuse_other(out: Path, made_of: Mapping[str, Any]) -> None:
    file = out / "evaluate.json"
    held = json.loads(file.read_text()) if file.is_file() else {}
    known = made_of.keys() & held.keys()  # an older version wrote fewer
    differing = differences({name: held[name] for name in known}, {name: made_of[name] for name in known})
    if differing:
        raise SetupError(
            f"{out} holds an evaluation that differs in {', '.join(differing)}; choose another --out"
        )


_Row = tuple[Example, str, Said | None]
"""A question, the id of its request, and what came of that."""


def _ask(
    asked: QuestionSet,
    model: str,
    out: Path,
    cfg: AskingConfig,
    style: PromptStyle,
    tell: Callable[[str], None],
) -> list[_Row]:
    """Every question in one style, of the server's model or of the one here once it is known to take them."""
    examples = asked.examples(style)[: cfg.max_rows]
    given = {"image_settings": cfg.image_settings, "frame_pairs": cfg.frame_pairs}
    prompt = asked.prompt(style).model_copy(update=given)

    def check(processor: Any) -> None:
        frames = frame_contract(processor, asked.frame_sizes(), allow_resize=True)
        check_length(processor, model_path(model), examples, prompt, frames, cfg.sampling.max_tokens)

    # What decides an answer beside the row: where a server stands, and who pays, is none of it.
    backend = cfg.backend.model_dump(exclude={"url", "key_variable"})
    sampling = cfg.sampling.model_dump(exclude=set() if cfg.sampling.temperature else {"batch_rows", "seed"})
    shown = [_SHOWN_HERE] if cfg.backend.kind == "transformers" else []
    setup = [model_version(model), *asked.setup, style, prompt, backend, sampling, *shown]
    log = AnswerLog(out / "answers.jsonl", setup)
    said = log.ask(
        lambda: open_sampler(model, cfg.backend, prompt, check),
        examples,
        cfg.sampling,
        asked.shown,
        lambda answered: tell(f"{style}: {answered} of {len(examples)} answered"),
    )
    return list(zip(examples, map(log.request_id, examples), said, strict=True))


def _read(
    asked: QuestionSet, style: PromptStyle, rows: Sequence[_Row], verifier: Verifier | None
) -> Iterator[EvaluatedAnswer]:
    weights = RewardConfig(evidence=1.0 if verifier is not None else 0.0)
    cases = [(example, (said or Said()).text) for example, _, said in rows]
    scored = score_completions(cases, weights, verifier)
    most = asked.prompt(style).max_frames
    for (example, request_id, answered), each in zip(rows, scored, strict=True):
        said, times_s = answered or Said(), example.frame_times_s
        reading = read_answer(said.text, style)
        gold = (example.answer, example.options, example.tolerance)
        yield EvaluatedAnswer(
            style=style,
            question_id=example.question_id,
            request_id=request_id,
            video=example.video,
            task=example.task,
            labels=dict(example.labels),
            question=example.question,
            options=example.options,
            answer=example.answer,
            tolerance=example.tolerance,
            frame_times_s=tuple(thinned_to_ends(times_s, most or len(times_s))),
            completion=said.text,
            thought=reading.thought,
            stated=reading.stated,
            strict=strict_score(example.task, reading.answer, *gold),
            lenient=lenient_score(example.task, reading.stated, *gold),
            agreement=each.components["agreement"],
            evidence=each.components["evidence"] if verifier is not None else None,
            key_time=each.components["key_time"] if example.key_places else None,
            key_place=each.components["key_place"] if example.key_places else None,
            tokens=said.tokens,
            finished=said.finished,
            refused=said.refused,
            lost=asked.lost(example) if answered is None else "",
        )


def _write(found: Evaluation, asked: QuestionSet, made_of: Mapping[str, Any], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / SCORED, "".join(each.model_dump_json() + "\n" for each in found.answers))
    content = {
        **made_of,
        "reports": [each.plain() for each in found.reports],
        "lost": found.lost,
        "lost_questions_are": "left out" if asked.leaves_out_lost else "wrong",
    }
    write_whole(out / "evaluate.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    write_whole(out / "evaluate.md", table_of(found.reports))
