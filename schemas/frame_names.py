"""The times of a question's frames -> what stands before each frame, so that a citation means one of them."""

from collections.abc import Iterable, Sequence

FRAME_AT_TIME = "[{time_s:.1f} s]"
"""With one decimal, or with as many as tell the frames of its question apart."""
FRAME_AT_PLACE = "Frame {place}"
_MOST_DECIMALS = 3


def decimals_apart(times_s: Iterable[float | None]) -> int:
    """How many decimals tell times in seconds apart: 1 for most films, up to 3 for frames a few hundredths of
    a second from each other. A null is the time of a frame that is called by its place.
    """
    distinct = {time_s for time_s in times_s if time_s is not None}
    for decimals in range(1, _MOST_DECIMALS):
        if len({f"{time_s:.{decimals}f}" for time_s in distinct}) == len(distinct):
            return decimals
    return _MOST_DECIMALS


def time_name(time_s: float, decimals: int = 1) -> str:
    """`[12.4 s]`"""
    return FRAME_AT_TIME.replace(".1f", f".{decimals}f").format(time_s=time_s)


def frame_names(times_s: Sequence[float | None], decimals: int | None = None) -> list[str]:
    """The name of each frame in turn, by default with the decimals that tell these apart: those of a
    question's own frames where these are not all of them.
    """
    decimals = decimals or decimals_apart(times_s)
    return [
        FRAME_AT_PLACE.format(place=place) if time_s is None else time_name(time_s, decimals)
        for place, time_s in enumerate(times_s, 1)
    ]
