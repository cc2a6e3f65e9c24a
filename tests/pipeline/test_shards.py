import errno
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.pipeline.dataset.part_files import PartFiles
from reelproof.pipeline.dataset.replace import read_manifest, trusted_files
from reelproof.pipeline.dataset.rows import SAMPLES, read_frames, read_part
from reelproof.pipeline.dataset.shard_plan import part_runs
from reelproof.pipeline.dataset.shards import ShardReceipt, ShardsConfig
from reelproof.pipeline.disk.store import DiskFull, Store
from reelproof.schemas.answers.forms import form_name
from reelproof.schemas.answers.reading import AnswerForm, read_completion
from reelproof.schemas.footage import Clip
from reelproof.schemas.manifest import BuildFacts, Manifest
from reelproof.schemas.question import Question, Task
from reelproof.schemas.sample import ChatMessage, SftSample
from reelproof.schemas.tables import from_table
from reelproof.stages.deciding import decide
from reelproof.stages.policy import PolicyConfig
from reelproof.stages.teachers.messages import rollout_messages
from reelproof.stages.teachers.prompts import ROLLOUT_WHERE
from tests.small_parts import write_part
from tests.whole_sets import read_measurements, write_dataset

BALANCED = PolicyConfig(name="mine")
STRICTER = PolicyConfig(name="mine", min_grounded_share=0.9)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Store, list[PartFiles]]:
    store = Store(str(tmp_path_factory.mktemp("build")))
    return store, [write_part(store, number) for number in range(4)]


def dataset(
    store: Store,
    parts: list[PartFiles],
    policy: PolicyConfig,
    megabytes: int = 200,
    folder: str = "dataset",
    until_replaced: Callable[[], object] = lambda: None,
) -> ShardReceipt:
    measured = read_measurements(store, parts)
    videos = measured["video_id"].unique(maintain_order=True).to_list()
    splits = {video: "test" if video[0] in "01234" else "train" for video in videos}
    facts = BuildFacts(name="small")
    verdicts = decide(measured, policy)
    cfg = ShardsConfig(megabytes=megabytes)
    return write_dataset(
        store, parts, measured, verdicts, splits, policy, cfg, facts, folder, until_replaced=until_replaced
    )


def inodes(store: Store, folder: str = "dataset") -> dict[str, int]:
    root = Path(store.path(folder))
    return {str(file.relative_to(root)): file.stat().st_ino for file in sorted(root.rglob("*.parquet"))}


def rows_of(store: Store, config: str, folder: str = "dataset") -> pl.DataFrame:
    files = sorted(Path(store.path(f"{folder}/data/{config}")).glob("*.parquet"))
    return pl.concat(pl.read_parquet(file) for file in files)


def test_every_trace_is_published_once_with_what_was_decided(built):
    store, parts = built
    dataset(store, parts, BALANCED)
    verdicts = decide(read_measurements(store, parts), BALANCED)
    sft, rejected, rl = (rows_of(store, config) for config in ("sft", "rejected", "rl"))
    assert set(sft["sample_id"]) == set(verdicts.filter("sft")["trace_id"])
    told = dict(zip(rejected["sample_id"], rejected["reasons"].to_list(), strict=True))
    refused = verdicts.filter(~pl.col("sft"))
    assert told == dict(zip(refused["trace_id"], refused["reasons"].to_list(), strict=True))
    assert len(rl) == verdicts["rl"].sum() == rl["question_id"].n_unique() > 0
    assert "answer_strict" not in rl.columns
    assert {"pass_count", "blind_passes"} <= set(rl.columns)


def test_pairs_are_a_kept_and_a_rejected_trace_of_the_same_question_and_frames(built):
    store, parts = built
    dataset(store, parts, BALANCED)
    sft, rejected, dpo = (rows_of(store, config) for config in ("sft", "rejected", "dpo"))
    kept = {row["sample_id"]: row for row in sft.iter_rows(named=True)}
    worse = {row["sample_id"]: row for row in rejected.iter_rows(named=True)}
    assert len(dpo) > 3
    assert dpo["question_id"].value_counts()["count"].max() <= BALANCED.max_pairs_per_question
    for pair in dpo.iter_rows(named=True):
        chosen, other = kept[pair["chosen_request_id"]], worse[pair["rejected_request_id"]]
        assert pair["sample_id"] == f"{chosen['sample_id']}-{other['sample_id']}"
        for name in ("question_id", "frame_sha256", "frame_times_s", "answer", "task", "video_id"):
            assert pair[name] == chosen[name] == other[name]
        assert (pair["images"], pair["prompt"]) == (chosen["images"], chosen["prompt"])
        assert pair["chosen"] == chosen["completion"]
        assert pair["rejected"][0]["content"][0]["text"] == other["text"]
        assert pair["reasons"] == other["reasons"]
        assert pair["pair_reason"] in other["reasons"]
        assert (pair["chosen_prediction"], pair["rejected_prediction"]) == (
            chosen["prediction"],
            other["prediction"],
        )


