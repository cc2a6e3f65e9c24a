import json

import datasets
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reelproof.pipeline.dataset.rows import Frames, Rows, table_schema
from reelproof.pipeline.dataset.shard_files import GROUP_BYTES, IMAGE_ROWS, ShardWriter

VIEWER_BYTES = 300_000_000
"""More than this the Hub's viewer does not read to show a row."""


def heavy_rows(count: int, frames: int, frame_bytes: int, traces: int) -> Rows:
    """Rows of `sft` with frames of their own for every `traces` rows that follow each other."""
    schema = table_schema("sft", pa.schema([]))
    ids = pa.array([f"{row:032x}" for row in range(count)])
    columns = [
        ids if name == "sample_id" else pa.nulls(count, schema.field(name).type) for name in schema.names
    ]
    distinct = -(-count // traces) * frames
    rng = np.random.default_rng(0)
    jpegs = pa.array([rng.bytes(frame_bytes) for _ in range(distinct)], pa.binary())
    places = np.concatenate([np.arange(frames) + row // traces * frames for row in range(count)])
    return Rows(pa.table(columns, schema=schema), Frames(np.arange(count + 1) * frames, places, jpegs))


def write(path, *parts: Rows) -> pq.ParquetFile:
    writer = ShardWriter(path, parts[0].table.schema, with_images=True)
    for each in parts:
        writer.add(each)
    assert writer.close().size_bytes == path.stat().st_size
    return pq.ParquetFile(path)


@pytest.mark.parametrize(("count", "traces", "groups"), [(65, 1, 2), (120, 4, 3)])
def test_large_shard_is_within_what_the_hubs_viewer_reads(count, traces, groups, tmp_path):
    rows = heavy_rows(count, frames=20, frame_bytes=100_000, traces=traces)
    file = write(tmp_path / "large.parquet", rows)
    assert file.num_row_groups == groups
    for place in range(file.num_row_groups):
        group = file.metadata.row_group(place)
        columns = [group.column(number) for number in range(group.num_columns)]
        assert group.num_rows <= IMAGE_ROWS
        assert group.total_byte_size <= GROUP_BYTES * 1.01 < VIEWER_BYTES
        assert all(column.has_offset_index for column in columns)
        assert all(column.has_column_index for column in columns if column.statistics)
        shown = file.read_row_group(place, columns=["images"])
        assert shown.nbytes <= GROUP_BYTES * 1.01
    read = pl.read_parquet(tmp_path / "large.parquet")
    assert read["sample_id"].to_list() == rows.table["sample_id"].to_pylist()
    first = read["images"][0].struct.field("bytes").to_list()
    assert first == rows.frames.jpegs[:20].to_pylist()


@pytest.mark.parametrize(("frames", "groups"), [(1, [100, 100, 50]), (0, [250])])
def test_rows_that_show_something_are_a_hundred_a_row_group_others_are_not(frames, groups, tmp_path):
    file = write(tmp_path / "light.parquet", heavy_rows(250, frames=frames, frame_bytes=10, traces=1))
    held = [file.metadata.row_group(place).num_rows for place in range(file.num_row_groups)]
    assert held == groups


def test_rows_of_several_parts_that_show_nothing_share_a_row_group(tmp_path):
    """A column of a row group costs time of its own, and there are a hundred."""
    rows = heavy_rows(5000, frames=0, frame_bytes=10, traces=1)
    place = rows.table.schema.get_field_index("thought")
    thoughts = pa.array([f"{row:01000d}" for row in range(5000)])
    part = rows._replace(table=rows.table.set_column(place, rows.table.schema.field(place), thoughts))
    file = write(tmp_path / "text.parquet", part, part, part)
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [15_000]


def test_row_larger_than_a_row_group_has_one_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr("reelproof.pipeline.dataset.shard_files.GROUP_BYTES", 1000)
    heavy = heavy_rows(3, frames=2, frame_bytes=501, traces=1)
    file = write(tmp_path / "heavy.parquet", heavy)
    assert [file.metadata.row_group(place).num_rows for place in range(3)] == [1, 1, 1]


def test_shard_says_how_it_was_chunked_as_datasets_does(tmp_path):
    file = write(tmp_path / "ours.parquet", heavy_rows(2, frames=1, frame_bytes=10, traces=1))
    datasets.Dataset.from_dict({"a": [1]}).to_parquet(tmp_path / "theirs.parquet")
    theirs = pq.read_metadata(tmp_path / "theirs.parquet").metadata[b"content_defined_chunking"]
    assert json.loads(file.metadata.metadata[b"content_defined_chunking"]) == json.loads(theirs)
    assert json.loads(file.metadata.metadata[b"huggingface"])["info"]["features"]
