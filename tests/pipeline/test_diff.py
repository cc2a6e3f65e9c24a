import polars as pl
import pytest

from reelproof.pipeline.commands.diff import BOTH_KEPT, NOT_THERE, PAIRED_OTHERWISE, diff_datasets, tell_diff
from reelproof.pipeline.dataset.shards import ShardsConfig
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import UsageError
from reelproof.schemas.manifest import BuildFacts
from reelproof.stages.deciding import decide
from reelproof.stages.policy import PolicyConfig
from tests.small_parts import write_part
from tests.whole_sets import read_measurements, write_dataset

LOOSE = PolicyConfig(min_grounded_share=0.0)
TIGHT = PolicyConfig(min_grounded_share=0.9, max_traces_per_question=1)


def built(folder, parts: int, policy: PolicyConfig) -> tuple[Store, pl.DataFrame]:
    store = Store(str(folder))
    files = [write_part(store, number) for number in range(parts)]
    measured = read_measurements(store, files)
    verdicts = decide(measured, policy)
    splits = dict.fromkeys(measured["video_id"], "train")
    write_dataset(store, files, measured, verdicts, splits, policy, ShardsConfig(), BuildFacts())
    return store, verdicts


def test_diff_names_each_row_that_came_or_went_with_the_reasons(tmp_path):
    before, old = built(tmp_path / "a", 2, LOOSE)
    after, new = built(tmp_path / "b", 3, TIGHT)
    diff = diff_datasets(before, after)
    sft = diff.configs[0]
    kept_before, kept_after = set(old.filter("sft")["trace_id"]), set(new.filter("sft")["trace_id"])
    rows = {kind: sft.rows.filter(pl.col("change") == kind) for kind in ("came", "went")}
    assert set(rows["went"]["sample_id"]) == kept_before - kept_after
    assert set(rows["came"]["sample_id"]) == kept_after - kept_before
    told = dict(zip(rows["went"]["sample_id"], rows["went"]["why"].to_list(), strict=True))
    assert told == {i: r for i, r in zip(new["trace_id"], new["reasons"].to_list(), strict=True) if i in told}
    assert all(why == [NOT_THERE] for why in rows["came"]["why"].to_list())
    assert (sft.before, sft.after) == (len(kept_before), len(kept_after))
    assert sft.tally("went")["ungrounded"] == sum("ungrounded" in why for why in told.values())
    changed = {each.setting: (each.before, each.after) for each in diff.policy}
    assert changed == {"min_grounded_share": (0.0, 0.9), "max_traces_per_question": (2, 1)}
    lines = "\n".join(tell_diff(diff))
    assert f"sft: {len(kept_before)} -> {len(kept_after)} rows" in lines
    assert "policy.min_grounded_share: 0.0 -> 0.9" in lines


def test_diff_tells_rejected_rows_that_only_one_of_both_holds(tmp_path):
    few, old = built(tmp_path / "a", 2, LOOSE)
    many, new = built(tmp_path / "b", 3, TIGHT)
    for before, after, change, then in ((few, many, "came", "before"), (many, few, "went", "now")):
        diff = diff_datasets(before, after)
        only = new.filter(~pl.col("sft"), ~pl.col("trace_id").is_in(old["trace_id"].implode()))
        rejected = diff.configs[3]
        assert rejected.config == "rejected"
        assert set(rejected.rows["sample_id"]) == set(only["trace_id"]) != set()
        assert set(rejected.rows["change"]) == {change}
        lines = list(tell_diff(diff))
        assert lines[-1] == f"  {len(only)} {change}; not there {then} ({len(only)})"
        assert not any(NOT_THERE in line for line in lines)


def test_diff_tells_why_a_pair_is_missing(tmp_path):
    before, _ = built(tmp_path / "a", 2, LOOSE)
    after, new = built(tmp_path / "b", 2, TIGHT)
    dpo = diff_datasets(before, after).configs[2]
    reasons = dict(zip(new["trace_id"], new["reasons"].to_list(), strict=True))
    went = dict(dpo.rows.filter(change="went").select("sample_id", "why").iter_rows())
    assert (dpo.config, dpo.before - dpo.after) == ("dpo", len(went) - len(dpo.rows.filter(change="came")))
    assert went
    for sample_id, why in went.items():
        chosen, worse = sample_id.split("-")
        if reasons[chosen]:
            assert why == reasons[chosen]
        else:
            assert why == ([PAIRED_OTHERWISE] if reasons[worse] else [BOTH_KEPT])
    assert "ungrounded" in dpo.tally("went")


def test_diff_tells_that_both_of_a_pair_are_kept_now(tmp_path):
    tight, _ = built(tmp_path / "a", 2, TIGHT.model_copy(update={"max_traces_per_question": 4}))
    loose, new = built(tmp_path / "b", 2, LOOSE.model_copy(update={"max_traces_per_question": 4}))
    dpo = diff_datasets(tight, loose).configs[2]
    kept = set(new.filter("sft")["trace_id"])
    went = dpo.rows.filter(change="went")
    both = went.filter(
        pl.col("sample_id").map_elements(lambda each: set(each.split("-")) <= kept, pl.Boolean)
    )
    assert both["why"].to_list() == [[BOTH_KEPT]] * len(both)
    assert len(both)


def test_diff_of_the_same_is_empty(tmp_path):
    store, _ = built(tmp_path, 1, LOOSE)
    diff = diff_datasets(store, store)
    assert diff.same_data
    assert not diff.policy
    assert all(len(each.rows) == 0 for each in diff.configs)


def test_diff_wants_two_datasets(tmp_path):
    with pytest.raises(UsageError, match=r"holds no dataset \(no manifest\.json there\)"):
        diff_datasets(Store(str(tmp_path)), Store(str(tmp_path)))
