import csv
import hashlib
import io
import json
import os
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from reelproof.pipeline.disk.files import local_copy
from reelproof.pipeline.inputs.distinct import distinct_videos
from reelproof.pipeline.inputs.identities import identify
from reelproof.pipeline.inputs.kept_rows import keep_rows
from reelproof.pipeline.inputs.questions_file import read_video_list
from reelproof.pipeline.inputs.sources import (
    SourceError,
    SourcesConfig,
    given_rows,
    list_sources,
)
from reelproof.schemas.footage import QuarantineKind
from reelproof.schemas.question import Task

MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(100)
MATROSKA = b"\x1a\x45\xdf\xa3" + bytes(100)
HEIC = b"\x00\x00\x00\x18ftypheic" + bytes(100)


@pytest.fixture
def bucket():
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    yield MemoryFileSystem()
    MemoryFileSystem.store.clear()


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def names(sources, folder) -> list[str]:
    return [file.url.removeprefix(f"{folder}/") for file in sources.files]


FOLDER = {
    "a.mp4": MP4,
    "deep/er/b.MKV": MATROSKA,
    "deep/with space é.webm": b"",
    "unknown/no_ending": MP4,
    "unknown/c.vid": MATROSKA,
    "unknown/photo": HEIC,
    "notes.txt": MP4,
    "random.bin": b"random",
    ".hidden.mp4": MP4,
    ".trash/d.mp4": MP4,
}
VIDEOS = ["a.mp4", "deep/er/b.MKV", "deep/with space é.webm", "unknown/c.vid", "unknown/no_ending"]


def test_folder_is_read_with_all_its_folders(tmp_path):
    fill(tmp_path, FOLDER)
    sources = list_sources(SourcesConfig(videos=str(tmp_path), license="CC0-1.0"))
    assert names(sources, tmp_path) == VIDEOS
    assert sources.skipped["not_video"] == 3
    assert sources.files[0].size_bytes == len(MP4)
    assert {file.license for file in sources.files} == {"CC0-1.0"}


def test_remote_folder_is_read_like_a_local_one(bucket):
    for name, content in FOLDER.items():
        bucket.pipe(f"/films/{name}", content)
    sources = list_sources(SourcesConfig(videos="memory://films"))
    assert names(sources, "memory:///films") == VIDEOS
    assert sources.skipped == {"hidden": 2, "not_video": 3}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.mp4", ["a.mp4"]),
        ("**/*.MKV", ["deep/er/b.MKV"]),
        ("d*", ["deep/er/b.MKV", "deep/with space é.webm"]),
        ("a.mp4", ["a.mp4"]),
        ("random.bin", ["random.bin"]),
    ],
)
def test_glob_or_file_is_taken_as_named(tmp_path, pattern, found):
    fill(tmp_path, FOLDER)
    assert names(list_sources(SourcesConfig(videos=f"{tmp_path}/{pattern}")), tmp_path) == found


@pytest.mark.parametrize(
    ("pattern", "found"), [("*.mp4", ["a.mp4"]), ("**/*.MKV", ["deep/er/b.MKV"]), ("a.mp4", ["a.mp4"])]
)
def test_remote_glob_or_file_is_taken_as_named(bucket, pattern, found):
    for name, content in FOLDER.items():
        bucket.pipe(f"/films/{name}", content)
    sources = list_sources(SourcesConfig(videos=f"memory://films/{pattern}"))
    assert [file.name for file in sources.files] == [name.rpartition("/")[2] for name in found]
    assert len(identify(sources.files).found) == len(found)


def test_file_whose_name_looks_like_a_glob_is_that_file(tmp_path):
    fill(tmp_path, {"film[1].mp4": MP4, "film1.mp4": MP4})
    assert names(list_sources(SourcesConfig(videos=f"{tmp_path}/film[1].mp4")), tmp_path) == ["film[1].mp4"]


