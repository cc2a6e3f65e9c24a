"""Moving pictures whose edits can be read off again, and who reads them: without the code that made them."""

import io
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from PIL import Image
from rapidfuzz import fuzz

from reelproof.schemas.edited import EditedQuestion
from reelproof.schemas.footage import Clip, FrameRef
from reelproof.stages.footage.edits import encode
from reelproof.stages.written.protocol import Reader
from tests.views import made_clip, made_frame

PURE = {"red": (220, 30, 30), "yellow": (250, 220, 30), "green": (30, 180, 60), "blue": (40, 80, 230)}


class Film(NamedTuple):
    """A clip and the files of its frames."""

    clip: Clip
    jpegs: dict[str, bytes]


def film(frames: int, seed: int, *, width: int = 320, height: int = 240, grey: bool = False) -> Film:
    """A camera that moves over a plain of soft spots in dull colours."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(70, 180, (9, 18, 3)).astype(np.float32)
    wide = cv2.resize(small, (2 * width, height), interpolation=cv2.INTER_CUBIC)
    wide = wide.mean(axis=2, keepdims=True) + (0 if grey else 0.7) * (wide - wide.mean(axis=2, keepdims=True))
    wide = np.clip(np.repeat(wide, 3 // wide.shape[2], axis=2), 0, 255).astype(np.uint8)
    name, jpegs, timeline = f"film{seed}", {}, []
    for place in range(frames):
        first = place * width // frames // 2
        made = encode(wide[:, first : first + width], made_frame(name, 1.5 * place + 0.2), 85)
        jpegs[made.frame.sha256] = made.jpeg
        timeline.append(made.frame)
    clip = made_clip(name, 1.5 * frames).model_copy(update={"timeline": tuple(timeline)})
    return Film(clip, jpegs)


@lru_cache(maxsize=512)
def decoded(jpeg: bytes) -> np.ndarray:
    """(H, W, 3) float32 RGB"""
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"), np.float32)


class Seen(NamedTuple):
    """A shown frame, and what the footage has at its time, in the same size."""

    frame: FrameRef
    shown_s: float | None
    picture: np.ndarray
    footage: np.ndarray


def seen(asked: EditedQuestion, stored: Mapping[str, bytes], made: Film) -> list[Seen]:
    """What a question shows, with the footage beside it."""
    at = {(each.video_id, each.time_s): made.jpegs[each.sha256] for each in made.clip.timeline}
    every = []
    for each in asked.question.frames:
        picture = decoded(stored[each.sha256])
        footage = Image.open(io.BytesIO(at[each.frame.video_id, each.frame.time_s])).convert("RGB")
        small = footage.resize([round(side * 7 / 8) for side in footage.size], Image.Resampling.BOX)
        left, top = ((side - kept) // 2 for side, kept in zip(small.size, picture.shape[1::-1], strict=True))
        footage = small.crop((left, top, left + picture.shape[1], top + picture.shape[0]))
        every.append(Seen(each.frame, each.shown_s, picture, np.asarray(footage, np.float32)))
    return every


def away(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference in grey levels."""
    return float(np.abs(one - other).mean())


def letter(asked: EditedQuestion, option: str) -> str:
    """Of the option that says so."""
    return "ABCDEFGH"[asked.question.options.index(option)]


def read_mirrored(asked: EditedQuestion, shown: Sequence[Seen]) -> str:
    """The frame that is its footage's mirror image."""
    (found,) = [
        each for each in shown if away(each.picture, each.footage[:, ::-1]) < away(each.picture, each.footage)
    ]
    return letter(asked, f"the frame at {found.shown_s:.1f} s")


def read_turned(_asked: EditedQuestion, shown: Sequence[Seen]) -> str:
    """From the first to the last frame that is its footage's turned by half a turn."""
    return span(
        [away(each.picture, each.footage[::-1, ::-1]) < away(each.picture, each.footage) for each in shown],
        shown,
    )


def read_recoloured(_asked: EditedQuestion, shown: Sequence[Seen]) -> str:
    """From the first to the last frame as light as its footage and of other colours."""
    tint = [away(each.picture - each.picture.mean(2, keepdims=True),
                 each.footage - each.footage.mean(2, keepdims=True)) for each in shown]  # fmt: skip
    return span([each > (min(tint) + max(tint)) / 2 for each in tint], shown)


def span(edited: Sequence[bool], shown: Sequence[Seen]) -> str:
    """The times of the ends of one run."""
    places = [place for place, is_edited in enumerate(edited) if is_edited]
    assert places == list(range(places[0], places[-1] + 1))
    return f"[{shown[places[0]].shown_s:.1f}, {shown[places[-1]].shown_s:.1f}]"


