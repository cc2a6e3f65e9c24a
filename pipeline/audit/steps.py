"""The build's own steps with another ending: films may lack, nobody need answer, and nothing is published."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from math import inf

import polars as pl
from rich.console import Console

from reelproof.pipeline.audit.source import Source
from reelproof.pipeline.build import check_teachers
from reelproof.pipeline.curate import curate
from reelproof.pipeline.dag import OVER_PARTS, Dag, build_dag
from reelproof.pipeline.dataset.part_files import measured
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import BuildFailed, UsageError
from reelproof.pipeline.ingest import Ingested, save_ingested, subtitles_beside
from reelproof.pipeline.parts.part import PartRun
from reelproof.pipeline.parts.plan import PartsConfig, Plan, SizedVideo, extend_plan
from reelproof.pipeline.parts.run_step import StepBroken, run_step
from reelproof.pipeline.parts.step import WholeStep
from reelproof.pipeline.parts.todo import Todo, teachers_of
from reelproof.pipeline.parts.whole import WholeRun, read_left
from reelproof.pipeline.recipe import Recipe, SharedTeacher
from reelproof.pipeline.steps.answers import TRACES, ask_teachers
from reelproof.pipeline.steps.asking import asked_of
from reelproof.pipeline.steps.decided_rows import files_of
from reelproof.pipeline.steps.footage import CLIPS, clip_videos
from reelproof.pipeline.steps.whole_set import CONTAMINATION, NEAR_DUPLICATES, POLICY
from reelproof.pipeline.teachers.kinds import SignalsTeacherConfig, gpus_a_server
from reelproof.pipeline.workplace import Workplace, read_plan
from reelproof.schemas.footage import Clip, ClipKind
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.question import GivenRow, Question
from reelproof.schemas.record import Record
from reelproof.schemas.source import SourceIdentity
from reelproof.schemas.trace import Trace
from reelproof.stages.answers.given_traces import GivenTracesConfig, given_traces
from reelproof.stages.answers.traces import AdaptiveRolloutConfig
from reelproof.stages.deciding import decide
from reelproof.stages.footage.clips import ClipConfig
from reelproof.stages.luck_pools import pool_figures, pool_sums, with_figures
from reelproof.stages.measurements import complete
from reelproof.stages.policy import RuleError

NAMED = PartsConfig(videos=5000, at_least=1)
"""A part of films that are only named takes no decoding: it may hold many."""
DECIDED = "decided"
NOBODY = "nobody@audit"
"""Who answers a question that nobody answered."""


def clip_what_there_is(run: PartRun, cfg: ClipConfig) -> Iterator[Clip]:
    """Clips from storyboards; of films that are not there, or could not be decoded, clips without frames."""
    seen = set()
    for clip in clip_videos(run, cfg):
        seen.add(clip.video_id)
        yield clip
    yield from unseen_clips(row for row in run.inputs.given if row.video_id not in seen)


def unseen_clips(rows: Iterable[GivenRow]) -> Iterator[Clip]:
    """A clip without a frame for each stretch of a film that is asked about, in the rows' order.

    Only questions about one stretch are then compared with each other, and where a film ends is not known.
    """
    for video_id, start_s, end_s in dict.fromkeys((row.video_id, row.start_s, row.end_s) for row in rows):
        yield Clip(
            clip_id=sha256(f"{video_id} {start_s} {end_s}".encode()).hexdigest()[:32],
            video_id=video_id,
            kind=ClipKind.SHORT,
            start_s=start_s or 0.0,
            end_s=inf if end_s is None else end_s,
            scenes=(),
            keyframes=(),
            timeline=(),
            motion=(),
        )


def trace_what_there_is(
    run: PartRun, given: GivenTracesConfig, shared: tuple[SharedTeacher, ...], rollouts: AdaptiveRolloutConfig
) -> Iterator[Trace]:
    """Traces that came along; rollouts of other questions that show a frame, where a teacher is named; else
    one that never came, so that each question has a row of measurements.
    """
    every = asked_of(run)
    answered = set()
    for trace in given_traces([each.question for each in every], run.inputs.given, given):
        answered.add(trace.question_id)
        yield trace
    others = [each for each in every if each.question.question_id not in answered]
    asks = any(not isinstance(each.teacher, SignalsTeacherConfig) for each in shared)
    yield from ask_teachers(run, [each for each in others if asks and each.question.frames], shared, rollouts)
    yield from (_unanswered(each.question) for each in others if not (asks and each.question.frames))


def _unanswered(question: Question) -> Trace:
    return Trace(
        trace_id=sha256(f"{NOBODY} {question.question_id}".encode()).hexdigest()[:32],
        question_id=question.question_id,
        clip_id=question.clip_id,
        video_id=question.video_id,
        prompt_id=NOBODY,
        model=NOBODY,
        sample_index=0,
        text="",
        thought="",
        answer=None,
        cited=(),
        finish_reason="error",
    )


_INSTEAD = {
    CLIPS.name: replace(CLIPS, run=clip_what_there_is, rests_on_given=True, versions=(1,)),
    TRACES.name: replace(TRACES, run=trace_what_there_is, versions=(*TRACES.versions, 1)),
}


class Decided(Record):
    """What the policy has against the rows."""

    traces: int


def decide_rows(run: WholeRun, policy: PolicyConfig) -> Decided:
    """Leave `decided`: keys, scores and what was found over all parts, with the policy's reasons, a row per
    trace.
    """
    rows = pl.concat(
        (pl.DataFrame(measured(run.store, files).rows) for files in files_of(run)), how="vertical_relaxed"
    )
    for step in (NEAR_DUPLICATES, CONTAMINATION):
        found = run.table(step.name, "questions")
        rows = rows.join(found, on="question_id", how="left", maintain_order="left")
    rows = complete(with_figures(rows, pool_figures(pool_sums(rows))))
    try:
        verdicts = decide(rows, policy)
    except RuleError as error:
        raise UsageError(str(error)) from None
    run.write_table(DECIDED, rows.hstack(verdicts.select("reasons", "rl_reasons")))
    return Decided(traces=len(rows))


AUDIT = WholeStep(
    name="audit",
    version=1,
    versions=POLICY.versions,
    run=decide_rows,
    sections=("policy",),
    makes=Decided,
    leaves=lambda _: (DECIDED,),
    after=POLICY.after,
    also=POLICY.also,
)


def audit_dag(recipe: Recipe) -> Dag:
    """The recipe's steps with another ending: neither a policy's sets nor shards."""
    over_parts = tuple(_INSTEAD.get(each.name, each) for each in OVER_PARTS)
    return build_dag(recipe, over_parts, (NEAR_DUPLICATES, CONTAMINATION, AUDIT))


def plan_audit(store: Store, recipe: Recipe, source: Source) -> Ingested:
    """A workplace for the source's films and rows; nothing is written."""
    plan = extend_plan(read_plan(store) or Plan(), _sized(source.films), recipe.parts)
    plan = extend_plan(plan, _sized(source.named), NAMED)
    videos = tuple(sorted((*source.films, *source.named), key=lambda each: each.video_id))
    given = tuple(dict.fromkeys(row.given for row in source.rows))
    beside = subtitles_beside(store, recipe, source.films)
    workplace = Workplace(store, recipe, plan, videos, given, audit_dag, beside)
    return Ingested(workplace, source.files, source.lost)


