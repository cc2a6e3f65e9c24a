"""Every number of a card, beside the same number computed from the shards."""

import json
import re

import polars as pl
import pytest
import yaml

from reelproof.pipeline.dataset.card import CardConfig
from reelproof.pipeline.dataset.shards import ShardsConfig
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.manifest import BuildFacts
from reelproof.stages.deciding import decide
from reelproof.stages.policy import PolicyConfig
from reelproof.stages.teachers.prompts import ROLLOUT
from tests.card_recount import Recount, number_lines
from tests.small_parts import write_part
from tests.whole_sets import read_measurements, write_card, write_dataset

FACTS = BuildFacts(
    name="small",
    recipe="policy: {preset: strict}  # 3",
    fingerprints={"footage": "a", "clips": "b"},
    rests_on={"footage": (), "clips": ("footage",), "policy": ("clips", "footage")},
    verifiers=("verifier-7b@1",),
    prompt_ids=(ROLLOUT.prompt_id,),
    prompt_text="Answer in 3 words.",
    quarantined={"truncated": 2, "unreadable": 1},
    evaluation_sets=("exam 2026",),
)
STUDY = {
    "sft_curated": {
        "accuracy": 0.697,
        "low": 0.572,
        "high": 0.813,
        "citation_accuracy": 0.916,
        "n": 540,
        "seeds": 3,
    }
}


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Recount:
    """A build of which the card says all that a card can say."""
    folder = tmp_path_factory.mktemp("build")
    store = Store(str(folder))
    parts = [write_part(store, number) for number in range(3)]
    measured = read_measurements(store, parts)
    whole = found_in_the_whole_set(measured["question_id"].unique(maintain_order=True))
    for step, column in (("near-duplicates", "question_duplicate_of"), ("contamination", "contaminated")):
        found = whole.select("question_id", column).to_arrow()
        store.write_table(f"whole/{step}-f0/questions.parquet", found)
    measured = measured.join(whole, on="question_id", how="left", maintain_order="left")
    verdicts = decide(measured, PolicyConfig())
    videos = measured["video_id"].unique(maintain_order=True).to_list()
    splits = {video: "train" if index else "test" for index, video in enumerate(videos)}
    write_dataset(store, parts, measured, verdicts, splits, PolicyConfig(), ShardsConfig(), FACTS)
    write_card(store, parts, measured, verdicts, CardConfig(), STUDY)
    return Recount(folder, STUDY)


@pytest.fixture(scope="module", params=["small", "built"])
def recount(request) -> Recount:
    if request.param == "small":
        return request.getfixturevalue("small")
    return Recount(request.getfixturevalue("built"))


def found_in_the_whole_set(questions: pl.Series) -> pl.DataFrame:
    """One question repeats another, and one is in an evaluation set."""
    repeated = pl.when(questions == questions[4]).then(pl.lit(questions[0]))
    return pl.DataFrame({"question_id": questions}).with_columns(
        question_duplicate_of=repeated, contaminated=questions == questions[5]
    )


def card(recount: Recount) -> str:
    return (recount.build / "dataset/README.md").read_text()


def fences(text: str) -> list[str]:
    return re.findall(r"^```(?:mermaid|text|yaml)\n(.*?)\n```$", text, flags=re.DOTALL | re.MULTILINE)


def test_every_line_with_a_number_is_as_recounted(recount):
    assert set(number_lines(card(recount))) - recount.number_lines() == set()


def test_no_line_that_was_recounted_is_missing(small):
    missing = small.number_lines() - set(number_lines(card(small)))
    assert missing == set()


def test_any_other_number_would_be_noticed(small):
    expected = small.number_lines()
    for line in number_lines(card(small)):
        for found in re.finditer(r"\d+", line):
            other = f"{line[: found.start()]}{int(found[0]) + 1}{line[found.end() :]}"
            assert other not in expected


def test_fenced_blocks_hold_recipe_prompt_and_flow_as_the_manifest_has_them(recount):
    assert fences(card(recount)) == recount.fences()


def test_examples_are_rows_of_the_shards_with_their_frames(recount):
    section = re.search(r"^## Examples$\n(.*?)(?=^## )", card(recount), flags=re.DOTALL | re.MULTILINE)
    assert section is not None
    shown = re.split(r"^(?=\*\*)", section[1].strip(), flags=re.MULTILINE)
    rows = {re.sub(r"\n{2,}", "\n\n", each).strip() for each in recount.examples()}
    assert shown[1:]
    assert {each.strip() for each in shown[1:]} <= rows


def test_metadata_counts_what_the_files_hold(recount):
    metadata = yaml.safe_load(card(recount).split("---\n")[1])
    told = {each.pop("config_name"): each for each in metadata.pop("dataset_info")}
    for info in told.values():
        info.pop("features")
        info["splits"].sort(key=lambda each: each["name"])
    assert told == recount.sizes()
    assert metadata.pop("size_categories") == ["n<1K"]
    assert sum(split["num_examples"] for info in told.values() for split in info["splits"]) < 1000
    metadata.pop("license_details", None)
    assert not re.search(r"\d", json.dumps(metadata["configs"]))
    assert not [value for value in metadata.values() if isinstance(value, int | float)]
