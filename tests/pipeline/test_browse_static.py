import html
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reelproof.pipeline.report.rows import CONFIGS
from reelproof.pipeline.report.static import ReportConfig, StaticLinks, frame_file, write_report
from tests.hostile import HOSTILE_TEXTS
from tests.reports import small_dataset


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report's folder, the dataset beside it."""
    place = tmp_path_factory.mktemp("report")
    shown = write_report(small_dataset(place / "build"), place / "report", ReportConfig(rows_a_page=5))
    assert shown >= 24
    return place / "report"


def test_folder_holds_a_page_for_every_trace_and_all_that_it_links_to(folder):
    assert len(list(folder.glob("row-sft-*.html"))) + len(list(folder.glob("row-rejected-*.html"))) == 24
    assert list(folder.glob("row-dpo-*.html"))
    for page in folder.glob("*.html"):
        for tag, attrs in tags(page):
            target = (attrs.get("src") or attrs.get("href") or "").split("#")[0]
            if tag in ("a", "img") and target:
                assert (folder / target).is_file()
            if tag == "img":
                assert "alt" in attrs


def test_every_trace_is_in_a_list(folder):
    lists = [page for config in CONFIGS for page in folder.glob(f"{config}-*.html")]
    linked = {attrs["href"] for page in lists for tag, attrs in tags(page) if tag == "a"}
    pages = {page.name for config in CONFIGS for page in folder.glob(f"row-{config}-*.html")}
    assert pages <= linked


def test_pages_ask_for_nothing_outside(folder):
    for page in folder.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        outside = [attrs for _, attrs in tags(page) if "//" in f"{attrs.get('src')} {attrs.get('href')}"]
        assert outside == []
        policy = next(attrs["content"] for tag, attrs in tags(page) if attrs.get("http-equiv"))
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "@import" not in text


def test_hostile_text_stays_text(folder, tmp_path):
    sound = {tag for page in folder.glob("*.html") for tag, _ in tags(page)} | {"ul", "li"}
    out = tmp_path / "report"
    write_report(small_dataset(tmp_path / "build", HOSTILE_TEXTS), out, ReportConfig())
    shown = ""
    for page in out.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert text.count("<script>") == 1
        shown += html.unescape(text)
        for tag, attrs in tags(page):
            assert tag in sound
            assert not any(name.startswith("on") for name in attrs)
            assert not (attrs.get("href") or "").lower().startswith("javascript:")
    assert [text for text in HOSTILE_TEXTS if text not in shown] == []


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "a" * 300, "..", "con.jpg", "ä"])
def test_names_cannot_leave_their_folder(name, tmp_path):
    (tmp_path.parent / "secret.jpg").write_bytes(b"x")
    links = StaticLinks(tmp_path)
    assert re.fullmatch(r"frames/[0-9a-f]{64}\.jpg", frame_file(name))
    assert re.fullmatch(r"row-sft-[0-9a-f]{64}\.html", links.row("sft", name, 0, None))
    assert links.frame(0, name) == ""


def test_an_earlier_report_leaves_no_page_behind(tmp_path):
    store = small_dataset(tmp_path / "build")
    write_report(store, tmp_path / "report", ReportConfig())
    before = {page.name for page in (tmp_path / "report").glob("row-*.html")}
    write_report(store, tmp_path / "report", ReportConfig(rows=2))
    after = {page.name for page in (tmp_path / "report").glob("row-*.html")}
    assert after < before
    assert "the first of" in (tmp_path / "report/rejected-1.html").read_text()
