"""Footage and storyboards against FFmpeg, PySceneDetect and decord: speed, accuracy, memory in one run.

Both sides decode with one thread and are compared by CPU seconds, so that other work on the machine does not
count. The films are made once, from the test shots of `splice`.
"""

import itertools
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import cv2
import decord
import numpy as np
from scenedetect import AdaptiveDetector, ContentDetector, HistogramDetector, SceneDetector, detect

from reelproof.pipeline.cluster.local_or_remote import open_cluster
from reelproof.pipeline.cluster.schedule import StepFailed, run_todos
from reelproof.pipeline.cluster.settings import ClusterConfig
from reelproof.pipeline.decoder.child import scan_in_child
from reelproof.pipeline.decoder.process import ChildLimits
from reelproof.pipeline.disk.files import stat_file
from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.parts.plan import Part
from reelproof.pipeline.parts.step import PartStep, Step
from reelproof.pipeline.parts.todo import Todo
from reelproof.pipeline.steps.footage import FOOTAGE as SCAN
from reelproof.schemas.footage import Footage, Storyboard
from reelproof.schemas.source import SourceIdentity
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.random_access import frames_at, frames_by_decord, frames_by_scanning
from reelproof.stages.footage.scan import FootageConfig, scan_footage
from reelproof.stages.footage.storyboard import StoryboardConfig, cut_scenes
from tests.benchmarks.rows import LeftOut, Rows, at_least, at_most, command_use, ratio_of_medians, timed
from tests.benchmarks.splice import TEST_SHOTS, SourceShot, score_cuts, shots_in, splice_film
from tests.films import FOOTAGE

B_FRAMES = {"preset": "veryfast", "bf": "3"}
NO_B_FRAMES = {"preset": "veryfast", "bf": "0"}
FAST_HEVC = {"preset": "ultrafast", "x265-params": "log-level=none"}
FAST_AV1 = {"preset": "11"}
FAST_VP9 = {"deadline": "realtime", "cpu-used": "8", "row-mt": "1"}
HD, FULL_HD = (1280, 720), (1920, 1080)
MEMORY_PROGRAM = """
import json, sys
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.scan import FootageConfig, scan_footage
from reelproof.pipeline.accounts.memory import peak_rss_mb
for each in scan_footage([LocalVideo(sys.argv[1], "v", "film", 1)], FootageConfig()):
    print(json.dumps([peak_rss_mb(), each.duration_s]))
"""


def bench_speed(folder: Path) -> Rows:
    """One pass for cuts and keyframes, against ffmpeg decoding every frame, and against detect, extract."""
    cv2.setNumThreads(1)
    ffmpeg()
    hd = long_film(folder / "hd.mp4", HD, "libx264", B_FRAMES)
    full_hd = long_film(folder / "full_hd.mp4", FULL_HD, "libx264", B_FRAMES)
    films = {
        "720p H.264, B-frames": (hd, False, 1.3),
        "1080p H.264, B-frames": (full_hd, False, 1.3),
        "720p H.264, no B-frames": (long_film(folder / "no_b.mp4", HD, "libx264", NO_B_FRAMES), False, 0.9),
        "720p VP9": (long_film(folder / "vp9.webm", HD, "libvpx-vp9", FAST_VP9), False, 0.85),
        "720p AV1": (long_film(folder / "av1.mp4", HD, "libsvtav1", FAST_AV1), False, 1.0),
        "720p H.264, exact": (hd, True, 0.85),
        "720p HEVC of 10 bits, exact": (
            long_film(folder / "ten_bits.mp4", HD, "libx265", FAST_HEVC, pix_fmt="yuv420p10le"),
            True,
            0.85,
        ),
    }
    rows: Rows = {}
    for name, (path, exact, goal) in films.items():
        cfg = FootageConfig(exact=exact)
        ratio = ratio_of_medians(
            lambda path=path: command_use([ffmpeg(), *f"-threads 1 -i {path} -f null -".split()]).cpu_s,
            lambda path=path, cfg=cfg: timed(lambda: storyboard(path, cfg)).cpu_s,
            times=5,
        )
        rows[f"one pass, {name}"] = at_least(ratio, goal, "x", "ffmpeg -threads 1 -f null, CPU")
    board = storyboard(hd, FootageConfig())
    ratio = ratio_of_medians(
        lambda: timed(lambda: detect_then_extract(hd, board)).cpu_s,
        lambda: timed(lambda: storyboard(hd, FootageConfig())).cpu_s,
    )
    rows["one pass, 720p"] = at_least(ratio, 2.5, "x", "PySceneDetect detect, then decord, CPU")
    return rows


