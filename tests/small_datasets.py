"""Small parts -> a build's folder with its dataset and card, without running a build."""

from pathlib import Path

from reelproof.pipeline.dataset.card import CardConfig
from reelproof.pipeline.dataset.shards import ShardsConfig
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.manifest import BuildFacts
from reelproof.stages.deciding import decide
from reelproof.stages.policy import PolicyConfig
from tests.small_parts import write_part
from tests.whole_sets import read_measurements, write_card, write_dataset


def write_small_build(folder: Path, policy: PolicyConfig) -> Store:
    """Two parts, all in the split `train`."""
    store = Store(str(folder))
    parts = [write_part(store, number) for number in range(2)]
    measured = read_measurements(store, parts)
    verdicts = decide(measured, policy)
    splits = dict.fromkeys(measured["video_id"], "train")
    write_dataset(store, parts, measured, verdicts, splits, policy, ShardsConfig(), BuildFacts())
    write_card(store, parts, measured, verdicts, CardConfig())
    return store
