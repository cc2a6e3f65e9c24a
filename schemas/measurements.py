"""What policy decides from: one row a trace, its keys, and every check's fields as columns."""

from collections.abc import Iterable

import polars as pl

from reelproof.schemas.record import Record, arrow_schema
from reelproof.schemas.scores import (
    AgreementScore,
    AnswerScore,
    CitationScore,
    DifficultyScore,
    FormScore,
    GroundingScore,
    GuessScore,
    ProbeScore,
    RepeatScore,
    SufficiencyScore,
    TextScore,
)

SCORES: tuple[type[Record], ...] = (
    FormScore,
    AnswerScore,
    DifficultyScore,
    TextScore,
    GuessScore,
    AgreementScore,
    CitationScore,
    ProbeScore,
    GroundingScore,
    SufficiencyScore,
    RepeatScore,
)
"""The records of the checks that policy knows."""

QUESTION_SCORES: tuple[type[Record], ...] = (DifficultyScore, ProbeScore)
"""Those that are the same on all of a question's rollouts."""


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


def measurement_schema() -> pl.Schema:
    """Name -> polars type of every column that policy may look at, in order."""
    columns: dict[str, pl.DataType] = {}
    records: tuple[type[Record], ...] = (Keys, *SCORES, SetMeasurements)
    for record in records:
        empty = pl.from_arrow(arrow_schema(record).empty_table())
        if not isinstance(empty, pl.DataFrame):
            raise TypeError(f"{record.__name__} has no table form")
        columns.update(empty.schema)
    return pl.Schema(columns)


def complete(measurements: pl.DataFrame) -> pl.DataFrame:
    """The same rows with every column of `measurement_schema`; those of checks that did not run are null.

    Raises ValueError where a key is missing or a column has another type.
    """
    wanted = measurement_schema()
    missing = [name for name in Keys.model_fields if name not in measurements.columns]
    if missing:
        raise ValueError(
            f"measurements: no column {', '.join(missing)}; got {', '.join(measurements.columns)}"
        )
    wrong = [
        f"{name} is {measurements.schema[name]}, expected {kind}"
        for name, kind in wanted.items()
        if name in measurements.columns and not _serves(measurements.schema[name], kind)
    ]
    if wrong:
        raise ValueError(f"measurements: {'; '.join(wrong)}")
    absent = [
        pl.lit(None, kind).alias(name) for name, kind in wanted.items() if name not in measurements.columns
    ]
    return measurements.with_columns(absent) if absent else measurements


def _serves(got: pl.DataType, wanted: pl.DataType) -> bool:
    if got in (pl.Null, wanted):
        return True
    if wanted == pl.String:
        return isinstance(got, (pl.Categorical, pl.Enum))
    return got.is_numeric() and wanted.is_numeric()
