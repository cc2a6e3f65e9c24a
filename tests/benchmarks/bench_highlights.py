"""Ten minutes of film with eight lively scenes: which of them are in a reel of a minute, and how."""

import random
from pathlib import Path

from reelproof.pipeline.highlights.run import REEL, make_highlights
from reelproof.pipeline.highlights.settings import HighlightsConfig
from reelproof.schemas.highlights import Pick
from tests.benchmarks.rows import Rows, at_least, at_most
from tests.clapper import apart_s, make_clapper
from tests.films import Shot

FPS, LIVELY, BUDGET_S, LENGTH_S = 25, 8, 60.0, 600.0


def planted() -> tuple[list[Shot], list[float], list[int]]:
    """The shots, where each begins (and the film ends), and which are lively."""
    rng = random.Random(3)
    lengths: list[float] = []
    while sum(lengths) < LENGTH_S:
        lengths.append(round(rng.uniform(4, 12) * FPS) / FPS)
    lively = sorted(rng.sample(range(len(lengths)), LIVELY))
    for place in lively:
        lengths[place] = round(rng.uniform(5, 8) * FPS) / FPS
    shots = [
        Shot(500 + place, length_s, rng.uniform(6, 12) if place in lively else rng.uniform(0, 0.6))
        for place, length_s in enumerate(lengths)
    ]
    return shots, [round(sum(lengths[:place]), 3) for place in range(len(lengths) + 1)], lively


def bench_highlights(folder: Path) -> Rows:
    """Lively scenes that are in, how far cuts are from scenes' borders, length, and sound."""
    shots, starts_s, lively = planted()
    film = folder / "ten-minutes.mp4"
    if not film.exists():
        make_clapper(film, shots, fps=FPS, size=(320, 180), options={"preset": "veryfast"})
    found = make_highlights(film, BUDGET_S, folder / "reel", HighlightsConfig(), None, lambda _: None)
    inside = [place for place in lively if any(_shows(each, starts_s, place) for each in found.picks)]
    borders = [at for each in found.picks for at in (each.start_s, each.end_s)]
    off = max(min(abs(at - border) for border in starts_s) for at in borders)
    apart = apart_s(folder / "reel" / REEL)
    against = f"{len(shots)} scenes, {LIVELY} of them lively, {found.duration_s:.0f} s"
    return {
        "highlights: lively scenes in the reel": at_least(len(inside), 7, "scenes", against),
        "highlights: cuts off a scene's border": at_most(off * FPS, 2, "frames", against),
        "highlights: length left unused": at_most(BUDGET_S - found.reel_s, 1, "s", against),
        "highlights: sound off the picture": at_most(
            max(map(abs, apart)) * 1000, 40, "ms", f"{len(apart)} claps"
        ),
    }


def _shows(pick: Pick, starts_s: list[float], place: int) -> bool:
    """All of the scene but two frames."""
    start_s, end_s = starts_s[place], starts_s[place + 1]
    return pick.start_s <= start_s + 2 / FPS and pick.end_s >= end_s - 2 / FPS
