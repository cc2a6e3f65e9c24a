"""A report -> pages at an address of this machine: read only, for this machine's browser, and nobody else's.

Names that lead here from elsewhere are refused (a page that rebinds its own name to this machine would read
along otherwise), and no answer may be framed, embedded or read by another site.
"""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote, urlsplit

from pydantic import ValidationError
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from reelproof.pipeline.dataset.reading import open_dataset
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.report.pages import Report
from reelproof.pipeline.report.query import SETS, Query
from reelproof.pipeline.report.rows import CONFIGS
from reelproof.schemas.published import MANIFEST

HOST = "127.0.0.1"
ROWS_A_PAGE = 25
STATS = "stats.json"
OWN_NAMES = frozenset(("127.0.0.1", "localhost", "::1"))
FOREVER = "private, max-age=31536000, immutable"
"""Frames are named by their hash."""
_MOST = 10**12


class ServedLinks:
    """Addresses below `/`."""

    is_static = False

    def overview(self) -> str:
        """The first page."""
        return "/"

    def rows(self, query: Query, page: int) -> str:
        """A page of a list."""
        return query.url("/rows", page=page if page > 1 else None)

    def filter(self) -> str:
        """Where the filters are sent."""
        return "/rows"

    def row(self, config: str, sample_id: str, number: int, query: Query) -> str:
        """One row by its id; its number is there to find it sooner."""
        return query.url(f"/row/{config}/{quote(sample_id, safe='')}", at=number)

    def frame(self, number: int, sha256: str) -> str:
        """A frame of a row."""
        return f"/frame/{quote(sha256, safe='')}.jpg?row={number}"


class Reports:
    """The report of what a folder holds now: made anew when a build or a refilter has replaced the dataset.

    Raises UsageError where there is no dataset.
    """

    def __init__(self, store: Store, rows_a_page: int) -> None:
        self._store = store
        self._rows_a_page = rows_a_page
        self._names = [f"{open_dataset(store).folder}/{name}" for name in (MANIFEST, STATS)]
        self._seen = self._facts()
        self._report = Report(store, ServedLinks(), rows_a_page)

    def now(self) -> Report:
        """The one to show. A dataset that is not on this machine is not looked at again."""
        facts = self._facts() if self._store.is_local else self._seen
        if facts != self._seen:
            with suppress(UsageError):  # half replaced: until it is whole, what was there still shows
                self._report = Report(self._store, ServedLinks(), self._rows_a_page)
                self._seen = facts
        return self._report

    def _facts(self) -> tuple[bytes, ...]:
        held = (self._store.exists(name) and self._store.read_bytes(name) for name in self._names)
        return tuple(each or b"" for each in held)


class OwnNameHandler(RequestHandler):
    """What all addresses have in common: they are for this machine's browser, and nobody else's."""

    def set_default_headers(self) -> None:
        """Nothing may frame, embed or keep an answer, and only what the page names is loaded."""
        policy = self.application.settings["content_policy"]
        self.set_header("Server", "reelproof")
        self.set_header("Content-Security-Policy", f"{policy}; frame-ancestors 'none'")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("X-Frame-Options", "DENY")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")

    def prepare(self) -> None:
        """Refuse names that lead here from elsewhere."""
        if not _is_own_name(self.request.headers.get("Host", "")):
            raise HTTPError(421, reason="Another host is meant")


class _Handler(OwnNameHandler):
    """An address of the report. Only GET is answered."""

    def initialize(self, reports: Reports) -> None:
        self.report = reports.now()

    async def answer(self, make: Callable[[], str]) -> None:
        """Make a page without holding up others."""
        self.finish(await asyncio.to_thread(make))

    def write_error(self, status_code: int, **kwargs: object) -> None:
        self.finish(self.report.error(f"{status_code}: {self._reason}", _detail(kwargs)))

    def query(self) -> Query:
        """The filters. Raises HTTPError for those that are none."""
        given = {name: self.get_query_argument(name, "") for name in Query.model_fields}
        try:
            return Query.model_validate({name: value for name, value in given.items() if value})
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"])) or "filters"
            raise HTTPError(400, f"{name}: {first['msg']}") from error

    def number(self, name: str) -> int | None:
        """A whole number of the address, None where it is not there. Raises HTTPError."""
        text = self.get_query_argument(name, "")
        if not text:
            return None
        if not (text.isascii() and text.isdigit()) or len(text) > len(str(_MOST)):
            raise HTTPError(400, f"{name}: expected a whole number")
        return int(text)


