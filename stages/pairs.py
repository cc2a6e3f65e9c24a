"""Verdicts on a question's traces -> preference pairs: one that `sft` keeps over one not to learn from.

Both answer the same question about the same frames, so a pair costs no further call of a teacher.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

PAIR_REASONS = (
    "wrong_answer",
    "ungrounded",
    "claim_denied",
    "observation_denied",
    "control_believed",
    "misplaced",
    "cites_no_frame",
    "cites_outside_clip",
    "few_citations",
    "cites_little",
    "declares_guess",
    "lucky",
)
"""Why a trace is the worse one of a pair: it is wrong, its frames do not bear it out, or luck explains it."""
NOT_COMPARED = ("unfinished", "malformed", "answer_unknown", "duplicate")
"""Traces rejected for one of these are in no pair: it would teach the form, or the same thing twice."""

Masks = npt.NDArray[np.uint64]


def preference_pairs(traces: pl.DataFrame, reasons: Masks, names: Sequence[str], most: int) -> pl.DataFrame:
    """The pairs of each question, at most so many.

    The best of what is kept is held against one rejected trace after the other; where several are kept, in
    turn. Rejected ones come a reason after the other, so that not all pairs of a question are of one kind,
    and the best ones first: those are the hardest to tell from what is right.

    Args:
        traces: `trace_id`, `question_id` and `quality`, one row a trace.
        reasons: Bit i is set where reason i keeps a trace out of `sft`; 0 where it is kept.
        names: What the bits are called.
        most: Pairs of one question.

    Returns:
        `chosen` (the `trace_id` that is held against the row's) and `pair_reason`, one row a trace in the
        same order; null where it is not the worse one of a pair.
    """
    rows = traces.select("trace_id", "question_id", "quality").with_row_index("place")
    ordered = ["question_id", "quality", "trace_id"]
    kept = rows.filter(pl.Series(reasons == 0)).sort(ordered, descending=[False, True, False])
    kept = kept.with_columns(turn=_turn("question_id"), kept=pl.len().over("question_id"))
    counts = kept.select("question_id", "kept").unique()
    worse = rows.with_columns(reason=pl.Series(_pair_reason(reasons, names))).filter(pl.col("reason") >= 0)
    worse = worse.join(counts, on="question_id")  # most questions keep nothing, and need not be sorted
    worse = worse.sort(ordered, descending=[False, True, False]).with_columns(
        round=_turn("question_id", "reason")
    )
    worse = worse.sort("question_id", "round", "reason").with_columns(turn=_turn("question_id"))
    pairs = worse.filter(pl.col("turn") < most)
    pairs = pairs.with_columns(turn=pl.col("turn") % pl.col("kept")).join(
        kept.select("question_id", "turn", chosen="trace_id"), on=["question_id", "turn"]
    )
    told = pairs.select(
        "place",
        "chosen",
        pair_reason=pl.col("reason").replace_strict(
            range(len(PAIR_REASONS)), PAIR_REASONS, return_dtype=pl.String
        ),
    )
    return rows.select("place").join(told, on="place", how="left", maintain_order="left").drop("place")


def _turn(*columns: str) -> pl.Expr:
    return pl.int_range(pl.len()).over(columns)


def _pair_reason(reasons: Masks, names: Sequence[str]) -> npt.NDArray[np.int64]:
    """The place of the first pair reason that applies to each trace; −1 where it is in no pair."""
    found = np.full(len(reasons), -1, dtype=np.int64)
    for place in reversed(range(len(PAIR_REASONS))):
        found[_applies(reasons, names, PAIR_REASONS[place])] = place
    for name in NOT_COMPARED:
        found[_applies(reasons, names, name)] = -1
    return found


def _applies(reasons: Masks, names: Sequence[str], name: str) -> npt.NDArray[np.bool_]:
    applies: npt.NDArray[np.bool_] = (reasons >> np.uint64(names.index(name))) & np.uint64(1) != 0
    return applies
