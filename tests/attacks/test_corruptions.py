"""Whatever happens to a file of a build or of its dataset: it is told with its name, and mended.

`REELPROOF_CORRUPTIONS=300 pytest tests/attacks/test_corruptions.py -s` tries as many, and prints the table.
"""

import os
import random
import shutil
from collections import Counter

from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.health import find_faults
from reelproof.pipeline.parts.whole import undone
from reelproof.pipeline.steps import dataset
from reelproof.pipeline.workplace import open_workplace
from tests.corruptions import build_here, corrupt, linked_copy
from tests.pipeline.conftest import reelproof_here

TRIES = int(os.environ.get("REELPROOF_CORRUPTIONS", "12"))


def test_a_build_as_it_was_written_has_no_faults(built_here):
    assert list(find_faults(Store(str(built_here[0])))) == []
    assert list(find_faults(Store(str(built_here[0] / "dataset")))) == []


def told_names(faults):
    return {name for fault in faults for name in (fault.name, *fault.take_away)}


def harmless(done):
    """Blocks are copies of what parts hold: one that is gone is made when somebody reads it."""
    return {name for name in done.names if done.kind == "delete" and name.startswith("blocks/")}


def test_a_build_is_whole_with_matplotlib_and_without(built_here, four_films, tmp_path, monkeypatch):
    def undone_here(out):
        workplace = open_workplace(Store(str(out)))
        return [task.step.name for task in undone(workplace.store, workplace.whole_tasks())]

    plain = linked_copy(built_here[0], tmp_path / "plain")
    for name in ("plots", "README.md"):
        kept = plain / "dataset" / name
        shutil.rmtree(kept) if kept.is_dir() else kept.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(dataset, "find_spec", lambda name: None)
        assert undone_here(built_here[0]) == []
        assert list(find_faults(Store(str(built_here[0])))) == []
        build_here(four_films, plain)
        assert not (plain / "dataset/plots").exists()
        assert list(find_faults(Store(str(plain)))) == []
    assert list(find_faults(Store(str(plain)))) == []
    assert undone_here(plain) == ["card", "checksums"]
    build_here(four_films, plain)
    assert (plain / "dataset/README.md").read_bytes() == (built_here[0] / "dataset/README.md").read_bytes()


def test_a_build_of_another_version_is_out_of_date_and_not_damaged(built_here, tmp_path):
    out = linked_copy(built_here[0], tmp_path / "upgraded")
    (now,) = (out / "parts").glob("score.text-*")
    before = now.rename(now.with_name("score.text-0000000000000000"))
    for file in before.iterdir():
        file.rename(file.with_suffix(".old"))  # a checksum is of a file's name, too

    def told():
        return [(fault.name.partition("-")[0], fault.outdated) for fault in find_faults(Store(str(out)))]

    parts = len(list(before.iterdir()))
    assert told() == [("parts/score.text", False)] * parts  # for what was decided from it is there
    for name in ("policy", "shards", "statistics", "card", "croissant", "checksums"):
        (folder,) = (out / "whole").glob(f"{name}-*")
        shutil.rmtree(folder)
    (fault,) = find_faults(Store(str(out)))
    assert "1 step to do, `score.text` first" in fault.why
    assert told() == [("parts", True)]
    assert reelproof_here("doctor", out).code == 0
    next((out / "parts").glob("score.luck-*/part-00001.parquet")).unlink()
    assert sorted(told()) == [("parts", True), ("parts/score.luck", False)]


def test_every_corruption_is_told_with_its_file_and_mended(built_here, four_films, tmp_path):
    out, summary = built_here
    told: Counter[str] = Counter()
    for seed in range(TRIES):
        folder = linked_copy(out, tmp_path / "build")
        done = corrupt(folder, random.Random(seed))
        faults = list(find_faults(Store(str(folder))))
        assert told_names(faults) >= {*done.names} - harmless(done), (seed, done)
        assert all(fault.mend for fault in faults)
        again = build_here(four_films, folder, check=True)
        left = [fault for fault in find_faults(Store(str(folder))) if not fault.lost]
        assert left == [], (seed, done)
        assert again.dataset_sha256 == summary.dataset_sha256, (seed, done)
        assert again.teacher_calls == 0 or done.names[0].startswith("completions/"), (seed, done)
        told[done.kind] += 1
    print(f"\n{TRIES} corruptions, all told and mended: {dict(told)}")


def test_a_published_dataset_tells_what_happened_to_it(built_here, tmp_path):
    for seed in range(TRIES):
        folder = linked_copy(built_here[0] / "dataset", tmp_path / "dataset")
        done = corrupt(folder, random.Random(seed))
        told = {fault.name for fault in find_faults(Store(str(folder)))}
        assert told, (seed, done)
        assert told >= {*done.names} - {"SHA256SUMS"}, (seed, done)


def test_the_commands_tell_and_mend(built_here, four_films, tmp_path):
    folder = tmp_path / "build"
    shutil.copytree(built_here[0], folder)
    (footage,) = sorted(folder.glob("parts/footage-*/part-00000.parquet"))
    content = bytearray(footage.read_bytes())
    content[len(content) // 2] ^= 1
    footage.write_bytes(content)
    ran = reelproof_here("doctor", folder)
    assert ran.code == 1
    assert footage.relative_to(folder).as_posix() in ran.out
    assert "--check" in ran.out
