"""What a command says last: what comes next; or why nothing was kept, and which settings would change it."""

import json
import shlex
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from reelproof.pipeline.curate import decide_all
from reelproof.pipeline.workplace import Workplace
from reelproof.schemas.counted import counted
from reelproof.schemas.policy import PolicyConfig
from reelproof.stages.deciding import count_reasons

_REASONS_TOLD, _COMMANDS_TOLD = 5, 3
_LOOSEST = PolicyConfig(preset="permissive")
_NO_THRESHOLD = frozenset(("preset", "name", "extra_rules"))


def tell_next(out: str, preset: str) -> list[str]:
    """Where the dataset of a build is, and commands that people go on with: another preset among them."""
    folder, other = shlex.quote(out), "balanced" if preset == "strict" else "strict"
    return [
        f"dataset: {out.rstrip('/')}/dataset (README.md there is its card)",
        f"  reelproof browse {folder}",
        f"  reelproof refilter {folder} --set policy.preset={other}",
        f"  reelproof train sft {folder} --model MODEL --out RUN",
    ]


class _Tried(NamedTuple):
    """What a policy with one more setting loosened decides."""

    setting: str
    kept: int
    fewest: int
    """Reasons that stand against the row with the fewest of them."""
    near: int
    """Rows that have so few."""


def tell_kept_nothing(workplace: Workplace) -> list[str]:
    """The commonest reasons, and the commands that would keep the most rows; empty where there is no trace.

    A command loosens one setting to what the preset `permissive` has, or, where none alone keeps a row, as
    few together as it takes.
    """
    decided = decide_all(workplace)
    rows = decided.measurements.filter(decided.verdicts["published"])
    reasons = decided.verdicts.filter("published")["reasons"].explode().value_counts(sort=True)
    if rows.is_empty():
        return []
    told = ", ".join(f"{reason} {count}" for reason, count in reasons.head(_REASONS_TOLD).iter_rows())
    loosened, last = _loosen(rows, workplace.recipe.policy)
    commands = [
        f"  {_command(workplace, [*loosened, each.setting])}   # would keep {each.kept}"
        for each in sorted(last, key=lambda each: -each.kept)[:_COMMANDS_TOLD]
    ]
    none = "  no threshold changes that; `reelproof browse` shows each trace with its reasons"
    cut_off = sum(reasons.filter(pl.col("reasons") == "unfinished")["count"])
    if cut_off * 2 > len(rows):
        most = workplace.recipe.rollouts.max_tokens
        commands.append(f"  {cut_off} were cut off at rollouts.max_tokens={most}: build with more")
    return [f"nothing was kept of {counted(len(rows), 'trace')}, for: {told}", *(commands or [none])]


def _loosen(rows: pl.DataFrame, policy: PolicyConfig) -> tuple[list[str], list[_Tried]]:
    """Settings that must be loosened first, and those of which each then keeps rows."""
    names = [name for name in PolicyConfig.model_fields if name not in _NO_THRESHOLD]
    open_ = {name for name in names if getattr(policy, name) != getattr(_LOOSEST, name)}
    loosened: list[str] = []
    while open_:
        names = sorted(open_)
        against = count_reasons(rows, [_loosened(policy, name) for name in names])
        tried = [_tried(name, counts) for name, counts in zip(names, against, strict=True)]
        if kept := [each for each in tried if each.kept]:
            return loosened, kept
        best = min(tried, key=lambda each: (each.fewest, -each.near))
        loosened.append(best.setting)
        open_.remove(best.setting)
        policy = _loosened(policy, best.setting)
    return [], []


def _tried(setting: str, against: npt.NDArray[np.uint8]) -> _Tried:
    """By how many reasons stand against each row, (N,)."""
    fewest = int(against.min())
    return _Tried(setting, int((against == 0).sum()), fewest, int((against == fewest).sum()))


def _loosened(policy: PolicyConfig, setting: str) -> PolicyConfig:
    return policy.model_copy(update={setting: getattr(_LOOSEST, setting)})


def _command(workplace: Workplace, settings: list[str]) -> str:
    overrides = " ".join(f"--set {shlex.quote(f'policy.{name}={_written(name)}')}" for name in settings)
    return f"reelproof refilter {shlex.quote(workplace.store.url)} {overrides}"


def _written(setting: str) -> str:
    value: Any = "all" if setting == "answer_forms" else getattr(_LOOSEST, setting)
    return value if isinstance(value, str) else json.dumps(value)
