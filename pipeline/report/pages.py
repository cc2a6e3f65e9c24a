"""A dataset's rows and evidence -> the report's pages as HTML, the same whether served or put into a folder.

Text from videos, questions and models is only ever text in them; they load nothing from outside and run one
script, known by its hash.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jinja2

from reelproof.pipeline.dataset.reading import open_dataset
from reelproof.pipeline.dataset.stats_files import known_stats
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.report.clip_map import Point, clip_map
from reelproof.pipeline.report.evidence import Evidence
from reelproof.pipeline.report.pairs import show_pair
from reelproof.pipeline.report.query import SETS, Query
from reelproof.pipeline.report.rows import LIST_COLUMNS, Numbers, ReportRows
from reelproof.pipeline.report.view import show_row
from reelproof.schemas.counted import counted
from reelproof.schemas.policy import PolicyConfig

TEMPLATES = Path(__file__).with_name("templates")
CAPTIONS = {
    "traces": "All traces",
    "sft": "Kept",
    "rejected": "Rejected",
    "rl": "RL questions",
    "dpo": "Pairs",
}


class Links(Protocol):
    """Where the pages lie."""

    is_static: bool
    """Whether nobody is there to filter."""

    def overview(self) -> str:
        """The first page."""
        ...

    def rows(self, query: Query, page: int) -> str:
        """A page of a list; pages count from 1."""
        ...

    def filter(self) -> str:
        """Where the filters are sent."""
        ...

    def row(self, config: str, sample_id: str, number: int, query: Query) -> str:
        """One row, as one of those that a query finds."""
        ...

    def frame(self, number: int, sha256: str) -> str:
        """A frame that a row shows; empty where it is known not to be there."""
        ...


class SetLink(NamedTuple):
    """A set of rows that the report leads to."""

    caption: str
    query: Query
    rows: int


class Site(NamedTuple):
    """What all pages know."""

    name: str
    dataset_sha256: str
    policy: PolicyConfig
    is_static: bool
    has_parts: bool
    sets: tuple[SetLink, ...]
    tasks: tuple[str, ...]
    sources: tuple[str, ...]
    reasons: tuple[str, ...]
    scores: tuple[str, ...]
    style: str
    script: str

    @property
    def content_policy(self) -> str:
        """Only this style, this script, and pictures from where the page is."""
        form = "'none'" if self.is_static else "'self'"
        return (
            f"default-src 'none'; img-src 'self' data:; style-src '{_hash_source(self.style)}'; "
            f"script-src '{_hash_source(self.script)}'; base-uri 'none'; form-action {form}"
        )

    def query(self, query_set: str, **filters: str) -> Query:
        """A query that a page leads to."""
        return Query.model_validate({"set": query_set, **filters})

    def numbers(self, row: Mapping[str, Any]) -> str:
        """A row's scores as JSON, for pages that filter by themselves."""
        return json.dumps({name: row[name] for name in self.scores if row.get(name) is not None})


class ListView(NamedTuple):
    """Which page of how many."""

    page: int
    pages: int
    total: int | None
    """None while it is being counted."""
    first: int
    last: int
    note: str = ""


class Place(NamedTuple):
    """Where a row stands in its list; empty links where there is nothing further."""

    position: int
    total: int
    previous: str
    next: str
    up: str


