from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from reelproof.pipeline.dataset.reading import open_dataset
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.report.query import Query
from reelproof.pipeline.report.rows import CONFIGS, ReportRows
from tests.reports import small_dataset
from tests.small_parts import clip_of, footage


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """24 traces in two configs, and questions in a third. Nothing is changed in it."""
    return small_dataset(tmp_path_factory.mktemp("rows"))


@pytest.fixture(scope="module")
def rows(store) -> ReportRows:
    return ReportRows(open_dataset(store))


@pytest.fixture(scope="module")
def plain(store) -> list[dict]:
    """Every row, read by another reader, one file after another."""
    files = open_dataset(store).manifest().files
    return [
        {"config": config, **row}
        for config in CONFIGS
        for file in files
        if file.config == config
        for row in pl.read_parquet(Path(store.path("dataset")) / file.path).iter_rows(named=True)
    ]


CLIP_ID = clip_of(footage(0, 8)).clip_id
TRACES = ("sft", "rejected")
QUERIES = {
    "all": (Query(), lambda row: row["config"] in TRACES),
    "set": (Query(set="rl"), lambda row: row["config"] == "rl"),
    "task": (Query(task="numerical"), lambda row: row["config"] in TRACES and row["task"] == "numerical"),
    "source": (
        Query(source="given"),
        lambda row: row["config"] in TRACES and row["question_source"] == "given",
    ),
    "kind": (
        Query(set="sft", source="odd_frame"),
        lambda row: row["config"] == "sft" and row["question_kind"] == "odd_frame",
    ),
    "reason": (
        Query(reason="wrong_answer"),
        lambda row: row["config"] in TRACES and "wrong_answer" in (row.get("reasons") or ()),
    ),
    "pairs": (
        Query(set="dpo", reason="wrong_answer"),
        lambda row: row["config"] == "dpo" and "wrong_answer" in row["reasons"],
    ),
    "score": (
        Query(score="grounded_share", low=0.2, high=0.6),
        lambda row: row["config"] in TRACES and 0.2 <= row["grounded_share"] <= 0.6,
    ),
    "score of a set without it": (Query(set="rl", score="grounded_share", low=0), lambda row: False),
    "words": (
        Query(text="ROLLOUT 2"),
        lambda row: row["config"] in TRACES and "rollout 2" in (row.get("thought") or row["text"]).lower(),
    ),
    "an id": (
        Query(text=CLIP_ID[:8].upper()),
        lambda row: row["config"] in TRACES and row["clip_id"] == CLIP_ID,
    ),
    "a pattern is words": (Query(text="rollout .*"), lambda row: False),
    "no such column": (Query(score="^.*$", low=0), lambda row: False),
    "a column of no numbers": (Query(score="sample_id", low=0), lambda row: False),
    "several": (
        Query(set="rejected", task="multiple_choice", reason="wrong_answer", text="film 0"),
        lambda row: (
            row["config"] == "rejected"
            and row["task"] == "multiple_choice"
            and "wrong_answer" in row["reasons"]
            and row["video"] == "film 0.mp4"
        ),
    ),
}


@pytest.mark.parametrize("name", QUERIES)
def test_query_finds_what_a_plain_reader_finds(name, rows, plain):
    query, passes = QUERIES[name]
    found = rows.find(query)
    assert list(found) == [number for number, row in enumerate(plain) if passes(row)]
    read = list(rows.read(found, ("sample_id", "question")))
    assert [each["sample_id"] for each in read] == [plain[number]["sample_id"] for number in found]


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("wanted", [1, 3, 100])
def test_first_rows_of_a_query_are_its_first_rows(name, wanted, store):
    query, rows = QUERIES[name][0], ReportRows(open_dataset(store))
    first = list(rows.find_first(query, wanted))
    found = list(rows.find(query))
    assert first == found[: len(first)]
    assert len(first) >= min(wanted, len(found))
    assert list(rows.find_first(query, wanted)) == found


@pytest.mark.parametrize("numbers", [range(3, 3), range(28), [0, 5, 6, 7, 20], np.array([2, 3])])
def test_rows_come_as_asked_across_shards(numbers, rows, plain):
    numbers = [number for number in numbers if number < len(plain)]
    read = list(rows.read(numbers, ("sample_id", "thought")))
    assert [each["number"] for each in read] == numbers
    assert [each.get("thought") for each in read] == [thought_of(plain[number]) for number in numbers]


def thought_of(row: dict) -> str | None:
    """`rejected` holds what was said once, in its tags."""
    told = (row.get("text") or "").removeprefix("<think>").partition("</think>")[0]
    return row.get("thought") or told or None


@pytest.mark.parametrize("hint", [None, 0, 10**9])
def test_row_is_found_by_its_id_whatever_the_hint(hint, rows, plain):
    for number, row in enumerate(plain):
        assert rows.number_of(row["config"], row["sample_id"], hint) == number
    assert rows.number_of("sft", "nobody", hint) is None


def test_lists_leave_pictures_alone(rows):
    row = rows.row(0)
    assert "images" not in row
    assert set(rows.images(0)) == set(row["frame_sha256"])


def test_row_that_is_not_there_is_an_error(rows, plain):
    for number in (-1, len(plain)):
        with pytest.raises(IndexError):
            rows.row(number)


@pytest.mark.parametrize(
    "filters",
    [{"set": "videos"}, {"low": "x"}, {"low": "nan"}, {"high": "inf"}, {"low": 2, "high": 1}, {"limit": 3}],
)
def test_filters_that_are_none_are_refused(filters):
    with pytest.raises(ValidationError):
        Query.model_validate(filters)


def test_link_carries_its_filters():
    query = Query(set="rejected", text="a&b=c#d", low=0.5, score="citations")
    assert (
        query.url("/rows", page=2) == "/rows?page=2&set=rejected&score=citations&low=0.5&text=a%26b%3Dc%23d"
    )
    assert Query().url("/rows", page=None) == "/rows"
