"""Real shots -> one film with known cuts, cross-fades, fades through black and flashes; detected cuts -> F1.

Tuning and test footage are different films: thresholds were set on TUNING_SHOTS (Big Buck Bunny's trailer
from moviepy's source package, its opening, and a turning globe from gradio's wheel); figures come from
TEST_SHOTS alone.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np

FPS = 25
SIZE = 640, 360
TOLERANCE_FRAMES = 2


class SourceShot(NamedTuple):
    """A stretch of a file within one shot, clear of its cuts."""

    file: str
    start_s: float
    end_s: float


class Edit(NamedTuple):
    """What the splicer did: frames [first, last] of the film; the new shot alone is seen from `last` on."""

    kind: str
    first: int
    last: int


class Accuracy(NamedTuple):
    """Of a list of detected times against the edits."""

    f1: float
    precision: float
    recall: float
    found_of_kind: dict[str, float]


TUNING_SHOTS = (
    SourceShot("trailer_bbb.mp4", 1.3, 5.0),
    SourceShot("trailer_bbb.mp4", 10.8, 13.2),
    SourceShot("trailer_bbb.mp4", 15.2, 24.7),
    SourceShot("trailer_bbb.mp4", 25.3, 31.0),
    SourceShot("trailer_bbb.mp4", 33.2, 35.8),
    SourceShot("trailer_bbb.mp4", 36.2, 37.2),
    SourceShot("trailer_bbb.mp4", 38.0, 41.1),
    SourceShot("trailer_bbb.mp4", 41.5, 43.7),
    SourceShot("trailer_bbb.mp4", 44.2, 46.4),
    SourceShot("trailer_bbb.mp4", 48.6, 50.2),
    SourceShot("big_buck_bunny_0_30.webm", 6.0, 11.0),
    SourceShot("big_buck_bunny_0_30.webm", 12.0, 15.5),
    SourceShot("big_buck_bunny_0_30.webm", 23.1, 26.5),
    SourceShot("world.mp4", 0.0, 29.0),
)
TEST_SHOTS = (
    SourceShot("sam2_05_default_juggle.mp4", 0.0, 10.2),
    SourceShot("sam2_02_cups.mp4", 0.0, 9.9),
    SourceShot("sam2_03_blocks.mp4", 0.0, 9.6),
    SourceShot("chaplin.mp4", 0.0, 9.5),
    SourceShot("vtest.avi", 0.0, 79.0),
    SourceShot("tc_nasa_13013.mp4", 0.0, 4.9),
    SourceShot("tc_nasa_13013.mp4", 5.3, 7.9),
    SourceShot("tc_nasa_13013.mp4", 8.2, 12.9),
    SourceShot("fire_rotated180.mp4", 0.0, 2.3),
    SourceShot("tree.avi", 0.0, 29.0),
    SourceShot("bikes.mp4", 0.0, 1.1),
    SourceShot("bikes.mp4", 1.3, 2.9),
    SourceShot("bikes.mp4", 3.2, 5.4),
    SourceShot("bikes.mp4", 5.6, 7.4),
    SourceShot("bikes.mp4", 7.6, 9.5),
)


def shots_in(folder: Path, shots: Sequence[SourceShot]) -> list[SourceShot]:
    """Those whose film lies in the folder: a clone has one of these films, and five shots of it."""
    return [shot for shot in shots if (folder / shot.file).exists()]


def splice_film(
    folder: Path, shots: Sequence[SourceShot], path: Path, counts: dict[str, int], seed: int
) -> list[Edit]:
    """Write a film with `counts` edits of each kind (cut, dissolve, fade), and tell where they are.

    One picture in twelve shots flashes white for one to three frames; a flash is no edit.
    """
    random = np.random.default_rng(seed)
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    random.shuffle(kinds)
    film: list[np.ndarray] = []
    edits: list[Edit] = []
    before = -1
    with _Writer(path) as writer:
        for kind in ["start", *kinds]:
            index = int(random.choice([i for i in range(len(shots)) if i != before]))
            before = index
            piece = _piece(_load(folder, shots[index]), random)
            film, edit = _join(film, piece, kind, writer.count, random)
            edits.extend([edit] if edit else [])
            writer.write(film[:-FPS])
            film = film[-FPS:]
        writer.write(film)
    return edits


def score_cuts(found_s: Sequence[float], edits: Sequence[Edit]) -> Accuracy:
    """One detection counts for one edit, within two frames of a cut or of a gradual edit's span."""
    free = sorted(found_s)
    hits: dict[str, list[bool]] = {}
    for edit in edits:
        low, high = (edit.first - TOLERANCE_FRAMES - 0.01) / FPS, (edit.last + TOLERANCE_FRAMES + 0.01) / FPS
        match = next((time_s for time_s in free if low <= time_s <= high), None)
        if match is not None:
            free.remove(match)
        hits.setdefault(edit.kind, []).append(match is not None)
    right = sum(map(sum, hits.values()))
    precision, recall = right / max(len(found_s), 1), right / len(edits)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    return Accuracy(f1, precision, recall, {kind: float(np.mean(each)) for kind, each in hits.items()})


