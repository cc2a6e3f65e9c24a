"""Verdicts -> the published folder: shards with their manifest, statistics, card and Croissant file."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any, Protocol

import polars as pl
import pyarrow as pa
import yaml

from reelproof.pipeline.dataset import shard_files, stats
from reelproof.pipeline.dataset.blocks import Block, read_measured
from reelproof.pipeline.dataset.card import TEMPLATE, CardConfig, write_readme
from reelproof.pipeline.dataset.croissant import write_croissant
from reelproof.pipeline.dataset.left_files import Left, are_there, left_files
from reelproof.pipeline.dataset.reading import open_dataset
from reelproof.pipeline.dataset.replace import read_manifest, trusted_files
from reelproof.pipeline.dataset.shard_plan import Verdicts
from reelproof.pipeline.dataset.shards import ShardsConfig, publish
from reelproof.pipeline.dataset.stats_files import gone_videos, known_stats, read_plots, write_stats
from reelproof.pipeline.dataset.sums import SUMS, sha256_of, write_sums
from reelproof.pipeline.dataset.versioning import CROISSANT as CROISSANT_FILE
from reelproof.pipeline.dataset.versioning import Ids, ids_of, read_release, release_of
from reelproof.pipeline.disk.side_by_side import begun, side_by_side
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.parts.step import Outside, WholeStep
from reelproof.pipeline.parts.whole import WholeRun
from reelproof.pipeline.recipe import Recipe
from reelproof.pipeline.steps.answers import PROVENANCE, TRACES
from reelproof.pipeline.steps.decided_rows import blocks_in, decided_by_block, files_of, verdicts_by_block
from reelproof.pipeline.steps.footage import CLIPS, FOOTAGE
from reelproof.pipeline.steps.questions import QUESTIONS
from reelproof.pipeline.steps.scores import REPEATS, SCORES
from reelproof.pipeline.steps.whole_set import POLICY, SPLITS
from reelproof.pipeline.teachers.kinds import teacher_identity
from reelproof.schemas.footage import Quarantine
from reelproof.schemas.manifest import BuildFacts
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.published import MANIFEST
from reelproof.schemas.record import Record
from reelproof.schemas.text import without_secrets

STUDY = "study.json"
FOLDER = "dataset"


class Published(Record):
    """What publishing shards came to."""

    written: int
    unchanged: int
    dataset_sha256: str
    manifest_sha256: str
    version: str
    """The dataset's, as its Croissant file states it."""
    released: str
    """The date of that version, `YYYY-MM-DD`."""


class _Build(Protocol):
    """What facts are taken from: a workplace."""

    recipe: Recipe
    store: Store
    dag: Any

    def quarantined(self) -> Sequence[Quarantine]: ...


def build_facts(build: _Build) -> BuildFacts:
    """How the rows came to be."""
    recipe = build.recipe
    settings = _shown(recipe.model_dump(mode="json", exclude={"cluster", "limits"}))
    settings["sources"] |= {
        name: place.rstrip("/").rpartition("/")[2]
        for name in ("videos", "manifest", "root")
        if (place := settings["sources"][name])
    }  # which folders this machine has is nobody's business
    quarantined = Counter(str(each.kind) for each in build.quarantined())
    return BuildFacts(
        name=recipe.name,
        recipe=yaml.safe_dump(settings, sort_keys=False, allow_unicode=True),
        fingerprints={step.name: step.fingerprint for step in build.dag.steps},
        rests_on=build.dag.edges(),
        teachers=tuple(teacher_identity(each.teacher) for each in recipe.teachers),
        verifiers=tuple(map(teacher_identity, recipe.verifiers)),
        evaluation_sets=tuple(each.name for each in recipe.contamination.sets),
        prompt_ids=(recipe.rollouts.prompt.prompt_id,),
        prompt_text=recipe.rollouts.prompt.request,
        quarantined=dict(sorted(quarantined.items())),
    )


def _shown(settings: Any) -> Any:
    """The same without users, passwords and queries of addresses: what is published of them."""
    if isinstance(settings, dict):
        return {name: _shown(value) for name, value in settings.items()}
    if isinstance(settings, list):
        return [_shown(value) for value in settings]
    return without_secrets(settings) if isinstance(settings, str) else settings


def _facts(build: _Build) -> Outside:
    facts = build_facts(build)
    return Outside(facts, [facts, pa.__version__])


def publish_shards(run: WholeRun, policy: PolicyConfig, cfg: ShardsConfig) -> Published:
    """Write the shards whose rows changed, and the manifest; say which version of the dataset that makes."""
    splits = dict(run.table("splits", "videos").select("video_id", "split").iter_rows())
    blocks, decided = blocks_in(run), verdicts_by_block(run)
    before = begun(partial(read_release, run.store))
    receipt = publish(
        run.store,
        blocks,
        decided,
        splits,
        policy,
        cfg,
        run.task.outside,
        spread=run.spread,
        until_replaced=before.result,
    )
    release = release_of(receipt.dataset_sha256, before.result(), lambda: _kept(run.store, blocks, decided))
    return Published(
        written=receipt.written,
        unchanged=receipt.unchanged,
        dataset_sha256=receipt.dataset_sha256,
        manifest_sha256=sha256_of(run.store, f"{FOLDER}/{MANIFEST}"),
        version=release.version,
        released=release.date,
    )


