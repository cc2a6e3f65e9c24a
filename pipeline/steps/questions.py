"""Clips -> questions: given with the videos, computed, about edited frames, or a teacher's; for one part."""

from collections.abc import Iterator

from reelproof.pipeline.parts.part import PartRun
from reelproof.pipeline.parts.step import Ask, Expected, PartStep
from reelproof.pipeline.recipe import Recipe
from reelproof.pipeline.steps.asking import lines_of_clips, most_keyframes
from reelproof.pipeline.steps.edited import EDITED
from reelproof.pipeline.steps.footage import CLIPS, FOOTAGE
from reelproof.pipeline.steps.speech import CLIP_SPEECH
from reelproof.pipeline.steps.written import TEXT
from reelproof.pipeline.teachers.kinds import TeacherConfig
from reelproof.schemas.edited import EditedQuestion
from reelproof.schemas.footage import Clip
from reelproof.schemas.question import Question, WrittenQuestion
from reelproof.schemas.written import FrameText
from reelproof.stages.questions import computed, given, written
from reelproof.stages.questions.computed import ComputedConfig, computed_questions
from reelproof.stages.questions.given import QuestionsConfig, given_questions
from reelproof.stages.questions.written import AskedConfig, ask_questions, usable


def write_asked(
    run: PartRun, writes: TeacherConfig, answers: TeacherConfig, wanted: AskedConfig
) -> Iterator[WrittenQuestion]:
    """Have questions written about each clip, and answered again without their key."""
    cut = list(run.read("clips", Clip))
    frames = run.frames({frame.sha256 for clip in cut for frame in clip.keyframes})
    lines = lines_of_clips(run)
    with run.open_teacher(writes) as writer, run.open_teacher(answers) as answerer:
        yield from ask_questions(cut, writer, answerer, wanted, frames, lines)


def _asks(recipe: Recipe) -> tuple[Ask, ...]:
    source = recipe.questions.asked
    if source is None:
        return ()
    needs = recipe.needs(most_keyframes(recipe), source.wanted.max_tokens)
    answers = source.wanted.per_task * source.wanted.answers
    return Ask(source.writer, needs), Ask(source.answers_again, needs, share=answers)


def _calls(recipe: Recipe, expected: Expected) -> int:
    source = recipe.questions.asked
    if source is None:
        return 0
    wanted = source.wanted
    return expected.clips * len(wanted.tasks) * (1 + wanted.per_task * wanted.answers)


ASKED = PartStep(
    name="asked",
    version=written.VERSION,
    run=write_asked,
    sections=("questions.asked.writer", "questions.asked.answers_again", "questions.asked.wanted"),
    makes=WrittenQuestion,
    after=(FOOTAGE, CLIPS),
    also=(CLIP_SPEECH,),
    prompts=("WRITER", "ROLLOUT"),
    asks=_asks,
    calls=_calls,
    varies=True,
)


def pose_questions(run: PartRun, shows: QuestionsConfig, computes: ComputedConfig) -> Iterator[Question]:
    """Questions that came with the videos, those that can be computed, and those that a teacher wrote.

    Of those about edited frames the files stay where they were made.
    """
    cut = list(run.read("clips", Clip))
    yield from given_questions(cut, run.inputs.given, shows)
    texts = {each.sha256: each for each in run.read_made("text", FrameText)}
    yield from computed_questions(cut, computes, {row.video_id for row in run.inputs.given}, texts)
    yield from (each.question for each in run.read_made("edited", EditedQuestion))
    yield from usable(run.read_made("asked", WrittenQuestion))


QUESTIONS = PartStep(
    name="questions",
    version=given.VERSION,
    versions=(computed.VERSION,),
    run=pose_questions,
    sections=("questions.given", "questions.computed"),
    makes=Question,
    after=(CLIPS,),
    also=(ASKED, TEXT, EDITED),
    rests_on_given=True,
)
