"""Two evaluations of the same questions -> what the second gained and lost, by style and task.

Questions are paired, and drawn again a film at a time: those about one film stand and fall together.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from reelproof.schemas.errors import UsageError
from reelproof.schemas.evaluation import SCORED, EvaluatedAnswer
from reelproof.schemas.intervals import Interval, binomial_tail
from reelproof.training.evaluation_tables import by_task
from reelproof.training.tables import text_table

Scoring = Literal["strict", "lenient"]
_DRAWS = 2000


class PairedReport(NamedTuple):
    """One style on the questions of one task that both runs asked."""

    style: str
    task: str
    """Or `all`."""
    questions: int
    before: float
    after: float
    """Mean scores."""
    difference: Interval
    """After − before, with the 95 % interval of 2000 draws of films with replacement."""
    gained: int
    lost: int
    """Questions whose score rose, and fell."""
    p_value: float
    """Of so uneven a split of those, were rises and falls alike likely (exact, two-sided: McNemar's)."""


class Comparison(NamedTuple):
    """What two runs have in common."""

    scoring: Scoring
    reports: tuple[PairedReport, ...]
    only_before: int
    only_after: int
    """Questions, of styles that both have, that only one of the runs asked."""

    def as_json(self) -> str:
        """All of it."""
        reports = [each._asdict() | {"difference": each.difference._asdict()} for each in self.reports]
        return json.dumps(self._asdict() | {"reports": reports}, indent=1)

    def told(self) -> str:
        """As a Markdown table, and what is beside it."""
        head = ["style", "task", "n", "before", "after", "difference", "95 %", "gained", "lost", "p"]
        rows = [
            [
                *(each.style, each.task, str(each.questions), f"{each.before:.3f}", f"{each.after:.3f}"),
                f"{each.difference.value:+.3f}",
                f"{each.difference.low:+.3f} to {each.difference.high:+.3f}",
                *(str(each.gained), str(each.lost), f"{each.p_value:.3g}"),
            ]
            for each in self.reports
        ]
        left = f"\n{self.only_before} answers only in the first, {self.only_after} only in the second\n"
        return text_table(head, rows) + (left if self.only_before or self.only_after else "")


def compare_runs(before: Path, after: Path, scoring: Scoring) -> Comparison:
    """Pair the answers of two `--out` folders of `evaluate` by style and question.

    Raises UsageError for a folder that is none, and for runs that have no question in common.
    """
    ours, theirs = _answers(before), _answers(after)
    both = [key for key in ours if key in theirs]
    if not both:
        raise UsageError(
            f"{before} and {after} have no question in common, asked in the same style; compare evaluations "
            "of the same manifest or dataset"
        )
    styles = list(dict.fromkeys(style for style, _ in both))
    reports = [
        _report(style, task, pairs, scoring)
        for style in styles
        for task, pairs in by_task([(ours[key], theirs[key]) for key in both if key[0] == style], _task)
    ]
    only = [
        sum(key not in others for key in own if key[0] in styles)
        for own, others in ((ours, theirs), (theirs, ours))
    ]
    return Comparison(scoring, tuple(reports), *only)


def _answers(run: Path) -> dict[tuple[str, str], EvaluatedAnswer]:
    file = run / SCORED
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        found = [EvaluatedAnswer.model_validate_json(line) for line in lines]
    except OSError as error:
        raise UsageError(
            f"{run} is no folder of an evaluation: {file} cannot be read ({error.strerror}); name an `--out` "
            "of `reelproof evaluate`"
        ) from None
    except ValueError:
        raise UsageError(f"{file} is not as `reelproof evaluate` writes it; run that again") from None
    return {(each.style, each.question_id): each for each in found}


def _task(pair: tuple[EvaluatedAnswer, EvaluatedAnswer]) -> str:
    return str(pair[0].task)


def _report(
    style: str, task: str, pairs: Sequence[tuple[EvaluatedAnswer, EvaluatedAnswer]], scoring: Scoring
) -> PairedReport:
    before, after = (np.array([getattr(pair[side], scoring) for pair in pairs]) for side in (0, 1))
    change = after - before
    gained, lost = int((change > 0).sum()), int((change < 0).sum())
    return PairedReport(
        style=style,
        task=task,
        questions=len(pairs),
        before=float(before.mean()),
        after=float(after.mean()),
        difference=_by_films(change, [pair[0].video for pair in pairs]),
        gained=gained,
        lost=lost,
        p_value=min(1.0, 2 * binomial_tail(max(gained, lost), gained + lost, 0.5)),
    )


def _by_films(change: np.ndarray, films: Sequence[str]) -> Interval:
    """Mean change, with the interval that drawing the films again gives."""
    _, film = np.unique(films, return_inverse=True)
    sums, counts = np.bincount(film, weights=change), np.bincount(film)
    drawn = np.random.default_rng(0).integers(len(sums), size=(_DRAWS, len(sums)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), (0.025, 0.975))
    return Interval(float(change.mean()), float(low), float(high))
