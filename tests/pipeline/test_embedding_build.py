"""A build whose clips have vectors: a film and its mirror image go together, and one of them is enough."""

import json
import re
import shutil
from pathlib import Path

import av
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from reelproof.pipeline.commands.explain import explain
from reelproof.pipeline.dag import build_dag
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.recipe import recipe_for_sources
from reelproof.pipeline.report.static import ReportConfig, write_report
from reelproof.pipeline.workplace import open_workplace
from reelproof.schemas.embedding import ClipEmbedding
from reelproof.schemas.tables import from_table
from reelproof.stages.teachers.protocol import TeacherUnavailable
from tests.films import Shot, make_film
from tests.pipeline.conftest import reelproof_here


def mirror(film: Path, target: Path) -> None:
    """The film as a mirror shows it."""
    with av.open(str(film)) as source, av.open(str(target), "w") as sink:
        shown = source.streams.video[0]
        stream = sink.add_stream("libx264", rate=shown.average_rate, width=shown.width, height=shown.height)
        for frame in source.decode(video=0):
            image = np.ascontiguousarray(frame.to_ndarray(format="rgb24")[:, ::-1])
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        sink.mux(stream.encode())


@pytest.fixture(scope="module")
def embedded(tmp_path_factory, ready) -> Path:
    pytest.importorskip("efficientnet_lite_pytorch")
    folder = tmp_path_factory.mktemp("embedded")
    (folder / "films").mkdir()
    for number in range(3):
        make_film(
            folder / "films" / f"{number}.mp4", [Shot(7 * number + 1, 12.0, 10.0)], fps=4, size=(192, 128)
        )
    mirror(folder / "films" / "1.mp4", folder / "films" / "mirrored.mp4")
    sets = (
        "embedding={}",
        "parts.videos=2",
        "questions.computed.kinds=[frame_order,frozen_span,reversed,same_picture]",
        "probes.probes=[]",
        "rollouts.rollouts=2",
    )
    words = [word for each in sets for word in ("--set", each)]
    ran = reelproof_here("build", folder / "films", "--out", folder / "build", *words, *ready)
    assert ran.code == 0, ran.err
    return folder / "build"


def left(build: Path, step: str, name: str) -> pl.DataFrame:
    (file,) = build.glob(f"whole/{step}-*/{name}.parquet")
    return pl.read_parquet(file)


def names(build: Path) -> dict[str, str]:
    """video_id -> the film's name."""
    tables = [pq.read_table(file, columns=["video"]) for file in build.glob("parts/footage-*/*.parquet")]
    return {row["video"]["video_id"]: row["video"]["name"] for each in tables for row in each.to_pylist()}


def test_a_film_and_its_mirror_image_go_together_which_their_hashes_do_not_tell(embedded):
    called = names(embedded)
    for step in ("semantic-duplicates", "near-duplicates"):
        grouped = left(embedded, step, "videos")
        owners = grouped["owner" if step == "semantic-duplicates" else "video_id"]
        assert {called[each] for each in owners} == {"1.mp4", "mirrored.mp4"}, step
        assert grouped["group"].n_unique() == 1


def test_vectors_have_length_one_and_say_who_made_them(embedded):
    (file, *_) = sorted(embedded.glob("parts/embedding-*/*.parquet"))
    for each in from_table(pq.read_table(file), ClipEmbedding):
        assert np.linalg.norm(each.vector) == pytest.approx(1, abs=1e-3)
        assert each.encoder.startswith("efficientnet-lite0@")


def test_a_clip_is_told_with_what_is_like_it_the_nearest_first(embedded):
    clips = left(embedded, "semantic-duplicates", "clips")["owner"]
    one, other = (list(explain(open_workplace(str(embedded)), clip)) for clip in clips)
    alike = [line for line in one if line.startswith("  like it: ")]
    assert len(alike) == 3  # of four films
    assert alike[0].startswith(f"  like it: clip {clips[1]}, [0.00, 12.00) s of ")
    cosines = [float(line.rpartition(" ")[2]) for line in alike]
    assert cosines == sorted(cosines, reverse=True)
    assert any(line.startswith("  blur 0.") for line in other)


