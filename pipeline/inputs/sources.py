"""Where videos are said to be -> the files there, and what is asked of each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from reelproof.pipeline.disk.files import absolute, find_videos
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.inputs.dataset_rows import read_rows
from reelproof.pipeline.inputs.questions_file import ListedRow, ListProblem, VideoList, read_video_list
from reelproof.pipeline.inputs.row_file import file_or_reason, problem_text, refusal
from reelproof.pipeline.inputs.shapes import PLAIN_COLUMNS, SHAPE_NAMES
from reelproof.pipeline.inputs.unread_columns import told_unread
from reelproof.schemas.answers.letters import strict_letters
from reelproof.schemas.answers.normalise import plain_option
from reelproof.schemas.question import GivenQuestion, GivenRow
from reelproof.schemas.settings import Settings
from reelproof.schemas.source import SourceFile, SourceIdentity

_REMOTE_THREADS = 16
_PUBLISHED = {"sample_id", "question_id", "frame_sha256", "frame_source_times_s"}
"""Columns of a published row, all of them."""


class SourceError(UsageError):
    """What was asked for cannot be read; the message says what, where, and what to do."""


class SourcesConfig(Settings):
    """Where the videos are: exactly one of `videos` and `manifest`."""

    videos: str | None = None
    """A folder (read with all its folders), a file, or a glob; a local path or an fsspec URL."""
    manifest: str | None = None
    """A JSONL, JSON, CSV, TSV, Parquet or Charades-STA text file: a `video` and perhaps a question in each
    row, or rows as a known set writes them; or a dataset, `hf://datasets/USER/NAME` or a folder laid out as
    there."""
    subset: str | None = None
    """Which subset of a dataset is read, where it has several."""
    split: str | None = None
    """Which split of a dataset is read, where it has several."""
    shape: str | None = None
    """The set whose rows a manifest's are like, such as `mvbench`; by default each row's own columns tell."""
    columns: Mapping[str, str] = Field(default_factory=dict)
    """What a manifest calls our columns, as `{question: prompt, answer: label}`."""
    ignore_columns: tuple[str, ...] = ()
    """Columns that look like a question, options, an answer or a trace, and are to be left out."""
    root: str | None = None
    """The folder that a manifest's relative paths start from; the manifest's own where none is named."""
    license: str = Field(default="unknown", min_length=1)
    """The licence of videos whose row names none."""
    schemes: tuple[str, ...] = ("http", "https", "s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "hf")
    """A list's rows may be fetched by these, beside files and what the list itself came by."""
    inner_addresses: bool = False
    """The rows of a list that came from elsewhere may name this machine, or addresses of its own link
    (127.0.0.1, 169.254.0.0/16), on the web."""
    on_error: Literal["fail", "skip"] = "fail"
    """What a manifest's bad rows do: stop the build, or be counted and left out."""

    @model_validator(mode="after")
    def _names_one_source(self) -> Self:
        if (self.videos is None) == (self.manifest is None):
            raise ValueError(
                "name either `videos` (a folder, file, glob or URL) or `manifest`, exactly one of them"
            )
        if self.shape not in (None, *SHAPE_NAMES):
            raise ValueError(f"there is no shape {self.shape}; it may be one of: {', '.join(SHAPE_NAMES)}")
        if unknown := [name for name in self.columns if name not in PLAIN_COLUMNS]:
            raise ValueError(
                f"`columns` names ours first, as `question: prompt`; {', '.join(unknown)} is none of "
                f"{', '.join(PLAIN_COLUMNS)}"
            )
        return self

    def from_anywhere(self) -> Self:
        """The same with absolute paths, so that the recipe that a build keeps is right in any folder."""
        named = {name: getattr(self, name) for name in ("videos", "manifest", "root")}
        return self.model_copy(update={name: absolute(place) for name, place in named.items() if place})


class ListedQuestion(NamedTuple):
    """A question, and the URL of the file that it came with."""

    url: str
    question: GivenQuestion


