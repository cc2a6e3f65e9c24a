"""Two published datasets -> what came, what went, and why."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import polars as pl

from reelproof.pipeline.curate import decide_all
from reelproof.pipeline.dataset.reading import open_dataset
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.workplace import open_workplace
from reelproof.schemas.counted import counted
from reelproof.schemas.published import Published

KEPT = ("sft", "rl", "dpo")
NOT_THERE = "not_there"
"""Why a row is missing that the other dataset does not even hold as rejected: its film, its question or its
thought was not there."""
BOTH_KEPT, PAIRED_OTHERWISE = "rejected_is_kept", "paired_otherwise"
"""Why a pair is missing whose chosen trace the other dataset keeps: it keeps the rejected one as well, or has
another pair of that question."""
UNKNOWN = "; the reasons for rl are not published: compare the builds' own folders to see them"


class Change(NamedTuple):
    """A setting of the policy that differs."""

    setting: str
    before: Any
    after: Any


class ConfigDiff(NamedTuple):
    """One config of both datasets."""

    config: str
    before: int
    after: int
    rows: pl.DataFrame
    """Rows that came or went: `change` (`came`, `went`), `sample_id`, `video_id`, `task`, and `why`: the
    reasons of the dataset that rejects it, null where they are not known. Of `rejected`, only rows that the
    other dataset does not hold: those that it keeps are told with what is kept."""

    def tally(self, change: str) -> dict[str, int]:
        """Reason -> rows that came, or went; a row counts for each of its reasons."""
        why = self.rows.filter(pl.col("change") == change)["why"].explode().drop_nulls()
        counted = why.value_counts(name="rows").sort(["rows", "why"], descending=[True, False])
        return dict(counted.iter_rows())


class _Rejecting(NamedTuple):
    """The dataset whose reasons count, and which of its configs."""

    store: Store
    dataset: Published
    config: str


class Diff(NamedTuple):
    """How dataset B differs from dataset A."""

    same_data: bool
    """All data files are the same, byte for byte."""
    policy: tuple[Change, ...]
    configs: tuple[ConfigDiff, ...]


def diff_datasets(before: Store, after: Store) -> Diff:
    """Compare the datasets of two builds, or of one build's copies. Only narrow columns are read.

    A dataset does not tell why `rl` leaves a question out: that is decided anew where the store holds the
    build's scores as well, and not known elsewhere.

    Raises UsageError where one is none.
    """
    a, b = open_dataset(before), open_dataset(after)
    configs = []
    for config in KEPT:
        old, new = (_read(each, config, ("sample_id", "video_id", "task")) for each in (a, b))
        went = _missing(old, new, "went", _Rejecting(after, b, config))
        came = _missing(new, old, "came", _Rejecting(before, a, config))
        configs.append(
            ConfigDiff(config, len(old), len(new), pl.concat([came, went]).sort("change", "sample_id"))
        )
    configs.append(_rejected(a, b))
    same = a.contents.dataset_sha256 == b.contents.dataset_sha256
    return Diff(same, tuple(_changes(a.contents.policy, b.contents.policy)), tuple(configs))


def tell_diff(diff: Diff) -> Iterator[str]:
    """The difference in lines, for people."""
    if diff.same_data:
        yield "the data files are the same"
    for change in diff.policy:
        yield f"policy.{change.setting}: {change.before} -> {change.after}"
    for each in diff.configs:
        yield f"{each.config}: {each.before:,} -> {counted(each.after, 'row')}"
        for change_kind, then in (("came", "before"), ("went", "now")):
            rows = each.rows.filter(pl.col("change") == change_kind)
            if len(rows):
                causes = each.tally(change_kind)
                absent = causes.pop(NOT_THERE, 0)
                reasons = ", ".join(f"{name} ({count:,})" for name, count in causes.items())
                told = f"; rejected {then} for {reasons}" * bool(reasons)
                told += f"; not there {then} ({absent:,})" * bool(absent)
                unknown = UNKNOWN if rows["why"].has_nulls() else ""
                yield f"  {len(rows):,} {change_kind}{told or unknown}"


def _rejected(before: Published, after: Published) -> ConfigDiff:
    columns = ("sample_id", "video_id", "task")
    old, new = (_read(each, "rejected", columns) for each in (before, after))
    changed = [
        rows.join(_read(other, "sft", columns), on="sample_id", how="anti")
        .join(_read(other, "rejected", columns), on="sample_id", how="anti")
        .select(pl.lit(change).alias("change"), pl.all(), why=pl.lit([NOT_THERE]))
        for change, rows, other in (("came", new, before), ("went", old, after))
    ]
    return ConfigDiff("rejected", len(old), len(new), pl.concat(changed).sort("change", "sample_id"))


def _reasons(rejecting: _Rejecting) -> pl.DataFrame | None:
    """`sample_id`, `reasons` of what a dataset does not keep; None where that is not known."""
    store, dataset, config = rejecting
    if config == "rl":
        return _rl_reasons(store, dataset)
    return _read(dataset, "rejected", ("sample_id", "reasons"))


def _rl_reasons(store: Store, dataset: Published) -> pl.DataFrame | None:
    """Decided from the build's scores with the policy that the dataset was made with."""
    try:
        workplace = open_workplace(store.url)
        recipe = workplace.recipe.model_copy(update={"policy": dataset.manifest().policy})
        decided = decide_all(replace(workplace, recipe=recipe))
    except UsageError:
        return None
    rows = decided.verdicts.select("published", "rl", reasons="rl_reasons").with_columns(
        decided.measurements["question_id"].alias("sample_id")
    )
    first = rows.filter("published").unique("sample_id", keep="first", maintain_order=True)
    return first.filter(~pl.col("rl")).select("sample_id", "reasons")


