"""Videos -> the subtitles that lie beside them: `film.srt`, `film.en.vtt`, `film.en-US.forced.ass`, …"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from reelproof.pipeline.disk.files import is_local, open_file_system, stat_file
from reelproof.pipeline.inputs.identities import identify
from reelproof.schemas.languages import language_of
from reelproof.schemas.source import SourceFile, SourceIdentity, SubtitleFile
from reelproof.stages.speech.subtitles import ENDINGS

_THREADS = 16
_FLAGS = frozenset(("auto", "cc", "default", "forced", "full", "hi", "orig", "sdh"))
"""What stands in a name beside the language."""
_WEB = ("http://", "https://")


class Named(NamedTuple):
    """A subtitle file, by what its name says."""

    url: str
    language: str | None
    is_forced: bool
    """It tells only what is said in another language than the film's."""
    flags: int
    ending: int
    """Its place among `ENDINGS`."""


def find_subtitles(
    videos: Sequence[SourceIdentity], language: str | None, known: Iterable[SubtitleFile] = ()
) -> list[SubtitleFile]:
    """The file of subtitles of each video that has some, of those in that language; see `best_of`.

    A file that is `known` with the same size and version is not read again. One that cannot be read is not
    there.
    """
    chosen = {video.video_id: best for video, best in _chosen(videos, language)}
    with ThreadPoolExecutor(_THREADS) as pool:
        looked = dict(zip(chosen, pool.map(lambda each: _stat(each.url), chosen.values()), strict=True))
    there = {video_id: file for video_id, file in looked.items() if file is not None}
    before = [SourceIdentity(video_id=each.sha256, file=each.file) for each in known]
    by_url = {each.file.url: each for each in identify(tuple(there.values()), before).found}
    return [
        SubtitleFile(
            video_id=video_id,
            sha256=by_url[file.url].video_id,
            language=chosen[video_id].language,
            file=by_url[file.url].file,
        )
        for video_id, file in there.items()
        if file.url in by_url
    ]


def subtitles_beside(url: str, language: str | None) -> Named | None:
    """Those of one video."""
    folder, _, name = url.rpartition("/")
    return best_of(name, _named_in(folder, [name])[name], language)


def best_of(video: str, urls: Iterable[str], language: str | None) -> Named | None:
    """The best of the subtitles whose name begins as the video's does, None where there are none.

    In that language, else those that name none; where none is wanted, those that name none, else the first by
    name. Whole ones before those for foreign words only, plain ones before those for the deaf.
    """
    found = [each for each in (read_name(video, url) for url in urls) if each is not None]
    if language is not None:
        found = [each for each in found if each.language in (language, None)]
    unnamed_first = language is None
    return min(
        found,
        key=lambda each: (
            each.is_forced,
            (each.language is None) != unnamed_first,
            each.language or "",
            each.flags,
            each.ending,
            each.url,
        ),
        default=None,
    )


def read_name(video: str, url: str) -> Named | None:
    """What the name of a subtitle file says, where it is one of the video's."""
    stem, name = _stem(video), url.rpartition("/")[2]
    rest = re.fullmatch(r"((?:\.[^.]+)*)\.([^.]+)", name.removeprefix(stem))
    if not name.startswith(stem) or rest is None or rest[2].casefold() not in ENDINGS:
        return None
    tags = [each.casefold() for each in rest[1].split(".") if each]
    flags = [each for each in tags if each in _FLAGS]
    languages = [language_of(each) for each in tags if each not in _FLAGS]
    if len(languages) > 1 or None in languages:
        return None  # `film.part2.srt` is of another film
    ending = ENDINGS.index(rest[2].casefold())
    return Named(url, languages[0] if languages else None, "forced" in flags, len(flags), ending)


def _chosen(videos: Sequence[SourceIdentity], language: str | None) -> Iterator[tuple[SourceIdentity, Named]]:
    by_folder = defaultdict[str, list[SourceIdentity]](list)
    for video in videos:
        by_folder[video.file.url.rpartition("/")[0]].append(video)
    for folder, mine in by_folder.items():
        urls = _named_in(folder, [each.file.name for each in mine])
        for video in mine:
            if best := best_of(video.file.name, urls[video.file.name], language):
                yield video, best


def _named_in(folder: str, videos: Sequence[str]) -> Mapping[str, list[str]]:
    """Video -> URLs of files in its folder that are named as its subtitles may be."""
    if folder.startswith(_WEB):  # nothing lists what lies there
        return {video: [f"{folder}/{_stem(video)}.{ending}" for ending in ENDINGS] for video in videos}
    found: dict[str, list[str]] = {video: [] for video in videos}
    same_stem = defaultdict[str, list[str]](list)
    for video in videos:
        same_stem[_stem(video)].append(video)
    for name in _listed(folder):
        if name.rpartition(".")[2].casefold() not in ENDINGS:
            continue
        parts = name.split(".")
        stems = (".".join(parts[:end]) for end in range(len(parts) - 1, 0, -1))
        # `film.two.srt` is of `film.two.mp4`, where there is one
        nearest = next((stem for stem in stems if stem in same_stem), "")
        for video in same_stem.get(nearest, ()):
            found[video].append(f"{folder}/{name}")
    return found


def _listed(folder: str) -> list[str]:
    try:
        if is_local(folder):
            return os.listdir(folder or "/")  # noqa: PTH208 — names alone
        file_system, path = open_file_system(folder)
        return [each.rstrip("/").rpartition("/")[2] for each in file_system.ls(path, detail=False)]
    except OSError:
        return []


def _stat(url: str) -> SourceFile | None:
    try:
        return stat_file(url, "unknown")
    except (OSError, ValueError):
        return None


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name