class _Writer:
    def __init__(self, path: Path) -> None:
        self._out = av.open(str(path), "w")
        options = {"preset": "veryfast", "crf": "23", "bf": "3"}
        self._stream = self._out.add_stream("libx264", rate=Fraction(FPS), options=options)
        self._stream.width, self._stream.height, self._stream.pix_fmt = *SIZE, "yuv420p"
        self.count = 0

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._out.mux(self._stream.encode())
        self._out.close()

    def write(self, images: Sequence[np.ndarray]) -> None:
        for image in images:
            self._out.mux(self._stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            self.count += 1


@cache
def _load(folder: Path, shot: SourceShot) -> list[np.ndarray]:
    images = []
    with av.open(str(folder / shot.file)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= shot.end_s:
                break
            if frame.time is not None and frame.time >= shot.start_s:
                images.append(
                    cv2.resize(frame.to_ndarray(format="rgb24"), SIZE, interpolation=cv2.INTER_AREA)
                )
    return images


def _piece(images: list[np.ndarray], random: np.random.Generator) -> list[np.ndarray]:
    """One to four seconds of a shot, where it has them; some with a flash in the middle."""
    length = min(len(images), int(random.integers(round(1.6 * FPS), 4 * FPS)))
    start = int(random.integers(0, len(images) - length + 1))
    piece = images[start : start + length]
    if random.random() < 1 / 12 and length > 1.6 * FPS:
        at, long = length // 2, int(random.integers(1, 4))
        white = [
            np.clip(image.astype(np.int16) + 150, 0, 255).astype(np.uint8) for image in piece[at : at + long]
        ]
        piece = [*piece[:at], *white, *piece[at + long :]]
    return piece


class _Joined(NamedTuple):
    film: list[np.ndarray]
    edit: Edit | None


def _join(
    film: list[np.ndarray], piece: list[np.ndarray], kind: str, written: int, random: np.random.Generator
) -> _Joined:
    """The film's unwritten tail and the next piece, joined by a cut, a cross-fade or a fade through black."""
    if not film:
        return _Joined(piece, None)
    end = written + len(film)
    if kind == "cut":
        return _Joined([*film, *piece], Edit("cut", end, end))
    half = int(random.integers(7, min(22, len(film) - 2, len(piece) - 2)))
    if kind == "dissolve":
        shares = (np.arange(half) + 1) / (half + 1)
        pairs = zip(film[-half:], piece[:half], shares, strict=True)
        mixed = [cv2.addWeighted(a, 1 - share, b, share, 0) for a, b, share in pairs]
        return _Joined([*film[:-half], *mixed, *piece[half:]], Edit("dissolve", end - half, end))
    lights = np.linspace(1, 0, half)
    out = [cv2.convertScaleAbs(a, alpha=light) for a, light in zip(film[-half:], lights, strict=True)]
    into = [cv2.convertScaleAbs(b, alpha=light) for b, light in zip(piece[:half], lights[::-1], strict=True)]
    black = [np.zeros_like(piece[0])] * int(random.integers(0, 10))
    edit = Edit("fade", end - half, end + len(black) + half)
    return _Joined([*film[:-half], *out, *black, *into, *piece[half:]], edit)
