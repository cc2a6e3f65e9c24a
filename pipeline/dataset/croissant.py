"""Manifest and stats -> `croissant.json`: the dataset for machines, in Croissant 1.1 and RAI 1.0.

Source: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html

The column `prompt` is left out. A JSONPath of mlcroissant 1.1 gives one text an element, and a message has
many, with frames between them; its readers would stop at the struct, or take the first words for the whole.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reelproof.pipeline.dataset.card import CardConfig
from reelproof.pipeline.dataset.columns import column_captions
from reelproof.pipeline.dataset.hub_metadata import Features, loadable_splits, read_features
from reelproof.pipeline.dataset.reading import open_dataset
from reelproof.pipeline.dataset.stats_files import known_stats, put_file
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.counted import counted
from reelproof.schemas.manifest import Manifest, ManifestFile
from reelproof.schemas.stats import Stats

CROISSANT = "croissant.json"

_TERMS = (
    *("arrayShape", "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject"),
    *("fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5"),
    *("parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate"),
    *("separator", "source", "subField", "transform"),
)
"""Words of Croissant's own, called there as here."""

_CONTEXT: Mapping[str, Any] = {name: f"cr:{name}" for name in _TERMS} | {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}

_TYPES = {
    "string": "sc:Text",
    "int64": "cr:Int64",
    "float64": "cr:Float64",
    "bool": "sc:Boolean",
    "image": "sc:ImageObject",
}

_COMPLETIONS = ("completion", "chosen", "rejected")
_NESTED = {"images": "bytes", **dict.fromkeys(_COMPLETIONS, "content[0].text")}
"""Columns that hold a struct an element -> where in it lies what is told; a completion is one text."""

_CONFIGS = {
    "sft": "Kept traces with their frames; in the files is also `prompt`, as chat messages.",
    "rl": "Verifiable questions with their frames; in the files is also `prompt`, as chat messages.",
    "dpo": "Two traces of a question each, chosen over rejected; in the files is also `prompt`.",
    "rejected": "Traces that were not kept, with every reason; frames by hash.",
}


def bump_version(version: str, *, went: bool, came: bool) -> str:
    """The next semantic version: major where rows went, minor where rows came, patch for anything else.

    Raises ValueError where `version` is not three numbers with dots.
    """
    parts = version.split(".")
    if len(parts) != 3 or not all(each.isdigit() for each in parts):
        raise ValueError(f"version {version!r} is not major.minor.patch, such as 1.0.0")
    major, minor, patch = map(int, parts)
    if went:
        return f"{major + 1}.0.0"
    if came:
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}"


def write_croissant(store: Store, cfg: CardConfig, version: str, published: str) -> None:
    """Leave `croissant.json` beside manifest and stats. `published` is a date, `YYYY-MM-DD`."""
    dataset, stats = open_dataset(store), known_stats(store)
    described = describe(dataset.manifest(), stats, read_features(dataset), cfg, version, published)
    text = json.dumps(described, indent=2, ensure_ascii=False) + "\n"
    put_file(store, f"dataset/{CROISSANT}", text.encode())


def describe(
    manifest: Manifest,
    stats: Stats,
    features: Features,
    cfg: CardConfig,
    version: str,
    published: str,
) -> dict[str, Any]:
    """The dataset as JSON-LD. Configs and splits without rows are left out, as in the card."""
    loadable = loadable_splits(manifest)
    licenses = [cfg.license] if cfg.license else [each.value for each in stats.build.licenses] or ["unknown"]
    return {
        "@context": dict(sorted(_CONTEXT.items())),
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": manifest.facts.name,
        "description": cfg.summary,
        "license": licenses,
        "url": f"urn:sha256:{manifest.dataset_sha256}",
        "version": version,
        "datePublished": published,
        "inLanguage": list(cfg.languages),
        "keywords": ["video", "chain of thought", "reasoning", *cfg.tags],
        "citeAs": f"{cfg.title or manifest.facts.name}, version {version}, sha256 {manifest.dataset_sha256}",
        "creator": {
            "@type": "Organization",
            "name": "reelproof",
            "url": "https://pypi.org/project/reelproof",
        },
        **_responsibility(manifest, stats, cfg),
        "distribution": [*_files(manifest, loadable), *_file_sets(manifest, loadable)],
        "recordSet": [
            *(_splits(config, splits) for config, splits in loadable.items()),
            *(_records(config, features[config], manifest) for config in loadable),
        ],
    }


