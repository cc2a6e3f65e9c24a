"""A finished build's scores -> verdicts, shards, manifest and card: what `refilter` runs, with no teacher."""

from collections import Counter
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

import polars as pl
import yaml

from reelproof.pipeline.dag import edges
from reelproof.pipeline.dataset.card import write_readme
from reelproof.pipeline.dataset.part_files import PartFiles, read_measurements
from reelproof.pipeline.dataset.shards import ShardReceipt, reason_counts, write_dataset
from reelproof.pipeline.dataset.stats_files import read_plots, write_stats
from reelproof.pipeline.dataset.versioning import describe_release, kept_ids, read_release
from reelproof.pipeline.dataset.whole_set import CurrentPart, WholeSet, examine_whole_set
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.teachers.kinds import teacher_identity
from reelproof.pipeline.workplace import Workplace
from reelproof.schemas.manifest import BuildFacts
from reelproof.stages.deciding import decide
from reelproof.stages.policy import RuleError
from reelproof.stages.splits import assign_splits
from reelproof.stages.teachers.prompts import ROLLOUT

STUDY = "study.json"


class Curated(NamedTuple):
    """What was decided and written."""

    receipt: ShardReceipt
    sft: int
    rl: int
    rejected: Mapping[str, int]
    """Reason -> traces."""


class Judged(NamedTuple):
    """All parts together: their files, and one row a trace of measurements and of verdicts."""

    files: tuple[PartFiles, ...]
    measurements: pl.DataFrame
    verdicts: pl.DataFrame
    """As `decide` gives it, and `published`: false for videos that are no longer among the sources."""
    whole: WholeSet


def curate(workplace: Workplace, judged: Judged) -> Curated:
    """Publish into `dataset/` what `judge` decided."""
    store, recipe = workplace.store, workplace.recipe
    splits = _splits(workplace, judged)
    verdicts = judged.verdicts
    before = read_release(store)
    receipt = write_dataset(
        store,
        judged.files,
        judged.measurements,
        verdicts,
        splits,
        recipe.policy,
        recipe.shards,
        _facts(workplace),
    )
    _write_card(workplace, judged)
    describe_release(store, before, kept_ids(judged.measurements, verdicts), recipe.card)
    return Curated(receipt, int(verdicts["sft"].sum()), int(verdicts["rl"].sum()), reason_counts(verdicts))


def rewrite_card(workplace: Workplace) -> str:
    """The card alone, from what the build holds. Returns where it is."""
    with workplace.store.lock():
        _write_card(workplace, judge(workplace))
    return workplace.store.path("dataset/README.md")


def _write_card(workplace: Workplace, judged: Judged) -> None:
    """Statistics, plots where matplotlib is installed, and the card that shows them."""
    store = workplace.store
    stats = write_stats(store, judged.files, judged.measurements, judged.verdicts)
    if find_spec("matplotlib") and not read_plots(store, stats):
        from reelproof.pipeline.dataset.plots import write_plots

        write_plots(store, judged.measurements, judged.verdicts)
    write_readme(store, workplace.recipe.card, _study(workplace))


def judge(workplace: Workplace) -> Judged:
    """Read what was measured and decide.

    Raises UsageError where the build is not finished, or the recipe asks for what cannot be decided.
    """
    workplace.require_finished()
    files = tuple(part_files(workplace, part) for part in workplace.parts)
    recipe = workplace.recipe
    current = [
        CurrentPart(each, tuple(source.video_id for source in part.sources))
        for each, part in zip(files, workplace.parts, strict=True)
    ]
    whole = examine_whole_set(workplace.store, current, recipe.duplicates, recipe.contamination)
    measurements = read_measurements(workplace.store, files).join(
        whole.questions, on="question_id", how="left", maintain_order="left"
    )
    return Judged(files, measurements, _verdicts(workplace, measurements), whole)


def _verdicts(workplace: Workplace, measurements: pl.DataFrame) -> pl.DataFrame:
    """Verdicts of all traces. A video that was tried again in a later part is published from there alone."""
    here = [(index, each.video_id) for index, part in enumerate(workplace.parts) for each in part.sources]
    current = pl.DataFrame(here, schema={"part": pl.UInt32, "video_id": pl.String}, orient="row")
    published = (
        measurements.select("part", "video_id")
        .join(
            current.with_columns(published=pl.lit(True)),
            on=["part", "video_id"],
            how="left",
            maintain_order="left",
        )["published"]
        .fill_null(False)
    )
    if published.all():
        return _decided(workplace, measurements).with_columns(published.alias("published"))
    places = pl.Series("place", range(len(published)), dtype=pl.UInt32).filter(published)
    decided = _decided(workplace, measurements.filter(published)).with_columns(places)
    rows = measurements.select("trace_id", published.alias("published")).with_row_index("place")
    verdicts = rows.join(decided.drop("trace_id"), on="place", how="left", maintain_order="left").drop(
        "place"
    )
    return verdicts.with_columns(
        pl.col("sft", "rl").fill_null(False), pl.col("reasons", "rl_reasons").fill_null([])
    )


def _decided(workplace: Workplace, measurements: pl.DataFrame) -> pl.DataFrame:
    try:
        return decide(measurements, workplace.recipe.policy)
    except RuleError as error:
        raise UsageError(str(error)) from None


def part_files(workplace: Workplace, part: PartInputs) -> PartFiles:
    """Where the part's records are."""
    names = {step.name: step.file(part) for step in workplace.dag.steps}
    scores = {name.removeprefix("score."): file for name, file in names.items() if name.startswith("score.")}
    licenses = {source.video_id: source.file.license for source in part.sources}
    return PartFiles(names["footage"], names["clips"], names["questions"], names["traces"], scores, licenses)


def _splits(workplace: Workplace, judged: Judged) -> dict[str, str]:
    """video_id -> `train` or `test`; near-duplicates together, whatever the manifest says of one of them."""
    said = {row.video_id: row.split for row in workplace.given if row.split is not None}
    groups = dict(judged.whole.videos.select("video_id", "group").iter_rows())
    cfg = workplace.recipe.splits
    return assign_splits(judged.measurements["video_id"].unique(), groups, cfg.test_share, cfg.seed, said)


def _study(workplace: Workplace) -> Any:
    """What a study of this dataset found, where one was put beside it."""
    return workplace.store.read_json(STUDY) if workplace.store.exists(STUDY) else None


def _facts(workplace: Workplace) -> BuildFacts:
    recipe = workplace.recipe
    settings = recipe.model_dump(mode="json", exclude={"cluster", "limits"})
    quarantined = Counter(str(each.kind) for each in workplace.quarantined())
    return BuildFacts(
        name=recipe.name,
        recipe=yaml.safe_dump(settings, sort_keys=False, allow_unicode=True),
        fingerprints={step.name: step.fingerprint for step in workplace.dag.steps},
        rests_on=edges(workplace.dag),
        teachers=tuple(teacher_identity(each.teacher) for each in recipe.teachers),
        verifiers=(teacher_identity(recipe.verifier),),
        evaluation_sets=tuple(each.name for each in recipe.contamination.sets),
        prompt_ids=(ROLLOUT.prompt_id,),
        prompt_text=ROLLOUT.request,
        quarantined=dict(sorted(quarantined.items())),
    )