def test_threshold_changes_pairs_and_their_count_is_a_setting(built):
    store, parts = built
    counts = {}
    for policy in (BALANCED, STRICTER, BALANCED.model_copy(update={"max_pairs_per_question": 0})):
        dataset(store, parts, policy, folder="pairs")
        held = rows_of(store, "dpo", folder="pairs")
        counts[policy.min_grounded_share, policy.max_pairs_per_question] = set(held["sample_id"])
    loose, strict, none = counts.values()
    assert loose != strict
    assert loose & strict
    assert not none


def test_rejected_trace_in_another_form_is_paired_in_the_form_that_was_asked_for(tmp_path):
    """Else a model would learn the form from the pair, and not what is true."""
    store = Store(str(tmp_path))
    part = write_part(store, 0)
    traces = pl.DataFrame(store.read_table(part.traces)).with_columns(
        text=pl.when(pl.col("answer") == "no")
        .then(pl.format("<think>{}</think> {}", "thought", "answer"))
        .otherwise("text")
    )
    store.write_table(part.traces, traces.to_arrow().cast(store.read_table(part.traces).schema))
    asked = {each["question_id"]: each for each in store.read_table(part.questions).to_pylist()}
    told = ((asked[question], text) for question, text in traces.select("question_id", "text").iter_rows())
    found = [form_name(read_completion(text), Task(each["task"]), each["options"]) for each, text in told]
    assert {"as_asked", "bare"} <= set(found)
    forms = pl.DataFrame(store.read_table(part.scores["FormScore"])).with_columns(
        answer_form=pl.Series(found, dtype=pl.String)
    )
    store.write_table(
        part.scores["FormScore"], forms.to_arrow().cast(store.read_table(part.scores["FormScore"]).schema)
    )
    dataset(store, [part], BALANCED.model_copy(update={"answer_forms": tuple(AnswerForm)}))
    said = [row["rejected"][0]["content"][0]["text"] for row in rows_of(store, "dpo").iter_rows(named=True)]
    assert said
    assert all(text.endswith("</answer>") for text in said)


def test_the_published_prompt_asks_for_boxes_where_the_teacher_was_asked_for_them(tmp_path):
    store = Store(str(tmp_path))
    part = write_part(store, 0)
    traces = pl.DataFrame(store.read_table(part.traces))
    asked = traces["question_id"][0]
    of_it = pl.col("question_id") == asked
    traces = traces.with_columns(
        prompt_id=pl.when(of_it).then(pl.lit(ROLLOUT_WHERE.prompt_id)).otherwise("prompt_id")
    )
    store.write_table(part.traces, traces.to_arrow().cast(store.read_table(part.traces).schema))
    rows = read_part(store, part).questions.to_pylist()
    for row in rows:
        request = row["prompt"][0]["content"][-1]["text"]
        assert ("<obj>its name</obj>" in request) == (row["question_id"] == asked)
    assert len(rows) > 1


