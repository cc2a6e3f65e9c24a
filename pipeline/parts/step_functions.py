"""Each step of the DAG as a function of one part: what its stage is given, and what it yields."""

import collections
import itertools
from collections.abc import Iterator
from contextlib import ExitStack

import polars as pl
from pydantic import BaseModel

from reelproof.pipeline.decoder.child import ChildLimits, scan_in_child
from reelproof.pipeline.disk.files import local_copy, stat_file
from reelproof.pipeline.parts.part import PartRun
from reelproof.pipeline.settings import AskedSource, QuestionSources, SharedTeacher
from reelproof.pipeline.teachers.kinds import TeacherConfig
from reelproof.schemas.footage import Clip, Footage, Quarantine, QuarantineKind, Storyboard
from reelproof.schemas.question import Question, WrittenQuestion
from reelproof.schemas.scores import RepeatScore, Score
from reelproof.schemas.settings import Settings
from reelproof.schemas.source import SourceIdentity
from reelproof.schemas.trace import Case, Claim, ProbeResult, Sufficiency, Trace
from reelproof.stages.answers.claims import ClaimConfig, verify_claims
from reelproof.stages.answers.given_traces import GivenTracesConfig, given_traces
from reelproof.stages.answers.probes import ProbeConfig, probe_questions
from reelproof.stages.answers.sufficiency import SufficiencyConfig, judge_sufficiency
from reelproof.stages.answers.traces import Asked, RolloutConfig, TeacherShare, ask_rollouts
from reelproof.stages.checks.registry import Check
from reelproof.stages.duplicates.near import DuplicateConfig, duplicate_traces
from reelproof.stages.footage.clips import ClipConfig, VideoView, cut_clips
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.scan import FootageConfig
from reelproof.stages.footage.storyboard import StoryboardConfig, cut_scenes
from reelproof.stages.questions.computed import computed_questions
from reelproof.stages.questions.given import given_questions
from reelproof.stages.questions.written import ask_questions, surviving


class ScanSettings(Settings):
    """How videos are scanned, and what a scan may take."""

    footage: FootageConfig
    limits: ChildLimits


def scan_videos(run: PartRun, settings: ScanSettings) -> Iterator[Footage]:
    """Decode each video once, in a child; what cannot be used goes to the part's quarantine."""
    for result in scan_in_child(_local_videos(run), settings.footage, settings.limits):
        run.videos_decoded += 1
        if isinstance(result, Quarantine):
            run.quarantine.append(result)
        else:
            yield result


def _local_videos(run: PartRun) -> Iterator[LocalVideo]:
    """The part's files on this machine's disk, one at a time; one that has changed is set aside."""
    for source in run.inputs.sources:
        try:
            if source.file.version and stat_file(source.file.url, source.file.license) != source.file:
                raise OSError("its bytes are no longer those that were read when the build began")
            with local_copy(source.file.url) as path:
                yield _local_video(source, str(path))
        except OSError as error:
            run.quarantine.append(_changed(source, error))


def _local_video(source: SourceIdentity, path: str) -> LocalVideo:
    file = source.file
    return LocalVideo(path, source.video_id, file.name, file.size_bytes, file.license)


def _changed(source: SourceIdentity, error: OSError) -> Quarantine:
    return Quarantine(
        video_id=source.video_id,
        name=source.file.name,
        kind=QuarantineKind.CHANGED,
        detail=f"{error.strerror or error}; build again to take the file as it is now",
    )


def board_videos(run: PartRun, cfg: StoryboardConfig) -> Iterator[Storyboard]:
    """Cuts, scenes and keyframes from the stored signals."""
    return cut_scenes(run.footage(), cfg)


def clip_videos(run: PartRun, cfg: ClipConfig) -> Iterator[Clip]:
    """Clips from storyboards."""
    return cut_clips(_views(run), cfg)


def write_asked(run: PartRun, settings: AskedSource) -> Iterator[WrittenQuestion]:
    """Have questions written about each clip, and answered again without their key."""
    cut = list(run.read("clips", Clip))
    frames = run.frames({frame.sha256 for clip in cut for frame in clip.keyframes})
    with (
        run.open_teacher(settings.writer) as writer,
        run.open_teacher(settings.answerer or settings.writer) as answerer,
    ):
        yield from ask_questions(cut, writer, answerer, settings.wanted, frames)


def pose_questions(run: PartRun, cfg: QuestionSources) -> Iterator[Question]:
    """Questions that came with the videos, those that can be computed, and those that a teacher wrote."""
    cut = list(run.read("clips", Clip))
    yield from given_questions(cut, run.inputs.given, cfg.given)
    yield from computed_questions(cut, cfg.computed)
    if cfg.asked:
        yield from surviving(run.read("asked", WrittenQuestion), cfg.asked.min_agreement)


