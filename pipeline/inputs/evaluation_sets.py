"""Files of named evaluation sets (JSONL, JSON, CSV, Parquet; any URL) -> what must not be trained on."""

import hashlib
import io
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import polars as pl
from pydantic import Field

from reelproof.pipeline.disk.files import absolute, read_file
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.inputs.questions_file import read_video_list
from reelproof.schemas.question import WHEN
from reelproof.schemas.settings import Settings
from reelproof.stages.duplicates.contamination import ContaminationConfig, EvaluationSet, read_evaluation_set


class EvaluationSource(Settings):
    """One evaluation set."""

    name: str = Field(min_length=1)
    """The card and the reasons call the set by this name."""
    file: str = Field(min_length=1)
    """Path or URL of a .jsonl, .json, .csv or .parquet file: questions, videos, frames' perceptual hashes."""


class DecontaminationConfig(Settings):
    """What must not be trained on, and from how much overlap a question counts as held."""

    sets: tuple[EvaluationSource, ...] = ()
    """These sets are compared with all questions and clips; none by default."""
    overlap: ContaminationConfig = ContaminationConfig()


class NamedSets(NamedTuple):
    """Evaluation sets as read, and what they depend on."""

    sets: tuple[EvaluationSet, ...]
    digests: tuple[str, ...]
    """`name sha256` of each file: where it lies does not matter."""


def read_evaluation_sets(sources: Sequence[EvaluationSource]) -> NamedSets:
    """All sets, in order. Raises UsageError for a file that cannot be read or has nothing to compare."""
    contents = [(source, _content(source)) for source in sources]
    return NamedSets(
        tuple(_read(source, content) for source, content in contents),
        tuple(f"{source.name} {hashlib.sha256(content).hexdigest()}" for source, content in contents),
    )


def _content(source: EvaluationSource) -> bytes:
    try:
        return read_file(absolute(source.file))
    except OSError as error:
        raise UsageError(
            f"contamination.sets: cannot read {source.file} of {source.name} "
            f"({error.strerror or error}); give the path or URL of a file that is there"
        ) from error


def _read(source: EvaluationSource, content: bytes) -> EvaluationSet:
    """By its own columns; where these hold no question, as a manifest of a known shape has them."""
    ending = source.file.rpartition(".")[2].casefold()
    problem = f" ends in .{ending}; expected {', '.join('.' + each for each in _READERS)}"
    plain: EvaluationSet | None = None
    if ending in _READERS:
        try:
            plain = read_evaluation_set(source.name, _READERS[ending](io.BytesIO(content)))
        except (pl.exceptions.PolarsError, ValueError) as error:
            problem = f": {error}"
    if plain and len(plain.questions):
        return plain
    if shaped := _as_manifest(source, content):
        return plain._replace(questions=shaped.questions) if plain else shaped
    if plain:
        return plain
    raise UsageError(f"contamination.sets: {source.file} of {source.name}{problem}")


def _as_manifest(source: EvaluationSource, content: bytes) -> EvaluationSet | None:
    try:
        rows = read_video_list(source.file, content).rows
    except ValueError:
        return None
    asked = [(row.question.question.removeprefix(WHEN), row.video) for row in rows if row.question]
    table = pl.DataFrame(asked, schema=["question", "video"], orient="row")
    return read_evaluation_set(source.name, table) if asked else None


_READERS: dict[str, Callable[[io.BytesIO], pl.DataFrame]] = {
    "jsonl": partial(pl.read_ndjson, infer_schema_length=None),
    "json": partial(pl.read_json, infer_schema_length=None),
    "csv": partial(pl.read_csv, infer_schema=False),  # an id such as 007 stays what it is
    "parquet": pl.read_parquet,
}
