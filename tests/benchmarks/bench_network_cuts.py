"""What a network that looks where the signals leave doubt adds to F1 of cuts, and what it costs."""

import time
from pathlib import Path

from reelproof.schemas.footage import Footage
from reelproof.stages.footage.cuts import CutConfig
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.doubt import TransitionConfig, see_transitions
from reelproof.stages.footage.scan import FootageConfig, PicturedConfig, scan_footage
from reelproof.stages.footage.storyboard import StoryboardConfig, cut_scenes
from reelproof.stages.footage.transnet import TransNet
from tests.benchmarks.rows import LeftOut, Rows, at_least, at_most
from tests.benchmarks.splice import TEST_SHOTS, Accuracy, score_cuts, shots_in, splice_film
from tests.films import FOOTAGE

FILMS = {
    "the cuts benchmark's film": ({"cut": 132, "dissolve": 20, "fade": 23}, 7),
    "many cross-fades": ({"cut": 60, "dissolve": 60, "fade": 30}, 11),
}


def bench_network_cuts(folder: Path) -> Rows:
    """F1 of both, and CPU seconds of the pass with the network against the pass without."""
    if len(shots_in(FOOTAGE, TEST_SHOTS)) < len(TEST_SHOTS):
        raise LeftOut(f"not all films of its test shots are in {FOOTAGE}")
    network = TransNet()
    rows: Rows = {}
    for name, (counts, seed) in FILMS.items():
        path = folder / f"network-{seed}.mp4"
        edits = splice_film(FOOTAGE, TEST_SHOTS, path, counts, seed)
        for exact in (False, True):
            cfg = FootageConfig(exact=exact)
            began_s = time.process_time()
            before = score_cuts(_starts(path, cfg), edits)
            plain_s = time.process_time() - began_s
            after = score_cuts(_starts(path, PicturedConfig(**dict(cfg)), network), edits)
            hybrid_s = time.process_time() - began_s - plain_s
            label = f"hybrid, {name}, {'exact' if exact else 'default'}"
            told = f"signals {before.f1:.3f}; cross-fades {_dissolves(before)} -> {_dissolves(after)}"
            rows[f"F1, {label}"] = at_least(after.f1, before.f1 + 0.01, "", told)
            rows[f"cost, {label}"] = at_most(hybrid_s / plain_s, 1.3, "x", f"signals, {plain_s:.1f} s of CPU")
    return rows


def _starts(path: Path, cfg: FootageConfig, network: TransNet | None = None) -> list[float]:
    """When scenes begin, from the file."""
    (footage,) = scan_footage([LocalVideo(str(path), "0" * 64, path.name, path.stat().st_size)], cfg)
    assert isinstance(footage, Footage), footage.detail
    pictures = [footage.signals.pictures]
    look = (footage, pictures, network, TransitionConfig(), CutConfig())
    (board,) = cut_scenes([footage], StoryboardConfig(), see_transitions(*look) if network else ())
    return [scene.start_s for scene in board.scenes[1:]]


def _dissolves(accuracy: Accuracy) -> str:
    return f"{accuracy.found_of_kind['dissolve']:.2f}"