def test_a_build_that_is_not_through_tells_of_the_clips_that_have_vectors(embedded, tmp_path):
    build = Path(shutil.copytree(embedded, tmp_path / "build"))
    kept, *others = sorted(build.glob("parts/embedding-*/*.parquet"))
    for file in others:
        file.unlink()
    one, other = pl.read_parquet(kept)["clip_id"]
    told = "\n".join(explain(open_workplace(str(build)), one))
    assert others
    assert told.count("like it: ") == told.count(f"like it: clip {other}, ") == 1


def test_a_lower_cosine_keeps_the_first_of_what_is_alike_and_looks_at_nothing_anew(embedded):
    before = {file: file.stat().st_mtime_ns for file in embedded.glob("parts/*/*.parquet")}
    ran = reelproof_here("refilter", embedded, "--set", "policy.max_cosine=0.85", "--json")
    assert json.loads(ran.out)["rejected"]["like_another_clip"] > 0
    assert {file: file.stat().st_mtime_ns for file in embedded.glob("parts/*/*.parquet")} == before
    rejected = pl.read_parquet(embedded / "dataset/data/rejected/*.parquet")
    alike = rejected.filter(pl.col("reasons").list.contains("like_another_clip"))
    assert alike["video"].n_unique() == 1
    assert alike["video"][0] in ("1.mp4", "mirrored.mp4")


def fingerprints(*overrides: str) -> dict[str, str]:
    dag = build_dag(recipe_for_sources("videos", overrides))
    return {step.name: step.fingerprint for step in (*dag.steps, *dag.whole)}


def test_only_what_rests_on_vectors_is_made_again_with_them():
    without, with_them = fingerprints(), fingerprints("embedding={}")
    assert with_them.keys() - without.keys() == {"embedding", "semantic-duplicates"}
    other = {name for name in without if without[name] != with_them[name]}
    assert other == {
        *("near-duplicates", "splits", "policy", "shards"),
        *("statistics", "card", "croissant", "checksums"),
    }
    assert fingerprints("embedding.min_cosine=0.9")["embedding"] == with_them["embedding"]
    assert fingerprints("embedding.frames=2")["embedding"] != with_them["embedding"]


def test_a_folder_counts_by_what_it_holds_not_by_where_it_is(tmp_path):
    made = {}
    for place in ("one", "other"):
        folder = tmp_path / place / "encoder"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        made[place] = fingerprints(f"embedding.encoder={folder}")["embedding"]
    assert made["one"] == made["other"]
    with pytest.raises(TeacherUnavailable, match=r"embedding\.encoder /nowhere: no such folder"):
        fingerprints("embedding.encoder=/nowhere")


def test_the_first_page_has_a_map_that_leads_from_each_clip_to_its_rows(embedded, tmp_path):
    write_report(Store(str(embedded)), tmp_path / "report", ReportConfig())
    page = (tmp_path / "report/index.html").read_text()
    vectors = pl.concat([pl.read_parquet(file) for file in embedded.glob("parts/embedding-*/*.parquet")])
    base = set(vectors.filter(pl.col("is_base"))["clip_id"])
    drawn = re.findall(r"<title>clip (\w+): ([a-z ]+)</title>", page)
    assert {clip for clip, _ in drawn} == base
    assert len(drawn) == len(base) == 4
    published = {
        name: set(pl.read_parquet(embedded / f"dataset/data/{name}/*.parquet")["clip_id"])
        for name in ("sft", "rejected")
        if (embedded / f"dataset/data/{name}").exists()
    }
    for clip, look in drawn:
        is_in = [name for name in ("sft", "rejected") if clip in published.get(name, ())]
        assert look == {"sft": "kept", "rejected": "all rejected", None: "no rows"}[(is_in or [None])[0]]
        if is_in:
            assert f'href="{is_in[0]}-1.html#text={clip}"' in page
            assert clip in (tmp_path / f"report/{is_in[0]}-1.html").read_text()
