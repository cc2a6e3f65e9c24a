"""A source, and what was decided of its questions and thoughts -> every row with what is wrong with it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import polars as pl

from reelproof.pipeline.audit.kinds import KINDS, OF_QUESTION, OF_THOUGHT, Need
from reelproof.pipeline.audit.row_faults import (
    AskedRow,
    Finding,
    conflicting_rows,
    equal_options,
    misread_answers,
    repeated_rows,
    stretches_outside,
)
from reelproof.pipeline.audit.source import Source
from reelproof.pipeline.audit.steps import read_decided
from reelproof.pipeline.dataset.part_files import read_columns
from reelproof.pipeline.inputs.evaluation_sets import read_evaluation_sets
from reelproof.pipeline.parts.whole import read_left
from reelproof.pipeline.steps.whole_set import NEAR_DUPLICATES
from reelproof.pipeline.teachers.kinds import SignalsTeacherConfig
from reelproof.pipeline.workplace import Workplace
from reelproof.schemas.footage import Clip
from reelproof.schemas.question import Question
from reelproof.schemas.record import from_table
from reelproof.schemas.trace import Trace
from reelproof.stages.answers.given_traces import PROMPT_ID
from reelproof.stages.duplicates.contamination import find_contamination
from reelproof.stages.questions.given import given_questions


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
    first: dict[str, int] = {}
    for each in rows:
        first.setdefault(each.question_id, each.row.number)
    written = [each.row for each in rows]
    policy = workplace.recipe.policy
    conflicts = tuple(conflicting_rows(written))
    repeated = tuple(repeated_rows(rows))
    told = {(each.kind, each.number) for each in (*conflicts, *repeated)}
    found = [
        *(Finding(each.kind, each.number, each.reason) for each in source.problems),
        *equal_options(written),
        *misread_answers(rows, policy.min_graded_score),
        *conflicts,
        *repeated,
        *stretches_outside(written, _lengths_s(workplace)),
        *(Finding("missing_video", each.number, source.missing[each.video])
          for each in written if each.video in source.missing),
        *_damaged(workplace, source, rows, measured),
        *_repeated_videos(workplace, source),
        *_of_questions(workplace, rows, measured, first, told),
        *_of_thoughts(rows, measured),
    ]  # fmt: skip
    among = _among(workplace, source, rows, measured)
    order = {kind.name: place for place, kind in enumerate(KINDS)}
    needs = {kind.name: kind.need for kind in KINDS}
    kept = {
        (each.kind, each.number): each for each in reversed(found) if each.number in among[needs[each.kind]]
    }
    findings = sorted(kept.values(), key=lambda each: (order[each.kind], each.number))
    distinct = measured.unique("question_id", maintain_order=True)
    thoughts = sum(len(each.traces) for each in rows)
    return Looked(tuple(findings), among, questions, distinct, thoughts)


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


def _damaged(
    workplace: Workplace, source: Source, rows: Iterable[AskedRow], measured: pl.DataFrame
) -> Iterator[Finding]:
    films = {each.video_id for each in source.films}
    lost = {each.video_id: f"{each.kind}: {each.detail}" for each in workplace.quarantined()}
    unread = {each.name: f"{each.kind}: {each.detail}" for each in source.lost}
    damaged = _with_reason(measured, "rl_reasons", "damaged", "question_id")
    for each in rows:
        video_id = each.row.given.video_id
        name = each.row.video.rpartition("/")[2]
        if video_id in films and video_id in lost:
            yield Finding("damaged_video", each.row.number, lost[video_id])
        elif video_id not in films and name in unread:
            yield Finding("damaged_video", each.row.number, unread[name])
        elif each.question_id in damaged:
            yield Finding("damaged_video", each.row.number, "its film is damaged where the question is about")


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
    workplace: Workplace,
    rows: Iterable[AskedRow],
    measured: pl.DataFrame,
    first: Mapping[str, int],
    told: set[tuple[str, int]],
) -> Iterator[Finding]:
    """Reasons that policy has against questions."""
    broken = {name: _with_reason(measured, "rl_reasons", name, "question_id") for name in OF_QUESTION}
    one = measured.unique("question_id", keep="first")
    facts = {row["question_id"]: row for row in one.iter_rows(named=True)}
    held = _held_by(workplace, rows, broken["contaminated"])
    for each in rows:
        for name in OF_QUESTION:
            number, fact = each.row.number, facts[each.question_id]
            if each.question_id not in broken[name] or (
                name == "duplicate_question"
                and not told.isdisjoint((("conflicting_answer", number), ("duplicate_row", number)))
            ):
                continue
            why = {
                "duplicate_question": f"as row {first.get(fact['question_duplicate_of'], '?')}",
                "contaminated": held.get(each.question_id, "its frames are those of a named set"),
                "answered_blind": f"{fact['blind_passes']} of {fact['blind_rollouts']} right",
                "answered_from_one_frame": f"{fact['single_passes']} of {fact['single_rollouts']} right",
                "answered_shuffled": f"{fact['shuffled_passes']} of {fact['shuffled_rollouts']} right",
                "lucky": f"{fact['pass_count']} of {fact['rollout_count']} right",
            }[name]
            yield Finding(name, number, why)


def _held_by(workplace: Workplace, rows: Iterable[AskedRow], held: set[str]) -> dict[str, str]:
    """Which set holds a question, and by what, as far as words and names tell."""
    asked = [
        (
            each.question_id,
            each.row.given.video_id,
            each.row.video.rpartition("/")[2],
            each.row.given.question,
        )
        for each in rows
        if each.question_id in held
    ]
    columns = ("question_id", "video_id", "video", "text")
    frame = pl.DataFrame(asked, schema=dict.fromkeys(columns, pl.String), orient="row")
    cfg = workplace.recipe.contamination
    found = find_contamination(frame, pl.DataFrame(), read_evaluation_sets(cfg.sets).sets, cfg.overlap)
    return {each.question_id: f"{each.evaluation_set}, by its {each.how}" for each in found}


def _of_thoughts(rows: Iterable[AskedRow], measured: pl.DataFrame) -> Iterator[Finding]:
    """Reasons that policy has against traces that came along."""
    broken = {name: _with_reason(measured, "reasons", name, "trace_id") for name in OF_THOUGHT}
    for each in rows:
        for trace in each.traces:
            for name in OF_THOUGHT:
                if trace.trace_id in broken[name]:
                    yield Finding(name, each.row.number, _shown(trace, name))


def _shown(trace: Trace, name: str) -> str:
    said = trace.thought if name not in ("malformed", "wrong_answer") else trace.answer or trace.text
    return f"it says: {' '.join(said.split())[:160]}"


def _with_reason(measured: pl.DataFrame, column: str, reason: str, key: str) -> set[str]:
    return set(measured.filter(pl.col(column).list.contains(reason))[key])


def _among(
    workplace: Workplace, source: Source, rows: Sequence[AskedRow], measured: pl.DataFrame
) -> dict[Need, frozenset[int]]:
    """Rows for which there is what each need says."""
    recipe = workplace.recipe
    films = {each.video_id for each in source.films}
    verifies = not isinstance(recipe.verifier, SignalsTeacherConfig)
    one = measured.group_by("question_id").agg(
        pl.col(
            "blind_rollouts", "single_rollouts", "shuffled_rollouts", "rollout_count", "judged_claims"
        ).max()
    )
    counts = {row["question_id"]: row for row in one.iter_rows(named=True)}

    def enough(column: str, least: int = 1) -> frozenset[int]:
        return numbers(each for each in rows if (counts[each.question_id][column] or 0) >= least)

    def numbers(some: Iterable[AskedRow]) -> frozenset[int]:
        return frozenset(each.row.number for each in some)

    seen = [each for each in rows if each.row.given.video_id in films]
    found = source.films or source.missing or source.lost
    return {
        Need.ROW: source.numbers,
        Need.NAMED_SETS: numbers(rows) if recipe.contamination.sets else frozenset(),
        Need.LENGTH: numbers(e for e in rows if e.row.duration_s or e.row.given.video_id in films),
        Need.ROOT: numbers(rows) if found else frozenset(),
        Need.FILM: numbers(rows) - frozenset(r.number for r in source.rows if r.video in source.missing)
        if found
        else frozenset(),
        Need.BLIND: enough("blind_rollouts"),
        Need.ONE_FRAME: enough("single_rollouts"),
        Need.SHUFFLED: enough("shuffled_rollouts"),
        Need.ROLLOUTS: enough("rollout_count", 2),
        Need.THOUGHT: numbers(each for each in rows if each.traces),
        Need.SHOWN_THOUGHT: numbers(each for each in seen if each.traces),
        Need.VERIFIER: enough("judged_claims") if verifies else frozenset(),
    }
