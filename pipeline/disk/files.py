"""A folder, a glob, a file or a URL -> the video files there; and one file's facts, bytes and local copy."""

import glob
import hashlib
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fsspec.core import url_to_fs

from reelproof.pipeline.disk.web import web_options
from reelproof.pipeline.errors import UsageError
from reelproof.schemas.source import VIDEO_ENDINGS, SourceFile

# fmt: off
OTHER_ENDINGS = frozenset((
    "aac", "aif", "aiff", "ass", "avif", "bmp", "bz2", "cfg", "csv", "db", "doc", "docx", "flac", "gif",
    "gz", "h5", "heic", "heif", "html", "jpeg", "jpg", "json", "jsonl", "lock", "log", "m4a", "m4b",
    "md", "mka", "mp3", "npy", "npz", "ogg", "opus", "parquet", "pdf", "pickle", "pkl", "png", "pt",
    "py", "safetensors", "sh", "sqlite", "srt", "svg", "tar", "tif", "tiff", "toml", "tsv", "txt",
    "vtt", "wav", "webp", "xml", "yaml", "yml", "zip", "zst",
))
# fmt: on
_MAGIC = re.compile(
    rb"....ftyp(?!M4A |M4B |heic|heix|mif1|msf1|avif|jp2 )|....(?:moov|mdat|wide)"  # MP4, MOV
    rb"|\x1a\x45\xdf\xa3|RIFF....AVI |FLV\x01|DKIF|YUV4MPEG2 "  # Matroska, AVI, Flash, IVF, raw
    rb"|\x00\x00\x01[\xba\xb3]|\x47.{187}\x47.{187}\x47"  # MPEG streams
    rb"|\x30\x26\xb2\x75\x8e\x66\xcf\x11|\x06\x0e\x2b\x34\x02\x05\x01\x01",  # ASF, MXF
    re.DOTALL,
)
_NO_DISK = re.compile(r"/(?:proc|sys|dev(?!/shm/))/")
_SNIFFED_BYTES = 1024
_VERSION_KEYS = (
    "ETag",
    "etag",
    "md5Hash",
    "contentHash",
    "last_modified",
    "LastModified",
    "updated",
    "mtime",
    "created",
)


class Found(NamedTuple):
    """The video files at a place, in order of their URLs, and how many others there are, by reason."""

    files: tuple[SourceFile, ...]
    skipped: Mapping[str, int]
    """Reason -> files: `hidden`, `not_video`, `name_not_utf8`, `dangling_link`."""


def find_videos(place: str, license_name: str) -> Found:
    """Every video file at a place: a folder's with all its folders, a glob's, or the one file itself.

    A file belongs by its ending, or by its first kilobyte where the ending says nothing; a file that the
    place names itself always belongs. Hidden files and folders are left out. Raises FileNotFoundError,
    PermissionError or another OSError for what cannot be listed, ImportError for a URL whose file system is
    not installed.
    """
    urls, skipped = _local_urls(place) if is_local(place) else _remote_urls(place)
    files: list[SourceFile] = []
    for url in sorted(urls):
        outcome = _file_or_reason(url, license_name, named=url == place)
        if isinstance(outcome, SourceFile):
            files.append(outcome)
        else:
            skipped[outcome] += 1
    return Found(tuple(files), dict(skipped))


def make_folder(path: Path) -> None:
    """A folder for results, before any work is done for them. Raises UsageError where there can be none."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be a folder: {error.strerror}; name another --out") from None


def video_id_of(path: Path) -> str:
    """The SHA-256 of a local file. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stat_file(url: str, license_name: str) -> SourceFile:
    """A file's size and version, reading nothing of it. Raises OSError where it is missing or is a folder."""
    if is_local(url):
        status = Path(url).stat()
        if not os.path.isfile(url):  # noqa: PTH113 — follows links, as stat does, without a second object
            raise IsADirectoryError(f"{url} is not a file")
        if _NO_DISK.match(os.path.realpath(url)):
            raise PermissionError(f"{url} is the system's own and on no disk: no video")
        version = f"{status.st_mtime_ns}-{status.st_ctime_ns}"
        return SourceFile(url=url, size_bytes=status.st_size, version=version, license=license_name)
    file_system, path = open_file_system(url)
    info = file_system.info(path)
    if info["type"] != "file":
        raise IsADirectoryError(f"{url} is not a file")
    return SourceFile(
        url=url, size_bytes=int(info["size"] or 0), version=_remote_version(info), license=license_name
    )


def read_file(url: str) -> bytes:
    """All of a file. Raises OSError."""
    with open_file(url) as stream:
        return bytes(stream.read())


@contextmanager
def open_file(url: str) -> Iterator[Any]:
    """A binary stream that is read from start to end. Raises OSError."""
    if is_local(url):
        with Path(url).open("rb", buffering=0) as stream:
            yield stream
    else:
        file_system, path = open_file_system(url)
        with file_system.open(path, "rb", block_size=8 << 20, cache_type="readahead") as stream:
            yield stream


