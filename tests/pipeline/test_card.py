import logging
import re
import warnings

import datasets
import polars as pl
import pytest
import yaml

from reelproof.pipeline.dataset.card import CardConfig, plain
from reelproof.pipeline.dataset.hub_metadata import loadable_splits
from reelproof.pipeline.dataset.part_files import PartFiles
from reelproof.pipeline.dataset.replace import read_manifest
from reelproof.pipeline.dataset.shards import ShardsConfig
from reelproof.pipeline.dataset.stats_files import read_stats
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.manifest import BuildFacts
from reelproof.stages.deciding import decide
from reelproof.stages.policy import PolicyConfig
from tests.small_parts import write_part
from tests.whole_sets import read_measurements, write_card, write_dataset


def publish(store: Store, parts: list[PartFiles], policy: PolicyConfig) -> None:
    measured = read_measurements(store, parts)
    verdicts = decide(measured, policy)
    videos = measured["video_id"].unique(maintain_order=True).to_list()
    splits = {video: "train" if index else "test" for index, video in enumerate(videos)}
    facts = BuildFacts(
        name="small", recipe="policy: strict\n# ``` out", fingerprints={"footage": "a", "clips": "b"}
    )
    write_dataset(store, parts, measured, verdicts, splits, policy, ShardsConfig(), facts)
    write_card(store, parts, measured, verdicts, CardConfig())


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> tuple[Store, list[PartFiles]]:
    store = Store(str(tmp_path_factory.mktemp("build")))
    parts = [write_part(store, number) for number in range(3)]
    publish(store, parts, PolicyConfig())
    return store, parts


def card(store: Store) -> str:
    return store.read_bytes("dataset/README.md").decode()


def shards(store: Store, config: str) -> pl.DataFrame:
    return pl.read_parquet(store.path(f"dataset/data/{config}/*.parquet"))


@pytest.mark.parametrize("config", ["sft", "rl", "dpo", "rejected"])
def test_dataset_loads_with_images_and_without_warnings(published, config, tmp_path, caplog):
    store, _ = published
    datasets.disable_progress_bars()
    with caplog.at_level(logging.WARNING), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        loaded = datasets.load_dataset(store.path("dataset"), config, cache_dir=str(tmp_path))
    assert not caplog.records
    rows = shards(store, config)
    assert sum(len(split) for split in loaded.values()) == len(rows)
    streamed = datasets.load_dataset(store.path("dataset"), config, split="train", streaming=True)
    assert [row["sample_id"] for row in streamed] == loaded["train"]["sample_id"][:]
    if config != "rejected":
        row = next(row for row in streamed if row["frame_sha256"])
        assert [image.size for image in row["images"]] == [(32, 24)] * len(row["frame_sha256"])
        assert loaded["train"].features["images"] == datasets.List(datasets.Image())


def test_metadata_names_what_datasets_reads_from_the_files(published):
    store, _ = published
    metadata = yaml.safe_load(card(store).split("---\n")[1])
    for info in metadata["dataset_info"]:
        path = store.path(f"dataset/data/{info['config_name']}/train-*.parquet")
        own = datasets.load_dataset("parquet", data_files=path, split="train", streaming=True).features
        assert datasets.Features._from_yaml_list(info["features"]) == own
    assert [each["config_name"] for each in metadata["configs"]] == ["sft", "rl", "dpo", "rejected"]
    assert (metadata["license"], metadata["license_details"]) == ("other", "CC-BY-4.0, unknown")


def test_split_without_rows_is_not_named(tmp_path):
    store = Store(str(tmp_path))
    publish(store, [write_part(store, 0)], PolicyConfig(max_blind_pass_rate=0.0, rl_tasks=()))
    manifest = read_manifest(store)
    assert "rl" not in loadable_splits(manifest)
    assert "data/rl" not in card(store)


