"""A file of records, one a line of JSON -> the records; a line that nobody finished is none yet."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from reelproof.pipeline.errors import UsageError
from reelproof.schemas.record import Record

R = TypeVar("R", bound=Record)


def read_lines(path: Path, record: type[R], to_do: str) -> Iterator[R]:
    """Every whole line, in order; none where there is no such file.

    Raises UsageError for a line that is no such record, with its number, what is wrong and what `to_do`.
    """
    data = path.read_bytes() if path.exists() else b""
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), start=1):
        try:
            yield record.model_validate_json(line)
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(map(str, fault["loc"]))
            raise UsageError(
                f"{path}, line {number}: {where and where + ': '}{fault['msg']}; {to_do}"
            ) from None
