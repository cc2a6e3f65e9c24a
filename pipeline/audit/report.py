"""What was found -> counts by kind, baselines that need no film, and what could not be looked at."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from reelproof.pipeline.audit.findings import Looked
from reelproof.pipeline.audit.kinds import KINDS
from reelproof.pipeline.audit.row_faults import Finding
from reelproof.pipeline.audit.source import Source
from reelproof.schemas.balance import KeyBalance
from reelproof.schemas.counted import counted
from reelproof.schemas.intervals import wilson
from reelproof.schemas.question import Task
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


class Baseline(Record):
    """Answers of one task that take no look at a film."""

    how: str
    """`multiple_choice, always 'B'`; `…, the longest option`; `…, without a frame`."""
    questions: int
    score: float
    """Mean share of right answers."""
    low: float | None
    """Wilson's 95 % interval, over questions, where a model answered; null where it was counted."""
    high: float | None
    chance: float | None
    """Mean share that guesses get right; null where that is not known."""
    alarm: bool
    """It is more than chance explains."""

    def told(self) -> str:
        """A line for people: how, right for what share of how many, and what chance would be."""
        interval = "" if self.low is None else f" ({100 * self.low:.1f}–{100 * (self.high or 0):.1f} %)"
        chance = "" if self.chance is None else f", by chance {100 * self.chance:.1f} %"
        alarm = "; more than chance explains" if self.alarm else ""
        score = f"{100 * self.score:.1f} %{interval}"
        return f"{self.how}: right for {score} of {self.questions:,}{chance}{alarm}"


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
    """How often which letter is right, and more of the constant answers."""
    baselines: tuple[Baseline, ...]
    curated: int | None = None
    """Rows of the curated file, and of its random control; null where none was asked for."""

    def wanting(self) -> dict[str, list[str]]:
        """What is wanting -> kinds that could not be looked for without."""
        kinds = defaultdict[str, list[str]](list)
        for kind, why in self.not_looked.items():
            kinds[why].append(kind)
        return kinds


def make_report(source: Source, looked: Looked) -> AuditReport:
    """What was found of each kind, with examples, and how far answers get that look at nothing."""
    by_kind: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in looked.findings:
        by_kind[finding.kind].append(finding)
    keys = tuple(measure_balance(looked.questions))
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
        answer_keys=keys,
        baselines=(*map(_constant, keys), *_longest(looked), *_blind(looked.measured)),
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


def _constant(key: KeyBalance) -> Baseline:
    return Baseline(
        how=f"{key.task}, always {key.constant_answer[:40]!r}",
        questions=key.questions,
        score=key.constant_score,
        low=None,
        high=None,
        chance=key.chance,
        alarm=key.alarm,
    )


def _longest(looked: Looked) -> Iterator[Baseline]:
    if found := longest_option(looked.questions):
        yield Baseline(
            how=f"{Task.MULTIPLE_CHOICE}, the longest option",
            questions=found.questions,
            score=found.right / found.questions,
            low=None,
            high=None,
            chance=found.chance,
            alarm=found.questions >= LEAST_QUESTIONS and found.p_value < LEAST_P_VALUE,
        )


def _blind(measured: pl.DataFrame) -> Iterator[Baseline]:
    asked = measured.filter(pl.col("blind_rollouts") > 0)
    for (task,), rows in asked.sort("task").group_by("task", maintain_order=True):
        share = rows.select(pl.col("blind_passes") / pl.col("blind_rollouts")).to_series().mean()
        score, chances = wilson(float(share or 0.0) * len(rows), len(rows)), rows["guess_rate"].drop_nulls()  # type: ignore[arg-type]
        chance = float(chances.mean()) if 2 * len(chances) > len(rows) else None  # type: ignore[arg-type]
        yield Baseline(
            how=f"{task}, without a frame",
            questions=len(rows),
            score=score.value,
            low=score.low,
            high=score.high,
            chance=chance,
            alarm=chance is not None and score.low > chance,
        )


def tell_report(report: AuditReport) -> Iterator[str]:
    """The report for a terminal, in lines."""
    there = f"{report.videos_there} of {counted(report.videos_named, 'video')} there"
    yield (
        f"{report.source}: {counted(report.rows, report.unit)} ({', '.join(report.shapes)}), "
        f"{counted(report.questions, 'question')}, {counted(report.thoughts, 'thought')}, {there}"
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
    yield from (each.told() for each in report.baselines)
    if report.clean:
        yield f"found in no row: {', '.join(report.clean)}"
    yield from (f"not looked for: {', '.join(kinds)} ({why})" for why, kinds in report.wanting().items())
