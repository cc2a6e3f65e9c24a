"""A row's boxes -> what its page draws on frames and tells of them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reelproof.schemas.place import Place
from reelproof.schemas.trace import ClaimVerdict, JudgedClaim, JudgedPlace

_LOOKS = {True: "believed", False: "doubted", None: "open"}
_KEY_NEAR_S = 0.5
"""How far from its time a given box is drawn."""
BORNE_OUT = {
    ClaimVerdict.GROUNDED: True,
    ClaimVerdict.CONTROL_BELIEVED: False,
    ClaimVerdict.UNGROUNDED: False,
}


class ShownBox(NamedTuple):
    """What the row puts into a box of a frame; corners are shares of it."""

    label: str
    left: float
    top: float
    right: float
    bottom: float
    look: str
    """`believed`, `doubted` or `open` by the verifier; `given` where it came with the question."""


class ShownPlace(NamedTuple):
    """A box that a claim names, and what a verifier made of it."""

    label: str
    told: str
    """Its corners, as shares of the frame, and its time."""
    verdict: str
    is_borne_out: bool | None
    belief: float | None
    control: float | None
    elsewhere: float | None


def shown_boxes(
    sha256: str, time_s: float | None, claims: Sequence[JudgedClaim], keys: Sequence[Place]
) -> Iterator[ShownBox]:
    """Those that claims name on a frame, and those that came with the question for about its time."""
    for key in keys:
        if time_s is not None and key.time_s is not None and abs(key.time_s - time_s) <= _KEY_NEAR_S:
            yield _box(key, "given")
    for place in (place for claim in claims for place in claim.places if place.frame_sha256 == sha256):
        yield _box(place, _LOOKS[BORNE_OUT.get(place.verdict)])


def _box(place: Place, look: str) -> ShownBox:
    inside = place.within_frame()
    return ShownBox(place.label, inside.left, inside.top, inside.right, inside.bottom, look)


def shown_place(place: JudgedPlace) -> ShownPlace:
    """A box that a claim names, as text."""
    corners = ", ".join(f"{each:.2f}" for each in place.box[:4])
    when = "" if place.time_s is None else f" at {place.time_s:.1f} s"
    verdict = place.verdict.replace("_", " ") if place.fault is None else f"{place.fault} box"
    return ShownPlace(
        label=place.label,
        told=f"[{corners}]{when}",
        verdict=verdict,
        is_borne_out=BORNE_OUT.get(place.verdict),
        belief=place.belief,
        control=place.control_belief,
        elsewhere=place.elsewhere_belief,
    )
