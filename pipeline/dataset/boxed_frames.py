"""A row's frames -> the same with what its claims put into boxes drawn on them, for people."""

import io
from collections.abc import Mapping
from typing import Any

from PIL import Image, ImageDraw

from reelproof.schemas.trace import ClaimVerdict, JudgedClaim, JudgedPlace

_COLOURS = {ClaimVerdict.GROUNDED: "#6fcf97", ClaimVerdict.UNGROUNDED: "#eb5757"}
_OTHERWISE = "#f2c94c"


def places_on_frames(row: Mapping[str, Any]) -> dict[int, list[JudgedPlace]]:
    """Place of a frame in the row -> the boxes that its claims name there, as far as they lie in a frame."""
    shown: dict[str, int] = {sha256: place for place, sha256 in enumerate(row["frame_sha256"])}
    found: dict[int, list[JudgedPlace]] = {}
    for claim in map(JudgedClaim.model_validate, row.get("claims") or ()):
        for each in claim.places:
            if each.frame_sha256 in shown:
                found.setdefault(shown[each.frame_sha256], []).append(each)
    return found


def drawn(jpeg: bytes, places: list[JudgedPlace]) -> bytes:
    """The frame with its boxes and their names, as a JPEG file."""
    with Image.open(io.BytesIO(jpeg)) as picture:
        image = picture.convert("RGB")
    pen = ImageDraw.Draw(image)
    for each in places:
        inside = each.within_frame()
        left, top = inside.left * image.width, inside.top * image.height
        right, bottom = inside.right * image.width, inside.bottom * image.height
        if right <= left or bottom <= top:
            continue
        colour = _COLOURS.get(each.verdict, _OTHERWISE)
        pen.rectangle((left, top, right, bottom), outline=colour, width=2)
        _, _, _, height = pen.textbbox((0, 0), each.label)
        above = top - height - 3 if top > height + 3 else bottom + 2  # what is in the box stays in sight
        pen.text((left, above), each.label, fill=colour, stroke_width=1, stroke_fill="black")
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return file.getvalue()