def test_links_are_followed_and_circles_end(tmp_path):
    fill(tmp_path, {"films/a.mp4": MP4, "elsewhere/b.mp4": MP4})
    (tmp_path / "films" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "films" / "circle").symlink_to(tmp_path / "films")
    sources = list_sources(SourcesConfig(videos=str(tmp_path / "films")))
    assert names(sources, tmp_path / "films") == ["a.mp4", "linked/b.mp4"]


def test_dangling_link_and_odd_name_are_counted_or_lost_but_never_stop_the_rest(tmp_path):
    fill(tmp_path, {"a.mp4": MP4})
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.mp4")).write_bytes(MP4)
    os.mkfifo(tmp_path / "pipe")
    sources = list_sources(SourcesConfig(videos=str(tmp_path)))
    assert names(sources, tmp_path) == ["a.mp4"]
    assert sources.skipped == {"name_not_utf8": 1, "dangling_link": 1, "not_video": 1}


@pytest.mark.parametrize(
    ("files", "place", "message"),
    [
        ({}, "", "nothing is there"),
        ({"a.txt": b"x", "b.jpg": b"y"}, "", "no file there is a video (2 not_video)"),
        ({}, "nowhere", "does not exist"),
        ({"a.mp4": MP4}, "*.mkv", "nothing is there"),
        ({".a.mp4": MP4}, "", "no file there is a video (1 hidden)"),
    ],
)
def test_place_without_videos_is_one_clear_error(tmp_path, files, place, message):
    fill(tmp_path, files)
    with pytest.raises(SourceError) as caught:
        list_sources(SourcesConfig(videos=f"{tmp_path}/{place}"))
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_url_of_an_unknown_protocol_says_so():
    with pytest.raises(SourceError, match="nonsense"):
        list_sources(SourcesConfig(videos="nonsense://films"))


@pytest.mark.parametrize("fields", [{}, {"videos": "a", "manifest": "b"}, {"videos": "a", "typo": 1}])
def test_config_wants_exactly_one_source(fields):
    with pytest.raises(ValidationError):
        SourcesConfig(**fields)


# What a manifest says.

ROWS = [
    {
        "video": "a.mp4",
        "question": "Which?",
        "options": ["A. red", "B. blue"],
        "answer": "blue",
        "license": "CC0",
    },
    {
        "video": "b.mp4",
        "question": "How many?",
        "answer": "3",
        "split": "validation",
        "start_s": 1.5,
        "end_s": 4,
    },
    {"video": "b.mp4", "question": "When?", "answer": "[1.0, 2.5]"},
    {"video": "c.mp4"},
]


def as_jsonl(rows: list[dict]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def as_csv(rows: list[dict]) -> bytes:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns)
    writer.writeheader()
    writer.writerows(
        [{**row, "options": json.dumps(row["options"])} if "options" in row else row for row in rows]
    )
    return stream.getvalue().encode()


