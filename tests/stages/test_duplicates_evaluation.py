import random

import polars as pl
import pytest

from reelproof.stages.duplicates.contamination import (
    ContaminationConfig,
    find_contamination,
    read_evaluation_set,
    video_stem,
)

CFG = ContaminationConfig()
LONG = "what does the man in the red coat do after he has opened the second door"
RNG = random.Random(0)
FILM = [f"{RNG.getrandbits(64):016x}" for _ in range(8)]
OTHER = [f"{RNG.getrandbits(64):016x}" for _ in range(8)]


def questions(**columns: list[str]) -> pl.DataFrame:
    count = len(next(iter(columns.values())))
    names = [f"q{i}" for i in range(count)]
    made = {
        "question_id": names,
        "clip_id": names,
        "video_id": ["0" * 64] * count,
        "video": ["x.mp4"] * count,
    }
    return pl.DataFrame(made | {"text": ["who is it"] * count} | columns)


def frames(**films: list[str]) -> pl.DataFrame:
    rows = [(name, phash) for name, film in films.items() for phash in film]
    return pl.DataFrame(rows, schema={"clip_id": pl.String, "phash": pl.String}, orient="row")


def hits(asked: pl.DataFrame, shown: pl.DataFrame, table: pl.DataFrame) -> list[tuple[str, str]]:
    held = read_evaluation_set("bench", table)
    return [(each.question_id, each.how) for each in find_contamination(asked, shown, [held], CFG)]


@pytest.mark.parametrize(
    ("text", "held"),
    [
        (LONG, True),
        (LONG.upper() + "?!", True),
        (f"Watch the clip: {LONG}?", True),
        (LONG.replace("red", "blue"), False),  # 3 of its 9 runs of 8 words are left
        ("Which of them sits down first of all, the man or the woman with the hat?", False),
        ("what is the man doing now", True),  # asked in the very same words
        ("what is the man doing then", False),
        ("公园里一共有几个人在跑步？", True),
        ("视频中公园里一共有几个人在跑步", True),  # 5 of its 8 runs of 8 characters
        ("公园里的人后来去了哪里", False),
        ("who is it", False),  # too short to tell
        ("", False),
    ],
)
def test_questions_are_held_by_their_runs_of_words(text, held):
    table = pl.DataFrame(
        {"question": [LONG, "What is the man doing now?", "Who is it?", "公园里一共有几个人在跑步？", None]}
    )
    assert hits(questions(text=[text]), frames(), table) == ([("q0", "words")] if held else [])


def test_videos_are_held_by_id_or_by_name():
    table = pl.DataFrame({"videoID": ["data/Clips/ABC_1.mp4", "f" * 64]})
    asked = questions(video=["abc_1.mkv", "abc_2.mp4", "y.mp4"], video_id=["1" * 64, "2" * 64, "f" * 64])
    assert hits(asked, frames(), table) == [("q0", "video"), ("q2", "video")]


def test_videos_whose_ids_differ_after_a_dot_are_others():
    table = pl.DataFrame({"vid": ["NUsG9BgSes0_210.0_360.0"]})
    asked = questions(video=["NUsG9BgSes0_210.0_360.0.mp4", "NUsG9BgSes0_210.0_360.5.mp4"])
    assert hits(asked, frames(), table) == [("q0", "video")]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("A.mp4", "a"),
        ("x/y\\Z.webm", "z"),
        ("v1.2_clip", "v1.2_clip"),
        ("-abc", "-abc"),
        (".mp4", ".mp4"),
        ("a/", "a"),
        ("NUsG9BgSes0_210.0_360.0", "nusg9bgses0_210.0_360.0"),
        ("NUsG9BgSes0_210.0_360.0.mp4", "nusg9bgses0_210.0_360.0"),
        ("clip.03", "clip.03"),
        ("clip.MPEG", "clip"),
        ("tumblr_1.gif", "tumblr_1"),
    ],
)
def test_video_stems_lose_folders_and_extensions(name, stem):
    assert video_stem(name) == stem


def test_clips_are_held_by_what_their_frames_look_like():
    again = [f"{int(each, 16) ^ 0b1011:016x}" for each in FILM]
    shown = frames(q0=again, q1=OTHER, q2=FILM[:4] + OTHER[:4], q3=FILM[:3] + OTHER[:5], q4=["0" * 16] * 8)
    table = pl.DataFrame({"phash": [*FILM, "0" * 16, None]})
    assert hits(questions(text=["who"] * 5), shown, table) == [("q0", "frames"), ("q2", "frames")]
    listed = pl.DataFrame({"phash": [FILM]})
    assert hits(questions(text=["who"] * 5), shown, listed) == [("q0", "frames"), ("q2", "frames")]


def test_every_set_and_way_is_told():
    table = pl.DataFrame({"question": [LONG], "video": ["x.mp4"], "phash": [FILM[0]]})
    sets = [read_evaluation_set(name, table) for name in ("one", "two")]
    found = list(find_contamination(questions(text=[LONG]), frames(q0=FILM[:1]), sets, CFG))
    assert [(each.evaluation_set, each.how, each.overlap) for each in found] == [
        (name, how, 1.0) for name in ("one", "two") for how in ("words", "video", "frames")
    ]


def test_a_set_without_known_columns_is_an_error():
    with pytest.raises(ValueError, match=r"evaluation set bench: expected a column of question.*got answer"):
        read_evaluation_set("bench", pl.DataFrame({"answer": ["A"]}))
