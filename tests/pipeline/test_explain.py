"""Stories and differences of a finished build: what is told of rows that went, and of `rl`."""

import hashlib
import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from reelproof.pipeline.build import refilter
from reelproof.pipeline.commands.diff import diff_datasets, tell_diff
from reelproof.pipeline.commands.explain import explain
from reelproof.pipeline.curate import decide_all
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.workplace import FILES, SOURCES, Workplace, open_workplace, read_records
from reelproof.schemas.source import SourceIdentity
from reelproof.schemas.tables import to_table
from reelproof.stages.policy import meanings
from tests.films import make_film
from tests.pipeline.conftest import reelproof_here

pytestmark = pytest.mark.real


LOOKS = ((901, 1.6), (902, 2.0), (903, 1.8))
QUICK = (
    *("--set", "rollouts.rollouts=2", "--set", "probes.probes=[]"),
    *("--set", "policy.luck_confidence=0"),
)


def story(workplace: Workplace, named: str) -> str:
    return "\n".join(explain(workplace, named))


def rollouts(workplace: Workplace) -> pl.DataFrame:
    """One row a trace: its ids and verdicts."""
    decided = decide_all(workplace)
    keys = decided.measurements.select("question_id", "clip_id", "video_id")
    return pl.concat([decided.verdicts, keys], how="horizontal")


def remove(build: Path, video_id: str) -> None:
    """As if the video were no longer among the sources."""
    store = Store(str(build))
    sources = pl.DataFrame(store.read_table(SOURCES))
    store.write_table(SOURCES, sources.filter(pl.col("video_id") != video_id).to_arrow())


def test_sample_is_told_with_its_scenes_and_its_request(built):
    workplace = open_workplace(str(built))
    row = rollouts(workplace).row(0, named=True)
    told = story(workplace, row["trace_id"])
    (clips,) = {each for each in told.splitlines() if each.startswith("clip ")}
    assert " s, 3 scenes: [0.00, " in clips
    assert clips.count(") s, [") == 2
    assert "  user:\n  Frames of a video clip" in told
    assert "<frame at " in told
    assert "  <think>your thoughts</think><answer>your answer</answer>" in told


def test_pair_is_told_with_both_of_its_traces(build_copy):
    refilter(str(build_copy), ["policy.preset=permissive"])
    workplace = open_workplace(str(build_copy))
    paired = rollouts(workplace).drop_nulls("chosen").row(0, named=True)
    told = story(workplace, f"{paired['chosen']}-{paired['trace_id']}").splitlines()
    assert [each.partition(":")[0] for each in told if each.startswith("sample ")] == [
        f"sample {paired['chosen']}", f"sample {paired['trace_id']}"
    ]  # fmt: skip
    of_chosen, of_rejected = (each for each in told if each.startswith("dpo by policy"))
    assert f"chosen over {paired['trace_id']} ({paired['pair_reason']})" in of_chosen
    assert of_rejected.endswith(f"rejected against {paired['chosen']} ({paired['pair_reason']})")


def test_question_is_told_with_its_video_and_its_rl_verdict(built):
    workplace = open_workplace(str(built))
    rows = rollouts(workplace)
    for kept in (True, False):
        first = (
            rows.unique("question_id", keep="first", maintain_order=True).filter(rl=kept).row(0, named=True)
        )
        told = story(workplace, first["question_id"])
        decided = "kept" if kept else f"rejected for {', '.join(first['rl_reasons'])}"
        assert f"rl by policy balanced: {decided}\n" in told
        says = meanings(workplace.recipe.policy)
        assert all(f"  {name}: {says[name]}\n" in told for name in first["rl_reasons"])
        assert f"video {first['video_id']}: " in told
        assert "  pass_count: " in told
        later = rows.filter(question_id=first["question_id"])["trace_id"][1]
        where = f"decided on the question's first rollout, {first['trace_id']}: {decided}"
        assert f"rl by policy balanced: {where}" in story(workplace, later)
        assert "another_rollout" not in story(workplace, later)


def test_rows_of_a_video_that_is_gone_are_told_without_rules(build_copy):
    rows = rollouts(open_workplace(str(build_copy)))
    gone = rows.row(0, named=True)
    remove(build_copy, gone["video_id"])
    workplace = open_workplace(str(build_copy))
    for named in (gone["trace_id"], gone["question_id"]):
        told = story(workplace, named)
        assert "no longer among the sources" in told
        scores = told[told.index("scores:\n") :]
        assert "  hdr: " not in scores
        assert re.search(r"^  without a value: .*\bhdr\b", scores, re.MULTILINE)
        assert max(len(digits) for digits in re.findall(r"\.(\d+)", scores)) < 10
        assert told.endswith(
            "not published: its video is no longer among the sources, or was tried again in a later part"
        )
        assert "rules that do not apply" not in told
    with pytest.raises(UsageError, match="nothing here is called"):
        story(workplace, gone["video_id"])


