"""Someone else's questions and thoughts, checked and filtered with no teacher asked for any thought."""

import json

import pyarrow.parquet as pq
import pytest

from tests.pipeline.conftest import film, reelproof

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("builds")]

THOUGHTS = {
    "sound": "At [0.5 s] there is a pattern, and at [2.5 s] it is another one, so the shots differ.",
    "astray": "At [0.5 s] there is a pattern, and at [900.0 s] it is another one, so the shots differ.",
}


def test_thoughts_of_others_are_filtered_without_a_teacher(tmp_path):
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
                "process": f"<think>{thought}</think>",
                "solution": "<answer>B</answer>",
                "path": f"./films/{name}.mp4",
                "data_source": "others",
            }
        )
    (tmp_path / "set" / "cot.json").write_text(json.dumps(rows))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"sources: {{manifest: {tmp_path}/set/cot.json}}\n"
        "questions: {computed: {kinds: []}}\n"
        "probes: {probes: []}\n"
        "given_traces: {teacher: Qwen2.5-VL-72B@main}\n"
        "splits: {test_share: 0.0}\n"
        # one thought each, and of what no verifier here sees
        "policy: {luck_confidence: 0, require_evidence: false}\n"
    )
    built = reelproof("build", recipe, "--out", tmp_path / "out", "--json").summary
    assert (built["videos"], built["quarantined"]) == (2, 0)
    traces = pq.ParquetDataset(next((tmp_path / "out" / "parts").glob("traces-*"))).read(["model"])
    assert traces["model"].to_pylist() == ["Qwen2.5-VL-72B@main"] * 2
    data = tmp_path / "out" / "dataset" / "data"
    kept = pq.ParquetDataset(data / "sft").read(["video", "teacher", "question_kind"]).to_pylist()
    assert kept == [{"video": "sound.mp4", "teacher": "Qwen2.5-VL-72B@main", "question_kind": "others"}]
    rejected = pq.ParquetDataset(data / "rejected").read(["video", "reasons"]).to_pylist()
    assert [row["video"] for row in rejected] == ["astray.mp4"]
    assert "cites_outside_clip" in rejected[0]["reasons"]