def test_rows_hold_what_the_records_say(built):
    store, parts = built
    dataset(store, parts, BALANCED)
    questions = {
        q.question_id: q for part in parts for q in from_table(store.read_table(part.questions), Question)
    }
    clips = {clip.clip_id: clip for part in parts for clip in from_table(store.read_table(part.clips), Clip)}
    texts = {t["trace_id"]: t for part in parts for t in store.read_table(part.traces).to_pylist()}
    seen = set()
    for file in Path(store.path("dataset/data/sft")).glob("*.parquet"):
        for row in pq.read_table(file).to_pylist():
            sample = SftSample.model_validate(
                {name: row[name] for name in SftSample.model_fields if name != "speech"}  # nobody listened
            )
            question, clip, trace = (
                questions[sample.question_id],
                clips[sample.clip_id],
                texts[sample.sample_id],
            )
            shown = [each.frame.sha256 for each in question.frames]
            assert (sample.question, sample.options) == (question.text, question.options)
            assert [hashlib.sha256(image.bytes).hexdigest() for image in sample.images] == shown
            assert list(sample.frame_sha256) == shown
            assert sample.frame_times_s == tuple(each.shown_s for each in question.frames)
            assert sample.frame_source_times_s == tuple(each.frame.time_s for each in question.frames)
            assert sample.prompt == tuple(
                ChatMessage.model_validate(
                    {
                        "role": turn.role,
                        "content": [{"type": p.type, "text": getattr(p, "text", None)} for p in turn.content],
                    }
                )
                for turn in rollout_messages(clip, question, question.frames)
            )
            assert sample.completion[0].content[0].text == trace["text"]
            assert (sample.thought, sample.prediction, sample.answer) == (
                trace["thought"],
                trace["answer"],
                question.answer,
            )
            assert sample.evidence == question.evidence
            assert sample.claims[0].frame_sha256 == tuple(shown[:1])
            assert (sample.options, sample.tolerance) == (question.options, question.tolerance)
            assert sample.policy == "mine"
            seen.add(question.task)
    assert len(seen) == 3


@pytest.mark.parametrize("config", SAMPLES)
def test_score_columns_follow_the_record(built, config):
    store, parts = built
    dataset(store, parts, BALANCED)
    names = rows_of(store, config).columns
    fields = [name for name in SAMPLES[config].model_fields if name != "speech"]  # nobody listened
    assert [name for name in names if name in fields] == fields


def test_same_policy_again_touches_nothing(built):
    store, parts = built
    first = dataset(store, parts, BALANCED)
    before, manifest = inodes(store), Path(store.path("dataset/manifest.json")).stat().st_ino
    again = dataset(store, parts, BALANCED)
    assert (again.written, again.dataset_sha256) == (0, first.dataset_sha256)
    assert inodes(store) == before
    assert Path(store.path("dataset/manifest.json")).stat().st_ino == manifest


def test_files_lie_as_they_were_until_nobody_reads_them_any_more(built):
    store, parts = built
    dataset(store, parts, BALANCED, folder="read")
    before, seen = inodes(store, "read"), []
    dataset(store, parts, STRICTER, folder="read", until_replaced=lambda: seen.append(inodes(store, "read")))
    assert [{path: each[path] for path in before} for each in seen] == [before]
    assert inodes(store, "read") != before


def test_threshold_rewrites_only_shards_whose_rows_changed_and_ends_as_from_scratch(built):
    store, parts = built
    dataset(store, parts, BALANCED)
    before, kept_before = inodes(store), {config: rows_of(store, config) for config in SAMPLES}
    receipt = dataset(store, parts, STRICTER)
    scratch = dataset(store, parts, STRICTER, folder="scratch")
    assert receipt.dataset_sha256 == scratch.dataset_sha256
    assert receipt.unchanged > 0 < receipt.written
    after = inodes(store)
    assert sum(after[path] != before[path] for path in after) == receipt.written
    assert rows_of(store, "rl").equals(kept_before["rl"])
    assert len(rows_of(store, "sft")) < len(kept_before["sft"])
    assert all(after[path] == before[path] for path in after if path.startswith("data/rl/"))


def test_shards_are_closed_runs_of_parts_whatever_the_policy(tmp_path):
    store = Store(str(tmp_path))
    parts = [write_part(store, number, candidates=400) for number in range(5)]
    bounds = []
    for policy in (BALANCED, STRICTER):
        dataset(store, parts, policy, megabytes=1)
        bounds.append({each.path for each in read_manifest(store).files})
    assert bounds[0] == bounds[1]
    assert sum("sft/train" in each for each in bounds[0]) == 3  # two parts of 0.5 MB a run
    on_disk = {
        str(file.relative_to(tmp_path / "dataset")) for file in (tmp_path / "dataset").rglob("*.parquet")
    }
    assert on_disk == {each.path for each in read_manifest(store).files}
    videos = [
        pl.read_parquet(file)["video_id"].unique(maintain_order=True).to_list()
        for file in sorted((tmp_path / "dataset/data/rl").glob("train*"))
    ]
    order = read_measurements(store, parts)["video_id"].unique(maintain_order=True).to_list()
    places = [order.index(each) for run in videos for each in run]
    assert places == sorted(set(places))


