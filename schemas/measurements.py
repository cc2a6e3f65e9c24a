"""What is known of a trace beside its scores: its keys, and what only all parts together can tell."""

from collections.abc import Iterable

from reelproof.schemas.record import Record


class Keys(Record):
    """Whose measurements a row holds."""

    trace_id: str
    question_id: str
    clip_id: str
    video_id: str
    sample_index: int
    task: str
    source: str
    kind: str


class SetMeasurements(Record):
    """What only all parts together can tell of a trace."""

    question_duplicate_of: str | None
    """An earlier question that asks nearly the same of nearly the same clip; null where there is none."""
    contaminated: bool | None
    """The question, its video or its frames are in a named evaluation set; null where none was named."""


def score_columns(records: Iterable[type[Record]]) -> tuple[str, ...]:
    """Names of the records' fields in order, without `trace_id`."""
    return tuple(name for record in records for name in record.model_fields if name != "trace_id")
