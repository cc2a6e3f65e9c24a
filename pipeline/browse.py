"""A published dataset -> a folder of plain pages to leaf through: frames, cited thoughts, scores.

The pages are files that can be put anywhere. They load nothing from outside, and text from videos,
questions and models is only ever text in them.
"""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from pipeline.stats_files import known_manifest, known_stats
from pipeline.store import Store
from schemas.manifest import Manifest
from schemas.policy import PolicyConfig
from schemas.reading import cited_spans
from schemas.sample import RejectedSample, SftSample
from stages.policy import sft_rules

TEMPLATE = Path(__file__).with_name("report_page.html")
SCRIPT = Path(__file__).with_name("report_page.js")

_BRACKETS = re.compile(r"(\[[^\[\]]{1,40}\])")
_NOT_SCORES = frozenset((*SftSample.model_fields, *RejectedSample.model_fields))


class ReportConfig(BaseModel):
    """How much a static report holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = Field(default=500, ge=1, le=100_000)
    """Kept traces, and as many rejected ones: the first of each, in the shards' order."""
    rows_a_page: int = Field(default=25, ge=1, le=500)


class Piece(NamedTuple):
    """A stretch of a thought; a citation names the frame that it points at, by its place among the row's."""

    text: str
    frame: int | None


class ShownScore(NamedTuple):
    """One measurement, and the policy field that it is held against."""

    name: str
    value: str
    setting: str
    limit: str


class ShownRow(NamedTuple):
    """One trace as its page shows it."""

    fields: Mapping[str, Any]
    frames: tuple[tuple[str, str], ...]
    """File and caption of each."""
    thought: tuple[Piece, ...]
    scores: tuple[ShownScore, ...]
    reasons: tuple[str, ...]


class Page(NamedTuple):
    """One file of the report."""

    name: str
    title: str
    rows: tuple[ShownRow, ...]


def write_report(build: Store, out: Path, cfg: ReportConfig, folder: str = "dataset") -> int:
    """Write `index.html`, a page for each `rows_a_page` traces, and the frames. Returns the number of traces.

    Raises UsageError where there is no dataset.
    """
    manifest, stats = known_manifest(build, folder), known_stats(build, folder)
    frames = out / "frames"
    frames.mkdir(parents=True, exist_ok=True)
    pages = []
    for config in ("sft", "rejected"):
        shown: list[ShownRow] = []
        for row in _first_rows(build, manifest, config, cfg.rows, folder):
            _save_frames(row, frames)
            shown.append(show_row(row, manifest.policy, frames))
        starts = range(0, len(shown), cfg.rows_a_page)
        pages += [
            Page(
                f"{config}-{number:05d}.html",
                f"{config}, page {number}",
                tuple(shown[start : start + cfg.rows_a_page]),
            )
            for number, start in enumerate(starts, 1)
        ]
    template = _template()
    script = SCRIPT.read_text(encoding="utf-8")
    common = {
        "script": script,
        "script_hash": _csp_hash(script),
        "pages": pages,
        "stats": stats,
        "manifest": manifest,
    }
    (out / "index.html").write_text(template.render(page=None, here=-1, **common), encoding="utf-8")
    for place, page in enumerate(pages):
        (out / page.name).write_text(template.render(page=page, here=place, **common), encoding="utf-8")
    return sum(len(page.rows) for page in pages)


def show_row(row: Mapping[str, Any], policy: PolicyConfig, frames: Path) -> ShownRow:
    """A published row made ready for its page. Frames that are not in `frames` have no picture."""
    named = zip(row["frame_sha256"], row["frame_times_s"], strict=True)
    pictures = tuple((_frame_file(sha256, frames), f"{time_s:.1f} s") for sha256, time_s in named)
    limits = _limits(policy)
    scores = tuple(
        ShownScore(name, _value(value), *limits.get(name, ("", "")))
        for name, value in row.items()
        if name not in _NOT_SCORES
    )
    return ShownRow(
        fields=row,
        frames=pictures,
        thought=tuple(cite(row["thought"], row["frame_times_s"])),
        scores=scores,
        reasons=tuple(row.get("reasons") or ()),
    )


def cite(thought: str, times_s: Sequence[float]) -> Iterator[Piece]:
    """A thought in pieces, each citation with the place of the frame nearest to the middle of its span."""
    for text in filter(None, _BRACKETS.split(thought)):
        spans = cited_spans(text) if text.startswith("[") else ()
        if spans and times_s:
            middle = (spans[0].start_s + spans[0].end_s) / 2
            yield Piece(text, min(range(len(times_s)), key=lambda place: abs(times_s[place] - middle)))
        else:
            yield Piece(text, None)


def _first_rows(
    build: Store, manifest: Manifest, config: str, wanted: int, folder: str
) -> Iterator[dict[str, Any]]:
    for entry in manifest.files:
        if entry.config != config or not entry.rows:
            continue
        with build.open_read(f"{folder}/{entry.path}") as stream:
            file = pq.ParquetFile(stream)
            for batch in file.iter_batches(batch_size=16):
                for row in batch.to_pylist():
                    if wanted <= 0:
                        return
                    wanted -= 1
                    yield row


def _save_frames(row: dict[str, Any], frames: Path) -> None:
    for sha256, image in zip(row["frame_sha256"], row.pop("images", None) or (), strict=False):
        file = frames / f"{_safe(sha256)}.jpg"
        if not file.exists():
            file.write_bytes(image["bytes"])


def _frame_file(sha256: str, frames: Path) -> str:
    name = f"{_safe(sha256)}.jpg"
    return f"frames/{name}" if (frames / name).exists() else ""


def _safe(sha256: str) -> str:
    """A hash as a file name, whatever the row says."""
    return sha256 if re.fullmatch("[0-9a-f]{64}", sha256) else hashlib.sha256(sha256.encode()).hexdigest()


def _limits(policy: PolicyConfig) -> dict[str, tuple[str, str]]:
    """Measurement -> the policy field that it is held against, and its value."""
    return {
        rule.fires.meta.root_names()[0]: (rule.setting, _value(getattr(policy, rule.setting)))
        for rule in sft_rules(policy)
        if rule.setting is not None and rule.fires.meta.root_names()
    }


def _value(value: Any) -> str:
    if value is None:
        return "unknown"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _csp_hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _template() -> jinja2.Template:
    loader = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return loader.from_string(TEMPLATE.read_text(encoding="utf-8"))
