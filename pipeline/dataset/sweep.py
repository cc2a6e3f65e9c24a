"""A policy setting and a range of values -> how many rows each value would keep."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from pydantic import ValidationError

from reelproof.pipeline.errors import UsageError
from reelproof.schemas.policy import PolicyConfig
from reelproof.stages.deciding import count_kept, find_cuts
from reelproof.stages.policy import checked_policy


def sweep(
    rows: Collection[pl.DataFrame], policy: PolicyConfig, setting: str, values: Sequence[Any]
) -> pl.DataFrame:
    """Rows kept for each value of one setting, the others as they are: `value`, `sft`, `rl`, `rejected`.

    `rows` are the measurements of all, some parts' at a time.
    `setting` is a field of the policy, with or without `policy.` before it. Raises UsageError for a field
    that there is not, and for a value that it may not have.
    """
    return sweeps(rows, policy, {setting: values})[setting]


def sweeps(
    rows: Collection[pl.DataFrame], policy: PolicyConfig, settings: Mapping[str, Sequence[Any]]
) -> dict[str, pl.DataFrame]:
    """What `sweep` gives for each setting and its values; the measurements are gone through once."""
    policies = [_with(policy, setting, value) for setting, values in settings.items() for value in values]
    cuts = [find_cuts(rows, each) for each in policies]
    kept, traces = np.zeros((len(policies), 2), np.int64), 0
    for some in rows:
        kept += count_kept(some, policies, cuts)
        traces += len(some)
    found, first = {}, 0
    for setting, values in settings.items():
        sft, rl = kept[first : first + len(values)].T
        first += len(values)
        counts = {"value": pl.Series(values, strict=False), "sft": sft, "rl": rl, "rejected": traces - sft}
        found[setting] = pl.DataFrame(counts)
    return found


def _with(policy: PolicyConfig, setting: str, value: Any) -> PolicyConfig:
    name = setting.removeprefix("policy.")
    if name not in PolicyConfig.model_fields:
        raise UsageError(
            f"policy has no field {name}; it may be one of: {', '.join(PolicyConfig.model_fields)}"
        )
    try:
        return checked_policy(PolicyConfig.model_validate(policy.model_dump() | {name: value}))
    except ValueError as error:
        told = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else str(error)
        what = told.removeprefix("Value error, ")
        raise UsageError(f"policy.{name} cannot be {value}: {what}") from None
