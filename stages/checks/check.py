"""What a check is: one measurement of traces, and the rules that rest on it alone."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

import polars as pl
from pydantic import BaseModel

from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.scores import Score
from reelproof.schemas.trace import Case


class Rule(NamedTuple):
    """One reason not to keep a row."""

    name: str
    says: str
    """Of a row that it holds for, as in `not kept, since …`."""
    fires: pl.Expr
    """Boolean over measurement columns; null does not fire."""
    setting: str | None = None
    """The policy field that holds its threshold, where it has one."""


def _no_rules(_policy: PolicyConfig) -> tuple[Rule, ...]:
    return ()


class Check(NamedTuple):
    """One measurement of traces."""

    name: str
    version: int
    measure: Callable[[Iterable[Case], Any], Iterator[Score]]
    """(cases, config) -> one score a trace, in order."""
    config: type[BaseModel]
    """Every field has a default."""
    score: type[Score]
    """Its fields are columns: of measurements, of shards and of the report."""
    needs: Literal[
        "traces", "probes", "claims", "sufficiency", "asked", "text", "clip_quality", "speech", "heard"
    ]
    """What must have run before it: `probes` adds a probe to each case, `claims` its claims,
    `sufficiency` what a judge answered, `asked` how a written question's key fared, `text` what is
    written in frames, `clip_quality` what the clip looks like as a picture, `speech` what is said, `heard`
    that and a probe, where the recipe has those."""
    rules: Callable[[PolicyConfig], tuple[Rule, ...]] = _no_rules
    """Reasons to keep a trace out of `sft` that no other check has a part in, told after policy's own; those
    of a check `of_question` keep its question out of `rl`, too."""
    of_question: bool = False
    """Whether it says the same of all of a question's rollouts, so that `rl` has it too."""
