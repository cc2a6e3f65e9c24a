"""A source, and what was decided of its questions and thoughts -> every row with what is wrong with it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from reelproof.pipeline.audit.kinds import KINDS, OF_QUESTION, OF_THOUGHT, Need
from reelproof.pipeline.audit.row_faults import (
    AskedRow,
    Finding,
    equal_options,
    misread_answers,
    repeated_rows,
    stretches_outside,
)
from reelproof.pipeline.audit.source import Source, SourceRow
from reelproof.pipeline.audit.steps import read_decided
from reelproof.pipeline.dataset.part_files import read_columns
from reelproof.pipeline.inputs.evaluation_sets import read_evaluation_sets
from reelproof.pipeline.parts.whole import read_left
from reelproof.pipeline.recipe import Recipe
from reelproof.pipeline.steps.whole_set import NEAR_DUPLICATES
from reelproof.pipeline.teachers.kinds import SignalsTeacherConfig
from reelproof.pipeline.workplace import Workplace
from reelproof.schemas.footage import Clip
from reelproof.schemas.question import WHEN, Question
from reelproof.schemas.tables import from_table
from reelproof.schemas.trace import Trace
from reelproof.stages.answers.given_traces import PROMPT_ID
from reelproof.stages.duplicates.contamination import find_contamination
from reelproof.stages.duplicates.paraphrases import Posed
from reelproof.stages.questions.given import given_questions, task_of


class Looked(NamedTuple):
    """What was looked at, and what was found."""

    findings: tuple[Finding, ...]
    """In the order of the kinds, then of the rows."""
    among: Mapping[Need, frozenset[int]]
    """Rows for which there was what a kind needs."""
    questions: tuple[Question, ...]
    """Distinct ones."""
    measured: pl.DataFrame
    """One row per distinct question that was decided on."""
    thoughts: int


def look_through(workplace: Workplace, source: Source) -> Looked:
    """Everything that is wrong with each row."""
    rows, questions = _asked_rows(workplace, source)
    measured = read_decided(workplace)
    one = measured.unique("question_id", keep="first", maintain_order=True)
    written = [each.row for each in rows]
    found = [
        *(Finding(each.kind, each.number, each.reason) for each in source.problems),
        *equal_options(written),
        *misread_answers(rows, workplace.recipe.policy.min_graded_score),
        *repeated_rows(rows),
        *stretches_outside(written, _lengths_s(workplace)),
        *_unusable_videos(workplace, source),
        *_repeated_videos(workplace, source),
        *_of_questions(workplace, rows, one),
        *_of_thoughts(rows, measured),
    ]
    among = _among(workplace.recipe, source, rows, measured)
    return Looked(
        findings=_told_once(found, among),
        among=among,
        questions=questions,
        measured=one,
        thoughts=sum(len(each.traces) for each in rows),
    )


def _told_once(found: Iterable[Finding], among: Mapping[Need, frozenset[int]]) -> tuple[Finding, ...]:
    """In order; of a row's several findings of a kind the first, and no near-repeat that is a plain one."""
    order = {kind.name: place for place, kind in enumerate(KINDS)}
    first: dict[tuple[str, int], Finding] = {}
    for each in found:
        if each.number in among[KINDS[order[each.kind]].need]:
            first.setdefault((each.kind, each.number), each)
    told = [
        each
        for each in first.values()
        if each.kind != "duplicate_question" or ("duplicate_row", each.number) not in first
    ]
    return tuple(sorted(told, key=lambda each: (order[each.kind], each.number)))


