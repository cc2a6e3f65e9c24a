"""Settings -> the network that looks at keyframes, or reads questions, opened once a process."""

from functools import lru_cache

from pydantic import Field

from reelproof.pipeline.teachers.kinds import model_identity
from reelproof.stages.duplicates.semantic import NEAR
from reelproof.stages.embedding.embed import PACKAGED, EmbeddingConfig, Encoder
from reelproof.stages.embedding.questions import PACKAGED_TEXT, QuestionEmbeddingConfig, TextEncoder


class EmbeddingRole(EmbeddingConfig):
    """A vector for each clip, and what is made of how near two come."""

    min_cosine: float = Field(default=0.85, ge=NEAR, le=1)
    """From this cosine on two clips show much the same, as one that is cropped or mirrored does: their videos
    are in one split, and questions about them are compared."""

    @property
    def seen(self) -> tuple[str, int]:
        """What decides the vectors. Reads a model folder; raises TeacherUnavailable where it is not there."""
        return _identity(self.encoder, self.revision), self.frames


class QuestionEmbeddingRole(QuestionEmbeddingConfig):
    """A vector for each question that is given or asked."""

    @property
    def seen(self) -> str:
        """What decides the vectors. Reads a model folder; raises TeacherUnavailable where it is not there."""
        return _text_identity(self.encoder, self.revision)


def open_encoder(cfg: EmbeddingConfig) -> Encoder:
    """The network. Raises TeacherUnavailable where it cannot be loaded."""
    return _opened(cfg.encoder, cfg.revision)


@lru_cache(maxsize=1)
def _opened(encoder: str, revision: str | None) -> Encoder:
    if encoder == PACKAGED:
        from reelproof.stages.embedding.efficientnet import EfficientNetEncoder

        return EfficientNetEncoder()
    from reelproof.stages.embedding.hub_encoder import HubEncoder

    return HubEncoder(encoder, revision, _identity(encoder, revision))


def _identity(encoder: str, revision: str | None) -> str:
    return encoder if encoder == PACKAGED else model_identity(encoder, revision, "embedding.encoder")


def open_text_encoder(cfg: QuestionEmbeddingConfig) -> TextEncoder:
    """The network. Raises TeacherUnavailable where it cannot be loaded."""
    return _opened_text(cfg.encoder, cfg.revision)


@lru_cache(maxsize=1)
def _opened_text(encoder: str, revision: str | None) -> TextEncoder:
    if encoder == PACKAGED_TEXT:
        from reelproof.stages.embedding.minilm import open_minilm

        return open_minilm()
    from reelproof.stages.embedding.text_encoder import TransformersTextEncoder

    return TransformersTextEncoder(encoder, revision, _text_identity(encoder, revision))


def _text_identity(encoder: str, revision: str | None) -> str:
    packaged = encoder == PACKAGED_TEXT
    return encoder if packaged else model_identity(encoder, revision, "questions.embedding.encoder")