def test_growth_touches_the_last_shard_alone(tmp_path):
    store = Store(str(tmp_path))
    parts = [write_part(store, number, candidates=400) for number in range(6)]
    dataset(store, parts[:5], BALANCED, megabytes=1)
    before = inodes(store)
    dataset(store, parts, BALANCED, megabytes=1)
    after = inodes(store)
    last = {
        max(name for name in before if name.startswith(f"data/{config}/{split}"))
        for config in SAMPLES
        for split in ("train", "test")
    }
    assert len(last) == 2 * len(SAMPLES) < len(before)
    assert {name for name in before if before[name] != after[name]} <= last
    assert set(before) <= set(after)


@given(
    sizes=st.lists(st.floats(0, 300), max_size=40),
    more=st.lists(st.floats(0, 300), max_size=5),
    limit=st.floats(1, 400),
)
def test_what_comes_later_moves_no_bound(sizes, more, limit):
    runs = part_runs(np.array(sizes), limit)
    assert part_runs(np.array(sizes + more), limit)[: len(sizes)].tolist() == runs.tolist()
    held = np.bincount(runs, weights=sizes) if sizes else np.zeros(0)
    for run in range(len(held)):
        inside = [size for size, at in zip(sizes, runs, strict=True) if at == run]
        assert sum(inside) <= limit * (1 + 1e-9) or sum(size > 0 for size in inside) == 1
    for run in range(1, len(held)):
        first = sizes[int(np.argmax(runs == run))]
        assert held[run - 1] + first > limit * (1 - 1e-9)


def test_manifest_says_what_is_there(built):
    store, parts = built
    receipt = dataset(store, parts, BALANCED)
    manifest = Manifest.model_validate(json.loads(store.read_bytes("dataset/manifest.json")))
    for entry in manifest.files:
        content = store.read_bytes(f"dataset/{entry.path}")
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry.size_bytes, entry.sha256)
        assert pq.read_metadata(store.path(f"dataset/{entry.path}")).num_rows == entry.rows
    assert manifest.dataset_sha256 == receipt.dataset_sha256
    assert manifest.policy == BALANCED
    reasons = rows_of(store, "rejected")["reasons"].explode().value_counts()
    assert manifest.rejected == dict(reasons.sort("reasons").iter_rows())


def test_interrupted_replacement_is_noticed(built):
    store, parts = built
    wanted = dataset(store, parts, BALANCED)
    old = store.read_bytes("dataset/manifest.json")
    dataset(store, parts, STRICTER)
    store.write_bytes("dataset/manifest.json", old)  # killed after the shards, before the manifest
    store.write_bytes("dataset/.replacing", b"")
    again = dataset(store, parts, BALANCED)
    assert again.dataset_sha256 == wanted.dataset_sha256
    assert again.written > 0 < again.unchanged
    assert not store.exists("dataset/.replacing")
    manifest = read_manifest(store)
    for entry in manifest.files:
        assert hashlib.sha256(store.read_bytes(f"dataset/{entry.path}")).hexdigest() == entry.sha256


