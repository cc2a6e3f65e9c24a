"""A small published dataset with the texts that a test wants, and its report, served as the command does."""

import asyncio
import http.client
import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pyarrow as pa

from reelproof.pipeline.dataset.card import CardConfig
from reelproof.pipeline.dataset.shards import ShardsConfig
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.report.pages import Report
from reelproof.pipeline.report.server import Reports, serve
from reelproof.schemas.manifest import BuildFacts
from reelproof.stages.deciding import decide
from reelproof.stages.policy import PolicyConfig
from tests.small_parts import write_part
from tests.whole_sets import read_measurements, write_card, write_dataset

PATIENCE_S = 120
BALANCED = PolicyConfig()


class Answer(NamedTuple):
    """What the server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Site(NamedTuple):
    """A report that is being served."""

    url: str
    report: Report

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Ask for a path as it stands: nothing is tidied up on the way."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE_S)
        try:
            connection.putrequest(method, path, skip_host="Host" in headers)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()


def small_dataset(folder: Path, texts: Sequence[str] = (), policy: PolicyConfig = BALANCED) -> Store:
    """24 traces of two films; questions, thoughts and answers say `texts`, videos are called so."""
    store = Store(str(folder))
    parts = [write_part(store, 0)]
    if texts:
        _say(store, parts[0].traces, ("thought", "text", "answer"), texts)
        _say(store, parts[0].questions, ("text", "answer", "kind"), texts)
        _name_films(store, parts[0].footage, texts)
    measured = read_measurements(store, parts)
    verdicts = decide(measured, policy)
    splits = dict.fromkeys(measured["video_id"], "train")
    write_dataset(store, parts, measured, verdicts, splits, policy, ShardsConfig(), BuildFacts())
    write_card(store, parts, measured, verdicts, CardConfig())
    return store


@contextmanager
def served(store: Store, rows_a_page: int = 5) -> Iterator[Site]:
    """The report at an address of this machine, on a loop of its own thread."""
    reports = Reports(store, rows_a_page)
    ready, urls = threading.Event(), list[str]()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    def told(url: str) -> None:
        urls.append(url)
        ready.set()

    thread = threading.Thread(
        target=loop.run_until_complete, args=(serve(reports, 0, told, stop),), daemon=True
    )
    thread.start()
    try:
        assert ready.wait(PATIENCE_S)
        yield Site(urls[0], reports.now())
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE_S)
        loop.close()


def _say(store: Store, name: str, columns: tuple[str, ...], texts: Sequence[str]) -> None:
    """Put the texts into a part's file, one a row, over and over."""
    table = store.read_table(name)
    said = list(itertools.islice(itertools.cycle(texts), table.num_rows))
    for column in columns:
        place = table.schema.get_field_index(column)
        table = table.set_column(place, table.schema.field(column), [said])
    store.write_table(name, table)


def _name_films(store: Store, name: str, texts: Sequence[str]) -> None:
    table = store.read_table(name)
    videos = table["video"].to_pylist()
    named = [{**video, "name": text} for video, text in zip(videos, itertools.cycle(texts), strict=False)]
    place, field = table.schema.get_field_index("video"), table.schema.field("video")
    store.write_table(name, table.set_column(place, field, pa.array(named, field.type)))
