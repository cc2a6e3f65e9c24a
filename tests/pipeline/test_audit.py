"""`reelproof audit`: what is planted in somebody's file is found, nothing else is, and the file stays."""

import csv
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reelproof.pipeline.audit.kinds import KINDS, OF_QUESTION, OF_THOUGHT
from reelproof.schemas.policy import PolicyConfig
from reelproof.stages.policy import RL, SFT, reason_names
from tests.pipeline.conftest import reelproof_here
from tests.planted_benchmark import ROWS, plant
from tests.stub_server import Reply, StubServer, chat_reply, last_text


def found_lines(out: Path, kind: str) -> set[int]:
    """Lines that an audit lists under a kind."""
    rows = out / "rows" / f"{kind}.jsonl"
    return {json.loads(line)["line"] for line in rows.read_text().splitlines()} if rows.exists() else set()


def test_each_planted_fault_is_found_and_no_other(tmp_path):
    planted = plant(tmp_path)
    golds = {
        row["question"]: row["answer"]
        for row in map(json.loads, planted.file.read_text().splitlines())
        if "question" in row
    }

    def answer(_: int, body: dict) -> Reply:
        asked, seed = last_text(body), body.get("seed", 0)
        known = next((each for each in planted.known_blind if each in asked), None)
        said = [golds[known] if known else "ABCD"[(seed + index) % 4] for index in range(body.get("n", 1))]
        return chat_reply(body, [f"<think>So it is.</think><answer>{each}</answer>" for each in said], "stub")

    out = tmp_path / "audit"
    with StubServer(fault=answer) as server:
        ran = reelproof_here(
            *("audit", planted.file, "--out", out, "--model", server.url),
            *("--against", f"known={planted.evaluation}", "--fix", "--json"),
        )
        assert not any(
            part["type"] == "image_url"
            for body in server.bodies
            for message in body["messages"]
            for part in message["content"]
            if isinstance(part, dict)
        )
    report = ran.summary
    assert report["rows"] == ROWS
    assert len(planted.lines) >= 10
    for kind, lines in planted.lines.items():
        found = found_lines(out, kind)
        right = len(found & lines)
        assert right >= 0.95 * len(lines), (kind, sorted(lines - found))
        assert right >= 0.95 * len(found), (kind, sorted(found - lines))
    assert {each["kind"] for each in report["kinds"]} == planted.lines.keys()
    blind = next(each for each in report["kinds"] if each["kind"] == "answered_blind")
    assert blind["low"] < blind["share"] < blind["high"]
    (told,) = (each for each in report["baselines"] if each["how"] == "multiple_choice, without a frame")
    assert told["low"] < 0.25 + 0.75 * 8 / told["questions"] < told["high"]
    curated = (out / "curated" / "benchmark.jsonl").read_text().splitlines()
    control = (out / "control" / "benchmark.jsonl").read_text().splitlines()
    source = planted.file.read_text().splitlines()
    faulty = set().union(*planted.lines.values())
    assert curated == [line for number, line in enumerate(source, start=1) if number not in faulty]
    assert len(control) == len(curated) == report["curated"]
    assert set(control) <= set(source)
    assert set(control) != set(curated)
    card = (out / "README.md").read_text()
    assert all(f"`{kind}`" in card for kind in planted.lines)
    assert all(
        (out / place).exists() for place in ("plots/kinds.png", "plots/letters.png", "plots/baselines.png")
    )


SOUND = [
    {
        "video": "a.mp4",
        "question": "Which animal crosses the road?",
        "options": ["a hen", "a fox"],
        "answer": "A",
    },
    {
        "video": "b.mp4",
        "question": "What stands on the table?",
        "options": ["a jug", "an urn"],
        "answer": "C",
    },
    {"video": "c.mp4", "question": "Who opens the window first?", "options": ["he", "she"], "answer": "B"},
]


