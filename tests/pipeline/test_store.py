import errno
import os
import pickle
import subprocess
import sys
import textwrap

import pyarrow as pa
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from reelproof.pipeline.disk.store import MARKER, DiskFull, Store, StoreInUseError
from reelproof.pipeline.errors import UsageError


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    if request.param == "local":
        yield Store(str(tmp_path / "out"))
        return
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    yield Store("memory://bucket/out")
    MemoryFileSystem.store.clear()


def everything_in(store: Store) -> list[str]:
    return sorted(path for path in store.fs.find(store.path("")) if MARKER not in path)


def write_half(store: Store, name: str) -> None:
    with store.open_write(name) as stream:
        stream.write(b"half")
        raise KeyError


def test_store_gives_back_what_was_written(store):
    table = pa.table({"video": [{"video_id": "v", "name": "n"}], "n": [1]})
    store.write_table("parts/footage-1/part-0.parquet", table)
    store.write_bytes("run.json", '{"é": 1}'.encode())
    assert store.read_table("parts/footage-1/part-0.parquet") == table
    assert store.read_table("parts/footage-1/part-0.parquet", ["video.video_id"]).to_pylist() == [
        {"video": {"video_id": "v"}}
    ]
    assert store.read_json("run.json") == {"é": 1}
    assert store.names("") == ["parts", "run.json"]
    assert store.names("parts/footage-1") == ["part-0.parquet"]
    assert store.names("nowhere") == []
    assert store.exists("run.json")
    assert not store.exists("other.json")


def test_store_replaces_a_file_as_a_whole(store):
    store.write_bytes("a", b"long content")
    store.write_bytes("a", b"x")
    assert store.read_bytes("a") == b"x"
    store.remove("a")
    store.remove("a")
    assert store.names("") == []


def test_store_keeps_the_earlier_file_when_writing_fails(store):
    store.write_bytes("a", b"before")
    with pytest.raises(KeyError):
        write_half(store, "a")
    with pytest.raises(KeyError):
        write_half(store, "b")
    assert store.read_bytes("a") == b"before"
    assert everything_in(store) == [store.path("a")]


def test_store_shows_a_file_only_once_it_is_whole(store):
    with store.open_write("a") as stream:
        stream.write(b"half")
        stream.flush()
        assert not store.exists("a")
        assert store.names("") == []
    assert store.exists("a")


def test_store_travels_as_its_url(store):
    store.write_bytes("a", b"1")
    assert len(pickle.dumps(store)) < 200
    assert pickle.loads(pickle.dumps(store)).read_bytes("a") == b"1"


def test_store_of_unknown_protocol_is_a_usage_error():
    with pytest.raises(UsageError, match="nonsense"):
        Store("nonsense://bucket").exists("a")


def test_claim_takes_new_empty_and_own_folders(store):
    store.claim()
    store.write_bytes("run.json", b"{}")
    store.claim()
    assert store.exists(MARKER)


@pytest.mark.parametrize("there", [".DS_Store", "lost+found"])
def test_claim_overlooks_what_is_nobodys(store, there):
    store.write_bytes(there, b"")
    store.claim()
    assert store.exists(MARKER)


def test_claim_refuses_what_holds_something_else(store):
    store.write_bytes("thesis.tex", b"mine")
    with pytest.raises(UsageError, match=r"thesis\.tex.*new or an empty folder"):
        store.claim()
    assert store.names("") == ["thesis.tex"]


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_claim_refuses_a_file(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="file"):
        Store(str(tmp_path / place)).claim()


def test_lock_is_held_by_one_and_names_it(tmp_path):
    store = Store(str(tmp_path))
    with (
        store.lock(),
        pytest.raises(StoreInUseError, match=f"process {os.getpid()} "),
        Store(store.url).lock(),
    ):
        pass
    with store.lock():
        pass


@pytest.mark.real
def test_lock_and_leftovers_of_a_killed_process_go_with_it(tmp_path):
    store = Store(str(tmp_path / "out"))
    script = textwrap.dedent("""
        import os, signal, sys
        from reelproof.pipeline.disk.store import Store
        store = Store(sys.argv[1])
        with store.lock(), store.open_write("parts/half") as stream:
            stream.write(b"half")
            stream.flush()
            print("ready", flush=True)
            signal.pause()
    """)
    process = subprocess.Popen([sys.executable, "-c", script, store.url], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        with pytest.raises(StoreInUseError, match=f"process {process.pid} "), store.lock():
            pass
        assert len(list((tmp_path / "out" / "parts").iterdir())) == 1
        assert store.names("parts") == []
    finally:
        process.kill()
        process.wait()
    with store.lock():
        assert list((tmp_path / "out" / "parts").iterdir()) == []


def test_lock_leaves_the_temporary_files_of_the_living(tmp_path):
    store = Store(str(tmp_path))
    with store.open_write("a") as stream:
        stream.write(b"x")
        with store.lock():
            pass
    assert store.read_bytes("a") == b"x"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_store_says_clearly_that_there_is_no_room(store, number):
    with pytest.raises(DiskFull, match=r"no room to write a in .*make room"), store.open_write("a"):
        raise OSError(number, os.strerror(number))
    assert everything_in(store) == []


def test_store_passes_other_errors_on(store):
    with pytest.raises(ConnectionResetError), store.open_write("a"):
        raise ConnectionResetError


@pytest.mark.real
@pytest.mark.parametrize("what", ["bytes", "table"])
def test_store_survives_a_real_limit_of_file_size(tmp_path, what):
    script = textwrap.dedent("""
        import resource, sys
        import pyarrow as pa
        from reelproof.pipeline.disk.store import DiskFull, Store
        store, what = Store(sys.argv[1]), sys.argv[2]
        store.write_bytes("before", b"kept")
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            if what == "bytes":
                store.write_bytes("a", bytes(1_000_000))
            else:
                store.write_table("a", pa.table({"n": [str(n * 7919 % 1_000_003) for n in range(200_000)]}))
        except DiskFull as error:
            print(error)
    """)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), what], capture_output=True, text=True, check=True
    )
    assert "no room to write a" in done.stdout
    assert done.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["before"]


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not mount a small disk")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.real
def test_store_survives_a_real_full_disk(small_disk):
    store = Store(str(small_disk))
    store.write_bytes("before", bytes(500_000))
    with pytest.raises(DiskFull, match="No space left"):
        store.write_bytes("a", bytes(1_000_000))
    assert [path.name for path in small_disk.iterdir()] == ["before"]
    store.write_bytes("a", bytes(300_000))


@pytest.mark.real
def test_read_only_disk_is_a_usage_error(small_disk):
    ours = Store(str(small_disk / "ours"))
    ours.claim()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(UsageError, match="read-only"):
        Store(str(small_disk / "new")).claim()
    with pytest.raises(UsageError, match="read-only"), ours.lock():
        pass


@pytest.mark.real
def test_claim_of_a_folder_that_may_not_be_written_is_a_usage_error(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="cannot be written"):
        Store(str(tmp_path / "out")).claim()