def test_dataset_after_a_video_went_is_that_of_a_build_without_it(tmp_path, ready):
    """Of one film in two encodings, each with questions that repeat the other's."""
    folder, out, fresh = tmp_path / "films", tmp_path / "out", tmp_path / "fresh"
    folder.mkdir()
    films = [
        make_film(folder / f"{crf}.mp4", LOOKS, fps=10, size=(320, 180), options={"crf": crf})
        for crf in ("18", "26")
    ]
    assert reelproof_here("build", folder, "--out", out, *ready, *QUICK).code == 0
    ids = {hashlib.sha256(film.read_bytes()).hexdigest(): film for film in films}
    first, later = sorted(ids)
    repeated = rollouts(open_workplace(str(out))).filter(
        pl.col("reasons").list.contains("duplicate_question")
    )
    assert set(repeated["video_id"]) == {later}
    remove(out, first)
    ids[first].unlink()
    shrunk, _ = refilter(str(out), [])
    scratch = reelproof_here("build", folder, "--out", fresh, *ready, *QUICK, "--json").summary
    assert shrunk.dataset_sha256 == scratch["dataset_sha256"]
    assert shrunk.kept.model_dump() == scratch["kept"] != {"sft": 0, "rl": 0, "dpo": 0}


def test_diff_tells_why_questions_left_rl(built, build_copy):
    refilter(str(build_copy), ["policy.rl_min_pass_rate=0.5"])
    rl = diff_datasets(Store(str(built)), Store(str(build_copy))).configs[1]
    went = dict(rl.rows.filter(change="went").select("sample_id", "why").iter_rows())
    rows = rollouts(open_workplace(str(build_copy)))
    expected = {
        question: reasons
        for question, reasons in rows.unique("question_id", keep="first", maintain_order=True)
        .select("question_id", "rl_reasons")
        .iter_rows()
        if question in went
    }
    assert went == expected
    assert rl.before - rl.after == len(went) == rl.tally("went")["too_hard"] > 0


def test_diff_says_where_the_reasons_for_rl_are_not_published(built, build_copy, tmp_path):
    refilter(str(build_copy), ["policy.rl_min_pass_rate=0.5"])
    published = tmp_path / "published"
    published.mkdir()
    Path(build_copy / "dataset").rename(published / "dataset")
    lines = list(tell_diff(diff_datasets(Store(str(built)), Store(str(published)))))
    (told,) = [line for line in lines if "not published" in line]
    assert " went; the reasons for rl are not published" in told


def test_video_is_told_where_the_build_takes_no_picture(build_copy):
    shutil.rmtree(build_copy / "report", ignore_errors=True)
    (build_copy / "report").touch()
    workplace = open_workplace(Store(str(build_copy)))
    *_, last = explain(workplace, workplace.parts[0].sources[0].video_id)
    assert last == "  no contact sheet: File exists"


def test_video_is_found_by_a_part_of_its_name_and_by_others_of_its_bytes(build_copy):
    store = Store(str(build_copy))
    files = read_records(store, FILES, SourceIdentity)
    other = files[0].file.model_copy(
        update={"url": "/elsewhere/another name.mp4", "name": "another name.mp4"}
    )
    files.append(SourceIdentity(video_id=files[0].video_id, file=other))
    store.write_table(FILES, to_table(files, SourceIdentity))
    workplace = open_workplace(store)
    told = list(explain(workplace, "ANOTHER"))
    assert told == list(explain(workplace, files[0].video_id))
    same = [line for line in told if "the same bytes" in line]
    assert same == [f"  the same bytes: /elsewhere/another name.mp4, licence {other.license}"]
    with pytest.raises(UsageError, match="film may be any of 6") as refused:
        list(explain(workplace, "film"))
    assert f"  video {files[0].video_id}: {files[0].file.url}" in str(refused.value).splitlines()
    with_folder = "/".join(files[0].file.url.split("/")[-2:])
    assert list(explain(workplace, with_folder)) == told
    with pytest.raises(UsageError, match="nothing here is called zebra"):
        list(explain(workplace, "zebra"))
