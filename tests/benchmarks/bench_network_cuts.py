"""What a network that looks where the signals leave doubt adds to F1 of cuts, and what it costs."""

import itertools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from reelproof.schemas.footage import Footage
from reelproof.stages.footage.cuts import CutConfig
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.doubt import TransitionConfig, see_transitions
from reelproof.stages.footage.scan import FootageConfig, PicturedConfig, scan_footage
from reelproof.stages.footage.storyboard import StoryboardConfig, cut_scenes
from reelproof.stages.footage.transnet import TransNet
from tests.benchmarks.rows import LeftOut, Rows, at_least, at_most
from tests.benchmarks.splice import FPS, TEST_SHOTS, Accuracy, Edit, score_cuts, shots_in, splice_film
from tests.films import FOOTAGE

SPLICED = {
    "the cuts benchmark's film": ({"cut": 132, "dissolve": 20, "fade": 23}, 7),
    "many cross-fades": ({"cut": 60, "dissolve": 60, "fade": 30}, 11),
}


def bench_network_cuts(folder: Path) -> Rows:
    """F1 of both, and CPU seconds of the pass with the network against the pass without.

    Of two spliced films, and of the films that their shots are from: in those there are few changes of scene,
    and much that is none. In the default decoding alone, so that it ends within minutes.
    """
    if len(shots_in(FOOTAGE, TEST_SHOTS)) < len(TEST_SHOTS):
        raise LeftOut(f"not all films of its test shots are in {FOOTAGE}")
    network, rows = TransNet(), Rows()
    for name, (counts, seed) in SPLICED.items():
        path = folder / f"network-{seed}.mp4"
        edits = splice_film(FOOTAGE, TEST_SHOTS, path, counts, seed)
        rows |= _compared(name, {path: edits}, network, gain=0.01)
    filmed = {FOOTAGE / shot.file: _cuts_in(shot.file) for shot in TEST_SHOTS}
    return rows | _compared("as filmed", filmed, network, gain=0.0)


def _cuts_in(file: str) -> list[Edit]:
    """One between each test shot of the film and the next."""
    shots = [shot for shot in TEST_SHOTS if shot.file == file]
    return [Edit("cut", round(a.end_s * FPS), round(b.start_s * FPS)) for a, b in itertools.pairwise(shots)]


def _compared(name: str, films: Mapping[Path, Sequence[Edit]], network: TransNet, gain: float) -> Rows:
    signals = _looked_at(films, FootageConfig())
    hybrid = _looked_at(films, PicturedConfig(), network)
    told = f"signals {signals.accuracy.f1:.3f}, {signals}; now {hybrid}"
    return {
        f"F1, hybrid, {name}": at_least(hybrid.accuracy.f1, signals.accuracy.f1 + gain, "", told),
        f"cost, hybrid, {name}": at_most(
            hybrid.cpu_s / signals.cpu_s, 1.3, "x", f"signals, {signals.cpu_s:.1f} s of CPU"
        ),
    }


class _Looked(NamedTuple):
    """What it came to to look at films in one way."""

    accuracy: Accuracy
    cpu_s: float

    def __str__(self) -> str:
        found = [f"{kind}s {share:.2f}" for kind, share in self.accuracy.found_of_kind.items()]
        return f"{', '.join(found)}, precision {self.accuracy.precision:.2f}"


def _looked_at(
    films: Mapping[Path, Sequence[Edit]], cfg: FootageConfig, network: TransNet | None = None
) -> _Looked:
    """Of films as if each followed the one before."""
    began_s = time.process_time()
    starts_s = {path: _starts(path, cfg, network) for path in films}
    cpu_s = time.process_time() - began_s
    found_s: list[float] = []
    edits: list[Edit] = []
    for frames, (path, of_film) in zip(itertools.count(0, 1_000_000), films.items(), strict=False):
        found_s += [frames / FPS + start_s for start_s in starts_s[path]]
        edits += [Edit(each.kind, frames + each.first, frames + each.last) for each in of_film]
    return _Looked(score_cuts(found_s, edits), cpu_s)


def _starts(path: Path, cfg: FootageConfig, network: TransNet | None) -> list[float]:
    """When scenes begin, from the file."""
    (footage,) = scan_footage([LocalVideo(str(path), "0" * 64, path.name, path.stat().st_size)], cfg)
    assert isinstance(footage, Footage), footage.detail
    pictures = [footage.signals.pictures]
    look = (footage, pictures, network, TransitionConfig(), CutConfig())
    (board,) = cut_scenes([footage], StoryboardConfig(), see_transitions(*look) if network else ())
    return [scene.start_s for scene in board.scenes[1:]]