class SourceList(NamedTuple):
    """The files in order of their URLs, the questions in the manifest's order, and what was left out."""

    files: tuple[SourceFile, ...]
    questions: tuple[ListedQuestion, ...]
    skipped: Mapping[str, int]
    """Reason -> files or rows: `hidden`, `not_video`, `name_not_utf8`, `dangling_link`, `image_row`,
    `bad_row`."""
    notes: tuple[str, ...] = ()
    """For a person: what is wrong with skipped rows, and the columns that were ignored."""


class ListedRows(NamedTuple):
    """A manifest as it is read, before any file is looked for."""

    url: str
    manifest: VideoList
    rows: tuple[ListedRow, ...]
    """The manifest's, their videos as places that are known from here on."""
    content: bytes
    """The file, whose name is its URL's."""


def list_sources(cfg: SourcesConfig) -> SourceList:
    """Find every file and question that the config names, reading no video.

    Raises SourceError once, with all that is wrong: nothing there, no video among what is there, broken rows.
    """
    try:
        return _read_list(cfg) if cfg.manifest else _list_videos(cfg, str(cfg.videos))
    except ImportError as error:
        raise SourceError(f"sources: {error}") from error


def given_rows(questions: Iterable[ListedQuestion], found: Iterable[SourceIdentity]) -> Iterator[GivenRow]:
    """The questions with their videos, in order; those of lost files are left out, and exact repeats."""
    video_ids = {identity.file.url: identity.video_id for identity in found}
    seen: set[tuple[str, GivenQuestion]] = set()
    for url, question in questions:
        key = (video_ids.get(url, ""), question)
        if url in video_ids and key not in seen:
            seen.add(key)
            yield GivenRow(video_id=video_ids[url], **dict(question))


def _list_videos(cfg: SourcesConfig, place: str) -> SourceList:
    place = absolute(place)
    try:
        found = find_videos(place, cfg.license)
    except FileNotFoundError as error:
        raise SourceError(
            f"sources.videos: {place} does not exist; name a folder, file, glob or URL"
        ) from error
    except (OSError, ValueError) as error:
        raise SourceError(f"sources.videos: {place} cannot be listed ({error})") from error
    if not found.files:
        there = (
            f"no file there is a video ({_counts(found.skipped)})"
            if any(found.skipped.values())
            else "nothing is there"
        )
        raise SourceError(f"sources.videos: {place}: {there}; name a folder, glob or file with videos")
    return SourceList(found.files, (), {reason: count for reason, count in found.skipped.items() if count})


def read_manifest(cfg: SourcesConfig) -> ListedRows:
    """The rows of the manifest that the config names.

    Raises SourceError where it cannot be read, or columns that look as if they mattered would be left out.
    """
    url = absolute(str(cfg.manifest))
    try:
        url, content, folder = read_rows(url, cfg.subset, cfg.split)
        manifest = read_video_list(url, content, cfg.columns, cfg.shape)
    except (OSError, ValueError) as error:
        raise SourceError(f"sources.manifest: {url} cannot be read: {error}") from error
    there = (*manifest.understood, *manifest.ignored)
    if _PUBLISHED.issubset(there):
        raise SourceError(
            f"sources.manifest: {url} holds rows that reelproof published: they ask about frames as they "
            "were shown, which a manifest cannot say; their card tells what was found, and train, evaluate "
            "and browse take the dataset's folder"
        )
    if absent := [name for name in cfg.columns.values() if name not in there]:
        raise SourceError(
            f"sources.columns: no row of {url} has {', '.join(absent)}; it has {', '.join(sorted(there))}"
        )
    root = absolute(cfg.root) if cfg.root is not None else folder
    if unread := told_unread(manifest, cfg.ignore_columns):
        first = None if manifest.rows else next(iter(manifest.problems), None)
        why = f"no row can be read ({manifest.unit} {first.number}: {first.reason}); " if first else ""
        raise SourceError(f"sources.manifest: {url}: {why}{unread}")
    return ListedRows(
        url,
        manifest,
        tuple(row._replace(video=absolute(row.video, root)) for row in manifest.rows),
        content,
    )


