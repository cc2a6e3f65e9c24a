"""What the reference tells of columns, against the shards of a build."""

import pyarrow.parquet as pq
import pytest

from reelproof.pipeline.dataset.columns import columns_of, measured_over_all
from reelproof.pipeline.dataset.rows import SAMPLES


@pytest.mark.real
@pytest.mark.parametrize("config", SAMPLES)
def test_a_shards_columns_are_told_in_their_order_and_those_left_out_are_of_steps_that_it_lacks(
    built, config
):
    (shard, *_) = sorted((built / "dataset/data" / config).glob("*.parquet"))
    held, told = pq.read_schema(shard).names, [each.name for each in columns_of(config)]
    assert [name for name in told if name in held] == held
    steps = (
        "text",
        "speech",
        "quotes",
        "misquotes",
        "mistimed_quotes",
        "lasting_text",
        "sufficient",
        "key_agreement",
    )
    assert [name for name in told if name not in held and not name.startswith(steps)] == []


def test_what_all_parts_tell_is_in_no_config():
    over_all = {each.name for each in measured_over_all()}
    assert {"question_duplicate_of", "nearest_clip", "pool_weight"} <= over_all
    assert not over_all & {each.name for config in SAMPLES for each in columns_of(config)}
