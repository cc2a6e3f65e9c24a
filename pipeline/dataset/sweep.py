"""A policy setting and a range of values -> how many rows each value would keep."""

from collections.abc import Sequence
from typing import Any

import polars as pl
from pydantic import ValidationError

from reelproof.pipeline.errors import UsageError
from reelproof.schemas.policy import PolicyConfig
from reelproof.stages.deciding import decide
from reelproof.stages.policy import checked_policy


def sweep(
    measurements: pl.DataFrame, policy: PolicyConfig, setting: str, values: Sequence[Any]
) -> pl.DataFrame:
    """Rows kept for each value of one setting, the others as they are: `value`, `sft`, `rl`, `rejected`.

    `setting` is a field of the policy, with or without `policy.` before it. Raises UsageError for a field
    that there is not, and for a value that it may not have.
    """
    name = setting.removeprefix("policy.")
    if name not in PolicyConfig.model_fields:
        raise UsageError(
            f"policy has no field {name}; it may be one of: {', '.join(PolicyConfig.model_fields)}"
        )
    policies = [_with(policy, name, value) for value in values]
    return pl.DataFrame(
        [{"value": value, **_kept(measurements, each)} for value, each in zip(values, policies, strict=True)],
        schema_overrides={"sft": pl.Int64, "rl": pl.Int64, "rejected": pl.Int64},
    )


def _with(policy: PolicyConfig, name: str, value: Any) -> PolicyConfig:
    try:
        return checked_policy(PolicyConfig.model_validate(policy.model_dump() | {name: value}))
    except ValueError as error:
        told = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else str(error)
        what = told.removeprefix("Value error, ")
        raise UsageError(f"policy.{name} cannot be {value}: {what}") from None


def _kept(measurements: pl.DataFrame, policy: PolicyConfig) -> dict[str, int]:
    verdicts = decide(measurements, policy)
    sft = int(verdicts["sft"].sum())
    return {"sft": sft, "rl": int(verdicts["rl"].sum()), "rejected": len(verdicts) - sft}
