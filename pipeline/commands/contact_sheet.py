"""Frames -> one picture of them with their times; of a storyboard also scenes and the curve of change."""

import io
import textwrap
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from reelproof.schemas.counted import counted
from reelproof.schemas.footage import CutKind, Footage, FrameRef, Storyboard

_WIDTH_PX = 1280
_MARGIN_PX = 16
_CURVE_PX = 150
_COLUMNS = 6
_MAX_KEYFRAMES = 180
_LINE = 150
"""Characters that go on one line."""
_PAPER, _INK, _FAINT, _DAMAGE = "#ffffff", "#202124", "#9aa0a6", "#f8d7da"
_SCENE_TINTS = "#e8f0fe", "#f6f7f9"
_CUT_COLOURS = {
    CutKind.START: "#9aa0a6",
    CutKind.CUT: "#d93025",
    CutKind.DISSOLVE: "#1a73e8",
    CutKind.FADE: "#188038",
    CutKind.NETWORK: "#9334e6",
}


_WITH_MORE_LETTERS = ("NotoSansCJK-Regular.ttc", "Arial Unicode.ttf", "DejaVuSans.ttf", "arial.ttf")
"""Fonts that machines have, the first that is there; matplotlib brings one as well."""
_BEYOND_ASCII = "·…‘’“”"
"""What Pillow's own font can write besides."""


class Tile(NamedTuple):
    """A frame and what stands below it."""

    picture: Image.Image
    text: str
    colour: str = _FAINT


class _Keyframe(NamedTuple):
    scene_index: int
    frame: FrameRef


def draw_contact_sheet(footage: Footage, board: Storyboard) -> bytes:
    """A PNG file. Red lines are cuts, blue ones dissolves, green ones fades; pink stretches are damaged.

    Violet lines are changes of scene that only a network saw.
    """
    tiles = list(islice(_tiles(board), _MAX_KEYFRAMES))
    tile_width = (_WIDTH_PX - 2 * _MARGIN_PX) // _COLUMNS
    tile_height = round(tile_width * footage.video.height / footage.video.width)
    tile_height = min(tile_height, 2 * tile_width)
    rows = -(-len(tiles) // _COLUMNS)
    top_px = 96
    tiles_top_px = top_px + _CURVE_PX + 56
    sheet = Image.new("RGB", (_WIDTH_PX, tiles_top_px + rows * (tile_height + 30) + _MARGIN_PX), _PAPER)
    _draw_heading(ImageDraw.Draw(sheet), footage, board)
    _draw_curve(ImageDraw.Draw(sheet), footage, board, top_px)
    jpegs = {each.frame.sha256: each.jpeg for each in footage.candidates}
    for position, tile in enumerate(tiles):
        scene = board.scenes[tile.scene_index]
        text = f"scene {tile.scene_index}   {tile.frame.time_s:.2f} s"
        drawn = Tile(Image.open(io.BytesIO(jpegs[tile.frame.sha256])), text, _CUT_COLOURS[scene.cut_kind])
        x = _MARGIN_PX + position % _COLUMNS * tile_width
        y = tiles_top_px + position // _COLUMNS * (tile_height + 30)
        _draw_tile(sheet, drawn, (x, y, tile_width - 6, tile_height))
    return _as_png(sheet)


def draw_frames(title: str, lines: Sequence[str], tiles: Sequence[Tile]) -> bytes:
    """A PNG file of frames of one film, in their order, below a title and some lines of text."""
    columns = min(_COLUMNS, max(2, len(tiles)))
    tile_width = (_WIDTH_PX - 2 * _MARGIN_PX) // columns
    shape = max((tile.picture.height / tile.picture.width for tile in tiles), default=0.0)
    tile_height = round(shape * tile_width)
    tile_height = min(tile_height, 2 * tile_width)
    wrapped = [part for line in lines for part in textwrap.wrap(line, _LINE) or [""]]
    top_px = 52 + 20 * len(wrapped)
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (_WIDTH_PX, top_px + rows * (tile_height + 30) + _MARGIN_PX), _PAPER)
    draw = ImageDraw.Draw(sheet)
    _write(draw, (_MARGIN_PX, 12), title[:_LINE], 24)
    for number, line in enumerate(wrapped):
        _write(draw, (_MARGIN_PX, 46 + 20 * number), line, 15)
    for position, tile in enumerate(tiles):
        x = _MARGIN_PX + position % columns * tile_width
        y = top_px + position // columns * (tile_height + 30)
        _draw_tile(sheet, tile, (x, y, tile_width - 6, tile_height))
    return _as_png(sheet)


