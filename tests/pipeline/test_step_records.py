"""What a step left is read once for all that reads it, and anew where the file is another one."""

from collections import Counter

import pytest

from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.parts import step_records as module
from reelproof.pipeline.parts.step_records import step_records
from reelproof.schemas.speech import ClipSpeech
from reelproof.schemas.tables import to_table

FILE = "parts/speech/part-00000.parquet"


def rows(*names: str) -> list[ClipSpeech]:
    return [ClipSpeech(clip_id=name, lines=()) for name in names]


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path) -> Store:
    return Store(str(tmp_path) if request.param == "local" else f"memory://{tmp_path.name}")


@pytest.fixture
def read(monkeypatch) -> Counter[str]:
    """How often each file was read."""
    times, plain = Counter[str](), Store.read_table

    def counted(self, name, columns=None):
        times[name] += 1
        return plain(self, name, columns)

    monkeypatch.setattr(Store, "read_table", counted)
    return times


def test_a_small_file_of_this_machine_is_read_once(store, read):
    store.write_table(FILE, to_table(rows("a", "b"), ClipSpeech))
    for _ in range(3):
        assert list(step_records(store, FILE, ClipSpeech)) == rows("a", "b")
    assert read[FILE] == (1 if store.is_local else 3)


def test_a_file_that_was_made_anew_is_read_anew(store):
    for names in (("a", "b"), ("c", "d")):
        store.write_table(FILE, to_table(rows(*names), ClipSpeech))
        assert list(step_records(store, FILE, ClipSpeech)) == rows(*names)


def test_a_large_file_is_not_held(store, read, monkeypatch):
    monkeypatch.setattr(module, "_SMALL_BYTES", 8)
    store.write_table(FILE, to_table(rows("a", "b"), ClipSpeech))
    for _ in range(2):
        assert list(step_records(store, FILE, ClipSpeech)) == rows("a", "b")
    assert read[FILE] == 2


def test_a_file_that_is_not_there_is_told(store):
    with pytest.raises(FileNotFoundError):
        step_records(store, "parts/none.parquet", ClipSpeech)
