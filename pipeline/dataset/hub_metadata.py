"""Manifest and stats -> the YAML at the head of a card, from which the Hub and `datasets` load the rows."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import yaml

from reelproof.pipeline.dataset.rows import SAMPLES
from reelproof.schemas.manifest import Manifest, ManifestFile
from reelproof.schemas.published import Published
from reelproof.schemas.stats import Stats

Features = Mapping[str, Sequence[Mapping[str, Any]]]
"""Config -> its columns."""

_HUB_LICENSES = frozenset(
    (
        *("apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc", "cc0-1.0", "gpl-3.0", "mit", "odbl", "odc-by"),
        *("cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nd-4.0"),
        *("cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "pddl"),
        *("cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "unknown", "unlicense"),
    )
)
"""Names that the Hub's `license` field may have."""
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
"""Fewer rows than this -> the Hub's size category."""


class HubWords(NamedTuple):
    """What a person says of the dataset, for the Hub."""

    title: str
    languages: tuple[str, ...]
    license: str
    """Empty: what the videos' licences come to."""
    tags: tuple[str, ...]


def hub_yaml(manifest: Manifest, stats: Stats, features: Features, words: HubWords) -> str:
    """The metadata between the card's dashes. `features` are of `read_features`."""
    loadable = loadable_splits(manifest)
    rows = sum(each.rows for each in manifest.files)
    metadata = {
        "pretty_name": words.title,
        "language": list(words.languages),
        **_license([each.value for each in stats.build.licenses], words.license),
        "annotations_creators": ["machine-generated"],
        "task_categories": ["visual-question-answering", "video-text-to-text"],
        "size_categories": [next((name for most, name in _SIZES if rows < most), "10M<n<100M")],
        "tags": ["video", "chain-of-thought", "reasoning", "reelproof", *words.tags],
        "configs": [_config_entry(config, splits) for config, splits in loadable.items()],
        "dataset_info": [_info_entry(stats, features, config, splits) for config, splits in loadable.items()],
    }
    return yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True, width=1000)


def _config_entry(config: str, splits: Sequence[str]) -> dict[str, Any]:
    files = [{"split": split, "path": f"data/{config}/{split}-*.parquet"} for split in splits]
    return {"config_name": config, **({"default": True} if config == "sft" else {}), "data_files": files}


def _info_entry(stats: Stats, features: Features, config: str, splits: Sequence[str]) -> dict[str, Any]:
    sizes = [each for each in stats.policy.splits if each.config == config and each.split in splits]
    total = sum(each.size_bytes for each in sizes)
    return {
        "config_name": config,
        "features": features[config],
        "splits": [
            {"name": each.split, "num_bytes": each.size_bytes, "num_examples": each.rows} for each in sizes
        ],
        "download_size": total,
        "dataset_size": total,
    }


def loadable_splits(manifest: Manifest) -> dict[str, list[str]]:
    """Config -> its splits with rows, train first: `datasets` refuses to load one without."""
    found: dict[str, list[str]] = {}
    for config in SAMPLES:
        splits = {each.split for each in manifest.files if each.config == config and each.rows}
        if splits:
            found[config] = sorted(splits, reverse=True)
    return found


def _license(videos: Sequence[str], stated: str) -> dict[str, Any]:
    """The Hub's licence fields. Several, or one that it does not know, are `other`, told by name."""
    names = [stated] if stated else list(videos) or ["unknown"]
    if len(names) == 1 and names[0].lower() in _HUB_LICENSES:
        return {"license": names[0].lower()}
    return {
        "license": "other",
        "license_name": "see-license-column",
        "license_details": ", ".join(sorted(names)),
    }


def read_features(dataset: Published) -> Features:
    """Each config's columns as `dataset_info` lists them, from the first shard's own metadata."""
    first: dict[str, ManifestFile] = {}
    for each in dataset.contents.shards:
        first.setdefault(each.config, each)
    footers = dataset.footers(tuple(first.values()))
    held = [json.loads(each.metadata[b"huggingface"])["info"]["features"] for each in footers]
    return {
        config: [{"name": name, **_yaml_feature(feature)} for name, feature in columns.items()]
        for config, columns in zip(first, held, strict=True)
    }


def _yaml_feature(feature: Mapping[str, Any]) -> dict[str, Any]:
    """A column as `dataset_info` lists it, from how the file's metadata has it."""
    if feature.get("_type") == "List":
        inner = _yaml_feature(feature["feature"])
        return {"list": inner.get("dtype", inner.get("struct"))}
    if feature.get("_type") == "Image":
        return {"dtype": "image"}
    if feature.get("_type") == "Value":
        return {"dtype": feature["dtype"]}
    return {"struct": [{"name": name, **_yaml_feature(each)} for name, each in feature.items()]}