def _read_list(cfg: SourcesConfig) -> SourceList:
    url, manifest, rows, _ = read_manifest(cfg)
    found = find_files(rows, cfg, url, manifest.unit)
    files = {file.url: file for file in found.files.values()}
    problems = sorted((*manifest.problems, *found.problems, *_twin_answers(rows)))
    if problems and cfg.on_error == "fail":
        raise SourceError(problem_text(url, manifest.unit, problems))
    if not files:
        raise SourceError(f"sources.manifest: {url} names no video ({_counts(manifest.skipped)})")
    bad = {problem.number for problem in problems}
    notes = [problem_text(url, manifest.unit, problems)] if problems else []
    if others := [name for name in manifest.ignored if name not in cfg.ignore_columns]:
        notes.append(f"{url}: columns that mean nothing here: {', '.join(others)}")
    return SourceList(
        files=tuple(files[video] for video in sorted(files)),
        questions=tuple(
            ListedQuestion(found.files[row.video].url, row.question)
            for row in rows
            if row.question and row.number not in bad
        ),
        skipped={**manifest.skipped, **({"bad_row": len(bad)} if bad else {})},
        notes=tuple(notes),
    )


def _twin_answers(rows: Iterable[ListedRow]) -> Iterator[ListProblem]:
    """Rows with two right options, one of which would count as wrong."""
    for row in rows:
        if row.question and (twin := _twin(row.question)):
            reason = f"the options say {twin!r} more than once, and the answer is only one of them"
            yield ListProblem(row.number, reason, "equal_options")


def _twin(given: GivenQuestion) -> str | None:
    """An option that says what a right one says, under a letter that is not right."""
    letters = strict_letters(given.answer, given.options) or ()
    marked = [(chr(ord("A") + place) in letters, option) for place, option in enumerate(given.options)]
    right = {plain_option(option) for is_right, option in marked if is_right}
    others = (option for is_right, option in marked if not is_right)
    return next((option for option in others if plain_option(option) in right), None)


class FoundFiles(NamedTuple):
    """What became of looking for the videos of a manifest's rows."""

    files: dict[str, SourceFile]
    """A row's video -> the file that is there …"""
    missing: dict[str, str]
    """… or why it is not to be had."""
    problems: list[ListProblem]
    """Rows whose video is missing, or has two licences."""


def find_files(rows: Sequence[ListedRow], cfg: SourcesConfig, manifest: str, unit: str) -> FoundFiles:
    """Look for each video once, side by side."""
    first: dict[str, ListedRow] = {}
    for row in rows:
        named = first.setdefault(row.video, row)
        if named.license is None and row.license is not None:
            first[row.video] = row
    with ThreadPoolExecutor(_REMOTE_THREADS) as pool:
        looked = pool.map(
            lambda row: (
                refusal(row.video, manifest, cfg.schemes, cfg.inner_addresses)
                or file_or_reason(row.video, row.license or cfg.license)
            ),
            first.values(),
        )
        outcomes = dict(zip(first, looked, strict=True))
    problems = []
    for row in rows:
        outcome, named = outcomes[row.video], first[row.video]
        if isinstance(outcome, str):
            problems.append(ListProblem(row.number, outcome))
        elif row.license not in (None, named.license):
            reason = (
                f"{row.video} has licence {row.license!r} here and {named.license!r} at {unit} {named.number}"
            )
            problems.append(ListProblem(row.number, reason))
    return FoundFiles(
        files={url: file for url, file in outcomes.items() if isinstance(file, SourceFile)},
        missing={url: reason for url, reason in outcomes.items() if isinstance(reason, str)},
        problems=problems,
    )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items() if count) or "no rows"
