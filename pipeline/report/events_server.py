"""Events of a watch -> pages at an address of this machine, that also take what a person says of each.

What a model said in a run is shown in the same way, and takes nothing.
"""

import hmac
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from tornado.web import Application, HTTPError, StaticFileHandler

from reelproof.pipeline.inputs.events_folder import VERDICTS, read_events
from reelproof.pipeline.report.events import SHOWN, EventPages
from reelproof.pipeline.report.rollouts import RolloutPages
from reelproof.pipeline.report.server import OwnNameHandler, serve_until_stopped
from reelproof.pipeline.watching.journal import LineFile
from reelproof.schemas.event import Choice, EventVerdict

_MOST_PAGES = 10**6


class _Page(OwnNameHandler):
    def initialize(self, pages: EventPages | RolloutPages) -> None:
        self.pages = pages

    def get(self) -> None:
        shown, number = self.get_query_argument("show", "all"), self.get_query_argument("page", "1")
        if shown not in self.pages.shown or not (
            number.isascii() and number.isdigit() and int(number) < _MOST_PAGES
        ):
            raise HTTPError(404, "there is no such page")
        self.finish(self.pages.page(shown, int(number)))


class _Verdict(OwnNameHandler):
    def initialize(self, pages: EventPages, token: str) -> None:
        self.pages, self.token = pages, token

    def post(self) -> None:
        if not hmac.compare_digest(self.get_body_argument("token", "").encode(), self.token.encode()):
            raise HTTPError(403, "the page is of another run: load it anew")
        event_id, verdict = self.get_body_argument("event", ""), self.get_body_argument("verdict", "")
        if verdict not in set(Choice) or event_id not in {e.event_id for e in read_events(self.pages.folder)}:
            raise HTTPError(400, "there is no such event or verdict")
        file = LineFile(self.pages.folder / VERDICTS)
        file.append(
            EventVerdict(event_id=event_id, verdict=Choice(verdict), said_at=time.time()), lasting=True
        )
        file.close()
        shown, number = self.get_body_argument("show", "all"), self.get_body_argument("page", "1")
        page = int(number) if number.isascii() and number.isdigit() else 1
        self.redirect(f"/?show={shown if shown in SHOWN else 'all'}&page={page}#{event_id}", status=303)


class _File(OwnNameHandler, StaticFileHandler):
    """A clip or a frame; parts of it as well, so that clips can be wound."""

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002 - tornado's own signature
        self.set_header("Cache-Control", "private, max-age=3600")


def make_events_app(folder: Path) -> Application:
    """The addresses of a watch's pages."""
    token = secrets.token_urlsafe(24)
    pages = EventPages(folder, token)
    return Application(
        [
            (r"/", _Page, {"pages": pages}),
            (r"/verdict", _Verdict, {"pages": pages, "token": token}),
            (r"/(clips/[0-9a-f]{16}\.mp4)", _File, {"path": str(folder)}),
            (r"/(frames/[0-9a-f]{64}\.jpg)", _File, {"path": str(folder)}),
        ],
        content_policy=pages.content_policy,
        log_function=lambda _: None,
    )


def browse_events(folder: Path, port: int, told: Callable[[str], None]) -> None:
    """Serve the events of a watch, also while it goes on, until Ctrl-C."""
    serve_until_stopped(make_events_app(folder), port, told)


def make_rollouts_app(folder: Path) -> Application:
    """The addresses of what a model said."""
    pages = RolloutPages(folder)
    return Application(
        [
            (r"/", _Page, {"pages": pages}),
            (r"/(frames/[0-9a-f]{64}\.jpg)", _File, {"path": str(folder)}),
        ],
        content_policy=pages.content_policy,
        log_function=lambda _: None,
    )


def browse_rollouts(folder: Path, port: int, told: Callable[[str], None]) -> None:
    """Serve what a model said in a run, also while that goes on, until Ctrl-C."""
    serve_until_stopped(make_rollouts_app(folder), port, told)
