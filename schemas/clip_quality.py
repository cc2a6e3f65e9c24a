"""What a clip looks like as a picture, whatever it shows: columns that curators filter by."""

from pydantic import Field

from reelproof.schemas.record import Record


class ClipQuality(Record):
    """Of one clip, from its keyframes and the footage's signals."""

    clip_id: str
    blur: float | None = Field(ge=0, le=1)
    """Median over its keyframes of Crété-Roffet's blur: about 0.15 to 0.4 of a sharp picture, 0.7 of one that
    is blurred with a deviation of two pixels; null where no frame has detail."""
    colourfulness: float | None = Field(ge=0)
    """Median over its keyframes of Hasler and Süsstrunk's measure: 0 of a grey picture, about 15 of a
    slightly colourful one, 45 of a colourful one, above 80 of a highly colourful one; null without frames."""
    bar_share: float | None = Field(ge=0, le=1)
    """Share of the frame that lies in black bars at its edges, in all keyframes; null without frames."""
    static_share: float | None = Field(ge=0, le=1)
    """Share of its time in which nothing changes from one frame to the next; null where there is no step."""