def _pair_reasons(dataset: Published, pairs: pl.DataFrame) -> pl.DataFrame:
    """`sample_id`, `why`: what a dataset that does not hold these pairs says of their traces."""
    kept = _read(dataset, "sft", ("sample_id",))["sample_id"].implode()
    rejected = _read(dataset, "rejected", ("sample_id", "reasons"))
    ids = pl.col("sample_id").str.split_exact("-", 1)
    told = pairs.select("sample_id", chosen=ids.struct[0], worse=ids.struct[1]).join(
        rejected.select(chosen="sample_id", why="reasons"), on="chosen", how="left"
    )
    otherwise = (
        pl.when(~pl.col("chosen").is_in(kept))
        .then(pl.lit(NOT_THERE))
        .when(pl.col("worse").is_in(kept))
        .then(pl.lit(BOTH_KEPT))
        .otherwise(pl.lit(PAIRED_OTHERWISE))
    )
    return told.select("sample_id", pl.col("why").fill_null(pl.concat_list(otherwise)))


def _read(dataset: Published, config: str, columns: tuple[str, ...]) -> pl.DataFrame:
    if shards := dataset.contents.shards_of(config):
        return pl.DataFrame(dataset.columns(shards, columns))
    return pl.DataFrame(
        schema={name: pl.List(pl.String) if name == "reasons" else pl.String for name in columns}
    )


def _missing(held: pl.DataFrame, other: pl.DataFrame, change: str, rejecting: _Rejecting) -> pl.DataFrame:
    """Rows of one dataset that the other does not keep, with the reasons of the other."""
    rows = held.join(other, on="sample_id", how="anti").select(pl.lit(change).alias("change"), pl.all())
    if rejecting.config == "dpo":
        return rows.join(_pair_reasons(rejecting.dataset, rows), on="sample_id", how="left")
    rejected = _reasons(rejecting) if len(rows) else None
    if rejected is None:
        return rows.with_columns(why=pl.lit(None, dtype=pl.List(pl.String)))
    told = rows.join(rejected, on="sample_id", how="left").rename({"reasons": "why"})
    return told.with_columns(pl.col("why").fill_null([NOT_THERE]))


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """A setting that one version does not have is None there."""
    for setting in dict.fromkeys((*before, *after)):
        if before.get(setting) != after.get(setting):
            yield Change(setting, before.get(setting), after.get(setting))