def _responsibility(manifest: Manifest, stats: Stats, cfg: CardConfig) -> dict[str, Any]:
    """The RAI fields, from what the build knows."""
    teachers = [each.value for each in stats.build.teachers]
    kept = sum(each.rows for each in manifest.files if each.config == "sft")
    return {
        "rai:dataCollection": f"Frames of {counted(stats.build.videos, 'video')}, "
        "questions about their clips, and "
        f"thoughts written by {', '.join(teachers)}; all of it by a program.",
        "rai:dataCollectionType": ["Software Collection"],
        "rai:dataPreprocessingProtocol": [
            f"{step}-{key}" for step, key in manifest.facts.fingerprints.items()
        ],
        "rai:dataManipulationProtocol": f"Policy {manifest.policy.name} kept {kept} of {stats.policy.traces} "
        "traces; the others are in the config `rejected` with their reasons.",
        "rai:machineAnnotationTools": [*teachers, *manifest.facts.verifiers],
        "rai:dataUseCases": [cfg.intended_use],
        "rai:dataLimitations": list(cfg.limitations)
        or ["Thoughts are a model's and may be wrong where no check looked."],
        "rai:personalSensitiveInformation": ["Videos may show people; nobody is named by the pipeline."],
    }


def _files(manifest: Manifest, loadable: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Any]]:
    for each in manifest.files:
        if each.split in loadable.get(each.config, ()):
            yield {
                "@type": "cr:FileObject",
                "@id": each.path,
                "name": each.path,
                "contentUrl": each.path,
                "contentSize": f"{each.size_bytes} B",
                "encodingFormat": "application/x-parquet",
                "sha256": each.sha256,
            }


def _file_sets(manifest: Manifest, loadable: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Any]]:
    for config, splits in loadable.items():
        own = [each.path for each in _own(manifest, config, splits)]
        yield {
            "@type": "cr:FileSet",
            "@id": f"{config}-files",
            "name": f"{config}-files",
            "description": f"Shards of the config `{config}`.",
            "containedIn": [{"@id": path} for path in own],
            "encodingFormat": "application/x-parquet",
            "includes": f"data/{config}/*.parquet",
        }


def _own(manifest: Manifest, config: str, splits: Sequence[str]) -> list[ManifestFile]:
    return [each for each in manifest.files if each.config == config and each.split in splits]


def _splits(config: str, splits: Sequence[str]) -> dict[str, Any]:
    name = f"{config}_splits"
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"Splits of the config `{config}`: by video, near-duplicates on one side.",
        "dataType": "cr:Split",
        "key": {"@id": f"{name}/split_name"},
        "field": [
            {"@type": "cr:Field", "@id": f"{name}/split_name", "name": "split_name", "dataType": "sc:Text"}
        ],
        "data": [{f"{name}/split_name": split} for split in splits],
    }


def _records(config: str, columns: Sequence[Mapping[str, Any]], manifest: Manifest) -> dict[str, Any]:
    """Fields of a config's rows that Croissant's readers can read."""
    readable = [each for each in columns if each["name"] in _NESTED or _is_plain(each)]
    return {
        "@type": "cr:RecordSet",
        "@id": config,
        "name": config,
        "description": _CONFIGS[config],
        "key": {"@id": f"{config}/sample_id"},
        "field": [_split_field(config), *(_field(config, column, manifest) for column in readable)],
    }


def _split_field(config: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{config}/split",
        "name": "split",
        "dataType": "sc:Text",
        "references": {"field": {"@id": f"{config}_splits/split_name"}},
        "source": {
            "fileSet": {"@id": f"{config}-files"},
            "extract": {"fileProperty": "fullpath"},
            "transform": {"regex": r"^(?:.*/)?(train|test)(?:-[^/]*)?$"},
        },
    }


def _content(config: str, column: Mapping[str, Any]) -> dict[str, Any]:
    """Type and source. Lists of structs are arrays of what a JSONPath finds in each element.

    Of images, mlcroissant 1.1 reads several a row only where the field is `repeated`.
    """
    name = column["name"]
    source: dict[str, Any] = {"fileSet": {"@id": f"{config}-files"}, "extract": {"column": name}}
    if name in _NESTED:
        source["transform"] = {"jsonPath": _NESTED[name]}
    kind = "sc:Text" if name in _COMPLETIONS else _TYPES[column.get("dtype", column.get("list"))]
    if "list" not in column:
        return {"dataType": kind, "source": source}
    array = {"repeated": True} if name == "images" else {"isArray": True, "arrayShape": "-1"}
    return {"dataType": kind, "source": source, **array}


def _is_plain(column: Mapping[str, Any]) -> bool:
    return isinstance(column.get("dtype", column.get("list")), str)


def _field(config: str, column: Mapping[str, Any], manifest: Manifest) -> dict[str, Any]:
    name = column["name"]
    field = {
        "@type": "cr:Field",
        "@id": f"{config}/{name}",
        "name": name,
        **_content(config, column),
    }
    if says := column_captions(config).get(name):
        field["description"] = says
    if name in ("thought", "text", *_COMPLETIONS):
        agents = [{"@type": "prov:SoftwareAgent", "name": each} for each in manifest.facts.teachers]
        field["prov:wasGeneratedBy"] = {"@type": "prov:Activity", "prov:wasAssociatedWith": agents}
    return field
