import io
import json
import logging

import polars as pl
import pytest
from PIL import Image

from reelproof.pipeline.dataset.card import CardConfig
from reelproof.pipeline.dataset.croissant import bump_version, write_croissant
from reelproof.pipeline.dataset.reading import open_dataset
from reelproof.pipeline.dataset.shards import ShardsConfig
from reelproof.pipeline.dataset.versioning import Release, ids_of, release_of
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.manifest import BuildFacts
from reelproof.stages.deciding import decide
from reelproof.stages.policy import PolicyConfig
from tests.small_parts import write_part
from tests.whole_sets import read_measurements, write_card, write_dataset

mlcroissant = pytest.importorskip("mlcroissant", reason="in the extra `card`")


@pytest.fixture(scope="module")
def described(tmp_path_factory) -> Store:
    store = Store(str(tmp_path_factory.mktemp("build")))
    parts = [write_part(store, number) for number in range(3)]
    measured = read_measurements(store, parts)
    verdicts = decide(measured, PolicyConfig())
    splits = {video: "test" if video[0] in "012345" else "train" for video in measured["video_id"]}
    facts = BuildFacts(name="small", teachers=("signals@1",), fingerprints={"footage": "f0"})
    write_dataset(store, parts, measured, verdicts, splits, PolicyConfig(), ShardsConfig(), facts)
    write_card(store, parts, measured, verdicts, CardConfig())
    write_croissant(store, CardConfig(), "1.2.0", "2026-01-31")
    return store


def test_description_is_valid_without_a_warning(described, caplog):
    with caplog.at_level(logging.WARNING):
        dataset = mlcroissant.Dataset(jsonld=described.path("dataset/croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    assert not dataset.metadata.ctx.issues.warnings
    assert not caplog.records


def test_records_are_those_of_the_shards(described):
    dataset = mlcroissant.Dataset(jsonld=described.path("dataset/croissant.json"))
    rows = pl.concat(
        pl.read_parquet(described.path(f"dataset/{each.path}")).with_columns(split=pl.lit(each.split))
        for each in open_dataset(described).manifest().files
        if each.config == "rejected"
    )
    read = {row["rejected/sample_id"].decode(): row for row in dataset.records("rejected")}
    assert set(read) == set(rows["sample_id"])
    for row in rows.iter_rows(named=True):
        assert read[row["sample_id"]]["rejected/split"].decode() == row["split"]
        assert read[row["sample_id"]]["rejected/text"].decode() == row["text"]
        assert read[row["sample_id"]]["rejected/thought_words"] == row["thought_words"]


def test_frames_and_completions_are_read_as_they_are_in_the_shards(described):
    dataset = mlcroissant.Dataset(jsonld=described.path("dataset/croissant.json"))
    rows = pl.concat(
        pl.read_parquet(described.path(f"dataset/{each.path}"), columns=["sample_id", "images", "completion"])
        for each in open_dataset(described).manifest().files
        if each.config == "sft"
    )
    read = {row["sft/sample_id"].decode(): row for row in dataset.records("sft")}
    assert set(read) == set(rows["sample_id"])
    shown = 0
    for row in rows.iter_rows(named=True):
        told = read[row["sample_id"]]
        (message,) = row["completion"]
        assert [text.decode() for text in told["sft/completion"]] == [message["content"][0]["text"]]
        pictures = [Image.open(io.BytesIO(image["bytes"])) for image in row["images"]]
        assert [each.tobytes() for each in told["sft/images"]] == [each.tobytes() for each in pictures]
        shown += len(pictures)
    assert shown


def test_description_says_who_wrote_the_thoughts(described):
    told = json.loads(described.read_bytes("dataset/croissant.json"))
    fields = {field["@id"]: field for records in told["recordSet"] for field in records["field"]}
    agents = fields["sft/thought"]["prov:wasGeneratedBy"]["prov:wasAssociatedWith"]
    assert [agent["name"] for agent in agents] == ["signals@1"]
    hashes = {
        each["@id"]: each["sha256"] for each in told["distribution"] if each["@type"] == "cr:FileObject"
    }
    named = {each.path: each.sha256 for each in open_dataset(described).manifest().files if each.rows}
    assert named.items() <= hashes.items()


@pytest.mark.parametrize(
    ("before", "now", "version"),
    [("ab", "ac", "2.0.0"), ("ab", "a", "2.0.0"), ("ab", "abc", "1.3.0"), ("ab", "ab", "1.2.4")],
)
def test_version_grows_with_what_changed(before, now, version):
    described = Release("1.2.3", "2026-01-01", "before", ids_of([pl.Series(list(before))]))
    assert release_of("now", described, lambda: ids_of([pl.Series(list(now))])).version == version


def test_version_must_be_one():
    with pytest.raises(ValueError, match=r"'v1' is not major\.minor\.patch"):
        bump_version("v1", went=False, came=False)
