"""Frames by their hashes -> how they differ, where they move and what they say; each is looked at once."""

from collections.abc import Mapping, Sequence

from reelproof.schemas.written import TextLine
from reelproof.stages.footage.crops import Pictures
from reelproof.stages.teachers.embedded.measure import (
    WHOLE,
    Differences,
    Look,
    Region,
    differences,
    look_at,
    moving_part,
)
from reelproof.stages.teachers.embedded.read import Shown
from reelproof.stages.written.protocol import Reader, text_lines


class Eye:
    """Looks at frames, compares and reads them."""

    def __init__(self, frames: Mapping[str, bytes], reader: Reader | None = None) -> None:
        """`frames`: sha256 -> JPEG bytes. Without a reader nothing is written anywhere."""
        self._frames = frames
        self._reader = reader
        self._pictures = Pictures(frames, held=2)
        self._looks: dict[str, Look] = {}
        self._lines: dict[str, tuple[TextLine, ...]] = {}
        self._compared: tuple[tuple[tuple[str, ...], Region], Differences] | None = None

    @property
    def reads(self) -> bool:
        """Whether it can tell what is written."""
        return self._reader is not None

    def compare(self, shown: Sequence[Shown], region: Region = WHOLE) -> Differences:
        """Differences of the frames, in their order. Requests for the same frames mostly come in a row."""
        key = tuple(each.sha256 for each in shown), region
        if self._compared is None or self._compared[0] != key:
            self._compared = key, differences([self._look(each.sha256) for each in shown], region)
        return self._compared[1]

    def moving_part(self, first: Shown, second: Shown, region: Region) -> Region | None:
        """Where most of the motion from one frame to another is; None where it is in no one place."""
        return moving_part(self._look(first.sha256), self._look(second.sha256), region)

    def read(self, shown: Shown) -> tuple[TextLine, ...]:
        """What is written in a frame."""
        if self._reader is None:
            return ()
        if shown.sha256 not in self._lines:
            image = self._pictures.image(shown.sha256)
            self._lines[shown.sha256] = tuple(text_lines(self._reader.read(image), image))
        return self._lines[shown.sha256]

    def _look(self, sha256: str) -> Look:
        if sha256 not in self._looks:
            self._looks[sha256] = look_at(self._frames[sha256])
        return self._looks[sha256]
