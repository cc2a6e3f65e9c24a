"""Measurements -> verdicts: what goes into `sft`, what into `rl`, and every reason why a trace does not."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from reelproof.schemas.policy import PolicyConfig
from reelproof.stages.extra_rules import checked_expression, in_one_line
from reelproof.stages.measurements import complete
from reelproof.stages.pairs import preference_pairs
from reelproof.stages.policy import RL, SETS, SFT, Quota, Rule, RuleError, RuleSet, reason_names
from reelproof.stages.task_quotas import (
    Cutoff,
    add_counts,
    count_bins,
    cutoffs,
    is_over,
    look_closer,
    open_bins,
)

VERSION = 6

Masks = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]

Cuts = Mapping[str, Mapping[str, Cutoff]]
"""Set -> task -> where its quota over all parts ends; tasks that stay within theirs are left out."""


def decide(
    measurements: pl.DataFrame | pl.LazyFrame, policy: PolicyConfig, cuts: Cuts | None = None
) -> pl.DataFrame:
    """Measurements of traces -> one verdict per trace, in the same order.

    Without `cuts` these are all traces of a build; with those of `find_cuts`, some of its parts.
    Returns columns `trace_id`, `sft` and `rl` (bool; `rl` on the first rollout of each kept question),
    `reasons` and `rl_reasons` (lists of rule names, in order; empty where the set keeps the row), and
    `chosen` and `pair_reason` of `preference_pairs`. A quota is a reason only for rows that broke no rule.

    Raises ValueError where a key column is missing or a column has another type, RuleError where a rule of
    the recipe's own cannot be decided.
    """
    frame = _collected(measurements)
    cuts = find_cuts([frame], policy) if cuts is None else cuts
    sft_names, rl_names = reason_names(policy, SFT), reason_names(policy, RL)
    sft, rl = (_broken_rules(frame, policy, cut, cuts[cut.name]) for cut in SETS)
    traces = frame.select("trace_id", "question_id", SFT.quality(policy).alias("quality"))
    pairs = preference_pairs(traces, sft.to_numpy(), sft_names, policy.max_pairs_per_question)
    return pl.DataFrame(
        {
            "trace_id": frame["trace_id"],
            "sft": sft == 0,
            "rl": rl == 0,
            "reasons": _named(sft, sft_names),
            "rl_reasons": _named(rl, rl_names),
            **pairs.to_dict(),
        }
    )


def count_kept(
    measurements: pl.DataFrame, policies: Collection[PolicyConfig], cuts: Collection[Cuts]
) -> Rows:
    """How many rows each policy keeps in `sft` and in `rl`, (policies, 2); raises what `decide` raises.

    `cuts` are those of `find_cuts`, one a policy. A rule that policies share is tried once.
    """
    frame, known = complete(measurements), dict[bytes, pl.Series]()
    kept = [
        [int((_broken_rules(frame, policy, cut, ends[cut.name], known) == 0).sum()) for cut in SETS]
        for policy, ends in zip(policies, cuts, strict=True)
    ]
    return np.array(kept, dtype=np.int64).reshape(-1, len(SETS))


def count_reasons(
    measurements: pl.DataFrame, policies: Collection[PolicyConfig]
) -> Iterator[npt.NDArray[np.uint8]]:
    """How many reasons each policy has against each row in `sft`, (N,); raises what `decide` raises.

    A rule that policies share is tried once.
    """
    frame, known = complete(measurements), dict[bytes, pl.Series]()
    for policy in policies:
        cuts = find_cuts([frame], policy)
        yield np.bitwise_count(_broken_rules(frame, policy, SFT, cuts[SFT.name], known).to_numpy())


def find_cuts(parts: Collection[pl.DataFrame], policy: PolicyConfig) -> Cuts:
    """Where the quotas over all parts end: the same for any parts that hold the same traces."""
    found: dict[str, Mapping[str, Cutoff]] = {}
    for cut in SETS:
        limits = part_limits(policy, cut)
        held = [contenders(each, policy, cut) for each in parts] if limits else []
        opened = open_bins(add_counts(count_bins(each, limits) for each in held), limits)
        found[cut.name] = cutoffs((look_closer(each, limits, opened) for each in held), opened)
    return found


def part_limits(policy: PolicyConfig, cut: RuleSet) -> Mapping[str, int]:
    """Task -> its quota over all parts, where it has one."""
    quota = next(each for each in cut.quotas if each.over_parts)
    return {str(task): limit for task, limit in getattr(policy, quota.setting).items()}


def contenders(measurements: pl.DataFrame, policy: PolicyConfig, cut: RuleSet) -> pl.DataFrame:
    """Rows that nothing but a quota over all parts can still keep out: `task`, `quality`, `tie`."""
    frame = complete(measurements)
    return _contenders(frame, policy, cut).filter(_broken_rules(frame, policy, cut, {}) == 0)


def _contenders(frame: pl.DataFrame, policy: PolicyConfig, cut: RuleSet) -> pl.DataFrame:
    return frame.select(
        pl.col("task").cast(pl.String),
        cut.quality(policy).cast(pl.Float64).alias("quality"),
        pl.col(cut.tie).alias("tie"),
    )


def funnel(
    measurements: pl.DataFrame | pl.LazyFrame, policy: PolicyConfig, cuts: Cuts | None = None
) -> pl.DataFrame:
    """How each rule thins a set out; `cuts` as for `decide`.

    One row a rule, in order: `set`, `rule`, and counts of rows.

    `fires`: the rule applies; `alone`: and no other does, so that without it the row would be kept (or go to
    the quotas); `left`: rows to which neither it nor a rule before it applies.
    """
    frame = _collected(measurements)
    cuts = find_cuts([frame], policy) if cuts is None else cuts
    return pl.concat(
        [
            _thinning(_broken_rules(frame, policy, cut, cuts[cut.name]), reason_names(policy, cut), cut)
            for cut in SETS
        ]
    )


def _collected(measurements: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    frame = measurements.collect() if isinstance(measurements, pl.LazyFrame) else measurements
    return complete(frame)


def _broken_rules(
    frame: pl.DataFrame,
    policy: PolicyConfig,
    cut: RuleSet,
    ends: Mapping[str, Cutoff],
    known: dict[bytes, pl.Series] | None = None,
) -> pl.Series:
    """One number per row, (N,) uint64: bit i is set where reason i applies. `known` were tried before."""
    rules = cut.rules(policy)
    masks: Masks = np.zeros(len(frame), dtype=np.uint64)
    for bit, column in enumerate(_fired(frame, policy, rules, {} if known is None else known)):
        if column.any():
            masks |= column.to_numpy().astype(np.uint64) << np.uint64(bit)
    for bit, quota in enumerate(cut.quotas, start=len(rules)):
        if quota.over_parts and ends:
            over = (masks == 0) & is_over(_contenders(frame, policy, cut), ends).to_numpy()
        elif not quota.over_parts:
            over = _over_quota(frame, masks, quota, policy, cut)
        else:
            continue
        masks[over] |= np.uint64(1) << np.uint64(bit)
    return pl.Series("masks", masks)


def _fired(
    frame: pl.DataFrame, policy: PolicyConfig, rules: Sequence[Rule], known: dict[bytes, pl.Series]
) -> Iterator[pl.Series]:
    """Where each rule applies, (N,) bool; those that are not `known` are tried together, and are so then."""
    keys = [rule.fires.meta.serialize() for rule in rules]
    new = {key: rule for key, rule in zip(keys, rules, strict=True) if key not in known}
    try:
        tried = frame.select(rule.fires.fill_null(False).alias(rule.name) for rule in new.values())
    except pl.exceptions.PolarsError:
        _blame(frame, policy)
        raise
    known |= dict(zip(new, tried.iter_columns(), strict=True))
    return (known[key] for key in keys)


def _blame(frame: pl.DataFrame, policy: PolicyConfig) -> None:
    """Raises RuleError for the first of the recipe's own rules that cannot be decided of all rows."""
    for rule in policy.extra_rules:
        try:
            frame.select("trace_id", checked_expression(rule).alias("fires"))
        except pl.exceptions.PolarsError as error:
            raise RuleError(
                f"policy.extra_rules.{rule.name}: {rule.where!r} cannot be decided of every row: "
                f"{in_one_line(error)}; mend the rule (TRY_CAST gives null where CAST fails), "
                "or take it out"
            ) from error