class TraceSettings(Settings):
    """Who answers, and how often."""

    given: GivenTracesConfig
    teachers: tuple[SharedTeacher, ...]
    rollouts: RolloutConfig


def trace_questions(run: PartRun, settings: TraceSettings) -> Iterator[Trace]:
    """Traces that came with the questions as they are; k rollouts of every other question."""
    every = asked_of(run)
    came = list(given_traces([each.question for each in every], run.inputs.given, settings.given))
    yield from came
    answered = {trace.question_id for trace in came}
    asked = [each for each in every if each.question.question_id not in answered]
    if not asked:
        return
    with ExitStack() as stack:
        teachers = [
            TeacherShare(stack.enter_context(run.open_teacher(each.teacher)), each.share)
            for each in settings.teachers
        ]
        yield from ask_rollouts(asked, teachers, settings.rollouts, frames_of(run, asked))


class ProbeSettings(Settings):
    """Who is asked without the evidence, and how often."""

    teacher: TeacherConfig
    probes: ProbeConfig


def probe_part(run: PartRun, settings: ProbeSettings) -> Iterator[ProbeResult]:
    """Each question blind, with one frame, and with its frames shuffled."""
    asked = asked_of(run)
    with run.open_teacher(settings.teacher) as teacher:
        cases = (Case(each.clip, each.question, ()) for each in asked)
        yield from probe_questions(cases, teacher, settings.probes, frames_of(run, asked))


class ClaimSettings(Settings):
    """Who judges claims, and how."""

    verifier: TeacherConfig
    claims: ClaimConfig


def verify_part(run: PartRun, settings: ClaimSettings) -> Iterator[Claim]:
    """Each claim of each thought, with the cited frames and with others."""
    frames = frames_of(run, asked_of(run))
    with run.open_teacher(settings.verifier) as verifier:
        yield from verify_claims(cases_of(run), verifier, settings.claims, frames)


class SufficiencySettings(Settings):
    """Who judges what observations lead to, and how."""

    judge: TeacherConfig
    sufficiency: SufficiencyConfig


def judge_part(run: PartRun, settings: SufficiencySettings) -> Iterator[Sufficiency]:
    """Each thought's observations, put to a judge who sees no frame."""
    with run.open_teacher(settings.judge) as judge:
        yield from judge_sufficiency(cases_of(run), judge, settings.sufficiency)


def measure(check: Check, run: PartRun, cfg: BaseModel) -> Iterator[Score]:
    """One check's scores, a row a trace in the order of the traces file."""
    return check.measure(cases_of(run), cfg)


def find_repeats(run: PartRun, cfg: DuplicateConfig) -> Iterator[RepeatScore]:
    """Which thoughts say nearly what an earlier rollout of the same question says that answers the same."""
    columns = ["trace_id", "question_id", "answer", "thought"]
    traces = pl.DataFrame(run.store.read_table(run.above["traces"], columns=columns)).rename(
        {"thought": "text"}
    )
    for row in duplicate_traces(traces, cfg).iter_rows(named=True):
        yield RepeatScore(**row)


def cases_of(run: PartRun) -> Iterator[Case]:
    """The part's questions with all that is known of their rollouts, in the order of the traces file."""
    asked = {each.question.question_id: each for each in asked_of(run)}
    probes = (
        {each.question_id: each for each in run.read("probes", ProbeResult)} if "probes" in run.above else {}
    )
    claims = collections.defaultdict[str, list[Claim]](list)
    for claim in run.read("claims", Claim) if "claims" in run.above else ():
        claims[claim.trace_id].append(claim)
    judged = {
        each.trace_id: each
        for each in (run.read("sufficiency", Sufficiency) if "sufficiency" in run.above else ())
    }
    for question_id, group in itertools.groupby(run.read("traces", Trace), lambda trace: trace.question_id):
        clip, question = asked[question_id]
        rollouts = tuple(group)
        mine = tuple(claim for trace in rollouts for claim in claims[trace.trace_id])
        judgements = tuple(judged[trace.trace_id] for trace in rollouts if trace.trace_id in judged)
        yield Case(clip, question, rollouts, probes.get(question_id), mine, judgements)


def asked_of(run: PartRun) -> list[Asked]:
    """The part's questions with their clips, in order."""
    cut = {clip.clip_id: clip for clip in run.read("clips", Clip)}
    return [Asked(cut[question.clip_id], question) for question in run.read("questions", Question)]


def frames_of(run: PartRun, asked: list[Asked]) -> dict[str, bytes]:
    """JPEG bytes of every frame that the questions show."""
    return run.frames({shown.frame.sha256 for each in asked for shown in each.question.frames})


def _views(run: PartRun) -> Iterator[VideoView]:
    boards = run.read("storyboards", Storyboard)
    return (VideoView.of(footage, board) for footage, board in zip(run.footage(), boards, strict=True))
