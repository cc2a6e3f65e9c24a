"""Events as pages: what they show, what they take, and from whom."""

import asyncio
import http.client
import re
import threading
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from reelproof.pipeline.inputs.events_folder import read_verdicts
from reelproof.pipeline.report.events import precision
from reelproof.pipeline.report.events_server import make_events_app
from reelproof.pipeline.report.server import serve_app
from reelproof.schemas.event import Choice, CutClip, Event, Evidence
from reelproof.schemas.question import Task
from tests.hostile import HOSTILE_TEXTS
from tests.pipeline.conftest import reelproof_here

JPEG = b"\xff\xd8 a picture"


def event(number: int, question: str = "unusual", answer: str = "motion") -> Event:
    return Event(
        event_id=f"{number:016x}",
        question=question,
        task=Task.BOOLEAN,
        options=(),
        answer=answer,
        start_s=10.0 * number,
        end_s=10.0 * number + 4,
        began_at="2026-01-02T03:04:05.678+00:00",
        video="gate.mp4",
        film_start_s=10.0 * number,
        votes=("yes", None),
        belief=0.5,
        margin=0.5,
        thought=answer,
        claims=(),
        frames=(Evidence(sha256="ab" * 32, time_s=1.0, film_time_s=1.0),),
        model="signals@3",
        measured=None,
        lag_s=0.25,
        is_late=False,
        clip=CutClip(file=f"clips/{number:016x}.mp4", start_s=0.0, end_s=5.0, is_copied=True),
        clip_fault=None,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A watch with more events than a page holds, some of them with texts that mean harm."""
    events = [event(number) for number in range(30)]
    events += [event(30 + place, text, text) for place, text in enumerate(HOSTILE_TEXTS)]
    (tmp_path / "watch.json").write_text('{"source": "gate.mp4", "model": "signals@3"}')
    (tmp_path / "events.jsonl").write_text(
        "".join(each.model_dump_json() + "\n" for each in events) + '{"half'
    )
    for name, content in (("clips/" + "0" * 16 + ".mp4", b"0123456789"), (f"frames/{'ab' * 32}.jpg", JPEG)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.fixture
def ask(folder: Path):
    """Asks the served pages."""
    told, stop = [], asyncio.Event()
    loop = asyncio.new_event_loop()
    served = threading.Event()

    def tell(url: str) -> None:
        told.append(url)
        served.set()

    async def run() -> None:
        await serve_app(make_events_app(folder), 0, tell, stop)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    served.wait(60)

    def ask(path: str, method: str = "GET", form: dict[str, str] | None = None, **headers: str):
        connection = http.client.HTTPConnection(urlsplit(told[0]).netloc, timeout=60)
        body = urlencode(form) if form is not None else None
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), content

    yield ask
    loop.call_soon_threadsafe(stop.set)
    thread.join()


def test_a_person_says_what_an_event_was_and_may_think_again(ask, folder):
    _, _, page = ask("/?show=all&page=2")
    token = re.search(rb'name="token" value="([^"]+)"', page)[1].decode()
    for verdict in ("right", "wrong"):
        form = {"token": token, "event": "0" * 15 + "3", "verdict": verdict, "show": "all", "page": "2"}
        status, headers, _ = ask("/verdict", "POST", form)
        assert (status, headers["Location"]) == (303, "/?show=all&page=2#" + "0" * 15 + "3")
    assert read_verdicts(folder) == {"0" * 15 + "3": Choice.WRONG}
    assert b"0" * 15 + b"3" in ask("/?show=wrong")[2]
    assert b'id="' + b"0" * 15 + b"3" not in ask("/?show=unjudged&page=2")[2]


@pytest.mark.parametrize(
    ("form", "headers", "status"),
    [
        ({"token": "guessed", "event": "0" * 16, "verdict": "right"}, {}, 403),
        ({"event": "0" * 16, "verdict": "right"}, {}, 403),
        ({"token": "", "event": "0" * 16, "verdict": "right"}, {"Host": "elsewhere.example"}, 421),
    ],
)
def test_verdicts_are_taken_from_our_own_page_only(ask, folder, form, headers, status):
    assert ask("/verdict", "POST", form, **headers)[0] == status
    assert read_verdicts(folder) == {}


@pytest.mark.parametrize(
    "path", ["/watch.json", "/clips/../watch.json", "/frames/x.jpg", "/?show=<b>", "/?page=x"]
)
def test_nothing_but_pages_clips_and_frames_is_served(ask, path):
    assert ask(path)[0] in (400, 404)


def test_clips_can_be_wound_and_pages_hold_texts_as_texts(ask):
    status, headers, part = ask("/clips/" + "0" * 16 + ".mp4", Range="bytes=2-4")
    assert (status, part, headers["Content-Type"]) == (206, b"234", "video/mp4")
    status, headers, page = ask("/")
    assert "script-src" not in headers["Content-Security-Policy"]
    assert b"<script" not in page
    assert b"untested" in page


def test_written_out_the_pages_stand_alone(folder, tmp_path):
    out = tmp_path / "pages"
    ran = reelproof_here("browse", folder, "--static", out)
    assert ran.code == 0, ran.err
    assert (out / f"frames/{'ab' * 32}.jpg").read_bytes() == JPEG
    assert "<form" not in (out / "index.html").read_text()
    last = max(out.glob("events-*.html")).read_text()
    assert f'id="{0:016x}"' in last
    assert "<b>motion</b>, how much moves, is 1.5 times" in last
    assert "`" not in last.partition("<footer")[2]


def test_precision_counts_what_was_judged_right_or_wrong():
    assert precision({}) is None
    assert precision({"a": Choice.UNSURE}) is None
    verdicts = {"a": Choice.RIGHT, "b": Choice.RIGHT, "c": Choice.WRONG, "d": Choice.UNSURE}
    assert precision(verdicts).value == pytest.approx(2 / 3)
