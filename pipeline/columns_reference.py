"""Names of columns and of reasons -> what they mean, as their own code says it."""

import textwrap
from collections.abc import Sequence

from reelproof.pipeline.dataset.columns import Column, columns_of, measured_over_all
from reelproof.pipeline.dataset.rows import SAMPLES
from reelproof.pipeline.errors import UsageError
from reelproof.schemas.policy import PolicyConfig
from reelproof.stages.policy import meanings


def explain_columns(names: Sequence[str] = ()) -> str:
    """What columns, measurements and reasons mean, as text: all, or those of the configs and those named.

    Raises UsageError for a name that is none of these.
    """
    columns, reasons = published_columns(), meanings(PolicyConfig())
    over_all = {each.name: each for each in measured_over_all()}
    for name in names:
        if name not in (*SAMPLES, *columns, *over_all, *reasons):
            raise UsageError(
                f"there is no config, column or reason {name}; the configs are {', '.join(SAMPLES)}, and "
                "`reelproof columns` tells all"
            )
    told = [
        f"{name}: {column.kind}; in {', '.join(configs)}\n{_indented(column.says)}"
        for name, (column, configs) in columns.items()
        if not names or name in names or set(configs) & set(names)
    ]
    told += [
        f"{name}: {each.kind}; in no config: rules use it, and `explain` tells it\n{_indented(each.says)}"
        for name, each in over_all.items()
        if not names or name in names
    ]
    told += [
        f"reason {name}\n{_indented(says)}" for name, says in reasons.items() if not names or name in names
    ]
    return "\n".join(told)


def published_columns() -> dict[str, tuple[Column, list[str]]]:
    """Column -> what it is where it first stands, and the configs that have it."""
    found: dict[str, tuple[Column, list[str]]] = {}
    for config in SAMPLES:
        for column in columns_of(config):
            found.setdefault(column.name, (column, []))[1].append(config)
    return found


def _indented(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 96, initial_indent="    ", subsequent_indent="    "))