def _over_quota(frame: pl.DataFrame, masks: Masks, quota: Quota, policy: PolicyConfig, cut: RuleSet) -> Rows:
    """Indices of the rows still kept that are more than their group may have; the best of each group stay."""
    limit = getattr(policy, quota.setting)
    kept = np.flatnonzero(masks == 0)
    if limit is None or not len(kept):
        return np.empty(0, dtype=np.int64)
    over = (
        frame.select(*dict.fromkeys((quota.column, cut.tie)), cut.quality(policy).alias("quality"))[kept]
        .with_columns(pl.Series("row", kept))
        .filter(pl.len().over(quota.column) > limit)  # most groups are within, and need no ranking
        .sort("quality", cut.tie, descending=[True, False])
        .filter(pl.int_range(pl.len()).over(quota.column) >= limit)
    )
    rows: Rows = over["row"].to_numpy()
    return rows


def _named(masks: pl.Series, names: tuple[str, ...]) -> pl.Series:
    """Bit masks -> lists of the names of their bits. Each distinct mask is spelled out once."""
    distinct = masks.unique()
    bits = distinct.to_numpy()[:, None] >> np.arange(len(names), dtype=np.uint64) & np.uint64(1)
    told = [[names[bit] for bit in np.flatnonzero(each)] for each in bits]
    spelled = pl.Series(told, dtype=pl.List(pl.String))
    return spelled.gather(masks.replace_strict(distinct, range(len(distinct)), return_dtype=pl.UInt32))


def _thinning(masks: pl.Series, names: tuple[str, ...], cut: RuleSet) -> pl.DataFrame:
    counted = masks.value_counts(name="rows")
    mask, rows = counted["masks"].to_numpy(), counted["rows"].to_numpy()
    bits = [np.uint64(1) << np.uint64(bit) for bit in range(len(names))]
    return pl.DataFrame(
        {
            "set": [cut.name] * len(names),
            "rule": names,
            "fires": [int(rows[mask & bit != 0].sum()) for bit in bits],
            "alone": [int(rows[mask == bit].sum()) for bit in bits],
            "left": [int(rows[mask & (bit * np.uint64(2) - np.uint64(1)) == 0].sum()) for bit in bits],
        },
        schema={"set": pl.String, "rule": pl.String, "fires": pl.Int64, "alone": pl.Int64, "left": pl.Int64},
    )