def written(folder: Path, ending: str) -> Path:
    """Three rows, the second at fault, as a file of this form."""
    file = folder / f"rows.{ending}"
    if ending == "csv":
        with file.open("w", newline="") as stream:
            table = csv.DictWriter(stream, SOUND[0].keys())
            table.writeheader()
            table.writerows({**row, "options": "|".join(row["options"])} for row in SOUND)
    elif ending == "json":
        file.write_text(json.dumps(SOUND))
    elif ending == "jsonl":
        file.write_text("\n".join(map(json.dumps, SOUND)))
    elif ending == "parquet":
        table = pa.Table.from_pylist(SOUND).replace_schema_metadata({"huggingface": "{}"})
        pq.write_table(table, file)
    else:
        file.write_text(
            "A 2.0 5.0##a hen crosses the road\nB 7.0 7.0##nobody\nC 1.0 4.0##she opens a window\n"
        )
    return file


def rows_of(file: Path) -> list:
    match file.suffix:
        case ".csv":
            return list(csv.DictReader(file.open(newline="")))
        case ".json":
            return json.loads(file.read_text())
        case ".parquet":
            return pq.read_table(file).to_pylist()
        case _:
            return file.read_text().splitlines()


@pytest.mark.parametrize("ending", ["csv", "json", "jsonl", "parquet", "txt"])
def test_curated_file_has_the_form_of_the_source_without_the_faulty_row(tmp_path, ending):
    file = written(tmp_path, ending)
    before = file.read_bytes()
    ran = reelproof_here("audit", file, "--out", tmp_path / "out", "--fix", "--json")
    assert [each["kind"] for each in ran.summary["kinds"]] == ["unreadable_answer"]
    first, _, third = rows_of(file)
    curated, control = tmp_path / "out/curated" / file.name, tmp_path / "out/control" / file.name
    assert rows_of(curated) == [first, third]
    assert len(rows_of(control)) == 2
    assert file.read_bytes() == before
    if ending == "txt":
        reelproof_here("audit", file, "--out", tmp_path / "out")
        assert not curated.exists(), "it is of an earlier run, which the card does not tell of"
    if ending == "parquet":
        assert pq.read_schema(curated) == pq.read_schema(file)
        assert pq.read_schema(curated).metadata[b"huggingface"] == b"{}"


