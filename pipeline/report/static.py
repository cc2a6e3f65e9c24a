"""A published dataset -> a folder of plain pages that can be put anywhere: the served report's own pages.

Without a server there is nobody to search a whole dataset, so a folder holds the first rows of each set, and
its lists filter what they show.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from pydantic import Field

from reelproof.pipeline.disk.own_files import BROWSE, own_files, replace_own_files
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.report.pages import ListView, Place, Report
from reelproof.pipeline.report.query import Query
from reelproof.pipeline.report.rows import CONFIGS, LIST_COLUMNS
from reelproof.schemas.settings import Settings

_FRAMES = "frames"
_PLAIN = re.compile("[0-9a-z]{1,64}")


class ReportConfig(Settings):
    """How much a folder of pages holds."""

    rows: int = Field(default=500, ge=1, le=100_000)
    """The report holds so many rows of each set, the first ones in the shards' order."""
    rows_a_page: int = Field(default=500, ge=1, le=1000)
    """A list shows so many rows per page, and its filters look at those."""


class StaticLinks:
    """Files that lie side by side."""

    is_static = True

    def __init__(self, out: Path) -> None:
        self._out = out

    def overview(self) -> str:
        """The first page."""
        return "index.html"

    def rows(self, query: Query, page: int) -> str:
        """A page of a list, its filters after the `#` for the page itself to read."""
        config = query.set if query.set in CONFIGS else "sft"
        filters = query.model_dump(exclude_defaults=True, exclude={"set"})
        return f"{config}-{page}.html" + (f"#{urlencode(filters)}" if filters else "")

    def filter(self) -> str:
        """Lists filter themselves."""
        return ""

    def row(self, config: str, sample_id: str, number: int, query: Query) -> str:  # noqa: ARG002 - for servers
        """One row's page."""
        return f"row-{config}-{_safe(sample_id)}.html"

    def frame(self, number: int, sha256: str) -> str:  # noqa: ARG002 - for servers
        """A frame's file; empty where the build has it no more."""
        name = frame_file(sha256)
        return name if (self._out / name).exists() else ""


def write_report(store: Store, out: Path, cfg: ReportConfig, into_used: bool = False) -> int:
    """Write `index.html`, lists, a page a row, and the frames. Returns the number of rows.

    An earlier report's pages and frames that are in this one no more are removed. Raises UsageError where
    there is no dataset, and for a folder that holds something of others, unless `into_used`.
    """
    report = Report(store, StaticLinks(out), cfg.rows_a_page)
    folder = Store(str(out))
    before = own_files(BROWSE, folder, into_used)
    pages = _Pages(out, set())
    pages.write("index.html", report.overview())
    rows = sum(_write_set(report, config, pages, cfg) for config in CONFIGS)
    replace_own_files(BROWSE, folder, before, pages.written)
    return rows


def frame_file(sha256: str) -> str:
    """A frame's file in a report's folder."""
    return f"{_FRAMES}/{_safe(sha256)}.jpg"


class _Pages(NamedTuple):
    """The folder, and the names that were written to it."""

    out: Path
    written: set[str]

    def write(self, name: str, page: str) -> None:
        (self.out / name).write_text(page, encoding="utf-8")
        self.written.add(name)

    def save_frame(self, report: Report, number: int, sha256: str) -> None:
        name = frame_file(sha256)
        file = self.out / name
        jpeg = None if file.exists() else report.evidence.frame(number, sha256)
        if jpeg is not None:
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(jpeg)
        if file.exists():
            self.written.add(name)


def _write_set(report: Report, config: str, to: _Pages, cfg: ReportConfig) -> int:
    everything = report.rows.numbers(config)
    numbers = everything[: cfg.rows]
    query = Query.model_validate({"set": config})
    note = f"the first of {len(everything):,}" if len(numbers) < len(everything) else ""
    pages = max(-(-len(numbers) // cfg.rows_a_page), 1)
    for row in report.rows.read(numbers, ("frame_sha256",)):
        for sha256 in row["frame_sha256"]:
            to.save_frame(report, row["number"], sha256)
    for page in range(1, pages + 1):
        first = (page - 1) * cfg.rows_a_page
        shown = numbers[first : first + cfg.rows_a_page]
        view = ListView(page, pages, len(numbers), min(first + 1, len(numbers)), first + len(shown), note)
        columns = (*LIST_COLUMNS, "thought", *report.rows.scores)
        to.write(report.links.rows(query, page), report.list_of(query, shown, view, columns))
    for number, place in zip(numbers, _places(report, numbers, query, cfg), strict=True):
        to.write(report.link(number, query), report.row_of(number, place))
    return len(numbers)


def _places(report: Report, numbers: range, query: Query, cfg: ReportConfig) -> Iterator[Place]:
    names = [report.link(number, query) for number in numbers]
    around = ["", *names, ""]
    for at in range(len(names)):
        up = report.links.rows(query, at // cfg.rows_a_page + 1)
        yield Place(at + 1, len(names), previous=around[at], next=around[at + 2], up=up)


def _safe(name: str) -> str:
    """An id or a hash as a file name, whatever the row says."""
    return name if _PLAIN.fullmatch(name) else hashlib.sha256(name.encode()).hexdigest()
