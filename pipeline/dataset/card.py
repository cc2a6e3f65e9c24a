"""Manifest and stats -> the dataset's card: `README.md` with the Hub's metadata, every number computed."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from pydantic import Field

from reelproof.pipeline.dataset.card_examples import Example, write_examples
from reelproof.pipeline.dataset.card_flow import flow_lines
from reelproof.pipeline.dataset.columns import column_captions
from reelproof.pipeline.dataset.hub_metadata import (
    Features,
    HubWords,
    hub_yaml,
    loadable_splits,
    read_features,
)
from reelproof.pipeline.dataset.reading import open_dataset
from reelproof.pipeline.dataset.rows import SAMPLES
from reelproof.pipeline.dataset.stats_files import (
    Plot,
    known_stats,
    put_file,
    read_plots,
)
from reelproof.pipeline.disk.side_by_side import together
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.counted import counted
from reelproof.schemas.manifest import Manifest
from reelproof.schemas.settings import Settings
from reelproof.schemas.stats import Stats
from reelproof.stages.policy import meanings

TEMPLATE = Path(__file__).parents[2] / "data_cards" / "card_template.md"

_MARKDOWN = re.compile(r"(^[-+#=]|[\\`*\[\]|~$@:<>&])")


class CardConfig(Settings):
    """What only a person can know of a dataset."""

    title: str = ""
    """The card's title; by default the recipe's name."""
    summary: str = "Chains of thought about video, each checked against the frames that it cites."
    """The dataset in one sentence."""
    languages: tuple[str, ...] = ("en",)
    """The languages of questions and thoughts, as two-letter codes."""
    license: str = ""
    """The licence of the dataset as a whole; by default what the videos' licences come to."""
    tags: tuple[str, ...] = ()
    """More tags for the Hub, beside those that every such dataset has."""
    intended_use: str = "Supervised fine-tuning and reinforcement learning of models that reason about video."
    """What the dataset is for."""
    limitations: tuple[str, ...] = ()
    """What a user must know that no number says. The card adds what follows from the build."""
    examples: int = Field(default=2, ge=0, le=10)
    """The card shows so many rows of `sft` with their frames."""
    plots: bool = True
    """Plots are drawn anew whenever the rows change; without, a card has none, and a refilter of a small
    dataset takes half the time."""


class CardFacts(NamedTuple):
    """What a card is rendered from."""

    manifest: Manifest
    stats: Stats
    features: Features
    examples: Sequence[Example] = ()
    plots: Sequence[Plot] = ()
    study: Mapping[str, Any] | None = None


def write_readme(store: Store, cfg: CardConfig, study: Mapping[str, Any] | None = None) -> None:
    """Leave `README.md` beside `manifest.json` and `stats.json`, with the plots that are of these stats.

    Raises UsageError where one of them is missing.
    """
    dataset, stats = together(store, lambda: open_dataset(store), lambda: known_stats(store))
    features, examples, plots = together(
        store,
        lambda: read_features(dataset),
        lambda: write_examples(store, dataset, cfg.examples),
        lambda: read_plots(store, stats),
    )
    facts = CardFacts(dataset.manifest(), stats, features, examples, plots, study)
    put_file(store, "dataset/README.md", render_card(facts, cfg).encode())


def _columns(features: Features) -> dict[str, tuple[list[str], str]]:
    """Column -> the configs that have it, and what it holds."""
    found: dict[str, tuple[list[str], str]] = {}
    for config in (each for each in SAMPLES if each in features):
        for column in features[config]:
            says = column_captions(config).get(column["name"], "")
            found.setdefault(column["name"], ([], says))[0].append(config)
    return found


