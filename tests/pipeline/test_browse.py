import html
import itertools
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.browse import ReportConfig, cite, show_row, write_report
from pipeline.card import CardConfig, write_card
from pipeline.part_files import read_measurements
from pipeline.shards import ShardsConfig, write_dataset
from pipeline.store import Store
from schemas.manifest import BuildFacts
from stages.policy import PolicyConfig, decide
from tests.small_parts import write_part

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</p></article><iframe src=javascript:alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "../../etc/passwd",
    "</script><script>alert(1)</script>",
    "<!--", "]]>", "&lt;b&gt;", "\u202egnp.exe", "<svg/onload=alert(1)>", "a\x00b",
]  # fmt: skip


class Tags(HTMLParser):
    """Collects every tag with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def tags(page: Path) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser.found


def report(folder: Path, texts: list[str] | None = None) -> tuple[Path, int]:
    store = Store(str(folder))
    parts = [write_part(store, 0)]
    if texts:
        _say(store, parts[0].traces, ("thought", "text", "answer"), texts)
        _say(store, parts[0].questions, ("text", "answer"), texts)
    measured = read_measurements(store, parts)
    verdicts = decide(measured, PolicyConfig())
    splits = dict.fromkeys(measured["video_id"], "train")
    write_dataset(store, parts, measured, verdicts, splits, PolicyConfig(), ShardsConfig(), BuildFacts())
    write_card(store, parts, measured, verdicts, CardConfig())
    out = folder / "report"
    return out, write_report(store, out, ReportConfig(rows_a_page=5))


def _say(store: Store, name: str, columns: tuple[str, ...], texts: list[str]) -> None:
    """Put the texts into a part's file, one a row, over and over."""
    table = store.read_table(name)
    said = list(itertools.islice(itertools.cycle(texts), table.num_rows))
    for column in columns:
        place = table.schema.get_field_index(column)
        table = table.set_column(place, table.schema.field(column), [said])
    store.write_table(name, table)


def test_report_shows_every_trace_with_its_frames(tmp_path):
    out, shown = report(tmp_path)
    pages = sorted(out.glob("*-0*.html"))
    articles = [attrs["id"] for page in pages for tag, attrs in tags(page) if tag == "article"]
    assert len(articles) == len(set(articles)) == shown == 24
    for page in [out / "index.html", *pages]:
        for tag, attrs in tags(page):
            target = attrs.get("src") or attrs.get("href") or ""
            if tag in ("a", "img") and not target.startswith("#"):
                assert (out / target).is_file()
            if tag == "img":
                assert attrs["alt"]
    kept = (out / "sft-00001.html").read_text()
    assert re.search(r'class="cited" href="#t\d+-frame-1">\[1\.2 s\]</a>', kept)
    assert "min_grounded_share = 0.5" in kept
    assert "Not kept: wrong_answer" in "".join(page.read_text() for page in pages)


def test_hostile_text_stays_text(tmp_path):
    sound = {tag for page in report(tmp_path / "a")[0].glob("*.html") for tag, _ in tags(page)}
    out, _ = report(tmp_path / "b", HOSTILE)
    shown = ""
    for page in out.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert text.count("<script>") == 1
        shown += html.unescape(text)
        for tag, attrs in tags(page):
            assert tag in sound
            assert not any(name.startswith("on") for name in attrs)
            assert not (attrs.get("href") or "").lower().startswith("javascript:")
    assert [text for text in HOSTILE if text not in shown] == []


def test_pages_ask_for_nothing_outside(tmp_path):
    out, _ = report(tmp_path)
    for page in out.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"https?://|//[a-z]", text)
        policy = next(attrs["content"] for tag, attrs in tags(page) if attrs.get("http-equiv"))
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy.split("script-src")[1]


def test_frame_names_cannot_leave_their_folder(tmp_path):
    row = {"frame_sha256": ["../../secret"], "frame_times_s": [1.0], "thought": "", "reasons": None}
    (tmp_path / "frames").mkdir()
    (tmp_path.parent / "secret.jpg").write_bytes(b"x")
    assert show_row(row, PolicyConfig(), tmp_path / "frames").frames == (("", "1.0 s"),)


@pytest.mark.parametrize(
    ("thought", "places"),
    [
        ("At [1.2 s] it moves.", [None, 1, None]),
        ("[3.0-5.0 s] and [x]", [3, None, None]),
        ("no citation", [None]),
        ("", []),
    ],
)
def test_citations_point_at_the_nearest_frame(thought, places):
    pieces = list(cite(thought, [0.0, 1.0, 2.0, 4.0]))
    assert [piece.frame for piece in pieces] == places
    assert "".join(piece.text for piece in pieces) == thought
