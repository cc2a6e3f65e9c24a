"""What is counted of some parts and of others adds up to what is counted of all."""

import itertools

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from reelproof.pipeline.dataset.policy_sums import count_policy
from reelproof.pipeline.dataset.stats_files import decided_rows, gone_videos
from reelproof.pipeline.dataset.sweep import sweep
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.manifest import BuildFacts, Manifest
from reelproof.stages.deciding import decide
from reelproof.stages.policy import PolicyConfig
from tests.small_parts import write_part
from tests.whole_sets import read_measurements

POLICY = PolicyConfig(max_traces_per_task={"multiple_choice": 5, "numerical": 3}, max_traces_per_question=1)


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> pl.DataFrame:
    store = Store(str(tmp_path_factory.mktemp("build")))
    measured = read_measurements(store, [write_part(store, number) for number in range(5)])
    first = measured["question_id"][0]
    found = {"question_duplicate_of": pl.lit(None, pl.String), "contaminated": pl.col("question_id") == first}
    return decided_rows(measured.with_columns(**found), decide(measured.with_columns(**found), POLICY))


@pytest.mark.parametrize("cuts", [(1,), (1, 2, 3, 4), (2, 3)])
def test_counts_of_parts_add_up_to_those_of_all(rows, cuts):
    bounds = [0, *cuts, 5]
    some = [rows.filter(pl.col("part").is_between(low, high, closed="left"))
            for low, high in itertools.pairwise(bounds)]  # fmt: skip
    manifest = Manifest(dataset_sha256="0" * 64, policy=POLICY, files=(), rejected={}, facts=BuildFacts())
    whole = count_policy([rows], POLICY, manifest)
    assert count_policy(some, POLICY, manifest) == whole
    assert (whole.traces, sum(each.questions for each in whole.kinds)) == (
        len(rows),
        rows["question_id"].n_unique(),
    )
    values = [0.0, 0.3, 0.6, 1.0]
    assert_frame_equal(
        sweep(some, POLICY, "min_grounded_share", values), sweep([rows], POLICY, "min_grounded_share", values)
    )


def test_video_is_gone_where_none_of_its_rows_is_published():
    measured = pl.DataFrame({"video_id": ["a", "a", "b", "b", "c"]})
    verdicts = pl.DataFrame({"published": [True, False, False, False, True]})
    assert gone_videos(measured, verdicts) == {"b"}
