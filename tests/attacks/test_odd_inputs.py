"""One bad input costs only itself: manifests and names as people, scripts and attackers write them."""

import io
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from reelproof.pipeline.commands.terminal import PlainConsole
from reelproof.pipeline.decoder.process import ChildLimits
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.inputs.identities import identify
from reelproof.pipeline.inputs.questions_file import read_video_list
from reelproof.pipeline.inputs.sources import SourcesConfig, list_sources
from reelproof.pipeline.parts.part import PartInputs, PartRun
from reelproof.pipeline.parts.plan import Part
from reelproof.pipeline.steps.footage import scan_videos
from reelproof.schemas.footage import Quarantine
from reelproof.schemas.text import clean_json, clean_text, shown_text
from reelproof.stages.footage.scan import FootageConfig
from tests.films import Shot, make_film
from tests.pipeline.conftest import reelproof_here
from tests.server_builds import one_worker

GOOD = [f"v{number}.mp4,What is it?,yes" for number in range(8)]


def csv_of(*lines: str) -> bytes:
    return "\n".join(["video,question,answer", *lines, ""]).encode()


@pytest.mark.parametrize(
    ("bad", "costs"),
    [
        ('bad.mp4,"an open quote,yes', 1),
        ('bad.mp4,"closed" too early,yes', 1),
        ('"bad.mp4,What?,yes', 1),
        ("bad.mp4,one column too many,yes,no", 1),
        ("bad.mp4", 1),
        ('bad.mp4,"an open quote,yes\nv9.mp4,"and another,no', 2),
        ('bad.mp4,"a\nquestion\nof lines",yes', 0),
    ],
)
@pytest.mark.parametrize("place", [0, 3, 8])
def test_a_bad_line_of_csv_costs_no_other(bad, costs, place):
    lines = [*GOOD[:place], bad, *GOOD[place:]]
    manifest = read_video_list("m.csv", csv_of(*lines))
    assert [each.video for each in manifest.rows if each.video.startswith("v")] == [
        line.partition(",")[0] for line in GOOD
    ]
    assert len(manifest.problems) == costs
    assert {each.number for each in manifest.problems} == set(range(place + 2, place + 2 + costs))


@pytest.mark.parametrize(
    "value",
    [
        "half \ud83d",
        "\udcff",
        {"a\ud800": ["\udfff"]},
        [[{"x": "\ud83d\ude00"}]],
        10**400,
        None,
        float("nan"),
    ],
)
def test_what_json_can_spell_can_be_written(value):
    json.dumps(clean_json(value), ensure_ascii=False).encode()


def test_halves_of_characters_in_a_manifest_cost_nothing():
    line = b'{"video": "a.mp4", "question": "What \\ud83d is it?", "answer": "yes", "kind": "k\\udfff"}'
    (row,) = read_video_list("m.jsonl", line).rows
    assert row.question.question == "What \ufffd is it?"
    assert row.question.model_dump_json().encode()


def test_whole_characters_stay_as_they_are():
    assert clean_text("naïve 日本 😀 \ud83d\ude00") == "naïve 日本 😀 😀"


@pytest.mark.parametrize(
    "name", ["[/x]", "[bold]x", "[link=http://x]y[/link]", ":warning:", "\x1b[2J\x1b[31mx"]
)
def test_names_are_only_text_on_the_terminal(name):
    screen = io.StringIO()
    PlainConsole(file=screen).print(f"{name}: unreadable\nnext")
    assert screen.getvalue() == f"{shown_text(name)}: unreadable\nnext\n"
    assert "\x1b" not in screen.getvalue()


def test_a_build_of_films_with_odd_names_ends_well(tmp_path):
    (tmp_path / "films" / "[").mkdir(parents=True)
    for number, name in enumerate(("[/x].mp4", "a [bold]b.mp4", "naïve é.mp4")):
        make_film(
            tmp_path / "films" / name, [Shot(number, 2.0), Shot(50 + number, 2.0)], fps=10, size=(96, 64)
        )
    (tmp_path / "films" / "[y]\x1b[31m.mp4").write_bytes(b"no film")
    settings = ("--set", "max_quarantined_share=1", "--set", "card.plots=false")
    with one_worker() as scheduler:
        words = ("--out", tmp_path / "out", "--scheduler", scheduler, *settings)
        ran = reelproof_here("build", tmp_path / "films", *words)
    assert ran.code == 0, ran.err
    assert "\x1b" not in ran.out + ran.err
    told = reelproof_here("status", tmp_path / "out")
    assert (told.code, "\x1b" in told.out + told.err) == (0, False), told.err


def test_a_time_stamp_far_away_costs_only_its_video(tmp_path):
    make_film(tmp_path / "near.mp4", [Shot(1, 1)], fps=10, size=(64, 48))
    with av.open(str(tmp_path / "far.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for time_ms in (*range(0, 1000, 100), 4_000_000_000):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), time_ms % 255, np.uint8), format="rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    usable, lost = scanned(tmp_path, FootageConfig(), ChildLimits())
    assert usable == {"near.mp4"}
    assert (lost.name, lost.kind) == ("far.mkv", "too_large")
    assert "limits.max_hours" in lost.detail


@pytest.mark.parametrize("candidate_every_s", [0.1, 1.0])
def test_a_film_of_too_many_frames_costs_only_itself(candidate_every_s, tmp_path):
    """Told while it is scanned, or where all of its frames are in one row."""
    make_film(tmp_path / "few.mp4", [Shot(1, 5)], fps=20, size=(64, 48))
    make_film(tmp_path / "many.mp4", [Shot(2, 40)], fps=20, size=(64, 48))
    cfg = FootageConfig(exact=True, candidate_every_s=candidate_every_s)
    usable, lost = scanned(tmp_path, cfg, ChildLimits(max_frames=500))
    assert usable == {"few.mp4"}
    assert (lost.name, lost.kind) == ("many.mp4", "too_large")
    assert "limits.max_frames" in lost.detail


def scanned(folder: Path, cfg: FootageConfig, limits: ChildLimits) -> tuple[set[str], Quarantine]:
    """Names of the films that footage was made of, and the one that was set aside."""
    sources = identify(list_sources(SourcesConfig(videos=str(folder))).files).found
    part = Part(number=0, video_ids=tuple(each.video_id for each in sources))
    run = PartRun(Store(str(folder / "out")), PartInputs(part=part, sources=sources), {})
    usable = {row.video.name for row in scan_videos(run, cfg, limits)}
    (lost,) = run.quarantine
    return usable, lost
