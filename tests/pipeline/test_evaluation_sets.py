import json

import polars as pl
import pytest

from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.inputs.evaluation_sets import EvaluationSource, read_evaluation_sets
from tests.pipeline.conftest import reelproof_here

ROWS = [
    {"question": "What does the man do?", "video": "a.mp4", "phash": "00ff00ff00ff00ff"},
    {"question": "Why does he run?", "video": "007.mp4", "phash": "ff00ff00ff00ff00"},
]


def as_file(folder, ending):
    file = folder / f"bench.{ending}"
    frame = pl.DataFrame(ROWS)
    match ending:
        case "jsonl":
            file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        case "json":
            file.write_text(json.dumps(ROWS))
        case "csv":
            frame.write_csv(file)
        case _:
            frame.write_parquet(file)
    return file


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "parquet"])
def test_a_set_reads_the_same_from_any_kind_of_file(tmp_path, ending):
    file = as_file(tmp_path, ending)
    ((held,), (digest,)) = read_evaluation_sets([EvaluationSource(name="bench", file=str(file))])
    assert held.questions.to_list() == [row["question"] for row in ROWS]
    assert held.videos == {"a", "007"}
    assert sorted(f"{each:016x}" for each in held.phashes) == sorted(row["phash"] for row in ROWS)
    moved = file.rename(tmp_path / f"moved.{ending}")
    assert read_evaluation_sets([EvaluationSource(name="bench", file=str(moved))]).digests == (digest,)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bench.txt", "AO8RW 0.0 6.9##a person is putting a book on a shelf.\n"),
        (
            "bench.jsonl",
            '{"video": "AO8RW.mp4", "conversations": [{"from": "human", "value": "<video>\\na person is '
            'putting a book on a shelf."}, {"from": "gpt", "value": "yes"}]}\n',
        ),
    ],
)
def test_a_set_is_read_in_the_shape_that_it_has(tmp_path, name, content):
    file = tmp_path / name
    file.write_text(content)
    (held,) = read_evaluation_sets([EvaluationSource(name="bench", file=str(file))]).sets
    assert held.questions.to_list() == ["a person is putting a book on a shelf."]
    assert held.videos == {"ao8rw"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.csv", None, "cannot read .*missing.csv of bench .*give the path"),
        ("bench.txt", "x", "ends in .txt; expected .jsonl, .json, .csv, .parquet"),
        ("bench.csv", "answer\nA\n", "expected a column of question"),
        ("bench.json", "{nonsense", "bench.json of bench: "),
        ("bench.parquet", "no parquet", "bench.parquet of bench: "),
        ("bench.csv", "phash\nnot hex\n", "perceptual hashes are 16 hex digits, got 'not hex'"),
    ],
)
def test_a_set_that_cannot_be_used_is_a_usage_error(tmp_path, name, content, said):
    file = tmp_path / name
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError, match=said):
        read_evaluation_sets([EvaluationSource(name="bench", file=str(file))])


@pytest.mark.real
def test_refilter_rejects_what_a_named_set_holds(build_copy, tmp_path):
    bench = tmp_path / "bench.csv"
    bench.write_text("video\nclips/FILM 3.webm\n")
    named = json.dumps([{"name": "bench", "file": str(bench)}])
    ran = reelproof_here("refilter", build_copy, "--set", f"contamination.sets={named}", "--json")
    assert ran.summary["teacher_calls"] == 0
    assert ran.summary["videos_decoded"] == 0
    rejected = pl.concat(
        pl.read_parquet(each, columns=["video", "reasons"])
        for each in sorted((build_copy / "dataset/data/rejected").glob("*.parquet"))
    )
    told = rejected.with_columns(held=pl.col("reasons").list.contains("contaminated"))
    assert set(told.filter("held")["video"]) == {"film 3.mp4"}
    assert told.filter(pl.col("video") == "film 3.mp4")["held"].all()
    for config in ("sft", "rl"):
        kept = sorted((build_copy / f"dataset/data/{config}").glob("*.parquet"))
        assert "film 3.mp4" not in set(
            pl.concat(pl.read_parquet(each, columns=["video"]) for each in kept)["video"]
        )