def _asked_rows(workplace: Workplace, source: Source) -> tuple[list[AskedRow], tuple[Question, ...]]:
    """Each row with its question, as the steps cut and asked it, and its own traces; and the questions."""
    cut: defaultdict[str, list[Clip]] = defaultdict(list)
    questions: dict[str, Question] = {}
    traces: defaultdict[tuple[str, str], list[Trace]] = defaultdict(list)
    named = {step.name: step for step in workplace.dag.steps}
    for part in workplace.parts:
        clips, asked, told = (
            workplace.store.read_table(named[name].file(part)) for name in ("clips", "questions", "traces")
        )
        for clip in from_table(clips, Clip):
            cut[clip.video_id].append(clip)
        questions |= {each.question_id: each for each in from_table(asked, Question)}
        for trace in from_table(told, Trace):
            if trace.prompt_id == PROMPT_ID:
                traces[trace.question_id, trace.text].append(trace)
    shows = workplace.recipe.questions.given
    rows = []
    for row in source.rows:
        (question,) = given_questions(cut[row.given.video_id], [row.given], shows)
        mine = traces[question.question_id, row.given.completion or ""] if row.given.completion else ()
        rows.append(AskedRow(row, question.question_id, tuple(mine)))
    return rows, tuple(questions.values())


def _lengths_s(workplace: Workplace) -> dict[str, float]:
    """Of the films that were decoded."""
    lengths: dict[str, float] = {}
    for part in workplace.parts:
        file = workplace.dag.footage.file(part)
        table = read_columns(workplace.store, file, ("video.video_id", "duration_s"))
        lengths |= {row["video"]["video_id"]: row["duration_s"] for row in table.to_pylist()}
    return lengths


def _unusable_videos(workplace: Workplace, source: Source) -> Iterator[Finding]:
    lost = {each.video_id: f"{each.kind}: {each.detail}" for each in workplace.quarantined()}
    films = {each.video_id for each in source.films}
    for row in source.rows:
        video_id = row.given.video_id
        if row.video in source.missing:
            yield Finding("missing_video", row.number, source.missing[row.video])
        elif row.video in source.unread:
            yield Finding("unusable_video", row.number, source.unread[row.video])
        elif video_id in films and video_id in lost:
            yield Finding("unusable_video", row.number, lost[video_id])


def _repeated_videos(workplace: Workplace, source: Source) -> Iterator[Finding]:
    """Rows whose film is, or shows, one that an earlier row has under another name."""
    task = next(each for each in workplace.whole_tasks(NEAR_DUPLICATES.name))
    groups = dict(read_left(workplace.store, task.folder, "videos").select("video_id", "group").iter_rows())
    films = {each.video_id for each in source.films}
    first: dict[str, str] = {}
    for row in source.rows:
        if row.given.video_id in films:
            group = groups.get(row.given.video_id, row.given.video_id)
            earlier = first.setdefault(group, row.video)
            if earlier != row.video:
                yield Finding("repeated_video", row.number, f"it shows what {earlier} shows")


def _of_questions(
    workplace: Workplace, rows: Sequence[AskedRow], measured: pl.DataFrame
) -> Iterator[Finding]:
    """Reasons that policy has against questions, of which `measured` has a row each."""
    facts = {row["question_id"]: row for row in measured.iter_rows(named=True)}
    first = {each.question_id: each.row for each in reversed(rows)}
    held = _held_by(
        workplace, [each for each in rows if "contaminated" in facts[each.question_id]["rl_reasons"]]
    )
    for each in rows:
        fact = facts[each.question_id]
        for name in OF_QUESTION:
            if name in fact["rl_reasons"]:
                yield Finding(name, each.row.number, _why(name, fact, first, held))


def _why(name: str, fact: Mapping[str, Any], first: Mapping[str, SourceRow], held: Mapping[str, str]) -> str:
    def right(what: str) -> str:
        return f"{fact[f'{what}_passes']} of {fact[f'{what}_rollouts']} right"

    match name:
        case "conflicting_answer":
            other = first.get(fact["contradicted_by"])
            return (
                f"row {other.number} has {_right(other)!r}"
                if other
                else "a question of a teacher's has another"
            )
        case "duplicate_question":
            earlier = first.get(fact["question_duplicate_of"])
            return f"as row {earlier.number if earlier else '?'}"
        case "contaminated":
            return held.get(fact["question_id"], "its frames are those of a named set")
        case "damaged":
            return f"{100 * fact['damaged_share']:.0f} % of it is damaged"
        case "lucky":
            return (
                f"{fact['pass_count']} of {fact['rollout_count']} right, luck gives {fact['luck_rate']:.2g}"
            )
        case _:
            return right(
                {"answered_blind": "blind", "answered_from_one_frame": "single"}.get(name, "shuffled")
            )