def test_uneven_key_and_telling_lengths_are_told(tmp_path):
    rows = [
        {
            "video": f"{number}.mp4",
            "question": f"What is said at second {number * 7}, by whom, and why does nobody answer {number}?",
            "options": [f"a very long reply number {number}", f"no {number}", f"so {number}", f"ah {number}"],
            "answer": "A",
        }
        for number in range(40)
    ]
    file = tmp_path / "rows.json"
    file.write_text(json.dumps(rows))
    report = reelproof_here("audit", file, "--json").summary
    (key,) = report["answer_keys"]
    assert (key["alarm"], key["constant_answer"], key["constant_score"]) == (True, "A", 1)
    told = {each["how"]: (each["alarm"], each["score"]) for each in report["baselines"]}
    assert told == {
        "multiple_choice, always 'A'": (True, 1),
        "multiple_choice, the longest option": (True, 1),
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.json"]


def says_a_and_no(_: int, body: dict) -> Reply:
    said = "no" if "Claim: " in last_text(body) else "A"
    return chat_reply(body, [f"<think>So.</think><answer>{said}</answer>"] * body.get("n", 1), "stub")


@pytest.mark.real
def test_videos_that_are_there_are_looked_at(tmp_path, films, ready):
    place = tmp_path / "set"
    place.mkdir()
    for name in ("film 0.mp4", "film 1.mp4"):
        shutil.copy(films / name, place / name)
    shutil.copy(place / "film 0.mp4", place / "again.mp4")
    (place / "broken.mp4").write_bytes(b"nothing that is a film")
    videos = ("film 0.mp4", "film 1.mp4", "again.mp4", "broken.mp4", "gone.mp4")
    asked = (
        "Which pattern comes first?",
        "How does it end?",
        "What is moving?",
        "Who is there?",
        "Where is it?",
    )
    rows = [
        {
            "video": video,
            "question": question,
            "options": ["one", "another", "a third", "none"],
            "answer": "A",
        }
        for video, question in zip(videos, asked, strict=True)
    ]
    rows.append({"video": "film 1.mp4", "question": "When does it turn?", "answer": "[2, 90]"})
    thought = "At [0.0 s - 3.0 s] it is one. At [900.0 s] it is another, so the answer is A."
    rows[1]["completion"] = f"<think>{thought}</think><answer>A</answer>"
    (place / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    scheduler = ("--set", f"cluster.scheduler={ready[1]}")
    with StubServer(fault=says_a_and_no) as server:
        verifier = {"kind": "server", "model": "stub", "urls": [server.url]}
        asked = (
            "--model",
            "stub",
            "--server",
            server.url,
            "--set",
            f"claims.verifier={json.dumps(verifier)}",
        )
        ran = reelproof_here("audit", place / "rows.jsonl", "--out", out, *scheduler, *asked, "--json")
    report = ran.summary
    expected = {
        "missing_video": {5},
        "unusable_video": {4},
        "repeated_video": {3},
        "span_outside_film": {6},
        "answered_blind": {1, 2, 3, 4, 5},
        "answered_from_one_frame": {1, 2, 3},
        "answered_shuffled": {1, 2, 3},
        "cites_outside_clip": {2},
        "ungrounded": {2},
        "claim_denied": {2},
        "control_believed": {2},
    }
    assert {each["kind"]: found_lines(out, each["kind"]) for each in report["kinds"]} == expected
    assert (report["videos_named"], report["videos_there"]) == (4, 3)
    alone = reelproof_here("audit", place / "rows.jsonl", "--text-only", "--json").summary
    assert (alone["videos_there"], alone["kinds"]) == (0, [])
    assert "missing_video" in alone["not_looked"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{here}/rows.mp4"], "is no manifest"),
        (["{here}/nowhere.jsonl"], "cannot be read"),
        (["{nothing}"], "1 line cannot be used"),
        (["{rows}", "--fix"], "name --out DIR"),
        (["{rows}", "--out", "{here}"], "is no build of reelproof's and not empty"),
        (["{rows}", "--out", "{here}/out", "--keep", "lucky_row"], "there is no such kind"),
        (["{rows}", "--against", "mvbench"], "expected NAME=FILE"),
        (["{rows}", "--against", "a={here}/nowhere.json"], "cannot read"),
        (["{rows}", "--server", "http://127.0.0.1:1/v1"], "name it with --model"),
        (["{rows}", "--out", "{here}/out", "--model", "http://127.0.0.1:1/v1"], "does not answer"),
        (
            ["{rows}", "--out", "{here}/out", "--model", "http://a/v1", "--server", "http://a/v1"],
            "name a model with --model",
        ),
        (["{rows}", "--set", "policy.nothing=1"], "there is no such field"),
    ],
)
def test_slip_is_one_message(tmp_path, arguments, message):
    rows, nothing = written(tmp_path, "jsonl"), tmp_path / "nothing.jsonl"
    nothing.write_text('{"video": "a.mp4", "question": "Which?"}\n')
    named = {"here": tmp_path, "rows": rows, "nothing": nothing}
    ran = reelproof_here("audit", *(each.format(**named) for each in arguments))
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert rows.exists()


def test_kinds_have_names_of_their_own_and_those_that_the_policy_has():
    names = [kind.name for kind in KINDS]
    assert len(set(names)) == len(names)
    policy = PolicyConfig()
    assert {*OF_THOUGHT} <= {*reason_names(policy, SFT)}
    assert {*OF_QUESTION} <= {*reason_names(policy, RL)} & {*names}
