"""A manifest that somebody has -> its rows by line, films that are there, and films only named."""

from collections.abc import Mapping
from typing import NamedTuple

from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.inputs.dataset_rows import holds_dataset
from reelproof.pipeline.inputs.distinct import distinct_videos
from reelproof.pipeline.inputs.formats import FORMATS
from reelproof.pipeline.inputs.identities import identify
from reelproof.pipeline.inputs.questions_file import ListProblem, VideoList
from reelproof.pipeline.inputs.row_file import problem_text
from reelproof.pipeline.inputs.sources import SourcesConfig, find_files, read_manifest
from reelproof.pipeline.workplace import FILES, read_records
from reelproof.schemas.footage import Quarantine
from reelproof.schemas.question import GivenRow
from reelproof.schemas.source import SourceFile, SourceIdentity

NOWHERE = "nowhere"
"""No file is ever in this folder of a store: where a film would be that is only named."""


class SourceRow(NamedTuple):
    """One question of the source; a chat of several turns is several."""

    number: int
    """Its line, item or row, from 1."""
    video: str
    """The URL of its video, whether or not it is there."""
    gold: str
    """Its answer as the file has it."""
    duration_s: float | None
    """The film's length as the row tells it."""
    given: GivenRow
    """Its video goes by its bytes, or, where it is not there, by its URL."""


class Source(NamedTuple):
    """What is audited."""

    url: str
    content: bytes
    """Of the file of that name."""
    manifest: VideoList
    rows: tuple[SourceRow, ...]
    missing: Mapping[str, str]
    """URL of a video that was looked for -> why it is not to be had."""
    films: tuple[SourceIdentity, ...]
    """One a video that is there."""
    named: tuple[SourceIdentity, ...]
    """Those that are only named."""
    files: tuple[SourceIdentity, ...]
    """Every file that was read, several names of one video among them."""
    lost: tuple[Quarantine, ...]
    """Files that are there and could not be read …"""
    unread: Mapping[str, str]
    """… and why, by the URL that rows name."""

    @property
    def problems(self) -> tuple[ListProblem, ...]:
        """Rows that cannot be used."""
        return self.manifest.problems

    @property
    def numbers(self) -> frozenset[int]:
        """Of all rows that ask something, or should."""
        return frozenset(row.number for row in self.rows) | frozenset(each.number for each in self.problems)


def read_source(cfg: SourcesConfig, store: Store, looks: bool) -> Source:
    """Read every row; unless it `looks` for them, all videos are only named.

    Where none is found and nobody said where they are, they count as named, and not as missing.

    Raises UsageError where there is no manifest, or no question in it.
    """
    if cfg.videos and holds_dataset(cfg.videos):
        cfg = cfg.model_copy(update={"manifest": cfg.videos, "videos": None})
    if cfg.manifest is None:
        endings = ", ".join(f".{each}" for each in FORMATS)
        raise UsageError(
            f"audit looks at rows: {cfg.videos} is no manifest ({endings}); "
            "name a file with questions, unpacked, or a dataset: its folder, or hf://datasets/USER/NAME"
        )
    url, manifest, listed, content = read_manifest(cfg)
    asked = [row for row in listed if row.question]
    if not asked and manifest.problems:
        raise UsageError(problem_text(url, manifest.unit, manifest.problems))
    if not asked:
        raise UsageError(f"{url} holds no question about a video; audit looks at questions and their answers")
    found, missing, _ = find_files(asked if looks else (), cfg, url, manifest.unit)
    was_looked_for = bool(found) or cfg.root is not None
    known = read_records(store, FILES, SourceIdentity)
    identities = identify(list({file.url: file for file in found.values()}.values()), known)
    by_url = {each.file.url: each.video_id for each in identities.found}
    ids = {video: by_url[file.url] for video, file in found.items() if file.url in by_url}
    rows = tuple(
        SourceRow(
            row.number,
            row.video,
            row.gold,
            row.duration_s,
            GivenRow(video_id=ids.get(row.video, row.video), **dict(row.question)),
        )
        for row in asked
        if row.question
    )
    named = sorted({row.video for row in rows} - ids.keys())
    return Source(
        url=url,
        content=content,
        manifest=manifest,
        rows=rows,
        missing=missing if was_looked_for else {},
        films=tuple(distinct_videos(identities.found, known)),
        named=tuple(_only_named(video, store) for video in named),
        files=identities.found,
        lost=identities.lost,
        unread={
            video: next((each.detail for each in identities.lost if each.name == file.name), "")
            for video, file in found.items()
            if file.url not in by_url
        },
    )


def _only_named(video: str, store: Store) -> SourceIdentity:
    name = video.rstrip("/").rpartition("/")[2]
    file = SourceFile(url=store.path(f"{NOWHERE}/{name}"), size_bytes=0, version=NOWHERE)
    return SourceIdentity(video_id=video, file=file)
