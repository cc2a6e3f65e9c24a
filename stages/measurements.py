"""The registry of checks -> every column that policy decides from: one row per trace, keys and scores."""

import functools

import polars as pl

from reelproof.schemas.measurements import OVER_ALL, Keys
from reelproof.schemas.record import Record
from reelproof.schemas.scores import RepeatScore
from reelproof.schemas.tables import arrow_schema
from reelproof.stages.checks.registry import CHECKS

SCORES: tuple[type[Record], ...] = (*(check.score for check in CHECKS), RepeatScore)
"""The records of all measurements of a trace, in order."""

QUESTION_SCORES: tuple[type[Record], ...] = tuple(check.score for check in CHECKS if check.of_question)
"""Those that are the same on all of a question's rollouts."""


@functools.cache
def measurement_schema() -> pl.Schema:
    """Name -> polars type of every column that policy may look at, in order."""
    columns: dict[str, pl.DataType] = {}
    records: tuple[type[Record], ...] = (Keys, *SCORES, *OVER_ALL)
    for record in records:
        columns.update(pl.Schema(arrow_schema(record)))
    return pl.Schema(columns)


def complete(measurements: pl.DataFrame) -> pl.DataFrame:
    """The same rows with every column of `measurement_schema`; those of checks that did not run are null.

    Raises ValueError where a key is missing or a column has another type.
    """
    wanted, got = measurement_schema(), measurements.schema
    missing = [name for name in Keys.model_fields if name not in got]
    if missing:
        raise ValueError(f"measurements: no column {', '.join(missing)}; got {', '.join(got)}")
    wrong = [
        f"{name} is {got[name]}, expected {kind}"
        for name, kind in wanted.items()
        if name in got and not _serves(got[name], kind)
    ]
    if wrong:
        raise ValueError(f"measurements: {'; '.join(wrong)}")
    absent = [pl.lit(None, kind).alias(name) for name, kind in wanted.items() if name not in got]
    return measurements.with_columns(absent) if absent else measurements


def _serves(got: pl.DataType, wanted: pl.DataType) -> bool:
    if got in (pl.Null, wanted):
        return True
    if wanted == pl.String:
        return isinstance(got, (pl.Categorical, pl.Enum))
    return got.is_numeric() and wanted.is_numeric()
