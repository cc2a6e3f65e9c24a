"""A video and what is wanted of it -> JPEGs in a folder, by random access."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from reelproof.pipeline.disk.files import make_folder
from reelproof.pipeline.errors import UsageError
from reelproof.stages.footage.crops import Box, cropped
from reelproof.stages.footage.decode import Reel
from reelproof.stages.footage.opening import UnusableVideoError
from reelproof.stages.footage.random_access import Reader, look, shrunk

_QUALITY = 90


@dataclass(frozen=True)
class Wanted:
    """What the command was given."""

    start_s: float
    end_s: float | None
    """None: the film's end."""
    count: int
    box: str | None
    long_side_px: int | None
    reader: Reader = "exact"


def write_frames(video: Path, wanted: Wanted, out: Path) -> Iterator[Path]:
    """One `<video>-<seconds>.jpg` a frame, as it is written. Raises UsageError for what cannot be shown."""
    try:
        box = _box(wanted.box) if wanted.box else None
        end_s = wanted.end_s if wanted.end_s is not None else _end_s(video)
        side_px = None if box else wanted.long_side_px
        seen = look(str(video), wanted.start_s, end_s, wanted.count, side_px, wanted.reader)
    except (UnusableVideoError, ValueError) as error:
        raise UsageError(f"{video}: {error}") from None
    make_folder(out)
    for time_s, image in seen:
        part = shrunk(cropped(image, box), wanted.long_side_px) if box else image
        path = out / f"{video.stem}-{time_s:09.3f}.jpg"
        Image.fromarray(part).save(path, "JPEG", quality=_QUALITY)
        yield path


def _end_s(video: Path) -> float:
    with Reel(str(video)) as reel:
        if reel.declared_s > 0:
            return reel.declared_s
    raise UsageError(f"{video} does not say how long it is; say --to SECONDS")


def _box(text: str) -> Box:
    try:
        left, top, right, bottom = (float(each) for each in text.split(","))
    except ValueError:
        raise UsageError(f"--box: got {text!r}, expected four shares such as 0.5,0,1,0.5") from None
    return Box(left, top, right, bottom)
