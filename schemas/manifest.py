"""What a dataset's `manifest.json` says: its files and their hashes, the policy, and how it came to be."""

from collections.abc import Mapping

from pydantic import Field

from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.record import Record

FORMAT = 1
"""Of a manifest: a later version counts on where what a reader needs is told differently."""


class ManifestFile(Record):
    """One shard."""

    path: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$")
    """From the dataset's folder and within it, such as `data/sft/train-00000.parquet`."""
    config: str
    split: str
    rows: int = Field(ge=0)
    size_bytes: int = Field(ge=0)
    sha256: str
    fingerprint: str
    """Hash of which rows of which parts it holds and how they are written: the same means the same bytes."""


class BuildFacts(Record):
    """How the rows came to be, as far as the build knows. Nothing here depends on when or where it ran."""

    name: str = "dataset"
    """The recipe's name."""
    recipe: str = ""
    """The resolved recipe, YAML."""
    fingerprints: Mapping[str, str] = Field(default_factory=dict)
    """Step -> fingerprint."""
    rests_on: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """Step -> the steps that it is made from; those over all parts are among them."""
    teachers: tuple[str, ...] = ()
    """`model@revision` of whoever wrote thoughts."""
    verifiers: tuple[str, ...] = ()
    prompt_ids: tuple[str, ...] = ()
    prompt_text: str = ""
    """The rollout prompt with its `{fields}`."""
    quarantined: Mapping[str, int] = Field(default_factory=dict)
    """Kind -> number of sources that could not be used."""
    evaluation_sets: tuple[str, ...] = ()
    """Names of the sets that rows were decontaminated against."""


class Manifest(Record):
    """What readers trust; everything else in the folder is only believed where this names it."""

    format: int = FORMAT
    dataset_sha256: str
    """Over `{path} {sha256}` of the files, sorted by path."""
    policy: PolicyConfig
    files: tuple[ManifestFile, ...]
    rejected: Mapping[str, int]
    """Reason -> rejected traces that it applies to; a trace counts for each of its reasons."""
    facts: BuildFacts