def bench_cuts(folder: Path) -> Rows:
    """F1 on a film spliced from shots that no threshold was tuned on, beside PySceneDetect's detectors."""
    path = folder / "spliced.mp4"
    if len(shots_in(FOOTAGE, TEST_SHOTS)) < len(TEST_SHOTS):
        raise LeftOut(
            f"its goals were set for all of its test shots, and not all of their films are in {FOOTAGE}"
        )
    edits = splice_film(FOOTAGE, TEST_SHOTS, path, {"cut": 132, "dissolve": 20, "fade": 23}, seed=7)
    rows: Rows = {}
    detectors: dict[str, SceneDetector] = {
        "content": ContentDetector(),
        "adaptive": AdaptiveDetector(),
        "histogram": HistogramDetector(),
    }
    others = {}
    for name, detector in detectors.items():
        found = [scene[0].seconds for scene in detect(str(path), detector)[1:]]
        others[name] = score_cuts(found, edits).f1
    against = "PySceneDetect " + ", ".join(f"{name} {f1:.2f}" for name, f1 in others.items())
    for exact in (False, True):
        board = storyboard(path, FootageConfig(exact=exact))
        accuracy = score_cuts([scene.start_s for scene in board.scenes[1:]], edits)
        label = "exact" if exact else "default"
        rows[f"F1 of cuts, {label}"] = at_least(accuracy.f1, 0.95, "", against)
        rows[f"cross-fades found, {label}"] = at_least(accuracy.found_of_kind["dissolve"], 0.7, "", "20 made")
        rows[f"fades found, {label}"] = at_least(accuracy.found_of_kind["fade"], 0.7, "", "23 made")
    return rows


def bench_frames_at(folder: Path) -> Rows:
    """Sixteen times over two minutes, against the better of decord and scanning."""
    rows: Rows = {}
    for name, gop in (("short GOPs", "48"), ("one GOP", "100000")):
        options = {**B_FRAMES, "g": gop, "sc_threshold": "0"}
        path = str(long_film(folder / f"gop_{gop}.mp4", (640, 360), "libx264", options, seconds=120))
        times_s = [float(each) for each in np.linspace(1, 118, 16)]
        ways = {
            "ours": lambda path=path, times_s=times_s: frames_at(path, times_s, 512),
            "decord": lambda path=path, times_s=times_s: frames_by_decord(path, times_s, 512),
            "scanning": lambda path=path, times_s=times_s: frames_by_scanning(path, times_s, 512),
        }
        spent: dict[str, list[float]] = {way: [] for way in ways}
        for way, call in list(ways.items()) * 5:
            spent[way].append(timed(call).cpu_s)
        medians = {way: statistics.median(each) for way, each in spent.items()}
        better = min(medians["decord"], medians["scanning"])
        against = f"decord {medians['decord']:.2f} s, scanning {medians['scanning']:.2f} s, CPU"
        rows[f"frames_at, {name}"] = at_most(medians["ours"] / better, 1.05, "x", against)
    return rows


def bench_workers(folder: Path) -> Rows:
    """Eight films by one child, and by two side by side. Wall clock, so other work on the machine counts."""
    path = long_film(folder / "hd.mp4", HD, "libx264", B_FRAMES)
    films = [LocalVideo(str(path), f"{index:064d}", "film", 1) for index in range(8)]

    def scan(part: Sequence[LocalVideo]) -> int:
        return len(list(scan_in_child(part, FootageConfig(), ChildLimits())))

    def wall_s(parts: Sequence[Sequence[LocalVideo]]) -> float:
        started = time.monotonic()
        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(scan, parts))
        return time.monotonic() - started

    ratio = ratio_of_medians(lambda: wall_s([films]), lambda: wall_s([films[:4], films[4:]]))
    return {"two workers": at_least(ratio, 1.8, "x", "one worker, wall clock")}


def bench_one_film(folder: Path) -> Rows:
    """A film of forty minutes by one worker, and by two. Wall clock, so other work on the machine counts."""
    path = repeated(
        long_film(folder / "two_minutes.mp4", (640, 360), "libx264", B_FRAMES, seconds=120),
        folder / "forty_minutes.mp4",
        times=20,
    )
    made: dict[int, bytes] = {}
    wall_s: dict[int, float] = {}
    for workers in (1, 2):
        store = folder / f"by-{workers}"
        shutil.rmtree(store, ignore_errors=True)
        wall_s[workers], made[workers] = scanned_part(path, store, workers)
    assert made[1] == made[2], "the part depends on the number of workers"
    against = f"one worker, {wall_s[1]:.0f} s of wall clock"
    return {"one film, two workers": at_least(wall_s[1] / wall_s[2], 1.7, "x", against)}


