"""What was found -> counts by kind, baselines that need no film, and what could not be looked at."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import polars as pl
from pydantic import Field

from reelproof.pipeline.audit.findings import Looked
from reelproof.pipeline.audit.kinds import KINDS
from reelproof.pipeline.audit.row_faults import Finding
from reelproof.pipeline.audit.source import Source
from reelproof.schemas.balance import KeyBalance
from reelproof.schemas.intervals import wilson
from reelproof.schemas.record import Record
from reelproof.stages.checks.balance import LEAST_P_VALUE, LEAST_QUESTIONS, longest_option, measure_balance


class KindFound(Record):
    """How many rows have one kind of fault."""

    kind: str
    says: str
    rows: int
    among: int
    """Rows for which it could be told."""
    share: float
    low: float | None
    """Wilson's 95 % interval of the share, where a model's draws decide; null where rows were counted."""
    high: float | None
    example: int
    """Number of a row that has it."""


class Longest(Record):
    """Answering every question with its longest option."""

    score: float
    questions: int
    chance: float
    p_value: float
    alarm: bool


class BlindScore(Record):
    """Answers of one task without a frame."""

    task: str
    questions: int
    score: float
    """Mean share of right answers."""
    low: float
    """Wilson's 95 % interval, over questions."""
    high: float
    chance: float | None
    """Mean share that guesses get right; null where that is not known of most."""


class AuditReport(Record):
    """All that an audit tells, as `audit.json` holds it and `--json` prints it."""

    source: str
    unit: str
    """What its rows are called: `line`, `item` or `row`."""
    shapes: tuple[str, ...]
    rows: int
    """That ask something, or should."""
    questions: int
    """Distinct ones that can be used."""
    thoughts: int
    videos_named: int
    videos_there: int
    picture_rows: int
    """About pictures: left out."""
    at_fault: int
    """Rows with a fault of any kind."""
    kinds: tuple[KindFound, ...]
    """Those that were found, in the order of the kinds."""
    clean: tuple[str, ...]
    """Kinds that were looked for, and found in no row."""
    not_looked: Mapping[str, str]
    """Kinds that could not be looked for -> what is wanting."""
    answer_keys: tuple[KeyBalance, ...]
    longest: Longest | None
    blind: tuple[BlindScore, ...]
    curated: int | None = Field(default=None)
    """Rows of the curated file, and of its random control; null where none was asked for."""


def make_report(source: Source, looked: Looked) -> AuditReport:
    """Counts and baselines."""
    by_kind: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in looked.findings:
        by_kind[finding.kind].append(finding)
    return AuditReport(
        source=source.url,
        unit=source.manifest.unit,
        shapes=source.manifest.shapes,
        rows=len(source.numbers),
        questions=len(looked.questions),
        thoughts=looked.thoughts,
        videos_named=len(source.films) + len(source.named),
        videos_there=len(source.films),
        picture_rows=source.manifest.skipped.get("image_row", 0),
        at_fault=len({each.number for each in looked.findings}),
        kinds=tuple(_kinds_found(by_kind, looked)),
        clean=tuple(kind.name for kind in KINDS if looked.among[kind.need] and kind.name not in by_kind),
        not_looked={kind.name: str(kind.need) for kind in KINDS if not looked.among[kind.need]},
        answer_keys=tuple(measure_balance(looked.questions)),
        longest=_longest(looked),
        blind=tuple(_blind_scores(looked.measured)),
    )


def _kinds_found(by_kind: Mapping[str, Sequence[Finding]], looked: Looked) -> Iterator[KindFound]:
    for kind in KINDS:
        if found := by_kind.get(kind.name):
            interval = wilson(len(found), among := len(looked.among[kind.need]))
            yield KindFound(
                kind=kind.name,
                says=kind.says,
                rows=len(found),
                among=among,
                share=interval.value,
                low=interval.low if kind.is_estimate else None,
                high=interval.high if kind.is_estimate else None,
                example=found[0].number,
            )


def _longest(looked: Looked) -> Longest | None:
    found = longest_option(looked.questions)
    return found and Longest(
        score=found.right / found.questions,
        questions=found.questions,
        chance=found.chance,
        p_value=found.p_value,
        alarm=found.questions >= LEAST_QUESTIONS and found.p_value < LEAST_P_VALUE,
    )


def _blind_scores(measured: pl.DataFrame) -> Iterator[BlindScore]:
    asked = measured.filter(pl.col("blind_rollouts") > 0)
    by_task = asked.group_by("task").agg(
        pl.len().alias("questions"),
        (pl.col("blind_passes") / pl.col("blind_rollouts")).mean().alias("score"),
        pl.when(pl.col("guess_rate").count() * 2 > pl.len())
        .then(pl.col("guess_rate").mean())
        .alias("chance"),
    )
    for row in by_task.sort("task").iter_rows(named=True):
        interval = wilson(row["score"] * row["questions"], row["questions"])
        yield BlindScore(**row, low=interval.low, high=interval.high)


def tell_report(report: AuditReport) -> Iterator[str]:
    """The report for a terminal, in lines."""
    there = f"{report.videos_there} of {report.videos_named} videos there"
    yield (
        f"{report.source}: {report.rows:,} {report.unit}s ({', '.join(report.shapes)}), "
        f"{report.questions:,} questions, {report.thoughts:,} thoughts, {there}"
    )
    yield ""
    yield f"{'kind':<24} {'rows':>7} {'share':>7}  {'95 %':<15} example"
    for each in report.kinds:
        interval = "" if each.low is None else f"{100 * each.low:.1f}–{100 * (each.high or 0):.1f} %"
        yield (
            f"{each.kind:<24} {each.rows:>7,} {100 * each.share:>5.1f} %  {interval:<15} "
            f"{report.unit} {each.example}"
        )
    yield f"{'any':<24} {report.at_fault:>7,} {100 * report.at_fault / max(report.rows, 1):>5.1f} %"
    yield ""
    yield from tell_baselines(report)
    if report.clean:
        yield f"found in no row: {', '.join(report.clean)}"
    for wanting in dict.fromkeys(report.not_looked.values()):
        kinds = ", ".join(kind for kind, why in report.not_looked.items() if why == wanting)
        yield f"not looked for: {kinds} ({wanting})"


def tell_baselines(report: AuditReport) -> Iterator[str]:
    """What is right without looking, a line each."""
    for key in report.answer_keys:
        chance = "" if key.chance is None else f", by chance {100 * key.chance:.1f} %"
        alarm = "; more than chance explains" if key.alarm else ""
        yield (
            f"{key.task}: always {key.constant_answer[:40]!r} is right for {100 * key.constant_score:.1f} % "
            f"of {key.questions:,}{chance}{alarm}"
        )
    if longest := report.longest:
        alarm = "; more than chance explains" if longest.alarm else ""
        yield (
            f"multiple_choice: the longest option is right for {100 * longest.score:.1f} % of "
            f"{longest.questions:,}, by chance {100 * longest.chance:.1f} %{alarm}"
        )
    for blind in report.blind:
        chance = "" if blind.chance is None else f", by chance {100 * blind.chance:.1f} %"
        yield (
            f"{blind.task}: answered without a frame, {100 * blind.score:.1f} % are right "
            f"({100 * blind.low:.1f}–{100 * blind.high:.1f} %) of {blind.questions:,}{chance}"
        )
