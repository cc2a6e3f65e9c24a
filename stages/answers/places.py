"""What a claim boxes -> parts of frames to look at: the box, that of another frame, another box of its own.

The first shows what the claim says is there. The others show what it must not be seen in: a thing that a
verifier sees there as well may be anywhere, or it sees it without looking. As controls of whole frames, they
look unlike the first; where none does, there is none.
"""

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from reelproof.schemas.answers.overlap import box_iou
from reelproof.schemas.answers.placed import Boxed, BoxUnit, places_of
from reelproof.schemas.place import Place, PlaceFault
from reelproof.schemas.trace import ClaimedPlace
from reelproof.stages.answers.panel import Judged, Matter, Messages
from reelproof.stages.footage.crops import Box, Cutout, Pictures
from reelproof.stages.teachers.prompts import place_messages

_GRID = 5
"""So many ways each to move a box across and down."""
_MOST_SHARED = 0.1
"""IoU up to which a moved box is another one."""


class PutPlace(NamedTuple):
    """A place as it is put to the verifier; a faulty one, or one that no frame stands for, is not."""

    place: Place
    frame: str | None = None
    """sha256 of the frame that stands for its time."""
    fault: PlaceFault | None = None
    own: Cutout | None = None
    control: Cutout | None = None
    """The same box of another frame."""
    elsewhere: Cutout | None = None
    """Another box of the same frame."""

    @property
    def cutouts(self) -> tuple[Cutout, ...]:
        """All that the verifier sees of it."""
        return tuple(each for each in (self.own, self.control, self.elsewhere) if each is not None)

    @property
    def matter(self) -> Matter:
        """What is asked of the box and of either control; nothing where the box is not looked at."""
        if self.own is None:
            return Matter()
        return Matter(tuple(map(self._asked_of, (self.own, self.control, self.elsewhere))))

    def _asked_of(self, cutout: Cutout | None) -> list[Messages]:
        return [] if cutout is None else [place_messages(self.place.label, cutout.sha256)]

    def claimed(self, judged: Judged) -> ClaimedPlace:
        """The place with what came of it."""
        belief, control, elsewhere = judged.beliefs or (None, None, None)
        return ClaimedPlace(
            **self.place.model_dump(),
            frame_sha256=self.frame,
            fault=self.fault,
            belief=belief,
            control_belief=control,
            elsewhere_belief=elsewhere,
        )


class Around(NamedTuple):
    """Where a control may come from, and when it can tell."""

    own: Sequence[str]
    """sha256 of the frames that the question shows."""
    others: Sequence[str]
    """Of frames of other clips of the video: where none of its own looks otherwise."""
    least_bits: int
    """How much a control must differ, in bits of perceptual hashes."""


def put_places(
    thing: Boxed, frame: str | None, size_of: str, pictures: Pictures, unit: BoxUnit, around: Around | None
) -> Iterator[PutPlace]:
    """A boxed thing's places with what is looked at.

    Args:
        thing: What a thought boxes.
        frame: sha256 of the shown frame that stands for its time.
        size_of: sha256 of a frame that has the size in whose pixels boxes are written.
        pictures: All of these frames.
        unit: How corners above 1 are counted.
        around: Where controls come from; None for none.
    """
    height, width = pictures.image(frame or size_of).shape[:2]
    places = places_of(thing, width, height, unit)
    for place in places:
        if place.flaw is not None or frame is None:
            yield PutPlace(place, frame, place.flaw)
            continue
        box = _as_box(place)
        own = pictures.cut_out(frame, box)
        put = PutPlace(place, frame, own=own)
        if around is not None:
            taken = [each for each in places if each.flaw is None]
            put = put._replace(
                control=_same_box(box, own, frame, pictures, around),
                elsewhere=_another_box(box, own, frame, taken, pictures, around.least_bits),
            )
        yield put


def _same_box(box: Box, own: Cutout, frame: str, pictures: Pictures, around: Around) -> Cutout | None:
    """That of the frame that looks most unlike there."""
    for source in (around.own, around.others):
        away = {each: _bits(own, pictures.looks(each, box)) for each in source if each != frame}
        most = max(away, key=lambda each: away[each], default=None)
        if most is not None and away[most] >= around.least_bits:
            return pictures.cut_out(most, box)
    return None


def _another_box(
    box: Box, own: Cutout, frame: str, taken: Sequence[Place], pictures: Pictures, least_bits: int
) -> Cutout | None:
    """That of the same size that looks most unlike, beside all that are taken."""
    free = [each for each in _moved(box) if not any(_shared(each, place) for place in taken)]
    away = {each: _bits(own, pictures.looks(frame, each)) for each in free}
    most = max(away, key=lambda each: away[each], default=None)
    return pictures.cut_out(frame, most) if most is not None and away[most] >= least_bits else None


def _moved(box: Box) -> Iterator[Box]:
    width, height = box.right - box.left, box.bottom - box.top
    for across in range(_GRID):
        for down in range(_GRID):
            left, top = (1 - width) * across / (_GRID - 1), (1 - height) * down / (_GRID - 1)
            yield Box(left, top, min(1.0, left + width), min(1.0, top + height))


def _shared(box: Box, place: Place) -> bool:
    moved = place.box._replace(left=box.left, top=box.top, right=box.right, bottom=box.bottom)
    return box_iou(moved, place.box) > _MOST_SHARED


def _bits(own: Cutout, looks: int) -> int:
    return (own.phash ^ looks).bit_count()


def _as_box(place: Place) -> Box:
    inside = place.within_frame()
    return Box(inside.left, inside.top, inside.right, inside.bottom)


def with_cutouts(places: Iterable[PutPlace], frames: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """sha256 -> JPEG bytes of frames, and of what was cut out of them."""
    cut = {each.sha256: each.jpeg for place in places for each in place.cutouts}
    return ChainMap(cut, frames) if cut else frames  # type: ignore[arg-type]