def _sized(videos: Iterable[SourceIdentity]) -> list[SizedVideo]:
    return [SizedVideo(video_id=each.video_id, size_bytes=each.file.size_bytes) for each in videos]


def work_audit(ingested: Ingested, console: Console) -> None:
    """Do what is not done yet of its steps.

    Raises UsageError for a teacher that is not there, BuildFailed where the work stopped short of its end.
    """
    workplace = ingested.workplace
    todos = workplace.todos()
    for told in check_teachers(workplace.dag, teachers_of(todos)):
        console.print(told)
    save_ingested(ingested)
    if todos and (_is_film_in(todos) or gpus_a_server(teachers_of(todos))):
        from reelproof.pipeline.work_through import work_through  # half a second that only work is worth

        work_through(workplace, todos, console, [])
    else:
        for todo in todos:
            _do_here(todo, workplace.store)
    for _ in curate(workplace):
        pass


def read_decided(workplace: Workplace) -> pl.DataFrame:
    """What `decide_rows` left."""
    task = next(each for each in workplace.whole_tasks() if each.step.name == AUDIT.name)
    return read_left(workplace.store, task.folder, DECIDED)


def _is_film_in(todos: Iterable[Todo]) -> bool:
    return any(each.file.size_bytes for todo in todos for each in todo.inputs.sources)


def _do_here(todo: Todo, store: Store) -> None:
    """Without a cluster: where nothing is to be decoded, its start would take longer than the work."""
    for step in todo.steps:
        try:
            run_step(step, todo.inputs, store.url)
        except StepBroken as error:
            if error.damaged:
                raise error.damaged from error
            raise BuildFailed(
                f"{todo.inputs.name}, {step.name}: {error}; the same command goes on"
            ) from error