def render_card(facts: CardFacts, cfg: CardConfig) -> str:
    """The card's text."""
    manifest, stats = facts.manifest, facts.stats
    loader = jinja2.Environment(  # noqa: S701 it makes Markdown, not HTML; foreign text goes through `plain`
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    loader.filters["plain_text"] = plain
    template = loader.from_string(TEMPLATE.read_text(encoding="utf-8"))
    words = HubWords(cfg.title or manifest.facts.name, cfg.languages, cfg.license, cfg.tags)
    kept = sum(each.rows for each in manifest.files if each.config == "sft")
    text = template.render(
        hub_yaml=hub_yaml(manifest, stats, facts.features, words),
        title=words.title,
        summary=cfg.summary,
        gists=_gists(facts, kept),
        loadable=[(config, splits[0]) for config, splits in loadable_splits(manifest).items()],
        flow=flow_lines(manifest.facts.rests_on),
        yields=_yields(stats, kept),
        footage=_duration(stats.build.duration_s),
        damaged=_duration(stats.build.damaged_s),
        left_out=_duration(stats.build.left_out_s) if stats.build.left_out_s else "",
        kept_rows=kept,
        intended_use=cfg.intended_use,
        limitations=(*cfg.limitations, *_limits(facts)),
        facts=_fenced(manifest),
        policy_config=manifest.policy,
        columns=_columns(facts.features),
        meanings=meanings(manifest.policy),
        manifest=manifest,
        build=stats.build,
        policy=stats.policy,
        examples=facts.examples,
        plots=facts.plots,
        study=facts.study,
        number=lambda count: f"{count:,}",
        counted=counted,
        percent=lambda part, whole: f"{100 * part / whole:.0f} %" if whole else "–",
        rate=lambda share: "–" if share is None else f"{100 * share:.1f} %",
        quarters=lambda bins: [sum(bins[i * len(bins) // 4 : (i + 1) * len(bins) // 4]) for i in range(4)],
        plain=plain,
    )
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def plain(text: str) -> str:
    """Text as Markdown that shows just that, on one line: no markup, no tags, no links of its own."""
    return _MARKDOWN.sub(_entity, " ".join(text.split()))


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[1])};"


def _duration(seconds: float) -> str:
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} seconds"


def _yields(stats: Stats, kept: int) -> list[tuple[str, int]]:
    build, policy = stats.build, stats.policy
    return [
        ("videos", build.videos),
        ("scenes", build.scenes),
        ("clips", build.clips),
        ("questions", build.questions),
        ("traces", policy.traces),
        ("questions with a kept trace", policy.kept_questions),
        ("rows in `sft`", kept),
    ]


def _gists(facts: CardFacts, kept: int) -> list[str]:
    build, policy = facts.stats.build, facts.stats.policy
    rl = sum(each.rows for each in policy.splits if each.config == "rl")
    pairs = sum(each.count for each in policy.pairs)
    return [
        f"{counted(kept, 'reasoning trace')} about {counted(policy.kept_videos, 'video')}, "
        f"kept of {policy.traces:,} written",
        f"{counted(rl, 'verifiable question')} for reinforcement learning",
        f"{counted(pairs, 'preference pair')} of two traces about the same frames",
        "every rejected trace is there, too, with every reason; "
        f"{counted(build.questions, 'question')} in all",
    ]


def _limits(facts: CardFacts) -> list[str]:
    """What follows from the build."""
    build, policy = facts.stats.build, facts.stats.policy
    limits = ["Thoughts are a model's: they can be wrong where no check looked."]
    if any(each.value.startswith("signals") for each in build.teachers):
        limits.append(
            "`signals` is no language model: it measures differences, histograms and motion and fills "
            "sentences with what it found. Its thoughts are true to the frames and poor in words."
        )
    if all(each.blind is None for each in policy.probes):
        limits.append("No question was asked without its frames: some may be answerable blind.")
    if policy.contaminated is None:
        limits.append("It was not compared with any evaluation set.")
    if any(each.alarm for each in build.answer_keys):
        limits.append("In at least one task a constant answer beats chance: see the table above.")
    if any(each.value == "unknown" for each in build.licenses):
        limits.append("Some videos' licences are unknown: clear them before you publish their frames.")
    return limits


def _fenced(manifest: Manifest) -> Any:
    """The facts, with texts that stand in code fences unable to close them."""
    facts = manifest.facts
    return facts.model_copy(
        update={
            name: getattr(facts, name).rstrip().replace("```", "'''") for name in ("recipe", "prompt_text")
        }
    )