def _right(row: SourceRow) -> str:
    given = row.given
    return ", ".join(Posed(given.question, task_of(given), given.options, given.answer).right_texts())


def _held_by(workplace: Workplace, rows: Iterable[AskedRow]) -> dict[str, str]:
    """Which set holds a question, and by what, as far as words and names tell."""
    columns = ("question_id", "video_id", "video", "text")
    asked = [
        (each.question_id, given.video_id, each.row.video, given.question.removeprefix(WHEN))
        for each in rows
        if (given := each.row.given)
    ]
    frame = pl.DataFrame(asked, schema=dict.fromkeys(columns, pl.String), orient="row")
    cfg = workplace.recipe.contamination
    found = find_contamination(frame, pl.DataFrame(), read_evaluation_sets(cfg.sets).sets, cfg.overlap)
    return {each.question_id: f"{each.evaluation_set}, by its {each.how}" for each in found}


def _of_thoughts(rows: Iterable[AskedRow], measured: pl.DataFrame) -> Iterator[Finding]:
    """Reasons that policy has against traces that came along."""
    reasons = dict(measured.select("trace_id", "reasons").iter_rows())
    for each in rows:
        for trace in each.traces:
            for name in OF_THOUGHT:
                if name in reasons[trace.trace_id]:
                    yield Finding(name, each.row.number, _shown(trace, name))


def _shown(trace: Trace, name: str) -> str:
    said = trace.thought if name not in ("malformed", "wrong_answer") else trace.answer or trace.text
    return f"it says: {' '.join(said.split())[:160]}"


def _among(
    recipe: Recipe, source: Source, rows: Sequence[AskedRow], measured: pl.DataFrame
) -> dict[Need, frozenset[int]]:
    """Rows for which there is what each need says."""
    films = {each.video_id for each in source.films}
    columns = ("blind_rollouts", "single_rollouts", "shuffled_rollouts", "rollout_count")
    most = measured.group_by("question_id").agg(pl.col(columns).max().fill_null(0))
    counts = {row["question_id"]: row for row in most.iter_rows(named=True)}

    def with_(column: str, least: int = 1) -> frozenset[int]:
        return frozenset(e.row.number for e in rows if counts[e.question_id][column] >= least)

    every = frozenset(row.number for row in source.rows)
    seen = frozenset(row.number for row in source.rows if row.given.video_id in films)
    thought = frozenset(each.row.number for each in rows if each.traces)
    looked_for = bool(source.films or source.missing or source.unread)
    verifies = any(not isinstance(each, SignalsTeacherConfig) for each in recipe.verifiers)
    judged = set(measured.filter(pl.col("judged_claims") > 0)["trace_id"]) if verifies else set()
    return {
        Need.ROW: source.numbers,
        Need.NAMED_SETS: every if recipe.contamination.sets else frozenset(),
        Need.LENGTH: seen | {row.number for row in source.rows if row.duration_s},
        Need.ROOT: every if looked_for else frozenset(),
        Need.FILM: seen | {row.number for row in source.rows if row.video in source.unread},
        Need.BLIND: with_("blind_rollouts"),
        Need.ONE_FRAME: with_("single_rollouts"),
        Need.SHUFFLED: with_("shuffled_rollouts"),
        Need.ROLLOUTS: with_("rollout_count", 2),
        Need.THOUGHT: thought,
        Need.SHOWN_THOUGHT: thought & seen,
        Need.VERIFIER: frozenset(e.row.number for e in rows if any(t.trace_id in judged for t in e.traces)),
    }