class Pasted(NamedTuple):
    """What is seen of a shape."""

    colour: str
    form: str


def pasted(each: Seen) -> list[Pasted]:
    """The shapes on a frame: where it is unlike its footage."""
    mask = (np.abs(each.picture - each.footage).max(axis=2) > 36).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    found = []
    for index in range(1, count):
        left, top, width, height, area = stats[index]
        if area < 40:
            continue
        part = labels[top : top + height, left : left + width] == index
        inside = cv2.erode(part.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0).astype(bool)
        colour = each.picture[top : top + height, left : left + width][inside].mean(axis=0)
        name = min(PURE, key=lambda pure: float(np.abs(colour - PURE[pure]).sum()))
        found.append(Pasted(name, max(FORMS, key=lambda form: likeness(part, form))))
    return found


FORMS = {
    "square": lambda x, y: np.ones_like(x, bool),
    "circle": lambda x, y: x**2 + y**2 <= 1.05,
    "triangle": lambda x, y: np.abs(x) <= (y + 1) / 2 + 0.05,
    "cross": lambda x, y: (np.abs(x) < 0.4) | (np.abs(y) < 0.4),
}
"""Whether a point belongs to a form; its box runs from -1 to 1."""


def likeness(part: np.ndarray, form: str) -> float:
    """Overlap of what is seen with a form that fills the same box, 0 … 1."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in part.shape), indexing="ij")
    ideal = FORMS[form](x, y)
    return float((part & ideal).sum() / (part | ideal).sum())


def read_count(asked: EditedQuestion, shown: Sequence[Seen]) -> str:
    """All shapes of the kind that is asked for, of as many as there always are."""
    (said,) = re.findall(r"are (\w+ \w+)s,", asked.question.text)
    colour, form = said.replace("crosse", "cross").split()
    return str([each for frame in shown for each in pasted(frame)].count(Pasted(colour, form)))


def read_marked(asked: EditedQuestion, shown: Sequence[Seen]) -> str:
    """Frames with a mark of that form; each frame has one mark."""
    (form,) = re.findall(r"is it a (\w+)\?", asked.question.text)
    marks = [pasted(each) for each in shown]
    assert all(len(each) == 1 for each in marks)
    return str(sum(each[0].form == form for each in marks))


def read_zoomed(asked: EditedQuestion, shown: Sequence[Seen]) -> str:
    """The part of the frame that looks like the last picture when it is enlarged."""
    *before, last = shown
    height, width = last.picture.shape[:2]
    (zoom,) = map(int, re.findall(r"enlarged (\d) times", asked.question.text))
    rows, columns = ("upper", "middle", "lower"), ("left", "middle", "right")
    ends = (0, 2) if zoom == 2 else (0, 1, 2)
    scores = {}
    for option in asked.question.options:
        words = option.split() if " " in option else ["middle", "middle"]
        row, column = ends.index(rows.index(words[0])), ends.index(columns.index(words[1]))
        for each in before:
            part = each.footage[row * height // zoom : (row + 1) * height // zoom,
                                column * width // zoom : (column + 1) * width // zoom]  # fmt: skip
            scores[option, each.frame.time_s] = away(cv2.resize(part, (width, height)), last.picture)
    return letter(asked, min(scores, key=scores.__getitem__)[0])


def read_captioned(asked: EditedQuestion, shown: Sequence[Seen]) -> str:
    """The frame on which OCR reads the words best."""
    (said,) = re.findall(r'say "([^"]+)"', asked.question.text)
    likeness = {}
    for each in shown:
        read = reader().read(each.picture.astype(np.uint8))
        likeness[each.shown_s] = fuzz.partial_ratio(
            said.replace(" ", ""), "".join(line.text for line in read)
        )
    return letter(asked, f"the frame at {max(likeness, key=likeness.__getitem__):.1f} s")


@lru_cache(maxsize=1)
def reader() -> Reader:
    """It needs the extra `ocr`."""
    pytest.importorskip("rapidocr_onnxruntime")
    from reelproof.stages.written.rapid import RapidReader

    return RapidReader()


READERS = {
    "captioned_frame": read_captioned,
    "mirrored_frame": read_mirrored,
    "turned_span": read_turned,
    "recoloured_span": read_recoloured,
    "shape_count": read_count,
    "marked_frames": read_marked,
    "zoomed_place": read_zoomed,
}