def test_bytes_of_the_same_number_are_not_believed_after_an_interruption(built):
    store, parts = built
    wanted = dataset(store, parts, BALANCED)
    path = Path(store.path("dataset/data/sft/train-00000.parquet"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes(each ^ 1 for each in whole[len(whole) // 2 :]))
    store.write_bytes("dataset/.replacing", b"")
    again = dataset(store, parts, BALANCED)
    assert (again.dataset_sha256, again.written) == (wanted.dataset_sha256, 1)
    assert path.read_bytes() == whole


def test_a_file_of_another_size_is_not_trusted_though_the_list_vouches_for_the_manifest(built, monkeypatch):
    monkeypatch.setattr("reelproof.pipeline.dataset.replace.is_vouched", lambda *_: True)
    store, parts = built
    dataset(store, parts, BALANCED)
    manifest = read_manifest(store)
    cut = "data/sft/train-00000.parquet"
    path = Path(store.path(f"dataset/{cut}"))
    path.write_bytes(path.read_bytes()[:-5])
    assert set(trusted_files(store, "dataset", manifest)) == {each.path for each in manifest.files} - {cut}


def test_damaged_shard_is_written_again(built):
    store, parts = built
    wanted = dataset(store, parts, BALANCED)
    path = Path(store.path("dataset/data/sft/train-00000.parquet"))
    path.write_bytes(path.read_bytes()[:-5])
    assert dataset(store, parts, BALANCED) == wanted._replace(
        written=1, unchanged=wanted.unchanged + wanted.written - 1
    )


def test_failure_leaves_the_dataset_as_it_was(built):
    store, parts = built
    dataset(store, parts, BALANCED)
    before, manifest = inodes(store), store.read_bytes("dataset/manifest.json")
    broken = replace(parts[0], clips=parts[1].clips)
    with pytest.raises(ValueError, match=r"names the clip .* which its part does not hold"):
        dataset(store, [broken, *parts[1:]], STRICTER)
    assert (inodes(store), store.read_bytes("dataset/manifest.json")) == (before, manifest)
    assert not Path(store.path("dataset/.staging")).exists()


def test_full_disk_leaves_the_dataset_as_it_was(built, monkeypatch):
    store, parts = built
    dataset(store, parts, BALANCED)
    before, manifest = inodes(store), store.read_bytes("dataset/manifest.json")
    with monkeypatch.context() as full:
        full.setattr("reelproof.pipeline.dataset.shard_files._HashingFile.write", _no_room)
        with pytest.raises(DiskFull, match="no room to write shards"):
            dataset(store, parts, STRICTER)
    assert (inodes(store), store.read_bytes("dataset/manifest.json")) == (before, manifest)
    assert not Path(store.path("dataset/.staging")).exists()


def _no_room(file, data):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_parts_that_do_not_fit_are_refused(built):
    store, parts = built
    measured = read_measurements(store, parts)
    verdicts = decide(measured, BALANCED)
    with pytest.raises(ValueError, match="8 videos have no split"):
        write_dataset(store, parts, measured, verdicts, {}, BALANCED, ShardsConfig(), BuildFacts())
    swapped = replace(parts[0], scores=parts[1].scores)
    with pytest.raises(ValueError, match="do not follow the traces"):
        read_measurements(store, [swapped])


def test_shards_suit_the_hubs_viewer(built):
    store, parts = built
    dataset(store, parts, BALANCED)
    file = pq.ParquetFile(store.path("dataset/data/sft/train-00000.parquet"))
    group = file.metadata.row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert all(column.has_offset_index for column in columns.values())
    jpeg = columns["images.list.element.bytes"]
    assert (jpeg.compression, columns["thought"].compression) == ("UNCOMPRESSED", "ZSTD")
    images = pl.read_parquet(store.path("dataset/data/sft/train-00000.parquet"))["images"]
    bytes_shown = images.explode().struct.field("bytes").drop_nulls()
    assert (
        jpeg.total_compressed_size < 0.8 * bytes_shown.bin.size().sum()
    )  # a frame of several rows is there once


def test_of_a_parts_frames_those_that_are_shown_are_held(built, monkeypatch):
    store, parts = built
    stored = parts[0].frames[0]
    every = pc.struct_field(stored.flat(store.read_table(stored.path)), ["frame", "sha256"])
    wanted = pa.array([every[0].as_py(), every[len(every) - 1].as_py()])
    monkeypatch.setattr("reelproof.pipeline.dataset.rows.READ_AT_ONCE", 1)
    frames = read_frames(store, parts[:1], wanted, np.array([0, 2]))
    assert len(frames.jpegs) == 2 < len(every)
    shown = [frames.jpegs[place].as_py() for place in frames.places.tolist()]
    assert [hashlib.sha256(each).hexdigest() for each in shown] == wanted.to_pylist()


def test_object_store_gets_the_same_dataset(built, tmp_path):
    local, parts = built
    remote = Store(f"memory://{tmp_path.name}")
    for part in parts:
        for name in (
            part.footage,
            part.clips,
            part.questions,
            part.traces,
            part.claims,
            *part.scores.values(),
        ):
            remote.write_bytes(name, local.read_bytes(name))
    there = dataset(remote, parts, BALANCED)
    assert there.dataset_sha256 == dataset(local, parts, BALANCED, folder="again").dataset_sha256
    assert dataset(remote, parts, BALANCED).written == 0
