"""A recipe -> frames that a request shows at most; a part -> its questions as they are put to a teacher."""

import collections
import itertools
from collections.abc import Iterator, Mapping

from reelproof.pipeline.parts.part import PartRun
from reelproof.pipeline.recipe import Recipe
from reelproof.schemas.clip_quality import ClipQuality
from reelproof.schemas.footage import Clip, ClipKind
from reelproof.schemas.question import Question, WrittenQuestion
from reelproof.schemas.speech import ClipSpeech, SpeechLine, shown_lines
from reelproof.schemas.trace import Case, Claim, ProbeResult, Sufficiency, Trace
from reelproof.schemas.written import FrameText
from reelproof.stages.answers.traces import ClipQuestion

_KINDS = (ClipKind.SEGMENT, ClipKind.WHOLE)
"""One of each kind that has frames of its own number."""


def most_keyframes(recipe: Recipe) -> int:
    """Frames that stand for one clip, at most."""
    clips = recipe.clips_to_cut
    return max(clips.frames_of(kind).keyframes for kind in _KINDS)


def most_shown(recipe: Recipe) -> int:
    """Frames with one question, at most."""
    clips = recipe.clips_to_cut
    timeline = max(clips.frames_of(kind).timeline for kind in _KINDS)
    written = most_keyframes(recipe) if recipe.questions.asked else 0
    return max(recipe.questions.given.max_frames, timeline, written)


def asked_of(run: PartRun) -> list[ClipQuestion]:
    """The part's questions with their clips, in order."""
    cut = {clip.clip_id: clip for clip in run.read("clips", Clip)}
    lines = lines_of_clips(run)
    return [
        ClipQuestion(cut[each.clip_id], each, shown_lines(each, lines.get(each.clip_id, ())))
        for each in run.read("questions", Question)
    ]


def lines_of_clips(run: PartRun) -> Mapping[str, tuple[SpeechLine, ...]]:
    """clip_id -> what is said there; nothing where the recipe does without."""
    return {each.clip_id: each.lines for each in run.read_made("clip_speech", ClipSpeech)}


def frames_of(run: PartRun, asked: list[ClipQuestion]) -> Mapping[str, bytes]:
    """JPEG bytes of every frame that the questions show."""
    return run.frames({shown.frame.sha256 for each in asked for shown in each.question.frames})


def cases_of(run: PartRun) -> Iterator[Case]:
    """The part's questions with all that is known of their rollouts, in the order of the traces file."""
    asked = {each.question.question_id: each for each in asked_of(run)}
    probes = {each.question_id: each for each in run.read_made("probes", ProbeResult)}
    claims = collections.defaultdict[str, list[Claim]](list)
    for claim in run.read_made("claims", Claim):
        claims[claim.trace_id].append(claim)
    judged = {each.trace_id: each for each in run.read_made("sufficiency", Sufficiency)}
    written = [each for each in run.read_made("asked", WrittenQuestion) if each.question]
    texts = {each.sha256: each for each in run.read_made("text", FrameText)}
    qualities = {each.clip_id: each for each in run.read_made("clip_quality", ClipQuality)}
    agreement = {each.question.question_id: each.agreement for each in written if each.question}
    for question_id, group in itertools.groupby(run.read("traces", Trace), lambda trace: trace.question_id):
        clip, question, lines, _ = asked[question_id]
        rollouts = tuple(group)
        mine = tuple(claim for trace in rollouts for claim in claims[trace.trace_id])
        judgements = tuple(judged[trace.trace_id] for trace in rollouts if trace.trace_id in judged)
        agreed = agreement.get(question_id)
        yield Case(
            clip, question, rollouts, probes.get(question_id), mine, judgements, agreed, texts, lines,
            qualities.get(clip.clip_id),
        )  # fmt: skip
