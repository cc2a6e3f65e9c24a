"""The pictures of a clip -> questions about what was done to some of them, or pasted over all.

What a clip must allow is asked of each answer alike, and not of the right one alone: else the pictures would
tell it before anything was done to them.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from reelproof.schemas.edited import WRITTEN
from reelproof.schemas.question import Task
from reelproof.schemas.trace import ClaimKind
from reelproof.stages.footage.crops import Box
from reelproof.stages.footage.edits import (
    COLOURS,
    SHAPES,
    Shape,
    colourfulness,
    enlarged,
    file_bytes,
    hue_turned,
    looks,
    made_up_words,
    mirrored,
    upside_down,
    with_words,
)
from reelproof.stages.questions.computed_frames import are_told_apart, spread
from reelproof.stages.questions.edit_bench import Bench, EditDraft, EditMaker, Shot
from reelproof.stages.questions.maker import lettered

_MOST_COUNTED = 10
_ZOOMED_AMONG = 4
_ROWS, _COLUMNS = ("upper", "middle", "lower"), ("left", "middle", "right")
_EVEN = 1.3
"""So many times the bytes of the least detailed part may the most detailed one take: none stands out."""


def _mirrored_frame(bench: Bench) -> EditDraft | None:
    """Only where each option would be seen: another frame is more like it than like its mirror image."""
    count = bench.cfg.options
    if len(bench.frames) < max(count, 4):
        return None
    places = bench.rng.sample(range(len(bench.frames)), count)
    if not all(_would_be_seen(bench, place) for place in places) or not are_told_apart(bench.frames, places):
        return None
    options = [f"the frame at {bench.frames[place].time_s:.1f} s" for place in places]
    letter, shown = lettered(options, 0, bench.rng)
    text = "One of the frames is mirrored: left and right are exchanged. Which one?"
    shots = bench.edited(range(places[0], places[0] + 1), mirrored, "mirrored")
    return EditDraft(Task.MULTIPLE_CHOICE, text, letter, shots, shown)


def _would_be_seen(bench: Bench, place: int) -> bool:
    """Whether a frame is so much nearer to another one than its mirror image is to any."""
    own, other = bench.looks[place], looks(mirrored(bench.pictures[place]))
    near = min((own ^ each).bit_count() for at, each in enumerate(bench.looks) if at != place)
    return min((other ^ each).bit_count() for each in bench.looks) >= near + bench.cfg.changed_bits


def _turned_span(bench: Bench) -> EditDraft | None:
    """Only where no frame looks the same upside down."""
    span = _drawn_span(bench)
    if span is None:
        return None
    turned = [looks(upside_down(each)) for each in bench.pictures]
    pairs = zip(turned, bench.looks, strict=True)
    if any((one ^ other).bit_count() < bench.cfg.changed_bits for one, other in pairs):
        return None
    text = "For a while the picture is upside down. From when to when?"
    return _span_draft(bench, span, text, bench.edited(span, upside_down, "upside down"))


def _recoloured_span(bench: Bench) -> EditDraft | None:
    """Only of clips in colour."""
    span, degrees = _drawn_span(bench), bench.cfg.hue_turn_deg
    if span is None or min(map(colourfulness, bench.pictures)) < bench.cfg.least_colour:
        return None
    text = "For a while all colours of the picture are changed into others. From when to when?"
    edit = f"hue turned by {degrees:g} degrees"
    return _span_draft(bench, span, text, bench.edited(span, lambda each: hue_turned(each, degrees), edit))


def _shape_count(bench: Bench) -> EditDraft:
    """As many shapes in all, whatever the count; the others have another form or another colour."""
    count = bench.rng.randint(1, min(len(bench.frames), _MOST_COUNTED))
    every = [f"{colour} {form}" for colour in COLOURS for form in SHAPES]
    counted, *others = bench.rng.sample(every, len(every))
    names = [counted] * count + bench.rng.choices(others, k=bench.cfg.pasted - count)
    bench.rng.shuffle(names)
    spots = bench.spots()
    free = [(place, spot) for place in range(len(bench.frames)) for spot in range(len(spots))]
    by_frame: dict[int, list[Shape]] = {}
    for name, (place, spot) in zip(names, bench.rng.sample(free, len(names)), strict=True):
        by_frame.setdefault(place, []).append(bench.shape(name, spots[spot]))
    text = (
        "Small coloured shapes were pasted over the frames. How many of them are "
        f"{counted.replace('cross', 'crosse')}s, in all frames together?"
    )
    return EditDraft(Task.NUMERICAL, text, str(count), bench.with_shapes(by_frame))


def _marked_frames(bench: Bench) -> EditDraft:
    """Each frame has one mark, of one of two forms."""
    count = bench.rng.randint(1, min(len(bench.frames), _MOST_COUNTED))
    counted, other = bench.rng.sample(SHAPES, 2)
    forms = [counted] * count + [other] * (len(bench.frames) - count)
    bench.rng.shuffle(forms)
    marks = {
        place: [bench.shape(f"{bench.rng.choice(list(COLOURS))} {form}", bench.rng.choice(bench.spots()))]
        for place, form in enumerate(forms)
    }
    text = f"A small mark was pasted over each frame. On how many of the frames is it a {counted}?"
    return EditDraft(Task.NUMERICAL, text, str(count), bench.with_shapes(marks))


def _zoomed_place(bench: Bench) -> EditDraft | None:
    """Only among parts that look different, and none of which holds much more detail than another."""
    frames, cfg = spread(range(len(bench.frames)), _ZOOMED_AMONG, bench.rng), bench.cfg
    if frames is None:
        return None
    zoomed = bench.rng.choice(frames)
    picture = bench.pictures[zoomed]
    cells = [(row, column) for row in range(cfg.zoom) for column in range(cfg.zoom)]
    cells = bench.rng.sample(cells, min(cfg.options, len(cells)))
    parts = [enlarged(picture, _cell(*cell, cfg.zoom)) for cell in cells]
    if not _are_even(parts, bench):
        return None
    letter, options = lettered([_named(*cell, cfg.zoom) for cell in cells], 0, bench.rng)
    text = (
        f"Frame {len(frames) + 1} is a part of one of the frames before it, enlarged {cfg.zoom} times. "
        "Where in that frame does it lie?"
    )
    shots = [Shot(bench.pictures[place], bench.frames[place], None) for place in frames]
    edit = f"{_named(*cells[0], cfg.zoom)}, enlarged {cfg.zoom} times"
    shots.append(Shot(parts[0], bench.frames[zoomed], None, edit))
    return EditDraft(Task.MULTIPLE_CHOICE, text, letter, tuple(shots), options)


def _captioned_frame(bench: Bench) -> EditDraft | None:
    """Each option has words of its own, so that only reading tells which is meant."""
    count = bench.cfg.options
    if len(bench.frames) < count:
        return None
    places = bench.rng.sample(range(len(bench.frames)), count)
    if not are_told_apart(bench.frames, places):
        return None
    words = [made_up_words(bench.rng) for _ in places]
    options = [f"the frame at {bench.frames[place].time_s:.1f} s" for place in places]
    letter, shown = lettered(options, 0, bench.rng)
    shots = bench.plain()
    for place, said in zip(places, words, strict=True):
        picture = with_words(bench.pictures[place], said, bench.rng).picture
        shots[place] = shots[place]._replace(picture=picture, edit=f"{WRITTEN}{said}")
    text = f'Words were written over some of the frames. On which of them does it say "{words[0]}"?'
    return EditDraft(Task.MULTIPLE_CHOICE, text, letter, tuple(shots), shown)


def _are_even(parts: Sequence[np.ndarray], bench: Bench) -> bool:
    """Whether no two look alike, and none holds much more detail."""
    pairs = itertools.combinations(map(looks, parts), 2)
    unlike = all((one ^ other).bit_count() >= bench.cfg.changed_bits for one, other in pairs)
    sizes = [file_bytes(each, bench.cfg.jpeg_quality) for each in parts] if unlike else []
    return unlike and max(sizes) <= _EVEN * min(sizes)


def _cell(row: int, column: int, zoom: int) -> Box:
    return Box(column / zoom, row / zoom, (column + 1) / zoom, (row + 1) / zoom)


def _named(row: int, column: int, zoom: int) -> str:
    ends = {2: (0, 2), 3: (0, 1, 2)}[zoom]
    return f"{_ROWS[ends[row]]} {_COLUMNS[ends[column]]}".replace("middle middle", "middle")


def _drawn_span(bench: Bench) -> range | None:
    """Two frames or more, and less than half of all."""
    length = bench.rng.randint(2, (len(bench.frames) - 1) // 2)
    first = bench.rng.randint(0, len(bench.frames) - length)
    is_told = are_told_apart(bench.frames, (first, first + length - 1))
    return range(first, first + length) if is_told else None


def _span_draft(bench: Bench, span: range, text: str, shots: tuple[Shot, ...]) -> EditDraft:
    answer = f"[{bench.frames[span[0]].time_s:.1f}, {bench.frames[span[-1]].time_s:.1f}]"
    asked = f"{text} Give the times of its first and of its last frame."
    return EditDraft(Task.TEMPORAL_GROUNDING, asked, answer, shots)


EDIT_MAKERS: Mapping[str, EditMaker] = {
    "mirrored_frame": EditMaker(
        _mirrored_frame, "which frame is mirrored left to right", (ClaimKind.MOMENT,)
    ),
    "turned_span": EditMaker(
        _turned_span, "from when to when the picture is upside down", (ClaimKind.STRETCH,)
    ),
    "recoloured_span": EditMaker(
        _recoloured_span, "from when to when all colours are changed", (ClaimKind.STRETCH,)
    ),
    "shape_count": EditMaker(
        _shape_count, "how many of the pasted shapes are of one form and colour", (ClaimKind.MOMENT,)
    ),
    "marked_frames": EditMaker(
        _marked_frames, "on how many frames the pasted mark has one form", (ClaimKind.MOMENT,)
    ),
    "zoomed_place": EditMaker(_zoomed_place, "which part of a frame is shown enlarged", (ClaimKind.MOMENT,)),
    "captioned_frame": EditMaker(
        _captioned_frame, "on which frame some words are written", (ClaimKind.WRITING,)
    ),
}
"""What is asked -> how it is made."""