def as_parquet(rows: list[dict]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(
        pa.Table.from_pylist([{**ROWS[0], **ROWS[1], **dict.fromkeys(ROWS[0])} | row for row in rows]), sink
    )
    return sink.getvalue()


WRITERS = {
    "m.jsonl": as_jsonl,
    "m.json": lambda rows: json.dumps(rows).encode(),
    "m.csv": as_csv,
    "m.parquet": lambda rows: as_parquet(
        [{**dict.fromkeys(("start_s", "end_s", "split")), **row} for row in rows]
    ),
}


@pytest.mark.parametrize("name", WRITERS)
def test_manifest_says_the_same_in_every_format(tmp_path, name):
    fill(tmp_path, {"films/a.mp4": MP4, "films/b.mp4": MATROSKA, "films/c.mp4": b""})
    fill(tmp_path, {name: WRITERS[name](ROWS)})
    sources = list_sources(SourcesConfig(manifest=str(tmp_path / name), root=str(tmp_path / "films")))
    assert [(file.name, file.license) for file in sources.files] == [
        ("a.mp4", "CC0"),
        ("b.mp4", "unknown"),
        ("c.mp4", "unknown"),
    ]
    first, second, third = (asked.question for asked in sources.questions)
    assert (first.task, first.options, first.answer) == (Task.MULTIPLE_CHOICE, ("red", "blue"), "B")
    assert (second.task, second.answer, second.split) == (Task.NUMERICAL, "3", "test")
    assert (second.start_s, second.end_s) == (1.5, 4.0)
    assert (third.task, third.answer, third.kind) == (Task.TEMPORAL_GROUNDING, "[1.0, 2.5]", "m")


def test_manifest_paths_start_from_its_own_folder_also_remotely(tmp_path, bucket):
    bucket.pipe("/set/films/a.mp4", MP4)
    bucket.pipe("/set/m.jsonl", as_jsonl([{"video": "films/a.mp4"}, {"video": "memory://set/films/a.mp4"}]))
    fill(tmp_path, {"films/a.mp4": MP4, "m.jsonl": as_jsonl([{"video": "./films/../films/a.mp4"}])})
    remote = list_sources(SourcesConfig(manifest="memory://set/m.jsonl"))
    local = list_sources(SourcesConfig(manifest=str(tmp_path / "m.jsonl")))
    assert [file.url for file in remote.files] == ["memory://set/films/a.mp4"]
    assert [file.url for file in local.files] == [str(tmp_path / "films/a.mp4")]


def video_r1(number: int, **fields) -> dict:
    row = {
        "problem_id": number,
        "problem": "What colour is the ball?",
        "data_type": "video",
        "problem_type": "multiple choice",
        "options": ["A. red", "B. blue"],
        "solution": "<answer>B</answer>",
        "path": "./set/a.mp4",
        "data_source": "LLaVA-Video-178K",
    }
    return row | fields


@pytest.mark.parametrize(
    ("fields", "task", "answer"),
    [
        ({}, Task.MULTIPLE_CHOICE, "B"),
        (
            {"problem_type": "numerical", "options": [], "solution": "<answer>12</answer>"},
            Task.NUMERICAL,
            "12",
        ),
        ({"problem_type": "OCR", "options": [], "solution": "<answer>EXIT 5</answer>"}, Task.OCR, "EXIT 5"),
        ({"problem_type": "free-form", "solution": "<answer> A ball. </answer>"}, Task.OPEN_ENDED, "A ball."),
        (
            {"problem_type": "regression", "options": [], "solution": "<answer>2.50</answer>"},
            Task.REGRESSION,
            "2.50",
        ),
    ],
)
def test_video_r1_rows_are_read_as_they_are(tmp_path, fields, task, answer):
    rows = [video_r1(1, **fields), video_r1(2, data_type="image", path="./set/b.jpg")]
    fill(tmp_path, {"set/a.mp4": MP4, "Video-R1-260k.json": json.dumps(rows).encode()})
    sources = list_sources(SourcesConfig(manifest=str(tmp_path / "Video-R1-260k.json")))
    assert sources.skipped == {"image_row": 1}
    (asked,) = sources.questions
    assert (asked.question.task, asked.question.answer) == (task, answer)
    assert asked.question.kind == "LLaVA-Video-178K"
    assert asked.question.completion is None


def test_video_r1_thoughts_come_along_as_completions(tmp_path):
    row = video_r1(1, process="<think>It is blue.</think>")
    fill(tmp_path, {"set/a.mp4": MP4, "cot.json": json.dumps([row]).encode()})
    (asked,) = list_sources(SourcesConfig(manifest=str(tmp_path / "cot.json"))).questions
    assert asked.question.completion == "<think>It is blue.</think>\n<answer>B</answer>"


BROKEN = {
    "not json": ("{", "not JSON"),
    "not an object": ("[1]", "got a list"),
    "no video": ('{"question": "Q?", "answer": "1"}', "`video` is missing"),
    "video under another name": (
        '{"film": "a.mp4", "question": "Who?"}',
        "`video` is missing among film, ques",
    ),
    "missing file": ('{"video": "nowhere.mp4"}', "no such file"),
    "a folder": ('{"video": "."}', "not a file"),
    "no answer": ('{"video": "a.mp4", "question": "Q?"}', "got only `question`"),
    "foreign answer": (
        '{"video": "a.mp4", "question": "Q?", "options": ["red", "blue"], "answer": "green"}',
        "'green' is not among the options A. red, B. blue",
    ),
    "right option twice": (
        '{"video": "a.mp4", "question": "Q?", "options": ["red", "blue", "Blue "], "answer": "B"}',
        "say 'Blue' more than once",
    ),
    "unknown task": (
        '{"video": "a.mp4", "question": "Q?", "answer": "1", "task": "guess"}',
        "unknown task 'guess'",
    ),
    "reversed times": (
        '{"video": "a.mp4", "question": "Q?", "answer": "1", "start_s": 4, "end_s": 2}',
        "end_s=2 must be after start_s=4",
    ),
    "bad split": (
        '{"video": "a.mp4", "question": "Q?", "answer": "1", "split": "dev"}',
        "train or test, got 'dev'",
    ),
    "no number": (
        '{"video": "a.mp4", "question": "Q?", "answer": "x", "task": "numerical"}',
        "cannot read 'x'",
    ),
    "not a time": ('{"video": "a.mp4", "question": "Q?", "answer": "1", "start_s": "soon"}', "got 'soon'"),
    "two licences": ('{"video": "a.mp4", "license": "MIT"}', "licence 'MIT' here and 'CC0' at line 1"),
}


@pytest.mark.parametrize(("line", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_line_is_named_with_its_number(tmp_path, line, message):
    good = '{"video": "a.mp4", "license": "CC0"}'
    fill(tmp_path, {"a.mp4": MP4, "m.jsonl": f"{good}\n\n{line}\n{good}".encode()})
    with pytest.raises(SourceError) as caught:
        list_sources(SourcesConfig(manifest=str(tmp_path / "m.jsonl")))
    (told,) = str(caught.value).splitlines()[1:]
    assert told.startswith("  line 3: ")
    assert message in told
    assert "1 line cannot be used" in str(caught.value)
    skipping = list_sources(SourcesConfig(manifest=str(tmp_path / "m.jsonl"), on_error="skip"))
    assert skipping.skipped == {"bad_row": 1}
    assert len(skipping.files) == 1
    assert message in skipping.notes[0]


@pytest.mark.parametrize(
    ("options", "answer"), [(["red", "blue", "blue"], "A"), (["red", "blue", "blue"], "B, C"), ([], "red")]
)
def test_options_that_are_alike_do_no_harm_where_the_answer_leaves_none_out(tmp_path, options, answer):
    row = {"video": "a.mp4", "question": "Q?", "options": options, "answer": answer}
    fill(tmp_path, {"a.mp4": MP4, "m.jsonl": json.dumps(row).encode()})
    assert len(list_sources(SourcesConfig(manifest=str(tmp_path / "m.jsonl"))).questions) == 1


def test_many_broken_lines_are_counted_and_the_first_ten_shown(tmp_path):
    lines = ["{" if number % 2 else '{"video": "nowhere.mp4"}' for number in range(1, 26)]
    fill(tmp_path, {"m.jsonl": "\n".join(lines).encode()})
    with pytest.raises(SourceError) as caught:
        list_sources(SourcesConfig(manifest=str(tmp_path / "m.jsonl")))
    message = str(caught.value).splitlines()
    assert "25 lines cannot be used" in message[0]
    assert [line.split(":")[0].strip() for line in message[1:11]] == [
        f"line {number}" for number in range(1, 11)
    ]
    assert message[11:] == ["  … and 15 more"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.json", b"{", "not JSON"),
        ("m.json", b"{}", "list of objects, got an object"),
        ("m.parquet", b"PAR1", "not Parquet"),
        ("m.csv", b"\xff\xfe", "not UTF-8"),
        ("m.xml", b"", "a manifest ends in .jsonl"),
        ("m.jsonl", b"", "names no video"),
        ("m.jsonl", b'{"video": "x.jpg", "data_type": "image", "path": "x"}', "no such file"),
        ("m.jsonl", b'{"video": "x.jpg", "problem": "Why?"}', "`problem` looks like `question`"),
    ],
)
def test_manifest_that_cannot_be_read_is_one_clear_error(tmp_path, name, content, message):
    fill(tmp_path, {name: content})
    with pytest.raises(SourceError, match=message):
        list_sources(SourcesConfig(manifest=str(tmp_path / name)))


def test_missing_manifest_is_one_clear_error(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere\.csv cannot be read"):
        list_sources(SourcesConfig(manifest=str(tmp_path / "nowhere.csv")))


def test_csv_lines_are_counted_as_an_editor_does(tmp_path):
    content = b'video,question,answer\na.mp4,"two\nlines",3\na.mp4,short\n'
    fill(tmp_path, {"a.mp4": MP4, "m.csv": content})
    with pytest.raises(SourceError, match="line 4: the header has 3 columns, this line 2"):
        list_sources(SourcesConfig(manifest=str(tmp_path / "m.csv")))


def _csv(between: str) -> bytes:
    rows = [("video", "question", "answer"), *((f"{n}.mp4", f"Garçon {n}?", f"yes, {n}") for n in range(3))]
    written = io.StringIO()
    csv.writer(written, delimiter=between).writerows(rows)
    return written.getvalue().encode()


ASKED = [{"video": f"{n}.mp4", "question": f"Garçon {n}?", "answer": f"yes, {n}"} for n in range(3)]
AS_LIST = json.dumps(ASKED, indent=1, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("lines.json", as_jsonl(ASKED)),
        ("lines.json", as_jsonl(ASKED).replace(b"\n", b"\r\n")),
        ("list.jsonl", AS_LIST),
        ("list.json", b"\xef\xbb\xbf" + AS_LIST),
        ("wide.json", AS_LIST.decode().encode("utf-16")),
        ("wide.jsonl", as_jsonl(ASKED).decode().encode("utf-16")),
        ("wide.csv", _csv("\t").decode().encode("utf-16")),
        ("commas.csv", _csv(",")),
        ("semicolons.csv", _csv(";")),
        ("tabs.tsv", _csv("\t")),
    ],
)
def test_what_is_in_a_manifest_tells_how_it_is_read_and_kept(name, content):
    read = read_video_list(name, content)
    assert read.problems == ()
    assert [(row.video, row.question.question, row.question.answer) for row in read.rows] == [
        tuple(row.values()) for row in ASKED
    ]
    first, _, third = read.rows
    kept = read_video_list(name, keep_rows(name, content, {first.number, third.number}))
    assert [row.question for row in kept.rows] == [first.question, third.question]
    assert kept.problems == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"info": {}, "annotations": [{"video": "a.mp4"}]}', "an object, with a list in 'annotations'"),
        (b'{"video": "a.mp4",\n "question": 3}', "a list of objects, got an object$"),
    ],
)
def test_a_json_that_is_no_list_says_where_its_rows_are(content, message):
    with pytest.raises(ValueError, match=message):
        read_video_list("m.json", content)


