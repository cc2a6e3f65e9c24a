import polars as pl
import pytest

from tests.pipeline.conftest import SMALL, reelproof


@pytest.mark.real
def test_a_check_that_a_finished_build_lacks_runs_alone(films, build_copy):
    before = {path: path.stat().st_mtime_ns for path in (build_copy / "parts").glob("*/*.parquet")}
    judged = ("--set", "judge={kind: signals}")
    summary = reelproof("build", films, "--out", build_copy, *SMALL, *judged, "--json").summary
    assert summary["videos_decoded"] == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    new = {path.parent.name.rpartition("-")[0] for path in (build_copy / "parts").glob("*/*.parquet")} - {
        path.parent.name.rpartition("-")[0] for path in before
    }
    assert new == {"sufficiency", "score.sufficiency"}
    rows = pl.read_parquet(next((build_copy / "dataset/data/rejected").glob("*.parquet")))
    assert rows["sufficient"].null_count() == len(
        rows
    )  # `signals` judges frames only, and says that it cannot
