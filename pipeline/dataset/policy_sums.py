"""What was decided, some rows at a time -> sums that add up, and from them what card and plots show."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from reelproof.schemas.manifest import Manifest
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.stats import (
    Histogram,
    KindCount,
    PolicyStats,
    ProbePass,
    RuleCount,
    SplitSize,
    Tally,
)
from reelproof.stages.deciding import Cuts, find_cuts, funnel
from reelproof.stages.measurements import complete
from reelproof.stages.rates import BLIND_PASS_RATE, PASS_RATE, SHUFFLED_PASS_RATE, SINGLE_PASS_RATE

BINS = 20
_UNKNOWN = -1


class Spread(NamedTuple):
    """A measurement worth a histogram, and the policy field that draws a line through it."""

    column: str
    low: float
    high: float
    setting: str | None


SPREADS = (
    Spread("thought_words", 0, 400, "min_thought_words"),
    Spread("repetition", 0, 1, "max_repetition"),
    Spread("citations", 0, 20, "min_citations"),
    Spread("citations_near_frame", 0, 1, "min_citations_near_frame"),
    Spread("cited_share", 0, 1, "min_cited_share"),
    Spread("grounded_share", 0, 1, "min_grounded_share"),
    Spread("worst_belief", 0, 1, "min_worst_belief"),
    Spread("worst_observation_belief", 0, 1, "min_observation_belief"),
    Spread("worst_margin", -1, 1, "min_worst_margin"),
    Spread("best_margin", -1, 1, "min_best_margin"),
    Spread("answer_strict", 0, 1, None),
)
_RATES = {
    "shown": PASS_RATE,
    "blind": BLIND_PASS_RATE,
    "single": SINGLE_PASS_RATE,
    "shuffled": SHUFFLED_PASS_RATE,
}


class PolicySums(NamedTuple):
    """Counts of some rows; those of others, with no part in common, are added line by line."""

    totals: pl.DataFrame
    funnel: pl.DataFrame
    kinds: pl.DataFrame
    bins: pl.DataFrame
    passes: pl.DataFrame
    probes: pl.DataFrame
    pairs: pl.DataFrame


_LINES = {
    "totals": (),
    "funnel": ("set", "rule"),
    "kinds": ("source", "kind", "task"),
    "bins": ("column", "bin"),
    "passes": ("rollout_count", "pass_count"),
    "probes": ("task",),
    "pairs": ("pair_reason",),
}
"""What tells the lines of each table apart."""


def count_policy(rows: Collection[pl.DataFrame], policy: PolicyConfig, manifest: Manifest) -> PolicyStats:
    """Count what was decided of rows, some parts' at a time: their measurements, with `sft` and `rl`."""
    cuts = find_cuts(rows, policy)
    return _stats(add_sums([sum_rows(each, policy, cuts) for each in rows]), policy, manifest)


def sum_rows(measurements: pl.DataFrame, policy: PolicyConfig, cuts: Cuts) -> PolicySums:
    """Count the rows of some parts; `cuts` are those of all."""
    rows = complete(measurements)
    asked = rows.unique("question_id", keep="first", maintain_order=True)
    kept = rows.filter("sft")
    totals = {
        "traces": len(rows),
        "kept_videos": kept["video_id"].n_unique(),
        "kept_questions": kept["question_id"].n_unique(),
        "duplicate_traces": int(rows["duplicate_of"].is_not_null().sum()),
        "duplicate_questions": int(asked["question_duplicate_of"].is_not_null().sum()),
        "contaminated": int(rows["contaminated"].sum() or 0),
        "compared": int(rows["contaminated"].is_not_null().sum()),
        "judged_claims": int(rows["judged_claims"].sum()),
        "testable_claims": int(rows["testable_claims"].sum()),
        "kept_judged_claims": int(kept["judged_claims"].sum()),
        "kept_testable_claims": int(kept["testable_claims"].sum()),
        "kept_unjudged_claims": int(kept["claims_unjudged"].sum()),
        "kept_judged_observations": int(kept["judged_observations"].sum()),
        "kept_unjudged_observations": int(kept["observations_unjudged"].sum()),
    }
    return PolicySums(
        totals=pl.DataFrame(totals),
        funnel=funnel(rows, policy, cuts),
        kinds=_kinds(rows),
        bins=pl.concat([_bins(spread, rows) for spread in SPREADS]),
        passes=asked.drop_nulls(["pass_count", "rollout_count"])
        .group_by("rollout_count", "pass_count")
        .agg(pl.len().cast(pl.Int64).alias("questions")),
        probes=_probes(asked),
        pairs=rows.drop_nulls("pair_reason").group_by("pair_reason").agg(count=pl.len().cast(pl.Int64)),
    )


