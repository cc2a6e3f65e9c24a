"""A build of rows that contradict each other: neither is kept, whichever came first and wherever it lies."""

import json
import re

import polars as pl
import pytest

from reelproof.pipeline.commands.explain import explain
from reelproof.pipeline.workplace import open_workplace
from tests.films import Shot, make_film
from tests.pipeline.conftest import reelproof_here

pytestmark = pytest.mark.real

LOOKS = [Shot(shot, 1.6 + 0.4 * shot, motion_px=shot) for shot in range(3)]
THOUGHT = "At [0.2 s] there is a pattern, and at [4.8 s] it is another one, so it is the {right}."
COUNT, LOOK = "How many patterns are there in all?", "What does the first pattern look like?"
SIDE = "Of all the patterns in the clip, how many are seen to the {} of the middle when the clip ends?"
ROWS = {
    "three": ("one.mp4", COUNT, ("three", "four", "many"), "A"),
    "four, in another order": ("one.mp4", COUNT + " ", ("four", "many", "three"), "A"),
    "three, of the other file": ("again.mp4", COUNT, ("many", "three", "four"), "B"),
    "squares": ("one.mp4", LOOK, ("squares", "stripes", "rings"), "A"),
    "squares, in another order": ("one.mp4", LOOK, ("rings", "squares", "stripes"), "B"),
    "squares, of the other file": ("again.mp4", LOOK, ("squares", "stripes", "rings"), "A"),
    "left": ("one.mp4", SIDE.format("left"), ("three", "four", "many"), "A"),
    "right": ("one.mp4", SIDE.format("right"), ("three", "four", "many"), "B"),
}


def test_rows_that_contradict_each_other_are_all_rejected_and_a_mere_repeat_is_kept_once(tmp_path, ready):
    for name, crf in (("one", "18"), ("again", "20")):
        make_film(tmp_path / f"{name}.mp4", LOOKS, fps=10, size=(320, 180), options={"crf": crf})
    rows = []
    for video, question, options, letter in ROWS.values():
        thought = THOUGHT.format(right=options["ABC".index(letter)])
        said = f"<think>{thought}</think><answer>{letter}</answer>"
        row = {"video": video, "question": question, "options": options, "answer": letter}
        rows.append(row | {"completion": said})
    (tmp_path / "asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "recipe.yaml").write_text(
        f"sources: {{manifest: {tmp_path}/asked.jsonl}}\n"
        "parts: {videos: 1}\n"
        "probes: {probes: []}\n"
        "given_traces: {}\n"
        "policy: {luck_confidence: 0, require_evidence: false}\n"
    )
    out = tmp_path / "out"
    kept = reelproof_here("build", tmp_path / "recipe.yaml", "--out", out, *ready, "--json").summary["kept"]
    assert kept["sft"] == 3  # one of the squares, and both sides, whose wording differs in a word
    names = {(video, question.strip(), options): name for name, (video, question, options, _) in ROWS.items()}
    rejected = pl.read_parquet(out / "dataset/data/rejected/*.parquet").to_dicts()
    reasons = {
        names[row["video"], row["question"].strip(), tuple(row["options"])]: row["reasons"]
        for row in rejected
    }
    assert {name: told for name, told in reasons.items() if told == ["conflicting_answer"]} == {
        name: ["conflicting_answer"] for name, (_, question, *_) in ROWS.items() if question.startswith(COUNT)
    }
    squares = {name: told for name, told in reasons.items() if name.startswith("squares")}
    assert list(squares.values()) == [["duplicate_question"]] * 2  # of three: the first of its kind is kept
    assert "conflicting_answer" in (out / "dataset/README.md").read_text()
    contradicted = {row["question_id"] for row in rejected if "conflicting_answer" in row["reasons"]}
    for question in contradicted:
        told = "\n".join(explain(open_workplace(str(out)), question))
        (other,) = re.findall(r"^  contradicted_by: (\w+)$", told, re.MULTILINE)
        assert other in contradicted - {question}
        assert "conflicting_answer: another row asks the same" in told
    again = reelproof_here("refilter", out, "--set", "policy.keep_duplicates=true", "--json").summary
    assert again["kept"]["sft"] == 5