class Report:
    """One dataset's pages. Safe to ask from several threads.

    Raises UsageError where there is no dataset.
    """

    def __init__(self, store: Store, links: Links, rows_a_page: int) -> None:
        dataset = open_dataset(store)
        self._manifest = dataset.manifest()
        self._stats = known_stats(store, dataset.folder)
        self.rows = ReportRows(dataset)
        self.evidence = Evidence(store, self.rows, self._manifest.facts.fingerprints)
        self.links = links
        self._rows_a_page = rows_a_page

    @cached_property
    def site(self) -> Site:
        """What all pages know."""
        kinds = self._stats.policy.kinds
        sets = [SetLink(CAPTIONS[name], Query(set=name), len(self.rows.numbers(name))) for name in _SETS]
        return Site(
            name=self._manifest.facts.name,
            dataset_sha256=self._manifest.dataset_sha256,
            policy=self._manifest.policy,
            is_static=self.links.is_static,
            has_parts=self.evidence.has_parts,
            sets=tuple(each for each in sets if not (self.links.is_static and each.query.set == "traces")),
            tasks=tuple(sorted({each.task for each in kinds})),
            sources=tuple(sorted({each.source for each in kinds} | {each.kind for each in kinds})),
            reasons=tuple(sorted(self._manifest.rejected)),
            scores=self.rows.scores,
            style=(TEMPLATES / "report.css").read_text(encoding="utf-8"),
            script=(TEMPLATES / "report.js").read_text(encoding="utf-8"),
        )

    def overview(self) -> str:
        """Counts, the funnel, scores, a map of the clips, and kinds."""
        return self._render("overview.html", here="overview", stats=self._stats, points=self._points)

    @cached_property
    def _points(self) -> list[Point]:
        vectors = self.evidence.vectors()
        return clip_map(vectors, self.rows.clips_of("sft"), self.rows.clips_of("rejected")) if vectors else []

    def list(self, query: Query, page: int) -> str:
        """One page of a query's rows; the last one where there are not so many.

        The first page of a search does not wait for the last row that fits, which is then looked for.
        """
        if page <= 1 and query.text:
            first = self.rows.find_first(query, self._rows_a_page + 1)
            if len(first) > self._rows_a_page and not self.rows.has_found(query):
                view = ListView(1, 2, None, 1, self._rows_a_page, "more are being counted")
                page_html = self.list_of(query, first[: self._rows_a_page], view, LIST_COLUMNS)
                self.rows.start(query)
                return page_html
        found = self.rows.find(query)
        view = _view(page, len(found), self._rows_a_page)
        return self.list_of(query, found[max(view.first - 1, 0) : view.last], view, LIST_COLUMNS)

    def list_of(self, query: Query, shown: Numbers, view: ListView, columns: Sequence[str]) -> str:
        """A list of given rows."""
        rows = [
            {"reasons": None, "prediction": None, "thought": None, "clip_id": None, **row}
            for row in self.rows.read(shown, columns)
        ]
        caption = CAPTIONS[query.set]
        return self._render("rows.html", here=query.set, query=query, caption=caption, view=view, rows=rows)

    def row(self, number: int, query: Query) -> str:
        """One row with all that is known of it. Raises IndexError."""
        found = self.rows.find(query)
        return self.row_of(number, self._place(number, query, found))

    def row_of(self, number: int, place: Place) -> str:
        """One row with all that is known of it, at a given place. Raises IndexError."""
        row = self.rows.row(number)
        shown = show_row(row, self._manifest.policy, self.evidence.request(row))
        return self._render("row.html", here=row["config"], row=shown, pair=show_pair(row), place=place)

    def error(self, title: str, detail: str) -> str:
        """A page that says what is wrong."""
        return self._render("error.html", here="", title=title, detail=detail)

    def link(self, number: int, query: Query) -> str:
        """Where a row is shown."""
        row = next(self.rows.read([number], ("sample_id",)))
        return self.links.row(row["config"], row["sample_id"], number, query)

    def _place(self, number: int, query: Query, found: Numbers) -> Place:
        at = found.index(number) if isinstance(found, range) and number in found else _position(found, number)
        if at is None:  # a deep link whose filters do not let the row pass
            return Place(0, 0, "", "", self.links.rows(query, 1))
        return Place(
            position=at + 1,
            total=len(found),
            previous=self.link(int(found[at - 1]), query) if at else "",
            next=self.link(int(found[at + 1]), query) if at + 1 < len(found) else "",
            up=self.links.rows(query, at // self._rows_a_page + 1),
        )

    def _render(self, template: str, **context: Any) -> str:
        return _templates.get_template(template).render(site=self.site, links=self.links, **context)


_SETS = tuple(SETS)


def _view(page: int, total: int, rows_a_page: int) -> ListView:
    pages = max(-(-total // rows_a_page), 1)
    page = min(max(page, 1), pages)
    first = (page - 1) * rows_a_page
    return ListView(page, pages, total, min(first + 1, total), min(first + rows_a_page, total))


def _position(found: Numbers, number: int) -> int | None:
    if isinstance(found, range):
        return None
    at = int(found.searchsorted(number))
    return at if at < len(found) and found[at] == number else None


def _hash_source(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(TEMPLATES),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)
_templates.filters["thousands"] = "{:,}".format
_templates.filters["counted"] = counted