def _as_png(sheet: Image.Image) -> bytes:
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _tiles(board: Storyboard) -> list[_Keyframe]:
    starts = [scene.start_s for scene in board.scenes]
    return [
        _Keyframe(int(np.searchsorted(starts, each.time_s, "right")) - 1, each) for each in board.keyframes
    ]


def _draw_heading(draw: ImageDraw.ImageDraw, footage: Footage, board: Storyboard) -> None:
    video = footage.video
    _write(draw, (_MARGIN_PX, 12), video.name, 24)
    facts = [
        f"{footage.duration_s:.2f} s",
        f"{video.width}x{video.height}",
        video.codec,
        f"{video.fps:.3g} fps",
        counted(len(board.scenes), "scene"),
        f"{counted(len(board.keyframes), 'keyframe')} of {counted(len(footage.candidates), 'candidate')}",
        f"{counted(footage.frame_count, 'frame')} looked at",
        video.video_id[:12],
    ]
    _write(draw, (_MARGIN_PX, 46), "  ·  ".join(facts), 15)
    if footage.salvage:
        _write(draw, (_MARGIN_PX, 68), f"Damaged: {footage.salvage}"[:170], 14, "#b3261e")


def _draw_curve(draw: ImageDraw.ImageDraw, footage: Footage, board: Storyboard, top_px: int) -> None:
    """Content change over time, the tallest peak to the top, over stripes for the scenes."""
    end_s = max(footage.duration_s, *(span.end_s for span in footage.damaged), 0.001)
    bottom_px, width_px = top_px + _CURVE_PX, _WIDTH_PX - 2 * _MARGIN_PX

    def x_of(time_s: float) -> float:
        return _MARGIN_PX + time_s / end_s * width_px

    for index, scene in enumerate(board.scenes):
        box = (x_of(scene.start_s), top_px, x_of(scene.end_s), bottom_px)
        draw.rectangle(box, fill=_SCENE_TINTS[index % 2])
    for span in footage.damaged:
        draw.rectangle((x_of(span.start_s), top_px, x_of(span.end_s), bottom_px), fill=_DAMAGE)
    content = footage.signals.content
    scale = _CURVE_PX * 0.95 / max(float(content.max()), 1.0)
    points = zip(footage.signals.time_s.tolist(), content.tolist(), strict=True)
    draw.line([(x_of(time_s), bottom_px - value * scale) for time_s, value in points], fill=_INK)
    small = ImageFont.load_default(12)
    for scene in board.scenes[1:]:
        x = x_of(scene.start_s)
        draw.line((x, top_px, x, bottom_px), fill=_CUT_COLOURS[scene.cut_kind], width=2)
        draw.text((x + 3, top_px + 1), f"{scene.cut_score:.1f}", _CUT_COLOURS[scene.cut_kind], small)
    for frame in board.keyframes:
        x = x_of(frame.time_s)
        draw.polygon([(x - 4, bottom_px + 8), (x + 4, bottom_px + 8), (x, bottom_px + 1)], fill=_INK)
    for tick_s in np.linspace(0, end_s, 9):
        draw.text((x_of(tick_s), bottom_px + 12), f"{tick_s:.1f} s", _FAINT, small, anchor="ma")


def _draw_tile(sheet: Image.Image, tile: Tile, box: tuple[int, int, int, int]) -> None:
    x, y, width, height = box
    tile.picture.thumbnail((width, height))
    sheet.paste(tile.picture, (x, y))
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((x, y + height + 2, x + 4, y + height + 18), fill=tile.colour)
    _write(draw, (x + 9, y + height + 2), tile.text, 13)


def _write(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size: int, colour: str = _INK
) -> None:
    """A line of text, in a font that has its letters; without any, letters go without their marks."""
    text = unicodedata.normalize("NFC", text)
    font = ImageFont.load_default(size)
    if not all(each.isascii() or each in _BEYOND_ASCII for each in text):
        found = _font_with_more_letters(size)
        if found is None:
            text = "".join(
                each for each in unicodedata.normalize("NFD", text) if not unicodedata.combining(each)
            )
        font = found or font
    draw.text(place, text, colour, font)


@cache
def _font_with_more_letters(size: int) -> ImageFont.FreeTypeFont | None:
    plots = find_spec("matplotlib")
    own = [Path(plots.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"] if plots and plots.origin else []
    for font in (*_WITH_MORE_LETTERS, *map(str, own)):
        with suppress(OSError):
            return ImageFont.truetype(font, size)
    return None
