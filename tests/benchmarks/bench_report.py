"""How soon the report of 1,000,000 rows shows a page, beside a bare DuckDB query of the same rows."""

import http.client
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import duckdb

from reelproof.pipeline.dataset.card import CardConfig
from reelproof.pipeline.dataset.part_files import PartFiles
from reelproof.pipeline.dataset.shards import ShardsConfig
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.report.query import Query
from reelproof.pipeline.report.rows import LIST_COLUMNS
from reelproof.schemas.manifest import BuildFacts
from reelproof.stages.deciding import decide
from reelproof.stages.policy import PolicyConfig
from reelproof.stages.splits import assign_splits
from tests.benchmarks.bench_refilter import timed
from tests.benchmarks.rows import Row, Rows
from tests.benchmarks.synthetic_parts import write_synthetic_parts
from tests.reports import Site, served
from tests.whole_sets import read_measurements, write_card, write_dataset

TRACES = 1_000_000
ROWS_A_PAGE = 25
CHANGES = 15
LIMIT_FIRST_S, LIMIT_CHANGE_S = 1.0, 0.3


class Case(NamedTuple):
    """A list that people leaf through, and the same as SQL."""

    name: str
    query: Query
    where: str


CASES = (
    Case("all rejected", Query(set="rejected"), "true"),
    Case(
        "by task and reason",
        Query(set="rejected", task="ordering", reason="wrong_answer"),
        "task = 'ordering' AND list_contains(reasons, 'wrong_answer')",
    ),
    Case(
        "by a score's range",
        Query(set="rejected", score="grounded_share", low=0.2, high=0.4),
        "grounded_share BETWEEN 0.2 AND 0.4",
    ),
    Case(
        "by words that occur nowhere",
        Query(set="rejected", text="zebra"),
        "question ILIKE '%zebra%' OR text ILIKE '%zebra%'",
    ),
    Case(
        "by words in question or thought",
        Query(set="rejected", text="toe"),
        "question ILIKE '%toe%' OR text ILIKE '%toe%'",
    ),
)


class Report(NamedTuple):
    """The served report, and the files that it rests on."""

    site: Site
    files: list[str]


def publish(store: Store, parts: list[PartFiles], max_blind_pass_rate: float) -> None:
    """All that `reelproof refilter` does with a build's files."""
    # at even confidence each limit moves rows: four answers are too few to be surer
    policy = PolicyConfig(max_blind_pass_rate=max_blind_pass_rate, probe_confidence=0.5)
    measurements = read_measurements(store, parts)
    verdicts = decide(measurements, policy)
    splits = assign_splits(measurements["video_id"].unique(), {}, 0.05, 0)
    write_dataset(store, parts, measurements, verdicts, splits, policy, ShardsConfig(), BuildFacts())
    write_card(store, parts, measurements, verdicts, CardConfig())


def bench_report(_folder: Path) -> Rows:
    """First page of a new filter, and changes of its page, over HTTP from request to last byte."""
    rows: Rows = {}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        publish(store, write_synthetic_parts(store, TRACES), PolicyConfig().max_blind_pass_rate)
        files = sorted(map(str, Path(store.path("dataset/data/rejected")).glob("*.parquet")))
        with served(store, ROWS_A_PAGE) as site:
            report = Report(site, files)
            cold_s = timed(lambda: fetch(site, "/"))
            rows["report, overview when just started"] = _row(cold_s, LIMIT_FIRST_S, "nothing read before")
            for case in CASES:
                rows |= _leaf_through(report, case)
            rows |= _open_rows(report)
    return rows


