"""A build that asks about edited frames: everyone sees the files that were made for them."""

import hashlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reelproof.pipeline.commands.explain import explain
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.report.evidence import Evidence
from reelproof.pipeline.report.rows import ReportRows
from reelproof.pipeline.workplace import open_workplace
from reelproof.schemas.edited import PLAIN, EditedQuestion
from reelproof.schemas.published import open_folder
from reelproof.schemas.tables import from_table
from reelproof.stages.questions.edited_kinds import EDIT_MAKERS
from tests.films import Shot, make_film
from tests.pipeline.conftest import reelproof_here

SETTINGS = (
    "questions.edited.changed_bits=1",
    "questions.edited.least_colour=0",
    "questions.computed.kinds=[odd_frame]",
    "probes.probes=[]",
    "rollouts.rollouts=4",
    "policy.preset=permissive",
    "policy.keep_declared_guesses=true",
    "policy.require_evidence=false",
    "policy.luck_confidence=0",
)
"""So that what is only guessed is kept, too."""


@pytest.fixture(scope="module")
def edited(tmp_path_factory, ready) -> Path:
    folder = tmp_path_factory.mktemp("edited")
    (folder / "films").mkdir()
    for number in range(2):
        make_film(folder / "films" / f"{number}.mp4", [Shot(number, 12.0, 40.0)], fps=4, size=(160, 120))
    sets = [word for each in SETTINGS for word in ("--set", each)]
    ran = reelproof_here("build", folder / "films", "--out", folder / "build", *sets, *ready)
    assert ran.code == 0, ran.err
    return folder / "build"


def questions(build: Path) -> list[EditedQuestion]:
    files = sorted(build.glob("parts/edited-*/*.parquet"))
    return [each for file in files for each in from_table(pq.read_table(file), EditedQuestion)]


def test_rows_about_edited_frames_hold_the_files_that_were_made_for_them(edited):
    dataset, made = open_folder(edited / "dataset"), questions(edited)
    asked = {each.question.question_id: each for each in made}
    files = {frame.frame.sha256: frame.jpeg for each in made for frame in each.frames}
    kinds = set()
    for shard in dataset.contents.shards_of("sft", "rl"):
        for row in dataset.rows(shard):
            if (each := asked.get(row["question_id"])) is None:
                assert None not in row["frame_source_times_s"]
                continue
            kinds.add(row["question_kind"])
            shown = [frame.sha256 for frame in each.question.frames]
            assert row["frame_sha256"] == shown
            assert [image["bytes"] for image in row["images"]] == [files[sha256] for sha256 in shown]
            assert row["answer"] == each.question.answer
            assert set(row["frame_source_times_s"]) == {None}
    assert len(kinds) >= 3
    assert kinds <= set(EDIT_MAKERS)


def test_pages_show_frames_of_rows_that_hold_none(edited):
    store = Store(str(edited))
    files = {frame.frame.sha256: frame.jpeg for each in questions(edited) for frame in each.frames}
    rows = ReportRows(open_folder(edited / "dataset"))
    evidence = Evidence(store, rows, {})
    told = 0
    for number in rows.numbers("rejected"):
        row = next(rows.read([number], ("question_kind", "frame_sha256")))
        if row["question_kind"] in EDIT_MAKERS:
            jpeg = evidence.frame(number, row["frame_sha256"][0])
            assert jpeg == files[row["frame_sha256"][0]]
            assert hashlib.sha256(jpeg).hexdigest() == row["frame_sha256"][0]
            told += 1
    assert told


def test_the_story_of_a_question_tells_what_was_done_to_its_frames(edited):
    workplace, made = open_workplace(str(edited)), questions(edited)
    for kind, done in (("turned_span", "upside down"), ("shape_count", "pasted")):
        asked = next(each for each in made if each.question.kind == kind)
        shown = [each.frame.sha256 for each in asked.question.frames]
        told = [
            each
            for each in explain(workplace, asked.question.question_id)
            if " is " in each and " from " in each
        ]
        lines = [next(each for each in told if sha256 in each) for sha256 in shown]
        assert [done in each for each in lines] == [each != PLAIN for each in asked.edits]
        assert all(each.endswith("encoded anew") for each in lines)
    dataset = open_folder(edited / "dataset")
    rows = [row for shard in dataset.contents.shards_of("sft", "rl") for row in dataset.rows(shard)]
    plain = next(row for row in rows if row["question_kind"] == "odd_frame")
    assert "encoded anew" not in "\n".join(explain(workplace, plain["question_id"]))