def test_a_set_without_answers_says_so_before_its_columns(tmp_path):
    row = {"qid": 1, "query": "A boat.", "duration": 150, "vid": "a"}
    fill(tmp_path, {"m.jsonl": as_jsonl([row])})
    with pytest.raises(SourceError, match="line 1: this looks like a row of qvhighlights without its answer"):
        list_sources(SourcesConfig(manifest=str(tmp_path / "m.jsonl")))


def test_columns_that_mean_nothing_are_told(tmp_path):
    fill(tmp_path, {"a.mp4": MP4, "m.jsonl": as_jsonl([{"video": "a.mp4", "uploader": "x", "id": 3}])})
    sources = list_sources(SourcesConfig(manifest=str(tmp_path / "m.jsonl")))
    assert sources.notes == (f"{tmp_path}/m.jsonl: columns that mean nothing here: id, uploader",)


@given(st.binary(max_size=200), st.sampled_from(["m.jsonl", "m.json", "m.csv", "m.parquet"]))
def test_manifest_of_any_bytes_is_read_or_refused_but_never_crashes(content, name):
    try:
        manifest = read_video_list(name, content)
    except ValueError:
        return
    assert all(problem.reason for problem in manifest.problems)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
columns = [
    "video",
    "question",
    "options",
    "answer",
    "task",
    "start_s",
    "end_s",
    "split",
    "path",
    "problem",
    "solution",
]