@contextmanager
def local_copy(url: str, folder: str | None = None) -> Iterator[Path]:
    """A local path with the file's bytes: itself where it is local, else a copy in `folder` until the end.

    Raises OSError where it cannot be fetched.
    """
    if is_local(url):
        yield Path(url)
        return
    temporary = tempfile.mkdtemp(prefix="reelproof-fetch-", dir=folder)
    try:
        file_system, path = open_file_system(url)
        target = Path(temporary) / path.rpartition("/")[2]
        file_system.get_file(path, str(target))
        yield target
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def absolute(place: str, root: str = "") -> str:
    """A path or URL as it is known from here on: a URL as it is, a path absolute, from `root` if relative.

    Links are not followed, so that a file keeps the name that it was given.
    """
    if "://" in place and not place.startswith("file://"):
        return place
    path = os.path.expanduser(place.removeprefix("file://"))  # noqa: PTH111 — pathlib would drop a trailing glob
    if root and not is_local(root) and not path.startswith("/"):
        return f"{root.rstrip('/')}/{path.removeprefix('./')}"
    return os.path.normpath(os.path.join(os.path.abspath(root), path))  # noqa: PTH100, PTH118 — no links followed


def is_local(url: str) -> bool:
    """Whether it is a path on this machine and no URL."""
    return "://" not in url


def open_file_system(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it.

    Raises ImportError, saying what to install, or ValueError for an unknown protocol.
    """
    file_system, path = url_to_fs(
        url, use_listings_cache=False, **web_options(url)
    )  # others write there, too
    return file_system, path


def _file_or_reason(url: str, license_name: str, named: bool) -> SourceFile | str:
    """The file, or why it is skipped; one that the place names itself is taken or refused, never skipped."""
    if not _is_utf8(url):
        return "name_not_utf8"
    try:
        file = stat_file(url, license_name)
    except (FileNotFoundError, IsADirectoryError) as error:
        if named:
            raise
        return "dangling_link" if isinstance(error, FileNotFoundError) else "not_video"
    return file if named or _is_video(url) else "not_video"


def _local_urls(place: str) -> tuple[list[str], Counter[str]]:
    skipped: Counter[str] = Counter()
    if not os.path.lexists(place) and glob.has_magic(place):
        matches = [path for path in glob.glob(place, recursive=True) if os.path.exists(path)]  # noqa: PTH110, PTH207
        urls = {each for path in matches for each in _local_files(path, skipped)}
        return sorted(urls), skipped
    return list(_local_files(place, skipped)), skipped


def _local_files(path: str, skipped: Counter[str]) -> Iterator[str]:
    """Files below a folder, or the file itself. Links to folders are followed, each folder once."""

    def fail(error: OSError) -> None:
        raise error

    if not os.path.isdir(path):  # noqa: PTH112
        os.stat(path)  # noqa: PTH116 — raises what is wrong with it
        yield path
        return
    seen: set[str] = set()
    for folder, folders, names in os.walk(path, onerror=fail, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        skipped["hidden"] += sum(name.startswith(".") for name in names)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(folder, name) for name in sorted(names) if not name.startswith("."))  # noqa: PTH118


def _remote_urls(place: str) -> tuple[list[str], Counter[str]]:
    file_system, path = open_file_system(place)
    protocol = place.partition("://")[0]
    if glob.has_magic(path) and not file_system.exists(path):
        matches = [path for path in file_system.glob(path) if "/." not in path]
    else:
        matches = [path]
    found: set[str] = set()
    skipped: Counter[str] = Counter()
    for match in matches:
        if file_system.isfile(match):
            found.add(match)
            continue
        below = file_system.find(match)
        if not below and not file_system.exists(match):
            raise FileNotFoundError(f"{place} does not exist")
        shown = {each for each in below if "/." not in each.removeprefix(match)}
        skipped["hidden"] += len(below) - len(shown)
        found |= shown
    if matches == [path] and found == {path}:
        return [place], skipped
    return [each if "://" in each else f"{protocol}://{each}" for each in found], skipped


def _is_video(url: str) -> bool:
    ending = url.rpartition("/")[2].rpartition(".")[2].casefold()
    if ending in VIDEO_ENDINGS or ending in OTHER_ENDINGS:
        return ending in VIDEO_ENDINGS
    try:
        with open_file(url) as stream:
            return _MAGIC.match(stream.read(_SNIFFED_BYTES)) is not None
    except OSError:
        return False


def _remote_version(info: Mapping[str, Any]) -> str:
    return next((str(info[key]) for key in _VERSION_KEYS if info.get(key)), "")


def _is_utf8(url: str) -> bool:
    try:
        url.encode()
    except UnicodeEncodeError:
        return False
    return True
