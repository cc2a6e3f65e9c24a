"""A recipe's own rules, in SQL -> expressions over measurement columns, or one message on what is wrong."""

from collections.abc import Collection, Mapping
from typing import Any

import polars as pl

from reelproof.schemas.policy import ExtraRule, PolicyConfig
from reelproof.stages.measurements import measurement_schema


def check_extra_rules(policy: PolicyConfig, taken: Collection[str]) -> None:
    """Raises ValueError for a rule that cannot be decided of a plain row, or has a name that is `taken`."""
    names = [*taken, *(rule.name for rule in policy.extra_rules)]
    if twice := sorted({rule.name for rule in policy.extra_rules if names.count(rule.name) > 1}):
        raise ValueError(f"policy.extra_rules: {', '.join(twice)} is the name of another rule; rename it")
    for rule in policy.extra_rules:
        checked_expression(rule)


def checked_expression(rule: ExtraRule) -> pl.Expr:
    """The rule's SQL as an expression.

    Raises ValueError where it is not one over measurement columns, or cannot be decided of a plain row.
    """
    schema = measurement_schema()
    plain = pl.DataFrame({name: [_PLAIN[kind]] for name, kind in schema.items()}, schema=schema)
    try:
        fires = pl.sql_expr(rule.where)
        strange = sorted(set(fires.meta.root_names()) - set(schema))
        kind = None if strange else plain.select(fires.alias("fires")).schema["fires"]
    except pl.exceptions.PolarsError as error:
        raise ValueError(
            f"policy.extra_rules.{rule.name}: {rule.where!r} is not an SQL condition that every row can be "
            f"held against: {in_one_line(error)}"
        ) from error
    if strange:
        raise ValueError(
            f"policy.extra_rules.{rule.name}: no column {', '.join(strange)}; there are {', '.join(schema)}"
        )
    if kind != pl.Boolean:
        raise ValueError(f"policy.extra_rules.{rule.name}: {rule.where!r} gives {kind}, expected a condition")
    return fires


def in_one_line(error: Exception) -> str:
    """What polars says of an expression, without its drawings and its account of where it stood."""
    return " ".join(str(error).partition("This error occurred")[0].split())


_PLAIN: Mapping[pl.DataType, Any] = {
    pl.String(): "text",
    pl.Boolean(): True,
    pl.Int64(): 1,
    pl.Float64(): 0.5,
}
"""Of each type that a measurement has, a value to try rules on: some casts and patterns fail only there."""
