"""`evaluate MANIFEST`: every question of a benchmark is asked and scored, with no policy in between."""

import base64
import importlib.util
import io
import json

import numpy as np
import pytest
from PIL import Image

from reelproof.schemas.evaluation import EvaluatedAnswer
from reelproof.schemas.speech import SPEECH_NOTE
from reelproof.stages.footage.random_access import frames_by_scanning
from tests.films import Shot, make_film
from tests.pipeline.conftest import reelproof_here
from tests.stub_server import Reply, StubServer, chat_reply, images_in, last_text, refusal
from tests.tiny_training import write_model

ASKED = [
    {"question": "Which colour?", "options": ["red", "blue", "green"], "answer": "B", "task_type": "Colour"},
    {"question": "How many discs?", "answer": "1", "task_type": "Count"},
    {"question": "Does it move?", "answer": "yes", "task": "boolean"},
    {"question": "What moves?", "answer": "a small round disc", "task": "open-ended", "task_type": "Motion"},
    {"question": "When does it move?", "answer": "[0.5, 1.5]", "task": "temporal_grounding"},
    {
        "question": "And after one second?",
        "options": ["up", "on"],
        "answer": "on",
        "start_s": 1.0,
        "end_s": 9.0,
    },
]
"""Six a film; four films make 24."""
SAID = {
    "Which colour?": "Well, the answer is B",
    "How many discs?": "<think>One disc [0.5 s].</think><answer>1</answer>",
    "Does it move?": "Yes.",
    "What moves?": "a disc",
    "When does it move?": "from 0.5 to 1.0 seconds",
    "And after one second?": "A",
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A folder with 24 questions about four films."""
    folder = tmp_path_factory.mktemp("bench")
    rows = []
    for number in range(4):
        make_film(folder / f"film{number}.mp4", [Shot(number, 1.0), Shot(9 + number, 1.0)], size=(64, 64))
        rows += [{"video": f"film{number}", **asked} for asked in ASKED]
    (folder / "bench.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def said(number, body):
    asked = last_text(body)
    return chat_reply(body, [next(SAID[each] for each in SAID if each in asked)], "stub")


def evaluate(manifest, server, out, *more):
    ran = reelproof_here("evaluate", manifest, "--model", server.url, "--out", out, *more)
    assert ran.code == 0, ran.err
    return ran


def scored(out):
    return [
        EvaluatedAnswer.model_validate_json(line) for line in (out / "scored.jsonl").read_text().splitlines()
    ]


def test_all_24_questions_are_asked_and_scored(bench, tmp_path):
    with StubServer(fault=said) as server:
        ran = evaluate(bench / "bench.jsonl", server, tmp_path, "--json", "--set", "frames.count=8")
        assert len(server.bodies) == 48
        assert {images_in(body) for body in server.bodies} == {8}
    assert ran.err.splitlines() == [f"{style}: 24 of 24 answered" for style in ("published", "direct")]
    told = {(each["style"], each["by"], each["group"]): each for each in json.loads(ran.out)["reports"]}
    for style in ("published", "direct"):
        whole = told[style, "all", "all"]
        assert (whole["questions"], whole["frames"], whole["lost"]) == (24, 8, 0)
        assert 0 <= whole["lenient"]["low"] <= whole["lenient"]["value"] <= whole["lenient"]["high"] <= 1
        assert told[style, "task", "open_ended"]["questions"] == 4
        assert 0 < told[style, "task", "open_ended"]["lenient"]["value"] < 1
        assert told[style, "task_type", "Colour"]["lenient"]["value"] == 1.0
        assert told[style, "task", "temporal_grounding"]["lenient"]["value"] == pytest.approx(0.5)
    assert told["published", "task", "boolean"]["strict"]["value"] == 0, "a tag was asked for"
    assert told["direct", "task", "boolean"]["lenient"]["value"] == 1
    answers = scored(tmp_path)
    assert len({each.request_id for each in answers}) == 48
    assert len({each.question_id for each in answers}) == 24
    (late,) = {each.frame_times_s for each in answers if each.question.startswith("And after")}
    assert late == tuple(round(1 + (place + 0.5) / 8, 3) for place in range(8)), (
        "of its stretch, as far as it goes"
    )
    thought = next(
        each for each in answers if each.question == "How many discs?" and each.style == "published"
    )
    assert (thought.thought, thought.stated, thought.strict, thought.lenient) == (
        "One disc [0.5 s].",
        "1",
        1,
        1,
    )


def test_frames_are_those_of_the_scan(bench, tmp_path):
    with StubServer(fault=said) as server:
        evaluate(bench / "bench.jsonl", server, tmp_path, "--set", "frames.fps=2", "--set", "max_rows=1")
        parts = server.bodies[0]["messages"][0]["content"]
    times = [part["text"] for part in parts if part["type"] == "text"][1:-1]
    assert times == ["[0.2 s]", "[0.8 s]", "[1.2 s]", "[1.8 s]"]
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    scanned = frames_by_scanning(str(bench / "film0.mp4"), [0.25, 0.75, 1.25, 1.75], 512)
    for url, image in zip(urls, scanned, strict=True):
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))
        assert np.abs(shown.astype(int) - image).mean() < 6


def test_what_was_asked_is_not_asked_again_and_another_address_is_the_same_model(bench, tmp_path):
    fails = {"after": 10}

    def faulty(number, body):
        return refusal(404, "gone") if number >= fails["after"] else said(number, body)

    words = ("--set", "styles=[direct]", "--set", "sampling.batch_rows=4", "--set", "frames.count=2")
    with StubServer(fault=faulty) as server:
        ran = reelproof_here(
            "evaluate", bench / "bench.jsonl", "--model", server.url, "--out", tmp_path, *words
        )
        assert ran.code == 2
        assert "says HTTP 404: gone; every answer so far is kept" in ran.err
    with StubServer(fault=said) as server:
        evaluate(bench / "bench.jsonl", server, tmp_path, *words)
        assert len(server.bodies) == 14, (
            "the ten that were answered are kept, two of a batch that was cut off"
        )
        evaluate(bench / "bench.jsonl", server, tmp_path, *words)
        assert len(server.bodies) == 14
        (tmp_path / "evaluate.json").unlink()
        evaluate(bench / "bench.jsonl", server, tmp_path, *words[:-1], "frames.count=3")
        assert len(server.bodies) == 38, "other frames are another question"
    assert len(scored(tmp_path)) == 24


def test_of_a_server_of_several_models_one_is_named(bench, tmp_path):
    both = Reply(200, {"object": "list", "data": [{"id": "stub"}, {"id": "other"}]})
    words = ("--set", "frames.count=0", "--set", "max_rows=1", "--out", tmp_path)
    with StubServer(fault=said, models=lambda: both) as server:
        ran = reelproof_here("evaluate", bench / "bench.jsonl", "--model", server.url, *words)
        assert (ran.code, f"--model NAME --server {server.url}" in ran.err, server.bodies) == (2, True, [])
        named = ("--model", "other", "--server", server.url)
        assert reelproof_here("evaluate", bench / "bench.jsonl", *named, *words).code == 0
        assert {body["model"] for body in server.bodies} == {"other"}


def test_blind_needs_no_video_and_shows_none(bench, tmp_path):
    alone = tmp_path / "bench.jsonl"
    alone.write_text((bench / "bench.jsonl").read_text())
    with StubServer(fault=said) as server:
        evaluate(alone, server, tmp_path / "out", "--set", "frames.count=0")
        assert {images_in(body) for body in server.bodies} == {0}
        assert all("No frame of the video clip is shown." in str(body) for body in server.bodies)
    assert len(scored(tmp_path / "out")) == 48


@pytest.mark.parametrize(("becomes", "questions", "right"), [("wrong", 24, 1.0), ("left_out", 12, 2.0)])
def test_missing_and_damaged_videos_are_told_and_count_as_they_are_said_to(
    becomes, questions, right, bench, tmp_path
):
    for number in range(2):
        (tmp_path / f"film{number}.mp4").write_bytes((bench / f"film{number}.mp4").read_bytes())
    (tmp_path / "film2.mp4").write_bytes(b"no film")
    words = ("--videos", tmp_path, "--set", "styles=[direct]", "--set", "frames.count=2")
    with StubServer(fault=said) as server:
        stopped = reelproof_here(
            "evaluate", bench / "bench.jsonl", "--model", server.url, "--out", tmp_path / "out", *words
        )
        assert stopped.code == 2
        assert "12 of 24 questions cannot be asked" in stopped.err
        assert "film2.mp4: not a video" in stopped.err
        assert "no such file" in stopped.err
        assert server.bodies == []
        ran = evaluate(
            bench / "bench.jsonl",
            server,
            tmp_path / "out",
            *words,
            "--set",
            f"missing_videos={becomes}",
            "--json",
        )
        assert len(server.bodies) == 12
    assert (
        "12 of 24 questions could not be asked, since their videos are missing or damaged, and are" in ran.err
    )
    content = json.loads(ran.out)
    (colour,) = [each for each in content["reports"] if each["group"] == "Colour"]
    (whole,) = [each for each in content["reports"] if each["by"] == "all"]
    assert (whole["questions"], colour["lenient"]["value"]) == (questions, right / 2)
    assert len(content["lost"]) == 12


def test_two_runs_are_compared_question_by_question(bench, tmp_path):
    better = {**SAID, "And after one second?": "on"}

    def wiser(number, body):
        asked = last_text(body)
        return chat_reply(body, [next(better[each] for each in better if each in asked)], "stub")

    for name, fault in (("one", said), ("two", wiser)):
        with StubServer(fault=fault) as server:
            evaluate(
                bench / "bench.jsonl",
                server,
                tmp_path / name,
                "--set",
                "frames.count=1",
                "--set",
                "styles=[direct]",
            )
    ran = reelproof_here("compare", tmp_path / "one", tmp_path / "two", "--json")
    assert ran.code == 0, ran.err
    reports = {each["task"]: each for each in json.loads(ran.out)["reports"]}
    assert (reports["all"]["questions"], reports["all"]["gained"], reports["all"]["lost"]) == (24, 4, 0)
    assert reports["all"]["difference"]["value"] == pytest.approx(4 / 24)
    assert reports["all"]["p_value"] == pytest.approx(2 * 0.5**4)
    assert reports["numerical"]["difference"] == {"value": 0, "low": 0, "high": 0}
    told = reelproof_here("compare", tmp_path / "one", tmp_path / "two")
    assert "| direct | all" in told.out
    assert "no folder of an evaluation" in reelproof_here("compare", tmp_path / "one", bench).err


def test_a_local_model_answers_a_manifest(bench, tmp_path):
    model = write_model(tmp_path / "model")
    words = ("--set", "frames.count=2", "--set", "frames.long_side_px=16", "--set", "sampling.max_tokens=4")
    ran = reelproof_here(
        "evaluate",
        bench / "bench.jsonl",
        "--model",
        model,
        "--out",
        tmp_path / "out",
        *words,
        "--set",
        "styles=[brief]",
    )
    assert ran.code == 0, ran.err
    assert len(scored(tmp_path / "out")) == 24
    assert all(each.tokens for each in scored(tmp_path / "out"))


def test_the_image_processor_is_set_for_a_model_that_is_asked(bench, tmp_path):
    model = write_model(tmp_path / "model")
    words = ("--set", "styles=[brief]", "--set", "image_settings={crop_to_patchez: false}")
    ran = reelproof_here(
        "evaluate", bench / "bench.jsonl", "--model", model, "--out", tmp_path / "out", *words
    )
    assert (ran.code, "image_settings: crop_to_patchez is no setting of" in ran.err) == (2, True)


def test_what_a_row_lacks_and_what_no_row_has_is_told(bench, tmp_path):
    bad = tmp_path / "bad.jsonl"
    rows = [
        {"video": "film0", "question": "Which?", "options": ["a", "b"], "answer": "C"},
        {"video": "film0", **ASKED[1]},
    ]
    bad.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("--videos", bench, "--set", "frames.count=1", "--set", "styles=[direct]")
    with StubServer(fault=said) as server:
        asked = ("evaluate", bad, "--model", server.url, "--out", tmp_path / "out", *words)
        ran = reelproof_here(*asked)
        assert (ran.code, "line 1: " in ran.err, server.bodies) == (2, True, [])
        assert (
            "columns of short texts are kind"
            in reelproof_here(*asked, "--set", "sources.on_error=skip", "--set", "by=[nope]").err
        )
        assert reelproof_here(*asked, "--set", "sources.on_error=skip").code == 0
    assert [each.question for each in scored(tmp_path / "out")] == ["How many discs?"]


SRT = (
    "1\n00:00:01,000 --> 00:00:02,500\n<i>Hello</i>\nthere\n\n"
    "2\n00:01:00,000 --> 00:01:02,000\n{\\an8}Later\n"
)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("styles=[]", "styles: name each once, and at least one"),
        ("styles=[direct,direct]", "styles: name each once, and at least one"),
        ("frames.count=-1", "frames.count: got -1"),
        ("frames.fp=1", "(did you mean fps?)"),
        ("count=8", "(did you mean frames.count?)"),
        ("backend.url=localhost:8000", "backend.url: got 'localhost:8000'"),
        ("sources.columns={question: nope}", "has nope; it has answer, "),
    ],
)
def test_setting_that_is_none_is_told_before_anything_is_asked(setting, told, bench, tmp_path):
    ran = reelproof_here(
        "evaluate", bench / "bench.jsonl", "--model", "m", "--out", tmp_path / "out", "--set", setting
    )
    assert (ran.code, told in ran.err, (tmp_path / "out").exists()) == (2, True, False), ran.err


def test_what_is_said_stands_among_the_frames(bench, tmp_path):
    for name in ("film0.mp4", "bench.jsonl"):
        (tmp_path / name).write_bytes((bench / name).read_bytes())
    (tmp_path / "film0.srt").write_text(SRT)
    words = (
        "--speech",
        "on",
        "--set",
        "frames.count=1",
        "--set",
        "max_rows=1",
        "--set",
        "missing_videos=left_out",
    )
    with StubServer(fault=said) as server:
        evaluate(tmp_path / "bench.jsonl", server, tmp_path / "out", *words)
        for body in server.bodies:
            *_, time, image, line, asked = body["messages"][-1]["content"]
            assert (time["text"], image["type"], line["text"]) == (
                "[1.0 s]",
                "image_url",
                '[1.0-2.5 s] "Hello there"',
            )
            assert asked["text"].startswith(SPEECH_NOTE + "Question: ")


def test_a_key_is_sent_and_a_wrong_one_named_by_its_variable(bench, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_KEY", "secret-of-the-bench")
    words = ("--set", "backend.key_variable=BENCH_KEY", "--set", "frames.count=0", "--set", "max_rows=1")
    with StubServer(fault=said) as server:
        evaluate(bench / "bench.jsonl", server, tmp_path / "out", *words)
        assert set(server.keys) == {"bearer secret-of-the-bench"}
    with StubServer(models=lambda: refusal(401, "bad key secret-of-the-bench")) as server:
        ran = reelproof_here(
            "evaluate", bench / "bench.jsonl", "--model", server.url, "--out", tmp_path / "no", *words
        )
        assert (ran.code, "BENCH_KEY" in ran.err, "secret-of" in ran.err) == (2, True, False)


def imported(file):
    spec = importlib.util.spec_from_file_location("utils", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_lmms_eval_is_given_scores_as_we_do(bench, tmp_path):
    with StubServer(fault=said) as server:
        evaluate(bench / "bench.jsonl", server, tmp_path / "run", "--set", "frames.count=1")
    ran = reelproof_here("export", bench / "bench.jsonl", "--to", "lmms-eval", "--out", tmp_path / "task")
    assert (ran.code, ran.out.startswith("24 of 24 questions")) == (0, True), ran.err
    utils = imported(tmp_path / "task" / "utils.py")
    docs = {each["question_id"]: each for each in map(json.loads, (tmp_path / "task" / "bench.jsonl").open())}
    answers = scored(tmp_path / "run")
    assert {each.question_id for each in answers} == set(docs)
    for each in answers:
        score = utils.score_direct if each.style == "direct" else utils.score_thought
        told = score(docs[each.question_id], [each.completion])
        assert told == {"lenient": each.lenient, "strict": each.strict}, each
    late = next(each for each in docs.values() if each["question"].startswith("And after"))
    assert utils.direct_to_text(late).startswith(
        "This is about the video from 1.0 s to 2.0 s.\nQuestion: And after"
    )
    assert utils.doc_to_visual(late) == [str(bench / "film0.mp4")]
    assert [part["type"] for part in utils.thought_to_messages(late)[0]["content"]] == ["video", "text"]
    assert reelproof_here("export", bench / "bench.jsonl", "--to", "trl", "--out", tmp_path / "no").code == 2
