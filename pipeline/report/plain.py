"""A template and records -> pages that load nothing from outside and run no script, served or written out.

Text from videos, questions and models is only ever text in them.
"""

import base64
import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from reelproof.pipeline.disk.own_files import BROWSE, own_files, replace_own_files
from reelproof.pipeline.disk.store import Store

TEMPLATES = Path(__file__).with_name("templates")
_A_PAGE = 25
"""Entries."""


class Page(NamedTuple):
    """Some of all entries of a kind, and where among them."""

    shown: str
    """Which kind."""
    number: int
    """Counted from 1."""
    pages: int
    total: int
    entries: Sequence[Any]

    @classmethod
    def of(cls, entries: Sequence[Any], shown: str, number: int) -> "Page":
        """The page of that number, or the nearest that there is; where there are no entries, an empty one."""
        pages = _pages_of(len(entries))
        number = min(max(number, 1), pages)
        mine = entries[(number - 1) * _A_PAGE : number * _A_PAGE]
        return cls(shown, number, pages, len(entries), mine)


class PlainTemplate:
    """A template that extends plain.html, with its styles."""

    def __init__(self, name: str, has_forms: bool = False) -> None:
        self._name = name
        jinja = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        self._template = jinja.get_template(f"{name}.html")
        styles = ("report.css", f"{name}.css")
        self._style = "".join((TEMPLATES / each).read_text(encoding="utf-8") for each in styles)
        self._has_forms = has_forms

    @property
    def content_policy(self) -> str:
        """Only this style, and pictures, clips and forms of where the page is."""
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        form = "'self'" if self._has_forms else "'none'"
        return (
            f"default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'sha256-{digest}'; "
            f"base-uri 'none'; form-action {form}"
        )

    def render(self, **given: Any) -> str:
        """The page."""
        return self._template.render(
            kind=self._name,
            page_name=_page_name,
            style=self._style,
            content_policy=self.content_policy,
            **given,
        )


def _page_name(kind: str, number: int) -> str:
    """The file that a page is written to."""
    return "index.html" if number == 1 else f"{kind}-{number}.html"


def _pages_of(total: int) -> int:
    """How many pages so many entries take, at least one."""
    return max(-(-total // _A_PAGE), 1)


def write_pages(
    out: Path,
    into_used: bool,
    folder: Path,
    files: Sequence[Path],
    kind: str,
    total: int,
    page: Callable[[int], str],
) -> None:
    """The pages of so many entries of a kind, and copies of `folder`'s `files` that they show."""
    target = Store(str(out))
    before = own_files(BROWSE, target, into_used)
    copied = [str(path.relative_to(folder)) for path in files]
    for name in copied:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, out / name)
    names = [_page_name(kind, number) for number in range(1, _pages_of(total) + 1)]
    for number, name in enumerate(names, 1):
        (out / name).write_text(page(number), encoding="utf-8")
    replace_own_files(BROWSE, target, before, {*names, *copied})