class _Overview(_Handler):
    async def get(self) -> None:
        await self.answer(self.report.overview)


class _Rows(_Handler):
    async def get(self) -> None:
        query, page = self.query(), self.number("page") or 1
        await self.answer(lambda: self.report.list(query, page))


class _Row(_Handler):
    async def get(self, config: str, sample_id: str) -> None:
        query, hint = self.query(), self.number("at")
        number = await asyncio.to_thread(self.report.rows.number_of, config, sample_id, hint)
        if number is None:
            raise HTTPError(404, f"no row of {config} has this id")
        await self.answer(lambda: self.report.row(number, query))


class _Sample(_Handler):
    """A short address of a row, whichever config it is in."""

    async def get(self, sample_id: str) -> None:
        for config in CONFIGS:
            number = await asyncio.to_thread(self.report.rows.number_of, config, sample_id)
            if number is not None:
                found = "traces" if config in SETS["traces"] else config
                self.redirect(self.report.link(number, Query.model_validate({"set": found})))
                return
        raise HTTPError(404, "no row has this id")


class _Frame(_Handler):
    async def get(self, sha256: str) -> None:
        number = self.number("row")
        try:
            jpeg = await asyncio.to_thread(
                self.report.evidence.frame, -1 if number is None else number, sha256
            )
        except IndexError:
            jpeg = None
        if jpeg is None:
            raise HTTPError(404, "no such frame")
        self.set_header("Content-Type", "image/jpeg")
        self.set_header("Cache-Control", FOREVER)
        self.finish(jpeg)


class _Nothing(_Handler):
    def prepare(self) -> None:
        super().prepare()
        raise HTTPError(404 if self.request.method == "GET" else 405, "there is no such page")


def make_app(reports: Reports) -> Application:
    """The report's addresses."""
    given = {"reports": reports}
    return Application(
        [
            (r"/", _Overview, given),
            (r"/rows", _Rows, given),
            (rf"/row/({'|'.join(CONFIGS)})/([^/]{{1,2000}})", _Row, given),
            (r"/sample/([^/]{1,2000})", _Sample, given),
            (r"/frame/([0-9a-f]{64})\.jpg", _Frame, given),
        ],
        default_handler_class=_Nothing,
        default_handler_args=given,
        content_policy=reports.now().site.content_policy,
        log_function=lambda _: None,
    )


async def serve(reports: Reports, port: int, told: Callable[[str], None], stop: asyncio.Event) -> None:
    """Serve until `stop` is set; `told` is called with the address. Port 0 is any free one.

    Raises OSError where the port is taken.
    """
    await serve_app(make_app(reports), port, told, stop)


async def serve_app(app: Application, port: int, told: Callable[[str], None], stop: asyncio.Event) -> None:
    """The same of any pages."""
    sockets = bind_sockets(port, HOST)
    server = HTTPServer(app)
    server.add_sockets(sockets)
    told(f"http://{HOST}:{sockets[0].getsockname()[1]}/")
    await stop.wait()
    server.stop()
    await server.close_all_connections()


def browse_at(store: Store, port: int, told: Callable[[str], None]) -> None:
    """Serve a dataset's report until Ctrl-C, or until this process is asked to end.

    Raises UsageError where there is no dataset, or the port is taken.
    """
    serve_until_stopped(make_app(Reports(store, ROWS_A_PAGE)), port, told)


def serve_until_stopped(app: Application, port: int, told: Callable[[str], None]) -> None:
    """Serve pages until Ctrl-C, or until this process is asked to end. Raises UsageError for a taken port."""

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve_app(app, port, lambda url: told(f"{url} (Ctrl-C ends it)"), stop)

    try:
        asyncio.run(run())
    except OSError as error:
        raise UsageError(f"port {port} of {HOST}: {error.strerror}; name another with --port") from error


def _is_own_name(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").hostname in OWN_NAMES
    except ValueError:
        return False


def _detail(kwargs: dict[str, object]) -> str:
    info = kwargs.get("exc_info")
    error = info[1] if isinstance(info, tuple) else None
    return (error.log_message or "") if isinstance(error, HTTPError) else "This is a fault of the report."
