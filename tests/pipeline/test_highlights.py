"""`reelproof highlights`, as a user runs it, on films in which it is known what moves."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

from reelproof.pipeline.highlights.run import make_highlights
from reelproof.pipeline.highlights.settings import HighlightsConfig
from reelproof.schemas.chat import Completion
from reelproof.schemas.highlights import Highlights
from tests.clapper import apart_s, make_clapper
from tests.films import Shot, make_film
from tests.pipeline.conftest import reelproof_here

LIVELY = (2, 5, 9)
LENGTHS_S = [2.0, 3.0, 2.4, 3.2, 2.6, 2.2, 3.4, 2.8, 3.0, 2.0, 2.6, 3.2]
STARTS_S = [sum(LENGTHS_S[:place]) for place in range(len(LENGTHS_S) + 1)]
FPS = 25


def planted() -> list[Shot]:
    """Calm scenes, and among them some in which a disc rushes about."""
    return [
        Shot(60 + place, length_s, 9.0 if place in LIVELY else 0.1)
        for place, length_s in enumerate(LENGTHS_S)
    ]


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    return make_clapper(tmp_path_factory.mktemp("planted") / "a day.mp4", planted(), fps=FPS)


@pytest.fixture(scope="module")
def made(film, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made") / "reel"
    ran = reelproof_here("highlights", film, "--seconds", "10", "--out", out)
    assert ran.code == 0, ran.err
    return out


def make_black(path: Path, dot: int = 0) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            image = np.zeros((48, 64, 3), np.uint8)
            image[16:32, number : number + 16] = dot
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode())
    return path


def found_in(out: Path) -> Highlights:
    return Highlights.model_validate_json((out / "highlights.json").read_text())


def test_lively_scenes_are_in_whole_and_cut_where_they_begin_and_end(made):
    found = found_in(made)
    starts_s = [each.start_s for each in found.picks]
    assert all(min(abs(STARTS_S[place] - each) for each in starts_s) <= 2 / FPS for place in LIVELY)
    for each in found.picks:
        for border_s in (each.start_s, each.end_s):
            assert min(abs(border_s - at) for at in STARTS_S) <= 2 / FPS
    assert starts_s == sorted(starts_s)
    assert 9 <= found.reel_s <= 10
    assert found.model is None


def test_reel_plays_for_as_long_as_it_says_with_its_sound_in_step(made):
    found = found_in(made)
    with av.open(str(made / "reel.mp4")) as reel:
        assert reel.duration / 1e6 == pytest.approx(found.reel_s, abs=0.05)
        chapters = [(each["start"] / 1000, each["metadata"]["title"]) for each in reel.chapters()]
    assert chapters == [(pytest.approx(each.reel_start_s, abs=1e-3), each.title) for each in found.picks]
    apart = apart_s(made / "reel.mp4")
    assert len(apart) >= 8
    assert max(map(abs, apart)) <= 0.04


def test_every_pick_says_why_and_people_can_read_it(made):
    found = found_in(made)
    page = (made / "highlights.md").read_text()
    assert all(each.why in page for each in found.picks)
    assert "by no model" in page
    liveliest = max(found.picks, key=lambda each: found.moments[each.moments[0]].motion)
    assert "much motion (1.00)" in liveliest.why
    assert (made / "chapters.txt").read_text().startswith("0:00 Scene ")
    assert (made / "sheet.png").stat().st_size > 10_000


def test_editors_get_the_same_cuts(made):
    otio = pytest.importorskip("opentimelineio")
    found = found_in(made)
    timeline = otio.adapters.read_from_file(str(made / "reel.otio"))
    assert [track.kind for track in timeline.tracks] == ["Video", "Audio"]
    for track in timeline.tracks:
        cuts = [(clip.source_range.start_time.to_seconds(), clip.duration().to_seconds()) for clip in track]
        wanted = [(each.start_s, each.end_s - each.start_s) for each in found.picks]
        assert cuts == [(pytest.approx(s, abs=0.021), pytest.approx(n, abs=0.041)) for s, n in wanted]
        assert all(clip.media_reference.target_url.startswith("file:///") for clip in track)
        assert [clip.metadata["reelproof"]["why"] for clip in track] == [each.why for each in found.picks]


def test_edit_list_counts_frames(made):
    found = found_in(made)
    lines = (made / "reel.edl").read_text().splitlines()
    assert lines[:2] == ["TITLE: a day highlights", "FCM: NON-DROP FRAME"]
    events = [line.split() for line in lines if line[:3].isdigit()]
    assert [event[2] for event in events] == ["B"] * len(found.picks)

    def frames(timecode: str) -> int:
        hours, minutes, seconds, frame = map(int, timecode.split(":"))
        return ((hours * 60 + minutes) * 60 + seconds) * FPS + frame

    record = 0
    for event, each in zip(events, found.picks, strict=True):
        source = [frames(event[4]), frames(event[5])]
        assert source == [round(each.start_s * FPS), round(each.end_s * FPS)]
        assert [frames(event[6]), frames(event[7])] == [record, record + source[1] - source[0]]
        record += source[1] - source[0]


def test_a_film_shorter_than_the_budget_is_shown_whole_and_without_sound_where_it_has_none(tmp_path):
    film = make_film(tmp_path / "short.mp4", [Shot(1, 2.0), Shot(2, 2.0)])
    ran = reelproof_here("highlights", film, "--out", tmp_path / "reel", "--json")
    assert ran.code == 0, ran.err
    found = Highlights.model_validate(json.loads(ran.out))
    assert (found.reel_s, found.has_sound) == (4.0, False)
    assert len(found.picks) == 2


def test_one_long_scene_is_cut_inside_where_it_is_calm(tmp_path):
    film = make_film(tmp_path / "one.mp4", [Shot(1, 20.0)], fps=10, rotation_deg=90)
    ran = reelproof_here("highlights", film, "--seconds", "5", "--out", tmp_path / "reel")
    assert ran.code == 0, ran.err
    found = found_in(tmp_path / "reel")
    assert 4 <= found.reel_s <= 5
    assert "a part of scene 1 of 1" in found.picks[0].why


def test_a_dim_film_is_shown_as_well_and_whole_where_all_of_its_scene_is_in(tmp_path):
    film = make_black(tmp_path / "dim.mp4", dot=24)
    ran = reelproof_here("highlights", film, "--seconds", "3", "--out", tmp_path / "reel")
    assert ran.code == 0, ran.err
    (pick,) = found_in(tmp_path / "reel").picks
    assert (pick.start_s, pick.end_s) == (0.0, 2.0)
    assert pick.why.endswith("; scene 1 of 1")


def test_nothing_to_show_and_wrong_values_are_one_message(tmp_path, film):
    black = make_black(tmp_path / "black.mp4")
    (tmp_path / "no.mp4").write_text("no video")
    for words, said in (
        ([tmp_path / "gone.mp4"], "No such file"),
        ([tmp_path / "no.mp4"], "not a video FFmpeg can open"),
        ([tmp_path], "is not a file"),
        ([black, "--seconds", "0"], "not in the range"),
        ([black], "nothing can be seen"),
        ([black, "--server", "http://127.0.0.1:1"], "--server serves --model"),
        ([black, "--set", "score.motion=7"], "score.motion"),
        ([black, "--model", "./nowhere"], "no such folder"),
    ):
        ran = reelproof_here("highlights", *words, "--out", tmp_path / "reel")
        assert ran.code == 2, (words, ran.err)
        assert said in ran.err
        assert "Traceback" not in ran.err
    assert not (tmp_path / "reel").exists()


def test_what_lies_in_the_folder_is_nobody_elses(made, film, tmp_path):
    (tmp_path / "chapters.txt").write_text("my own")
    ran = reelproof_here("highlights", film, "--out", tmp_path)
    assert (ran.code, "chapters.txt, which reelproof's highlights did not put there" in ran.err) == (2, True)
    assert [each.name for each in tmp_path.iterdir()] == ["chapters.txt"]
    assert (tmp_path / "chapters.txt").read_text() == "my own"
    before = {each: each.read_bytes() for each in made.iterdir()}
    ran = reelproof_here("ask", film, "How many scenes does it consist of?", "--out", made)
    assert (ran.code, "chapters.txt, highlights.json, highlights.md" in ran.err) == (2, True)
    assert {each: each.read_bytes() for each in made.iterdir()} == before
    again = reelproof_here("highlights", film, "--seconds", "10", "--out", made)
    assert again.code == 0, again.err
    assert (made / "reel.mp4").is_file()


class Fond:
    """Would show what begins at 24 s to 27 s, and nothing else."""

    model = "fond@1"

    def complete(self, requests, frames):
        for each in requests:
            words = [part.text for part in each.messages[0].content if part.type == "text"]
            answer = (
                "yes" if "from 24." in words[0] or words[-1].startswith("Claim: A disc crosses.") else "no"
            )
            text = f"<think>A disc crosses.</think><answer>{answer}</answer>"
            yield Completion(request_id=each.request_id, model=self.model, text=text, finish_reason="stop")


def test_what_a_model_would_show_is_in_and_says_so(film, tmp_path):
    asked = HighlightsConfig(asked=20)
    found = make_highlights(film, 3.5, tmp_path / "reel", asked, Fond(), lambda _: None)
    assert found.model == "fond@1"
    assert [each.start_s for each in found.picks if 24 <= each.start_s < 25] == [
        pytest.approx(24.6, abs=0.05)
    ]
    pick = next(each for each in found.picks if 24 <= each.start_s < 25)
    assert "votes for it" in pick.why
    assert "which cites no frame: A disc crosses." in pick.why
    assert pick.title == "A disc crosses."
