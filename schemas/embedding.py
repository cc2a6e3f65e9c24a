"""What a clip shows, or a question asks, as a point: near ones are much the same, however shown or worded."""

from reelproof.schemas.record import Record, Series


class ClipEmbedding(Record):
    """Of one clip, from its keyframes."""

    clip_id: str
    video_id: str
    start_s: float
    end_s: float
    is_base: bool
    """It is one of the clips that together make up its film, each second in one: its segments, or itself."""
    encoder: str
    """`name@revision` of the network."""
    vector: Series
    """Of length 1: the cosine of two clips is their product. (D,) float32"""


class QuestionEmbedding(Record):
    """Of one question, from its wording."""

    question_id: str
    encoder: str
    """`name@revision` of the network."""
    vector: Series
    """Of length 1: the cosine of two questions is their product. (D,) float32"""