def test_every_count_is_recounted_from_the_shards(published):
    store, _ = published
    stats, text = read_stats(store), card(store)
    sft, rl, rejected = (shards(store, config) for config in ("sft", "rl", "rejected"))
    traces = pl.concat([sft, rejected], how="diagonal_relaxed")
    policy, build = stats.policy, stats.build
    assert policy.traces == len(traces)
    assert (policy.kept_videos, policy.kept_questions) == (
        sft["video_id"].n_unique(),
        sft["question_id"].n_unique(),
    )
    assert (build.videos, build.questions) == (
        traces["video_id"].n_unique(),
        traces["question_id"].n_unique(),
    )
    assert build.clips == traces["clip_id"].n_unique()
    for size in policy.splits:
        files = store.path(f"dataset/data/{size.config}/{size.split}-*.parquet")
        assert size.rows == len(pl.read_parquet(files))
    for kind in policy.kinds:
        mine = (pl.col("question_source") == kind.source) & (pl.col("task") == kind.task)
        own = traces.filter(mine)
        assert kind.questions == own["question_id"].n_unique()
        assert (kind.traces, kind.right) == (len(own), own["answer_strict"].eq(1).sum())
        assert (kind.sft, kind.rl) == (len(sft.filter(mine)), len(rl.filter(mine)))
    reasons = rejected["reasons"].to_list()
    for rule in policy.funnel:
        if rule.set == "sft":
            assert rule.fires == sum(rule.rule in each for each in reasons)
            assert rule.alone == sum(each == [rule.rule] for each in reasons)
    assert policy.funnel[-1].set == "rl"
    assert policy.funnel[-1].left == len(rl)
    for spread in policy.histograms:
        assert sum(spread.all) + spread.unknown == len(traces)
        assert sum(spread.kept) + sft[spread.column].null_count() == len(sft)
        step = (spread.high - spread.low) / 20
        low = traces[spread.column].clip(spread.low, spread.high) < spread.low + 10 * step
        assert (
            abs(sum(spread.all[:10]) - low.sum()) <= (traces[spread.column] == spread.low + 10 * step).sum()
        )
    asked = traces.unique("question_id")
    for probe in policy.probes:
        own = asked.filter(pl.col("task") == probe.task)
        assert probe.blind == pytest.approx((own["blind_passes"] / own["blind_rollouts"]).mean(), abs=1e-6)
    assert build.frames_per_question == pytest.approx(asked["frame_sha256"].list.len().mean())
    for tally in build.licenses:
        assert tally.count == traces.filter(pl.col("license") == tally.value)["video_id"].n_unique()
    assert f"{len(sft):,} reasoning traces about {sft['video_id'].n_unique():,} videos" in text
    assert f"| rows in `sft` | {len(sft)} |" in text


def test_card_says_all_that_the_hub_asks_for(published):
    text = card(published[0])
    assert "more information needed" not in text.lower()
    assert not re.search(r"\{\{|\}\}|\{%|None|nan", text.replace("{x}", ""))
    for heading in (
        "What is in it",
        "From videos to rows",
        "Examples",
        "Licences",
        "Intended use",
        "How to build it again",
    ):
        assert f"## {heading}" in text
    for frame in re.findall(r"\]\((examples/[^)]+)\)", text):
        assert published[0].exists(f"dataset/{frame}")


def test_card_of_the_same_build_is_the_same_bytes(published):
    store, parts = published
    before = store.read_bytes("dataset/README.md"), store.read_bytes("dataset/stats.json")
    publish(store, parts, PolicyConfig())
    assert (store.read_bytes("dataset/README.md"), store.read_bytes("dataset/stats.json")) == before


def test_counts_of_the_build_are_taken_over_when_only_the_policy_changes(tmp_path):
    store = Store(str(tmp_path))
    parts = [write_part(store, 0)]
    publish(store, parts, PolicyConfig())
    first = read_stats(store)
    store.write_bytes(
        "dataset/stats.json", first.model_dump_json().replace('"scenes":4', '"scenes":777').encode()
    )
    publish(store, parts, PolicyConfig(preset="permissive"))
    assert read_stats(store).build.scenes == 777
    publish(store, [*parts, write_part(store, 1)], PolicyConfig())
    assert read_stats(store).build.scenes == 8


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "![x](http://evil)",
        "a | b",
        "```",
        "[a](javascript:b)",
        "*x*",
        "line\n# head",
        "& {{ 7*7 }}",
    ],
)
def test_hostile_text_is_shown_and_does_nothing(hostile):
    shown = plain(hostile)
    assert not re.search(r"[<>`|*\[\]\n]|://|javascript:", shown)
    codes = re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), shown)
    assert codes == " ".join(hostile.split())


def test_recipe_cannot_leave_its_code_block(published):
    assert card(published[0]).count("```") % 2 == 0