def _leaf_through(report: Report, case: Case) -> Rows:
    """The first page, with nothing remembered of the filter; then pages here and there."""
    rows = report.site.report.rows
    ours, bare = [], []
    for _ in range(3):
        rows._answers.clear()
        ours.append(timed(lambda: fetch(report.site, case.query.url("/rows"))))
        rows.find(case.query)  # a search goes on after its first page, which would slow the next down
        bare.append(timed(lambda: query_bare(report.files, case.where, 0)))
    pages = max(-(-len(rows.find(case.query)) // ROWS_A_PAGE), 1)
    wanted = list(_here_and_there(pages))
    changes = [
        timed(lambda page=page: fetch(report.site, case.query.url("/rows", page=page))) for page in wanted
    ]
    plain = [timed(lambda page=page: query_bare(report.files, case.where, page - 1)) for page in wanted[:5]]
    first_s, change_s = statistics.median(ours), statistics.median(changes)
    return {
        f"report, first page {case.name}": _row(first_s, LIMIT_FIRST_S, _bare(bare, first_s)),
        f"report, page change {case.name}": _row(change_s, LIMIT_CHANGE_S, _bare(plain, change_s)),
    }


def _open_rows(report: Report) -> Rows:
    """Rows one after the other, as `j` opens them, and rows by nothing but their id."""
    rows, query = report.site.report.rows, CASES[1].query
    found = rows.find(query)
    numbers = [int(found[len(found) * place // CHANGES]) for place in range(CHANGES)]
    links = [report.site.report.link(number, query) for number in numbers]
    ids = [each["sample_id"] for each in rows.read(numbers, ("sample_id",))]
    by_link = [timed(lambda link=link: fetch(report.site, link)) for link in links]
    by_id = [timed(lambda sample=sample: fetch(report.site, f"/row/rejected/{sample}")) for sample in ids]
    bare = [timed(lambda sample=sample: find_bare(report.files, sample)) for sample in ids[:5]]
    link_s, id_s = statistics.median(by_link), statistics.median(by_id)
    return {
        "report, next row": _row(link_s, LIMIT_CHANGE_S, "without claims and request: no parts here"),
        "report, row by its id alone": _row(id_s, LIMIT_FIRST_S, _bare(bare, id_s)),
    }


def fetch(site: Site, path: str) -> None:
    """Ask for a page and read all of it. Raises RuntimeError where it is none."""
    connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=120)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200 or b"</html>" not in body:
        raise RuntimeError(f"{path} was answered with {answer.status}")


def query_bare(files: list[str], where: str, page: int) -> list[tuple]:
    """The page's columns as DuckDB reads them from the files, and how many rows there are in all."""
    with duckdb.connect() as connection:
        source = "FROM read_parquet($files, file_row_number = true)"
        columns = ", ".join(f'"{name}"' for name in LIST_COLUMNS)
        connection.execute(f"SELECT count(*) {source} WHERE {where}", {"files": files}).fetchone()
        return connection.execute(
            f"SELECT {columns} {source} WHERE {where} LIMIT {ROWS_A_PAGE} OFFSET {page * ROWS_A_PAGE}",
            {"files": files},
        ).fetchall()


def find_bare(files: list[str], sample_id: str) -> list[tuple]:
    """One row by its id, as DuckDB reads it."""
    with duckdb.connect() as connection:
        found = "SELECT * FROM read_parquet($files) WHERE sample_id = $id"
        return connection.execute(found, {"files": files, "id": sample_id}).fetchall()


def _here_and_there(pages: int) -> Iterator[int]:
    """Pages that a reader may go to: neighbours, and far apart."""
    for turn in range(CHANGES):
        yield min(pages, 1 + (turn if turn % 3 else pages * turn // CHANGES))


def _bare(seconds: list[float], ours_s: float) -> str:
    bare_s = statistics.median(seconds)
    return f"bare DuckDB: {bare_s * 1000:.0f} ms, ratio {ours_s / bare_s:.2f}"


def _row(seconds: float, limit_s: float, against: str) -> Row:
    return Row(
        value=round(seconds * 1000),
        unit="ms",
        goal=f"< {limit_s * 1000:.0f}",
        holds=seconds < limit_s,
        against=against,
    )
