"""The store over the S3 protocol, served on loopback by moto."""

import pickle
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pyarrow as pa
import pytest

from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.inputs.identities import identify
from reelproof.pipeline.inputs.sources import SourcesConfig, list_sources

s3fs = pytest.importorskip("s3fs")
moto = pytest.importorskip("moto.server")
pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as environment:
        server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        server.start()
        host, port = server.get_host_and_port()
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setenv("AWS_ENDPOINT_URL_S3", f"http://{host}:{port}")
        s3fs.S3FileSystem(endpoint_url=f"http://{host}:{port}").mkdir("bucket")
        yield "s3://bucket"
        server.stop()


def write_half(store: Store, name: str) -> None:
    with store.open_write(name) as stream:
        stream.write(b"half")
        raise KeyError


def test_store_on_s3_keeps_files_whole_and_sees_what_others_wrote(bucket):
    store = Store(f"{bucket}/out")
    store.claim()
    other = pickle.loads(pickle.dumps(store))
    assert store.names("parts") == []
    table = pa.table({"n": list(range(100_000))})
    other.write_table("parts/a.parquet", table)
    assert store.names("parts") == ["a.parquet"]
    assert store.read_table("parts/a.parquet") == table
    with pytest.raises(KeyError):
        write_half(store, "parts/a.parquet")
    with pytest.raises(KeyError):
        write_half(store, "parts/b.parquet")
    assert store.names("parts") == ["a.parquet"]
    assert store.read_table("parts/a.parquet") == table
    other.remove("parts/a.parquet")
    assert not store.exists("parts/a.parquet")


def test_store_on_s3_sees_what_another_process_wrote(bucket):
    store = Store(f"{bucket}/shared")
    assert not store.exists("run.json")
    script = textwrap.dedent(f"""
        from reelproof.pipeline.disk.store import Store
        with Store("{bucket}/shared").lock():
            Store("{bucket}/shared").write_bytes("run.json", b"1")
    """)
    subprocess.run([sys.executable, "-c", script], check=True)
    assert store.read_json("run.json") == 1


def test_bucket_that_is_not_there_is_a_usage_error(bucket):
    with pytest.raises(UsageError, match="s3://nowhere/out cannot be"):
        Store("s3://nowhere/out").claim()


def test_videos_on_s3_are_known_by_their_etag(bucket):
    store = Store(f"{bucket}/films")
    store.write_bytes("a.mp4", b"one")
    store.write_bytes("deep/b.mkv", b"two")
    store.write_bytes("notes.txt", b"x")
    sources = list_sources(SourcesConfig(videos=f"{bucket}/films"))
    assert [file.url for file in sources.files] == [f"{bucket}/films/a.mp4", f"{bucket}/films/deep/b.mkv"]
    known = identify(sources.files).found
    again = list_sources(SourcesConfig(videos=f"{bucket}/films"))
    assert identify(again.files, known).hashed == 0
    store.write_bytes("a.mp4", b"new")
    changed = identify(list_sources(SourcesConfig(videos=f"{bucket}/films")).files, known)
    assert changed.hashed == 1
    assert changed.found[0].video_id != known[0].video_id