def _kept(store: Store, blocks: Sequence[Block], verdicts: Verdicts) -> Ids:
    """Of the rows that verdicts publish in `sft`, `rl` and `dpo`."""

    def of(block: Block) -> list[pl.Series]:
        keys, decided = read_measured(store, block, ("trace_id", "question_id")), verdicts(block)
        here = decided["published"]
        return [
            keys["trace_id"].filter(here & decided["sft"]),
            keys["question_id"].filter(here & decided["rl"]),
            (decided["chosen"] + "-" + keys["trace_id"]).filter(here & decided["chosen"].is_not_null()),
        ]

    return ids_of(each for several in side_by_side(store, of, blocks) for each in several)


def _shards_are_there(store: Store, published: Published) -> bool:
    manifest = read_manifest(store)
    if manifest is None or sha256_of(store, f"{FOLDER}/{MANIFEST}") != published.manifest_sha256:
        return False
    return len(trusted_files(store, FOLDER, manifest)) == len(manifest.files)


SHARDS = WholeStep(
    name="shards",
    version=shard_files.VERSION,
    run=publish_shards,
    sections=("policy", "shards"),
    makes=Published,
    after=(FOOTAGE, CLIPS, QUESTIONS, TRACES, PROVENANCE, REPEATS, POLICY, SPLITS),
    also=SCORES,
    outside=_facts,
    intact=_shards_are_there,
)


def count(run: WholeRun) -> Left:
    """Leave `stats.json` beside the shards."""
    blocks, told = blocks_in(run), verdicts_by_block(run)

    def gone(block: Block) -> frozenset[str]:
        return gone_videos(read_measured(run.store, block, ("video_id",)), told(block))

    all_gone = frozenset[str]().union(*side_by_side(run.store, gone, blocks))
    write_stats(run.store, files_of(run), decided_by_block(run), all_gone)
    return left_files(run.store, f"{FOLDER}/stats.json")


STATISTICS = WholeStep(
    name="statistics",
    version=stats.VERSION,
    run=count,
    makes=Left,
    after=(SHARDS,),
    intact=are_there,
)


class CardLeft(Left):
    """The card, and its pictures."""

    undrawn: bool = False
    """Plots were wanted and there are none, for want of matplotlib: they are drawn where it is installed."""


def tell(run: WholeRun, cfg: CardConfig) -> CardLeft:
    """Leave the card and, where they are wanted and matplotlib is installed, the plots that it shows."""
    held = known_stats(run.store)
    wanted = cfg.plots and not read_plots(run.store, held)
    can_draw = find_spec("matplotlib") is not None
    if wanted and can_draw:
        from reelproof.pipeline.dataset.plots import write_plots

        write_plots(run.store, decided_by_block(run))
    write_readme(run.store, cfg, run.task.outside)
    pictures = [
        f"{FOLDER}/{folder}/{name}"
        for folder in ("plots", "examples")
        for name in run.store.names(f"{FOLDER}/{folder}")
    ]
    left = left_files(run.store, f"{FOLDER}/README.md", *pictures)
    return CardLeft(files=left.files, undrawn=wanted and not can_draw)


def _is_as_good(store: Store, left: CardLeft) -> bool:
    return are_there(store, left) and not (left.undrawn and find_spec("matplotlib"))


def _study(build: _Build) -> Outside:
    """What a study of this dataset found, where one was put beside it."""
    try:
        text = build.store.read_bytes(STUDY)
    except FileNotFoundError:
        text = b""
    counts = [
        hashlib.sha256(text).hexdigest() if text else "",
        hashlib.sha256(TEMPLATE.read_bytes()).hexdigest(),
    ]
    return Outside(json.loads(text) if text else None, counts)


CARD = WholeStep(
    name="card",
    version=2,
    run=tell,
    sections=("card",),
    makes=CardLeft,
    after=(SHARDS, STATISTICS),
    outside=_study,
    intact=_is_as_good,
)


def describe(run: WholeRun, cfg: CardConfig) -> Left:
    """Leave `croissant.json`, which states the dataset's version."""
    published = run.outcome("shards", Published)
    write_croissant(run.store, cfg, published.version, published.released)
    return left_files(run.store, CROISSANT_FILE)


CROISSANT = WholeStep(
    name="croissant",
    version=1,
    run=describe,
    sections=("card",),
    makes=Left,
    after=(SHARDS, STATISTICS),
    intact=are_there,
)


def list_sums(run: WholeRun) -> Left:
    """Leave `SHA256SUMS`, over every file of the dataset."""
    write_sums(run.store, open_dataset(run.store).manifest(), FOLDER)
    return left_files(run.store, f"{FOLDER}/{SUMS}")


CHECKSUMS = WholeStep(
    name="checksums",
    version=1,
    run=list_sums,
    makes=Left,
    after=(SHARDS, STATISTICS, CARD, CROISSANT),
    intact=are_there,
)
