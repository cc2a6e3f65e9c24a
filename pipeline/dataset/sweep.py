"""A policy setting and a range of values -> how many rows each value would keep."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import polars as pl
from pydantic import ValidationError

from reelproof.pipeline.errors import UsageError
from reelproof.schemas.policy import PolicyConfig
from reelproof.stages.deciding import Cuts, decide, find_cuts
from reelproof.stages.policy import checked_policy


def sweep(
    rows: Collection[pl.DataFrame], policy: PolicyConfig, setting: str, values: Sequence[Any]
) -> pl.DataFrame:
    """Rows kept for each value of one setting, the others as they are: `value`, `sft`, `rl`, `rejected`.

    `rows` are the measurements of all, some parts' at a time.
    `setting` is a field of the policy, with or without `policy.` before it. Raises UsageError for a field
    that there is not, and for a value that it may not have.
    """
    name = setting.removeprefix("policy.")
    if name not in PolicyConfig.model_fields:
        raise UsageError(
            f"policy has no field {name}; it may be one of: {', '.join(PolicyConfig.model_fields)}"
        )
    policies = [_with(policy, name, value) for value in values]
    cuts = [find_cuts(rows, each) for each in policies]
    kept = np.zeros((len(policies), 3), dtype=np.int64)
    for some in rows:
        kept += [_kept(some, each, cut) for each, cut in zip(policies, cuts, strict=True)]
    schema = {"sft": pl.Int64, "rl": pl.Int64, "rejected": pl.Int64}
    return pl.DataFrame(kept, schema=schema).insert_column(0, pl.Series("value", values, strict=False))


def _with(policy: PolicyConfig, name: str, value: Any) -> PolicyConfig:
    try:
        return checked_policy(PolicyConfig.model_validate(policy.model_dump() | {name: value}))
    except ValueError as error:
        told = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else str(error)
        what = told.removeprefix("Value error, ")
        raise UsageError(f"policy.{name} cannot be {value}: {what}") from None


def _kept(measurements: pl.DataFrame, policy: PolicyConfig, cuts: Cuts) -> tuple[int, int, int]:
    verdicts = decide(measurements, policy, cuts)
    sft = int(verdicts["sft"].sum())
    return sft, int(verdicts["rl"].sum()), len(verdicts) - sft
