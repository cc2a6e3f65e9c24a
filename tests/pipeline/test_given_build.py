"""Someone else's questions and thoughts, checked and filtered with no teacher asked for any thought."""

import json
import shlex

import pyarrow.parquet as pq
import pytest

from tests.pipeline.conftest import film, reelproof_here

pytestmark = pytest.mark.real

THOUGHTS = {
    "sound": "At [0.5 s] there is a pattern, and at [2.5 s] it is another one, so the shots differ.",
    "untagged": "At [0.5 s] there is a pattern, and at [2.5 s] it is another one.",
    "astray": "At [0.5 s] there is a pattern, and at [900.0 s] it is another one, so the shots differ.",
}


def test_thoughts_of_others_are_filtered_without_a_teacher(tmp_path, ready):
    folder = tmp_path / "set" / "films"
    folder.mkdir(parents=True)
    rows = []
    for number, (name, thought) in enumerate(THOUGHTS.items()):
        film(folder, number).rename(folder / f"{name}.mp4")
        rows.append(
            {
                "problem_id": number,
                "problem": f"Do the shots of film {number} look alike?",
                "data_type": "video",
                "problem_type": "multiple choice",
                "options": ["A. they are all the same", "B. they differ from each other"],
                "process": thought if name == "untagged" else f"<think>{thought}</think>",
                "solution": "<answer>B</answer>",
                "path": f"./films/{name}.mp4",
                "data_source": "others",
            }
        )
    (tmp_path / "set" / "cot.json").write_text(json.dumps(rows))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"sources: {{manifest: {tmp_path}/set/cot.json}}\n"
        "probes: {probes: []}\n"
        "given_traces: {teacher: Qwen2.5-VL-72B@main}\n"
        "splits: {test_share: 0.0}\n"
        # one thought each, and of what no verifier here sees
        "policy: {luck_confidence: 0, require_evidence: false, min_citations_near_frame: 0.5}\n"
    )
    ran = reelproof_here("build", recipe, "--out", tmp_path / "out", *ready, "--json")
    built = ran.summary
    assert "sources: 3 videos, 3 of them new, 3 questions, 3 of them with a trace" in ran.err
    assert (built["videos"], built["quarantined"]) == (3, 0)
    assert f"dataset: {tmp_path}/out/dataset" in ran.err
    traces = pq.ParquetDataset(next((tmp_path / "out" / "parts").glob("traces-*"))).read(["model"])
    assert traces["model"].to_pylist() == ["Qwen2.5-VL-72B@main"] * 3
    data = tmp_path / "out" / "dataset" / "data"
    kept = pq.ParquetDataset(data / "sft").read(["video", "teacher", "question_kind"]).to_pylist()
    assert kept == [{"video": "sound.mp4", "teacher": "Qwen2.5-VL-72B@main", "question_kind": "others"}]
    rejected = pq.ParquetDataset(data / "rejected").read(["video", "reasons"]).to_pylist()
    reasons = {row["video"]: row["reasons"] for row in rejected}
    assert reasons.keys() == {"astray.mp4", "untagged.mp4"}
    assert "cites_outside_clip" in reasons["astray.mp4"]
    assert reasons["untagged.mp4"] == ["malformed"]

    _other_forms_are_published_as_asked(tmp_path / "out")
    _who_keeps_nothing_is_told_what_would_change_it(tmp_path / "out")


def _other_forms_are_published_as_asked(out):
    refiltered = reelproof_here(
        "refilter", out, "--set", "policy.answer_forms=[untagged_thought]", "--json"
    ).summary
    assert refiltered["kept"]["sft"] == 2
    rows = pq.ParquetDataset(out / "dataset" / "data" / "sft").read().to_pylist()
    told = {row["video"]: (row["text"], row["completion"][0]["content"][0]["text"]) for row in rows}
    thought = THOUGHTS["untagged"]
    assert told["untagged.mp4"] == (
        f"{thought}\n<answer>B</answer>",
        f"<think>{thought}</think><answer>B</answer>",
    )
    assert told["sound.mp4"] == (None, f"<think>{THOUGHTS['sound']}</think>\n<answer>B</answer>")


def _who_keeps_nothing_is_told_what_would_change_it(out):
    ran = reelproof_here(
        "refilter", out, "--set", "policy.luck_confidence=0.95", "--set", "policy.require_evidence=true"
    )
    assert "kept: 0 sft" in ran.out
    first, *commands = ran.err.splitlines()
    assert first.startswith("nothing was kept of 3 traces, for: ")
    for command in commands:
        said, _, promised = command.partition("# would keep ")
        program, *arguments = shlex.split(said)
        assert program == "reelproof"
        assert reelproof_here(*arguments, "--json").summary["kept"]["sft"] == int(promised) > 0
        reelproof_here(
            "refilter", out, "--set", "policy.luck_confidence=0.95", "--set", "policy.require_evidence=true"
        )
    assert commands
