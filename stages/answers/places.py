"""What a claim boxes -> parts of frames to look at: the box, that of another frame, another box of its own.

The first shows what the claim says is there. The others show what it must not be seen in: a thing that a
verifier sees there as well may be anywhere, or it sees it without looking. As controls of whole frames, they
look unlike the first; where none does, there is none. Motion takes two frames to be seen: then each is the
same part of both, and controls are those in which it changes less.
"""

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from reelproof.schemas.answers.overlap import box_iou
from reelproof.schemas.answers.placed import Boxed, BoxUnit, places_of
from reelproof.schemas.answers.statements import cited_frames
from reelproof.schemas.answers.subjects import is_motion
from reelproof.schemas.footage import Span
from reelproof.schemas.place import Place, PlaceFault
from reelproof.schemas.question import Shown
from reelproof.schemas.trace import ClaimedPlace
from reelproof.stages.answers.panel import Judged, Matter, Messages
from reelproof.stages.footage.crops import Box, Cutout, Pictures
from reelproof.stages.teachers.messages import place_messages

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
    own: tuple[Cutout, ...] = ()
    """One of a thing, two of motion; none where it is not looked at."""
    control: tuple[Cutout, ...] = ()
    """The same box of another frame."""
    elsewhere: tuple[Cutout, ...] = ()
    """Another box of the same frame."""

    @property
    def cutouts(self) -> tuple[Cutout, ...]:
        """All that the verifier sees of it."""
        return (*self.own, *self.control, *self.elsewhere)

    @property
    def matter(self) -> Matter:
        """What is asked of the box and of either control; nothing where the box is not looked at."""
        if not self.own:
            return Matter()
        return Matter(tuple(map(self._asked_of, (self.own, self.control, self.elsewhere))))

    def _asked_of(self, cutouts: Sequence[Cutout]) -> list[Messages]:
        return [place_messages(self.place.label, [each.sha256 for each in cutouts])] if cutouts else []

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
    """sha256 of the frames that the question shows, in order of time."""
    others: Sequence[Sequence[str]]
    """Of frames of other clips of the video: where none of its own looks otherwise."""
    least_bits: int
    """How much a control must differ, in bits of perceptual hashes."""

    def runs(self, frames: Sequence[str]) -> Iterator[list[tuple[str, ...]]]:
        """As many consecutive frames as these, and none of these: of the own clip, then of all others."""
        for source in ([self.own], self.others):
            runs = [
                tuple(clip[at : at + len(frames)])
                for clip in source
                for at in range(len(clip) - len(frames) + 1)
            ]
            yield [run for run in runs if not set(run) & set(frames)]


def put_boxes(
    things: Iterable[Boxed],
    shown: Sequence[Shown],
    pictures: Pictures,
    around: Around | None,
    unit: BoxUnit,
    near_s: float,
) -> Iterator[PutPlace]:
    """What a claim boxes, each on the shown frame that stands for its time; motion on the next one, too."""
    for thing in things if shown else ():
        at = Span(start_s=thing.time_s or 0.0, end_s=thing.time_s or 0.0)
        place = cited_frames([at], shown, near_s, 1) or ()
        count = 2 if is_motion(thing.label) and len(shown) > 1 else 1
        frames = [shown[each].sha256 for first in place for each in _from(first, count, len(shown))]
        yield from put_places(thing, frames, shown[0].sha256, pictures, unit, around)


def _from(first: int, count: int, shown: int) -> range:
    """So many places from one on; at the end, up to it."""
    start = min(first, shown - count)
    return range(start, start + count)


def put_places(
    thing: Boxed,
    frames: Sequence[str],
    size_of: str,
    pictures: Pictures,
    unit: BoxUnit,
    around: Around | None,
) -> Iterator[PutPlace]:
    """A boxed thing's places with what is looked at.

    Args:
        thing: What a thought boxes.
        frames: sha256 of the shown frame that stands for its time, if any does, and of motion of another one.
        size_of: sha256 of a frame that has the size in whose pixels boxes are written.
        pictures: All of these frames.
        unit: How corners above 1 are counted.
        around: Where controls come from; None for none.
    """
    frame = frames[0] if frames else None
    height, width = pictures.image(frame or size_of).shape[:2]
    places = places_of(thing, width, height, unit)
    taken = [each for each in places if each.flaw is None]
    for place in places:
        if place.flaw is not None or frame is None:
            yield PutPlace(place, frame, place.flaw)
            continue
        box = _as_box(place)
        put = PutPlace(place, frame, own=_cut_out(pictures, frames, box))
        yield put if around is None else _controlled(put, box, frames, taken, pictures, around)


def _controlled(
    put: PutPlace,
    box: Box,
    frames: Sequence[str],
    taken: Sequence[Place],
    pictures: Pictures,
    around: Around,
) -> PutPlace:
    """With the same box of the frames, and the box of the same frames beside all taken ones, that look most
    unlike it.
    """
    own = [each.phash for each in put.own]

    def most_unlike(parts: Iterable[_Part]) -> tuple[Cutout, ...]:
        away = {
            each: _unlike(own, [pictures.looks(sha256, each.box) for sha256 in each.frames]) for each in parts
        }
        most = max(away, key=lambda each: away[each], default=None)
        is_unlike = most is not None and away[most] >= around.least_bits
        return _cut_out(pictures, most.frames, most.box) if most and is_unlike else ()

    then = (most_unlike(_Part(run, box) for run in runs) for runs in around.runs(frames))
    free = [each for each in _moved(box) if not any(_shared(each, place) for place in taken)]
    return put._replace(
        control=next(filter(None, then), ()),
        elsewhere=most_unlike(_Part(tuple(frames), each) for each in free),
    )


class _Part(NamedTuple):
    frames: tuple[str, ...]
    box: Box


def _cut_out(pictures: Pictures, frames: Sequence[str], box: Box) -> tuple[Cutout, ...]:
    return tuple(pictures.cut_out(each, box) for each in frames)


def _unlike(own: Sequence[int], other: Sequence[int]) -> int:
    """In bits of perceptual hashes: how far two parts look from each other; of parts of two frames each, how
    much less the other changes from the first to the second.
    """
    if len(own) == 1:
        return _bits(own[0], other[0])
    return _bits(own[0], own[1]) - _bits(other[0], other[1])


def _moved(box: Box) -> Iterator[Box]:
    width, height = box.right - box.left, box.bottom - box.top
    for across in range(_GRID):
        for down in range(_GRID):
            left, top = (1 - width) * across / (_GRID - 1), (1 - height) * down / (_GRID - 1)
            yield Box(left, top, min(1.0, left + width), min(1.0, top + height))


def _shared(box: Box, place: Place) -> bool:
    moved = place.box._replace(left=box.left, top=box.top, right=box.right, bottom=box.bottom)
    return box_iou(moved, place.box) > _MOST_SHARED


def _bits(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def _as_box(place: Place) -> Box:
    inside = place.within_frame()
    return Box(inside.left, inside.top, inside.right, inside.bottom)


def with_cutouts(places: Iterable[PutPlace], frames: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """sha256 -> JPEG bytes of frames, and of what was cut out of them."""
    cut = {each.sha256: each.jpeg for place in places for each in place.cutouts}
    return ChainMap(cut, frames) if cut else frames  # type: ignore[arg-type]
