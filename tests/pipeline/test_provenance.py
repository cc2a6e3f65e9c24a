"""What is proven of a row, told from a copy of the dataset alone: its build is not there."""

import hashlib
import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.report.view import show_row
from reelproof.schemas.answers.scores import cited_spans
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.published import open_folder
from reelproof.stages.answers.put_claims import ClaimConfig
from tests.reports import served

NEAR_S = ClaimConfig().frame_tolerance_s + 1e-9
BROUGHT_IN = ("odd_frame", "foreign_span")
"""Kinds of questions that show frames of another video."""


@pytest.fixture(scope="module")
def downloaded(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(built / "dataset", tmp_path_factory.mktemp("downloaded") / "copy"))


def rows(folder: Path, *configs: str) -> Iterator[dict[str, Any]]:
    dataset = open_folder(folder)
    return chain.from_iterable(dataset.rows(shard) for shard in dataset.contents.shards_of(*configs))


def test_every_claim_is_found_in_its_row_with_its_frames_verdict_and_beliefs(downloaded):
    verdicts = set()
    for row in rows(downloaded, "sft"):
        jpegs = {hashlib.sha256(image["bytes"]).hexdigest() for image in row["images"]}
        assert jpegs == set(row["frame_sha256"])
        judged = [each for each in row["claims"] if each["verdict"] != "unjudged"]
        assert len(judged) == row["judged_claims"] > 0
        assert sum(each["control_belief"] is not None for each in judged) == row["testable_claims"]
        for claim in judged:
            assert claim["text"] in row["thought"]
            assert set(claim["frame_sha256"]) <= jpegs
            assert claim["verifier"] == "signals@1" or claim["verifier"].startswith("signals")
            assert 0 <= claim["cited_belief"] <= 1
            margin = (
                None if claim["control_belief"] is None else claim["cited_belief"] - claim["control_belief"]
            )
            assert (claim["verdict"] == "grounded") == (margin is not None and margin > 0)
            verdicts.add(claim["verdict"])
    assert "grounded" in verdicts


def test_frames_of_a_claim_were_shown_at_the_times_that_it_cites(downloaded):
    """Also where frames of another video stand under the clip's times."""
    kinds = set()
    for row in rows(downloaded, "sft", "rejected"):
        shown_s = dict(zip(row["frame_sha256"], row["frame_times_s"], strict=True))
        for claim in row["claims"]:
            for sha256 in claim["frame_sha256"]:
                spans = [(span["start_s"] - NEAR_S, span["end_s"] + NEAR_S) for span in claim["cited"]]
                assert any(low <= shown_s[sha256] <= high for low, high in spans)
                kinds.add(row["question_kind"])
    assert kinds & set(BROUGHT_IN)


def test_times_as_shown_lie_in_the_clip_and_light_the_frame_under_that_time(downloaded):
    brought_in = 0
    for row in rows(downloaded, "sft", "rl", "rejected"):
        timed = [each for each in row["frame_times_s"] if each is not None]
        assert all(row["clip_start_s"] <= each <= row["clip_end_s"] for each in timed)
        assert len(row["frame_source_times_s"]) == len(row["frame_sha256"])
        if row["question_kind"] in BROUGHT_IN and row["frame_source_times_s"] != row["frame_times_s"]:
            brought_in += 1
            lit = show_row(
                row | {"config": "rejected", "thought": f"[{timed[-1]:.1f} s]"}, PolicyConfig()
            ).thought
            (place,) = lit[0].frames
            assert cited_spans(lit[0].text)[0].start_s == pytest.approx(
                row["frame_times_s"][place], abs=0.051
            )
    assert brought_in


def test_frames_called_by_their_places_have_no_time(downloaded):
    held = [row for row in rows(downloaded, "sft", "rl", "rejected") if row["question_kind"] == "frame_order"]
    assert held
    assert all(each is None for row in held for each in row["frame_times_s"])
    assert all(None not in row["frame_source_times_s"] for row in held)


def test_report_shows_claims_without_the_build(downloaded):
    with served(Store(str(downloaded))) as site:
        number = next(iter(site.report.rows.numbers("sft")))
        page = site.get(site.report.link(number, site.report.site.query("sft"))).text
        assert "with the cited frames" in page
        assert "grounded</a>" in page
