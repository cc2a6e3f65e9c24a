import json

import polars as pl
import pytest

from tests.pipeline.conftest import SMALL, reelproof_here


@pytest.mark.real
def test_a_check_that_a_finished_build_lacks_runs_alone(films, build_copy, ready):
    before = {path: path.stat().st_mtime_ns for path in (build_copy / "parts").glob("*/*.parquet")}
    judged = ("--set", "sufficiency={judge: {kind: signals}}", "--set", "policy.preset=permissive")
    summary = reelproof_here("build", films, "--out", build_copy, *ready, *SMALL, *judged, "--json").summary
    assert summary["videos_decoded"] == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    new = {path.parent.name.rpartition("-")[0] for path in (build_copy / "parts").glob("*/*.parquet")} - {
        path.parent.name.rpartition("-")[0] for path in before
    }
    assert new == {"sufficiency", "score.sufficiency"}
    rows = pl.concat(
        pl.read_parquet(file, columns=["question_kind", "answer_strict", "sufficient"])
        for file in (build_copy / "dataset/data").glob("*/*.parquet")
        if file.parent.name in ("sft", "rejected")
    )
    backwards = rows.filter(pl.col("question_kind") == "reversed")["sufficient"]
    assert set(backwards) == {0}  # a guess: no observation tells it
    counted = rows.filter(pl.col("question_kind") == "scene_count", pl.col("answer_strict") == 1)
    assert set(counted["sufficient"]) == {1}
    kept = pl.read_parquet(build_copy / "dataset/data/sft/*.parquet")["sufficient"]
    assert 0 in set(kept)  # `permissive` asks for no such thing

    decided = reelproof_here("refilter", build_copy, "--set", "policy.min_sufficiency=1.0", "--json").summary
    assert decided["teacher_calls"] == 0
    assert decided["rejected"]["insufficient"] >= (kept == 0).sum()
    strict = pl.read_parquet(build_copy / "dataset/data/sft/*.parquet")
    assert set(strict["sufficient"]) == {1}
    assert {"insufficient", "sufficiency_unknown"} <= {
        row["rule"] for row in json.loads((build_copy / "dataset/stats.json").read_text())["policy"]["funnel"]
    }
