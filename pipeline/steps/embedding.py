"""Clips, questions -> a vector each, part by part; all clips' -> clips and videos that show much the same."""

from collections.abc import Iterator

from reelproof.pipeline.dataset.alike import embedded_clips
from reelproof.pipeline.parts.part import PartRun
from reelproof.pipeline.parts.step import PartStep, WholeStep
from reelproof.pipeline.parts.whole import WholeRun
from reelproof.pipeline.steps.footage import CLIPS, FOOTAGE
from reelproof.pipeline.steps.questions import QUESTIONS
from reelproof.pipeline.teachers.encoders import (
    EmbeddingRole,
    QuestionEmbeddingRole,
    open_encoder,
    open_text_encoder,
)
from reelproof.schemas.embedding import ClipEmbedding, QuestionEmbedding
from reelproof.schemas.footage import Clip
from reelproof.schemas.question import Question
from reelproof.schemas.record import Record
from reelproof.stages.duplicates import semantic
from reelproof.stages.duplicates.semantic import (
    alike_clips,
    alike_videos,
    compare_clips,
    nearest_clips,
)
from reelproof.stages.embedding import embed
from reelproof.stages.embedding import questions as embedded_questions
from reelproof.stages.embedding.embed import embed_clips, frames_to_embed
from reelproof.stages.embedding.questions import embed_questions


def embed_part(run: PartRun, cfg: EmbeddingRole, _: object) -> Iterator[ClipEmbedding]:
    """A vector of each clip that has frames."""
    cut = list(run.read("clips", Clip))
    frames = run.frames({*frames_to_embed(cut, cfg)})
    yield from embed_clips(cut, frames, open_encoder(cfg), cfg)


EMBEDDING = PartStep(
    name="embedding",
    version=embed.VERSION,
    run=embed_part,
    sections=("embedding", "embedding.seen"),
    aside=("embedding",),
    makes=ClipEmbedding,
    after=(FOOTAGE, CLIPS),
    extra="embed",
    heavy=True,
)


def embed_asked(run: PartRun, cfg: QuestionEmbeddingRole, _: object) -> Iterator[QuestionEmbedding]:
    """A vector of each question that is given or asked."""
    yield from embed_questions(run.read("questions", Question), open_text_encoder(cfg))


QUESTION_EMBEDDING = PartStep(
    name="question_embedding",
    version=embedded_questions.VERSION,
    run=embed_asked,
    sections=("questions.embedding", "questions.embedding.seen"),
    aside=("questions.embedding",),
    makes=QuestionEmbedding,
    after=(QUESTIONS,),
    extra="paraphrase",
    heavy=True,
)


class Alike(Record):
    """What comparing all vectors came to."""

    clips: int
    """That were compared."""
    alike: int
    """That show much the same as another."""
    videos: int
    """That show much the same as another, or a part of it."""


def compare_embeddings(run: WholeRun, min_cosine: float, min_share: float) -> Alike:
    """Leave `nearest` (clip_id, nearest_clip, nearest_cosine), `clips` and `videos` (owner, group)."""
    step = next(each for each in run.task.step.ancestors if each.name == EMBEDDING.name)
    parts = ((step.file(part), {each.video_id for each in part.sources}) for part in run.parts)
    with embedded_clips(run.store, parts) as embedded:
        likeness = compare_clips(embedded, min_cosine)
    clips = alike_clips(embedded.clips, likeness)
    videos = alike_videos(embedded.clips, likeness, min_share)
    run.write_table("nearest", nearest_clips(embedded.clips, likeness))
    run.write_table("clips", clips)
    run.write_table("videos", videos)
    return Alike(clips=len(embedded.clips), alike=len(clips), videos=len(videos))


SEMANTIC_DUPLICATES = WholeStep(
    name="semantic-duplicates",
    version=semantic.VERSION,
    run=compare_embeddings,
    sections=("embedding.min_cosine", "duplicates.video_share"),
    makes=Alike,
    leaves=lambda _: ("nearest", "clips", "videos"),
    after=(EMBEDDING,),
)
