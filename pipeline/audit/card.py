"""An audit's report and findings -> what people look at: card, pictures, rows by kind, curated file."""

import json
from collections.abc import Collection, Iterator, Sequence
from importlib.util import find_spec

from reelproof.pipeline.audit.kinds import KINDS
from reelproof.pipeline.audit.report import AuditReport
from reelproof.pipeline.audit.row_faults import Finding
from reelproof.pipeline.audit.source import Source
from reelproof.pipeline.dataset.card import plain
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.inputs.kept_rows import keep_rows
from reelproof.schemas.counted import counted
from reelproof.schemas.draws import hash32

CARD, REPORT = "README.md", "audit.json"
CURATED, CONTROL = "curated", "control"
SHOWN_EXAMPLES = 3


def write_rows(store: Store, source: Source, findings: Sequence[Finding]) -> None:
    """Leave `rows/KIND.jsonl` for each kind that was found, and no other."""
    videos = {each.number: each.video for each in source.rows}
    for kind in KINDS:
        name = f"rows/{kind.name}.jsonl"
        rows = [
            {
                "file": source.url,
                source.manifest.unit: each.number,
                "video": videos.get(each.number),
                "why": each.why,
            }
            for each in findings
            if each.kind == kind.name
        ]
        if rows:
            lines = (json.dumps(row, ensure_ascii=False) for row in rows)
            store.write_bytes(name, "".join(f"{line}\n" for line in lines).encode(errors="replace"))
        else:
            store.remove(name)


def write_curated(
    store: Store, source: Source, findings: Sequence[Finding], keep: Collection[str] = ()
) -> int:
    """Leave the rows without a fault, and as many rows drawn at random from all that can be read, each in a
    file of the source's form. Returns how many.

    Faults that do not drop a row, and those of the kinds to `keep`, count for nothing here.
    """
    name = source.url.rpartition("/")[2]
    drops = {kind.name for kind in KINDS if kind.drops} - {*keep}
    readable = source.numbers - {each.number for each in source.problems}
    curated = readable - {each.number for each in findings if each.kind in drops}
    drawn = sorted(readable, key=lambda number: hash32("audit control", name, number))[: len(curated)]
    store.write_bytes(f"{CURATED}/{name}", keep_rows(name, source.content, curated))
    store.write_bytes(f"{CONTROL}/{name}", keep_rows(name, source.content, drawn))
    return len(curated)


def write_card(store: Store, report: AuditReport, findings: Sequence[Finding]) -> None:
    """Leave `audit.json`, and `README.md` with its pictures where matplotlib is installed."""
    pictures: list[tuple[str, str]] = []
    if find_spec("matplotlib"):
        from reelproof.pipeline.audit.plots import draw_audit  # it needs an extra

        for name, caption, content in draw_audit(report):
            store.write_bytes(f"plots/{name}.png", content)
            pictures.append((f"plots/{name}.png", caption))
    store.write_bytes(REPORT, (report.model_dump_json(indent=2) + "\n").encode())
    text = "\n".join(_lines(report, findings, pictures))
    store.write_bytes(CARD, (text.rstrip() + "\n").encode(errors="replace"))


def _lines(
    report: AuditReport, findings: Sequence[Finding], pictures: Sequence[tuple[str, str]]
) -> Iterator[str]:
    name = plain(report.source.rpartition("/")[2])
    yield from (f"# What is wrong with {name}", "")
    yield (
        f"{counted(report.rows, report.unit)} read as "
        f"{', '.join(map(plain, report.shapes)) or 'nothing known'}: "
        f"{counted(report.questions, 'question')} about {counted(report.videos_named, 'video')}, of which "
        f"{report.videos_there:,} were looked at, and {counted(report.thoughts, 'thought')}. "
        f"With a fault: {counted(report.at_fault, report.unit)}. "
        "Every number is in `audit.json`, every row that is meant in `rows/`."
    )
    if report.picture_rows:
        yield f"Left out, as about pictures: {counted(report.picture_rows, report.unit)}."
    yield from (
        "",
        "| kind | what is wrong | rows | share | 95 % | example |",
        "|---|---|---:|---:|---|---:|",
    )
    for each in report.kinds:
        interval = "" if each.low is None else f"{100 * each.low:.1f}–{100 * (each.high or 0):.1f} %"
        yield (
            f"| [`{each.kind}`](rows/{each.kind}.jsonl) | {each.says} | {each.rows:,} of {each.among:,} | "
            f"{100 * each.share:.1f} % | {interval} | {report.unit} {each.example} |"
        )
    yield from ("", "An interval stands where a model's draws decide; all else was counted.", "")
    yield from ("## What is right without looking", "")
    yield from (f"* {plain(each.told())}" for each in report.baselines)
    yield ""
    for file, caption in pictures:
        yield from (f"![{caption}]({file})", "")
    if report.kinds:
        yield from ("## Examples", "")
    for each in report.kinds:
        mine = [finding for finding in findings if finding.kind == each.kind][:SHOWN_EXAMPLES]
        told = "; ".join(f"{report.unit} {finding.number}: {plain(finding.why)}" for finding in mine)
        yield f"* `{each.kind}`: {told}"
    yield from ("", "## What was looked for besides", "")
    if report.clean:
        yield f"* found in no row: {', '.join(f'`{kind}`' for kind in report.clean)}"
    for why, kinds in report.wanting().items():
        yield f"* not looked for: {', '.join(f'`{kind}`' for kind in kinds)}: {why}"
    if report.curated is not None:
        yield from ("", "## What is left", "")
        yield (
            f"`curated/` holds the {report.curated:,} {report.unit}s without such a fault, as they came; "
            "`control/` as many, drawn at random from all that can be read. What the one gains over the "
            "other is what leaving these rows out is worth. An uneven answer key stays: no row alone is at "
            "fault."
        )