def scanned_part(film: Path, store: Path, workers: int) -> tuple[float, bytes]:
    """Wall seconds that the footage step takes with so many workers at hand, and the file that it leaves."""
    step: Step[PartStep] = Step(SCAN, (FootageConfig(), ChildLimits()))
    source = SourceIdentity(video_id="0" * 64, file=stat_file(str(film), "unknown"))
    inputs = PartInputs(part=Part(number=0, video_ids=(source.video_id,)), sources=(source,))
    with open_cluster(ClusterConfig(workers=workers)) as client:
        started = time.monotonic()
        for outcome in run_todos(client, [Todo(inputs, (step,))], str(store), parts_ahead=3):
            assert not isinstance(outcome, StepFailed), outcome
        wall_s = time.monotonic() - started
    return wall_s, (store / step.file(inputs)).read_bytes()


def bench_memory(folder: Path) -> Rows:
    """Peak resident memory of a process that scans 1080p: ten seconds, and twenty minutes."""
    short = long_film(folder / "ten_seconds.mp4", FULL_HD, "libx264", B_FRAMES, seconds=10)
    long = repeated(short, folder / "twenty_minutes.mp4", times=120)
    peaks_mb = []
    for path in (short, long):
        told = subprocess.run(
            [sys.executable, "-c", MEMORY_PROGRAM, str(path)], capture_output=True, check=True, text=True
        )
        peak_mb, _ = json.loads(told.stdout)
        peaks_mb.append(peak_mb)
    return {
        "peak memory, 1080p, 20 minutes": at_most(
            peaks_mb[1], 600, "MB", f"10 seconds: {peaks_mb[0]:.0f} MB"
        ),
        "peak memory, growth": at_most(peaks_mb[1] / peaks_mb[0], 1.5, "x", "10 seconds against 20 minutes"),
    }


def storyboard(path: Path, cfg: FootageConfig) -> Storyboard:
    """The whole step: decode, signals, candidates, cuts, keyframes."""
    (footage,) = scan_footage([LocalVideo(str(path), "0" * 64, path.name, path.stat().st_size)], cfg)
    assert isinstance(footage, Footage), footage.detail
    (board,) = cut_scenes([footage], StoryboardConfig())
    return board


def detect_then_extract(path: Path, board: Storyboard) -> list[bytes]:
    """The usual way: PySceneDetect over the file, then decord for the keyframes, as JPEG of the same size."""
    detect(str(path), AdaptiveDetector())
    reader = decord.VideoReader(str(path), num_threads=1)
    stamps = reader.get_frame_timestamp(range(len(reader)))[:, 0]
    indices = [int(np.searchsorted(stamps, frame.time_s - 0.001)) for frame in board.keyframes]
    jpegs = []
    for image in reader.get_batch(indices).asnumpy():
        small = cv2.resize(image, (512, 288), interpolation=cv2.INTER_AREA)
        jpegs.append(cv2.imencode(".jpg", small[:, :, ::-1])[1].tobytes())
    return jpegs


def ffmpeg() -> str:
    """FFmpeg's command. Raises LeftOut where it is not installed."""
    found = shutil.which("ffmpeg")
    if found is None:
        raise LeftOut("it needs FFmpeg's command: apt-get install ffmpeg")
    return found


def _shots() -> list[SourceShot]:
    """The test shots that are here. Raises LeftOut where none is."""
    found = shots_in(FOOTAGE, TEST_SHOTS)
    if not found:
        raise LeftOut(f"it needs the films of its test shots in {FOOTAGE}: make build/footage")
    return found


def long_film(
    path: Path,
    size: tuple[int, int],
    codec: str,
    options: dict[str, str],
    seconds: int = 40,
    pix_fmt: str = "yuv420p",
) -> Path:
    """The test shots one after another, four seconds each at most, over and over. Made once."""
    if path.exists():
        return path
    with av.open(str(path.with_stem("making")), "w") as out:
        stream = out.add_stream(codec, rate=Fraction(25), options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        for image in itertools.islice(_pictures(size), seconds * 25):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode())
    return path.with_stem("making").rename(path)


def _pictures(size: tuple[int, int]) -> Iterator[np.ndarray]:
    for shot in itertools.cycle(_shots()):
        with av.open(str(FOOTAGE / shot.file)) as container:
            shown = (
                frame
                for frame in container.decode(video=0)
                if frame.time is not None and shot.start_s <= frame.time < shot.end_s
            )
            for frame in itertools.islice(shown, 100):
                image = frame.to_ndarray(
                    format="rgb24", width=size[0], height=size[1], interpolation="BICUBIC"
                )
                yield image


def repeated(source: Path, path: Path, times: int) -> Path:
    """A film many times over, its packets copied as they are. Made once."""
    if path.exists():
        return path
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        length = stream.duration
        with av.open(str(path.with_stem("repeating")), "w") as out:
            copy = out.add_stream_from_template(stream)
            for _ in range(times):
                for packet in packets:
                    packet.stream = copy
                    out.mux(packet)
                    packet.pts += length
                    packet.dts += length
    return path.with_stem("repeating").rename(path)
