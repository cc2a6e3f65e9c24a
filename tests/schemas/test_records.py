import importlib
import pickle
import pkgutil
import typing
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import reelproof.schemas
from reelproof.schemas.footage import FrameRef
from reelproof.schemas.question import ShownFrame
from reelproof.schemas.record import Record, Series
from reelproof.schemas.tables import arrow_schema, from_table, to_table

GOLDEN = Path(__file__).parent / "arrow_schemas.txt"
RENEW = (
    "If the change is meant, renew the file with `.venv/bin/python tests/schemas/test_records.py`, "
    "and bump the VERSION of every step that writes the record"
)


def modules() -> list[str]:
    found = pkgutil.walk_packages(reelproof.schemas.__path__, "reelproof.schemas.")
    return sorted(each.name for each in found if not each.ispkg)


def below(record: type[Record]) -> list[type[Record]]:
    return [each for direct in record.__subclasses__() for each in (direct, *below(direct))]


def all_records() -> list[type[Record]]:
    for module in modules():
        importlib.import_module(module)
    records = {each for each in below(Record) if each.__module__ in modules()}
    return sorted(records, key=lambda record: (record.__module__, record.__name__))


def schema_or_none(record: type[Record]) -> pa.Schema | None:
    try:
        return arrow_schema(record)
    except TypeError:
        return None


def column(field: pa.Field) -> str:
    return f"  {field.name}: {field.type}{'' if field.nullable else ' not null'}"


def described() -> str:
    blocks = []
    for record in all_records():
        schema = schema_or_none(record)
        lines = "  no Arrow form: it travels as JSON" if schema is None else "\n".join(map(column, schema))
        blocks.append(f"{record.__module__}.{record.__name__}\n{lines}\n")
    return "\n".join(blocks)


ARROW_RECORDS = [record for record in all_records() if schema_or_none(record) is not None]


SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=5),
    bytes: st.binary(max_size=5),
    bool: st.booleans(),
    np.ndarray: st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=4).map(
        lambda series: np.asarray(series, np.float32)
    ),
}


def values(annotation: Any, metadata: typing.Sequence[Any] = ()) -> st.SearchStrategy[Any]:
    """Values that a field of this type and with these bounds takes."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return values(arguments[0], [*metadata, *arguments[1:]])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if type(None) in arguments:
        (inner,) = (each for each in arguments if each is not type(None))
        return st.none() | values(inner, metadata)
    if annotation in (int, float, str):
        return bounded(annotation, metadata)
    if annotation in SCALARS:
        return SCALARS[annotation]
    return st.sampled_from(list(annotation)) if issubclass(annotation, StrEnum) else instances(annotation)


def bounded(annotation: type, metadata: typing.Sequence[Any]) -> st.SearchStrategy[Any]:
    low = max(
        (getattr(each, "ge", getattr(each, "gt", -1) + 1) for each in metadata if is_low(each)), default=None
    )
    high = min((each.le for each in metadata if hasattr(each, "le")), default=None)
    pattern = next((each.pattern for each in metadata if getattr(each, "pattern", None)), None)
    if annotation is float:
        return st.floats(low, high, allow_nan=False, allow_infinity=False)
    if annotation is int:
        return st.integers(-(2**62) if low is None else low, 2**62 if high is None else high)
    return SCALARS[str] if pattern is None else st.from_regex(pattern, fullmatch=True)


def is_low(bound: Any) -> bool:
    return hasattr(bound, "ge") or hasattr(bound, "gt")


@cache
def instances(record: type[Record]) -> st.SearchStrategy[Any]:
    fields = {
        name: values(field.rebuild_annotation(), field.metadata)
        for name, field in record.model_fields.items()
    }
    return st.fixed_dictionaries(fields).map(lambda drawn: record(**in_order(drawn)))


def in_order(drawn: dict[str, Any]) -> dict[str, Any]:
    """Spans end after they start."""
    start_s, end_s = drawn.get("start_s"), drawn.get("end_s")
    if start_s is not None and end_s is not None and end_s <= start_s:
        return drawn | {"start_s": abs(end_s), "end_s": max(abs(start_s), abs(end_s)) * 2 + 1}
    return drawn


def test_arrow_schemas_are_the_ones_on_file():
    assert GOLDEN.exists(), RENEW
    assert described().splitlines() == GOLDEN.read_text(encoding="utf-8").splitlines(), RENEW


@pytest.mark.parametrize("record", ARROW_RECORDS, ids=lambda record: record.__name__)
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(data=st.data())
def test_records_come_back_from_parquet_as_they_were(record, data):
    before = data.draw(st.lists(instances(record), max_size=3))
    table = to_table(before, record)
    assert table.schema == arrow_schema(record)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    again = pq.read_table(pa.BufferReader(sink.getvalue()))
    assert list(from_table(again, record)) == before


@pytest.mark.parametrize("record", all_records(), ids=lambda record: record.__name__)
def test_records_are_frozen_closed_and_documented(record):
    assert record.model_config.get("frozen")
    assert record.model_config.get("extra") == "forbid"
    assert record.__doc__
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        record(no_such_field=1)


class Curve(Record):
    """A record with a series."""

    level: Series


def test_series_is_read_only_one_dimensional_float32():
    curve = Curve(level=[0, 1.5])
    assert curve.level.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        curve.level[0] = 1
    with pytest.raises(ValidationError, match="one dimension"):
        Curve(level=[[0.0]])


class Odd(Record):
    """A record with a field that no column can hold."""

    field: dict[str, int]


def test_frames_that_many_questions_show_are_one_object_and_wrong_ones_are_refused():
    frame = FrameRef(sha256="a" * 64, video_id="b" * 64, time_s=1.0, width=2, height=2, phash="0" * 16)
    shown = [ShownFrame(frame=frame.model_copy(), shown_s=float(place)) for place in range(3)]
    first, *others = (each.frame for each in from_table(to_table(shown, ShownFrame), ShownFrame))
    assert first == frame
    assert all(each is first for each in others)
    for wrong in ({"time_s": -1.0}, {"sha256": ["a"]}, {"more": 1}):
        with pytest.raises(ValidationError):
            ShownFrame.model_validate({"frame": frame.model_dump() | wrong, "shown_s": None})


def test_type_without_an_arrow_form_is_named():
    with pytest.raises(TypeError, match=r"no Arrow form for type dict\[str, int\]"):
        arrow_schema(Odd)


def test_a_record_does_not_hold_which_fields_it_was_given():
    """The set of their names would be up to half of it, and long films have records by the ten thousand."""
    frame = {"sha256": "a", "video_id": "v", "time_s": 1.0, "width": 3, "height": 2, "phash": "0" * 16}
    one, other = FrameRef(**frame), FrameRef.model_validate({**frame, "sha256": "b"})
    assert one.__pydantic_fields_set__ is other.__pydantic_fields_set__
    assert one.model_copy(update={"sha256": "b"}) == other
    assert pickle.loads(pickle.dumps(one)) == one
    assert not one.__pydantic_fields_set__


if __name__ == "__main__":
    GOLDEN.write_text(described(), encoding="utf-8")