@given(st.lists(st.dictionaries(st.sampled_from(columns), json_values), max_size=4))
def test_manifest_of_any_values_accounts_for_every_row(rows):
    manifest = read_video_list("m.jsonl", as_jsonl(rows))
    assert len(manifest.rows) + len(manifest.problems) + sum(manifest.skipped.values()) == len(rows)


# Which video a file is.


def test_identity_is_the_hash_of_the_bytes(tmp_path):
    fill(tmp_path, {"a.mp4": MP4 * 50_000, "b.mp4": b""})
    sources = list_sources(SourcesConfig(videos=str(tmp_path)))
    identities = identify(sources.files)
    assert [each.video_id for each in identities.found] == [
        hashlib.sha256(MP4 * 50_000).hexdigest(),
        hashlib.sha256(b"").hexdigest(),
    ]
    assert [each.file for each in identities.found] == list(sources.files)
    assert identities.hashed == 2


def test_known_file_is_trusted_and_a_replaced_one_is_read_again(tmp_path):
    fill(tmp_path, {"a.mp4": MP4, "b.mp4": MP4})
    config = SourcesConfig(videos=str(tmp_path))
    known = identify(list_sources(config).files).found
    replacement = tmp_path / "new"
    replacement.write_bytes(MP4[::-1])
    stamp = (tmp_path / "a.mp4").stat()
    os.utime(replacement, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    replacement.replace(tmp_path / "a.mp4")  # same size, same modification time
    again = identify(list_sources(config).files, known)
    assert again.hashed == 1
    assert again.found[0].video_id == hashlib.sha256(MP4[::-1]).hexdigest()
    assert again.found[1] == known[1]


def test_file_whose_version_its_store_does_not_tell_is_read_again(tmp_path):
    fill(tmp_path, {"a.mp4": MP4})
    (told,) = list_sources(SourcesConfig(videos=str(tmp_path))).files
    untold = told.model_copy(update={"version": ""})
    known = [each.model_copy(update={"file": untold}) for each in identify([untold]).found]
    fill(tmp_path, {"a.mp4": MP4[::-1]})
    again = identify([untold], known)
    assert again.hashed == 1
    assert again.found[0].video_id == hashlib.sha256(MP4[::-1]).hexdigest()


def test_licence_may_change_without_reading_the_file_again(tmp_path):
    fill(tmp_path, {"a.mp4": MP4})
    known = identify(list_sources(SourcesConfig(videos=str(tmp_path))).files).found
    again = identify(list_sources(SourcesConfig(videos=str(tmp_path), license="MIT")).files, known)
    assert again.hashed == 0
    assert again.found[0].file.license == "MIT"


def test_file_that_goes_away_is_lost_alone(tmp_path):
    fill(tmp_path, {"a.mp4": MP4, "b.mp4": MATROSKA})
    sources = list_sources(SourcesConfig(videos=str(tmp_path)))
    (tmp_path / "a.mp4").unlink()
    identities = identify(sources.files)
    assert [each.file.name for each in identities.found] == ["b.mp4"]
    assert [(each.name, each.kind) for each in identities.lost] == [("a.mp4", QuarantineKind.UNREADABLE)]


def test_same_bytes_are_one_video_with_the_questions_of_both_names(tmp_path):
    rows = [
        {"video": "b.mp4", "question": "One?", "answer": "1"},
        {"video": "a.mp4", "question": "Two?", "answer": "2"},
        {"video": "a.mp4", "question": "One?", "answer": "1"},
    ]
    fill(tmp_path, {"a.mp4": MP4, "b.mp4": MP4, "m.jsonl": as_jsonl(rows)})
    sources = list_sources(SourcesConfig(manifest=str(tmp_path / "m.jsonl")))
    found = identify(sources.files).found
    assert [each.file.name for each in distinct_videos(found)] == ["a.mp4"]
    assert [each.file.name for each in distinct_videos(found, known=found[1:])] == ["b.mp4"]
    given_here = list(given_rows(sources.questions, found))
    assert [row.question for row in given_here] == ["One?", "Two?"]
    assert {row.video_id for row in given_here} == {found[0].video_id}


def test_identities_are_in_order_and_leave_no_thread(tmp_path):
    fill(tmp_path, {f"{number}.mp4": MP4 + bytes([number]) for number in range(20)})
    sources = list_sources(SourcesConfig(videos=str(tmp_path)))
    before = set(threading.enumerate())
    identities = identify(sources.files)
    assert [each.file for each in identities.found] == list(sources.files)
    assert set(threading.enumerate()) <= before  # those of other tests in this process are not ours


def test_remote_file_is_copied_for_as_long_as_it_is_needed(tmp_path, bucket):
    bucket.pipe("/set/a.mp4", MP4)
    with local_copy("memory://set/a.mp4", str(tmp_path)) as path:
        assert path.read_bytes() == MP4
        assert path.suffix == ".mp4"
    assert list(tmp_path.iterdir()) == []
    fill(tmp_path, {"b.mp4": MP4})
    with local_copy(str(tmp_path / "b.mp4")) as path:
        assert path == tmp_path / "b.mp4"
    assert path.exists()


def test_replaced_remote_file_is_read_again(bucket):
    bucket.pipe("/set/a.mp4", MP4)
    config = SourcesConfig(videos="memory://set")
    known = identify(list_sources(config).files).found
    assert identify(list_sources(config).files, known).hashed == 0
    bucket.pipe("/set/a.mp4", MP4[::-1])
    again = identify(list_sources(config).files, known)
    assert again.hashed == 1
    assert again.found[0].video_id == hashlib.sha256(MP4[::-1]).hexdigest()


@pytest.mark.parametrize(
    "came",
    [
        {"completion": "<think>It is blue.</think>\n\nB"},
        {"completion": "\n\nB", "reasoning_content": "It is blue."},
        {"completion": {"role": "assistant", "content": "\n\nB", "reasoning_content": "It is blue."}},
        {"completion": [{"role": "user", "content": "?"}, {"content": "\n\nB", "reasoning": "It is blue."}]},
        {"completion": [{"content": [{"type": "text", "text": "<think>It is blue.</think>\n\nB"}]}]},
    ],
)
def test_traces_come_as_texts_and_as_chat_messages(came):
    row = {"video": "a.mp4", "question": "Which?", "options": ["red", "blue"], "answer": "B", **came}
    (read,) = read_video_list("m.jsonl", as_jsonl([row])).rows
    assert "".join(read.question.completion.split("\n")) == "<think>It is blue.</think>B"


def test_completion_that_is_none_is_told():
    row = {"video": "a.mp4", "question": "Is it?", "answer": "yes", "completion": 5}
    (problem,) = read_video_list("m.jsonl", as_jsonl([row])).problems
    assert problem.reason == "`completion` is text, got 5"
