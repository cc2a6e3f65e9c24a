"""A manifest from elsewhere names addresses that it has no business with: none of them is asked."""

import asyncio
import http.server
import ipaddress
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import ClientError

from reelproof.pipeline.disk.files import stat_file
from reelproof.pipeline.disk.web import (
    InnerAddress,
    _outside_client,
    is_inner,
    names_inner_address,
    web_options,
)
from reelproof.pipeline.inputs.sources import SourceError, SourcesConfig, list_sources
from tests.films import Shot, make_film

REFUSED = [
    "http://127.0.0.1:1/a.mp4", "http://localhost/a.mp4", "http://LOCALHOST./a.mp4", "http://a.localhost/a.mp4",
    "http://169.254.169.254/latest/meta-data/a.mp4", "http://[::1]/a.mp4", "http://[fe80::1%25eth0]/a.mp4",
    "http://[::ffff:127.0.0.1]/a.mp4", "http://0.0.0.0/a.mp4", "https://127.1.2.3/a.mp4",
    "ssh://host/a.mp4", "sftp://host/a.mp4", "smb://host/a.mp4", "github://o:r@/a.mp4",
    "simplecache::http://127.0.0.1/a.mp4", "zip://a.mp4::http://h/a.zip", "jupyter://h/a.mp4", "dask://h/a.mp4",
    "reference://a.mp4", "data:;base64,AAAA://a.mp4", "memory://a.mp4",
]  # fmt: skip


@pytest.mark.parametrize("url", REFUSED)
def test_a_row_that_leads_inside_is_refused_and_never_fetched(url, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "reelproof.pipeline.disk.files.url_to_fs", lambda *_, **__: pytest.fail("it was opened")
    )
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(f'{{"video": "{url}"}}\n')
    with pytest.raises(SourceError, match=r"inner_addresses|sources\.schemes"):
        list_sources(SourcesConfig(manifest=str(manifest)))


def test_settings_let_them_in(tmp_path):
    film = make_film(tmp_path / "a.mp4", [Shot(1, 1)], fps=5, size=(64, 48))
    with served(tmp_path) as url:
        manifest = tmp_path / "m.jsonl"
        manifest.write_text(f'{{"video": "{url}/a.mp4"}}\n')
        (found,) = list_sources(SourcesConfig(manifest=str(manifest), inner_addresses=True)).files
        assert found.size_bytes == film.stat().st_size
        (found,) = list_sources(SourcesConfig(manifest=f"{url}/m.jsonl")).files  # it came from there itself
        assert found.size_bytes == film.stat().st_size


@pytest.mark.parametrize(
    ("address", "inner"),
    [
        ("127.0.0.1", True), ("169.254.169.254", True), ("::1", True), ("fe80::1", True), ("0.0.0.0", True),
        ("::ffff:169.254.169.254", True), ("2002:7f00:1::", True), ("224.0.0.1", True), ("10.0.0.1", False),
        ("192.168.1.1", False), ("93.184.216.34", False), ("2606:2800:220:1::1", False),
    ],
)  # fmt: skip
def test_addresses_are_told_apart(address, inner):
    assert is_inner(ipaddress.ip_address(address)) is inner
    assert names_inner_address(address) is inner


def test_no_redirect_and_no_name_leads_inside(tmp_path):
    """The client that fetches what names no inner address connects to none, whatever it is told."""
    assert web_options("http://films.example/a.mp4") == {"get_client": _outside_client}
    assert web_options("http://127.0.0.1/a.mp4") == {}

    async def fetch(url):
        async with await _outside_client() as session, session.get(url) as reply:
            return await reply.read()

    with served(tmp_path) as url, pytest.raises((InnerAddress, ClientError), match="this machine"):
        asyncio.run(fetch(url))


@pytest.mark.parametrize(
    "name", ["/proc/kmsg", "/proc/self/environ", "/sys/kernel/uevent_seqnum", "/dev/zero"]
)
def test_only_files_of_a_disk_are_read(name, tmp_path):
    if not Path(name).exists():
        pytest.skip(f"no {name} here")
    (tmp_path / "link.mp4").symlink_to(name)
    for each in (name, str(tmp_path / "link.mp4")):
        with pytest.raises(OSError, match=r"not a file|on no disk"):
            stat_file(each, "unknown")


@contextmanager
def served(folder):
    """The folder on the web, at this machine's own address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