def add_sums(sums: Sequence[PolicySums]) -> PolicySums:
    """The sum of the counts of several runs of parts."""
    tables = {name: [getattr(each, name) for each in sums] for name in _LINES}
    return PolicySums(**{name: _added(tables[name], keys) for name, keys in _LINES.items()})


def _added(tables: Sequence[pl.DataFrame], keys: Sequence[str]) -> pl.DataFrame:
    whole = pl.concat(tables)
    return whole.group_by(keys, maintain_order=True).sum() if keys else whole.sum()


def _stats(sums: PolicySums, policy: PolicyConfig, manifest: Manifest) -> PolicyStats:
    totals = sums.totals.row(0, named=True)
    contaminated, compared = totals.pop("contaminated"), totals.pop("compared")
    passes = sums.passes.sort("rollout_count", "pass_count")
    kinds = sums.kinds.sort("source", "kind", "task")
    return PolicyStats(
        **totals,
        contaminated=contaminated if compared else None,
        splits=_splits(manifest),
        funnel=tuple(RuleCount(**line) for line in sums.funnel.iter_rows(named=True)),
        kinds=tuple(KindCount(**line) for line in kinds.iter_rows(named=True)),
        histograms=tuple(_histogram(spread, sums.bins, policy) for spread in SPREADS),
        pass_counts=tuple(
            Tally(value=f"{right}/{total}", count=count) for total, right, count in passes.iter_rows()
        ),
        pairs=tuple(
            Tally(value=reason, count=count)
            for reason, count in sums.pairs.sort(
                ["count", "pair_reason"], descending=[True, False]
            ).iter_rows()
        ),
        probes=tuple(_probe_pass(line) for line in sums.probes.sort("task").iter_rows(named=True)),
    )


def _splits(manifest: Manifest) -> tuple[SplitSize, ...]:
    sizes = []
    for config, split in dict.fromkeys((each.config, each.split) for each in manifest.files):
        files = [each for each in manifest.files if (each.config, each.split) == (config, split)]
        rows, size_bytes = sum(each.rows for each in files), sum(each.size_bytes for each in files)
        sizes.append(
            SplitSize(config=config, split=split, rows=rows, shards=len(files), size_bytes=size_bytes)
        )
    return tuple(sizes)


def _kinds(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("source", "kind", "task").agg(
        questions=pl.col("question_id").n_unique().cast(pl.Int64),
        traces=pl.len().cast(pl.Int64),
        right=(pl.col("answer_strict") == 1).sum().cast(pl.Int64),
        sft=pl.col("sft").sum().cast(pl.Int64),
        rl=pl.col("rl").sum().cast(pl.Int64),
        dpo=pl.col("pair_reason").count().cast(pl.Int64),
    )


def _bins(spread: Spread, rows: pl.DataFrame) -> pl.DataFrame:
    """`all` and `kept` of each bin; those without a value in one of their own."""
    values = rows[spread.column]
    return pl.DataFrame(
        {
            "column": spread.column,
            "bin": [*range(BINS), _UNKNOWN],
            "all": [*bins_of(spread, values), values.null_count()],
            "kept": [*bins_of(spread, values.filter(rows["sft"])), 0],
        }
    )


def bins_of(spread: Spread, values: pl.Series) -> tuple[int, ...]:
    """How many known values lie in each bin; those outside in the first or the last one."""
    known = values.drop_nulls().cast(pl.Float64).to_numpy()
    clipped = np.clip(known, spread.low, spread.high)
    return tuple(np.histogram(clipped, bins=BINS, range=(spread.low, spread.high))[0].tolist())


def _histogram(spread: Spread, bins: pl.DataFrame, policy: PolicyConfig) -> Histogram:
    mine = bins.filter(pl.col("column") == spread.column)
    known = mine.filter(pl.col("bin") != _UNKNOWN).sort("bin")
    threshold = getattr(policy, spread.setting) if spread.setting else None
    return Histogram(
        column=spread.column,
        low=spread.low,
        high=spread.high,
        all=tuple(known["all"]),
        kept=tuple(known["kept"]),
        unknown=mine.filter(pl.col("bin") == _UNKNOWN)["all"].item(),
        setting=spread.setting,
        threshold=None if threshold is None else float(threshold),
    )


def _probes(asked: pl.DataFrame) -> pl.DataFrame:
    """Of each task, the questions, and the sum of each rate and how many have one."""
    sums = [rate.sum().alias(name) for name, rate in _RATES.items()]
    known = [rate.count().cast(pl.Int64).alias(f"{name}_known") for name, rate in _RATES.items()]
    questions = pl.len().cast(pl.Int64).alias("questions")
    return asked.group_by("task").agg(questions, *sums, *known)


def _probe_pass(line: dict[str, float]) -> ProbePass:
    means = {
        name: round(line[name] / line[f"{name}_known"], 6) if line[f"{name}_known"] else None
        for name in _RATES
    }
    return ProbePass(task=str(line["task"]), questions=int(line["questions"]), **means)
