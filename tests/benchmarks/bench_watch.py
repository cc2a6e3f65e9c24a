"""`reelproof watch` with `signals` alone: planted events, a stream beside its film, lag, memory, kills."""

import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from reelproof.schemas.event import Event
from reelproof.schemas.intervals import wilson
from tests.benchmarks.planted import CAMERAS, FOREIGN, KINDS, LEARN_S, STRIP, Planted, plant, score
from tests.benchmarks.rows import LeftOut, Row, Rows, at_least, at_most, tree_rss_mb
from tests.films import FOOTAGE, Shot, make_film
from tests.streaming import as_stream, paced, streamed

COMMAND = Path(sys.executable).with_name("reelproof")
PLANTED = 50
LEARNED = ("--set", f"gate.learn_s={LEARN_S}")
HD, HD_FPS, WINDOW_S = (1280, 720), 25, 4.0
HOURS, COPIES = 6, 36
KILLS = 10


def bench_watch(folder: Path) -> Rows:
    """All of it; the planted events need the films of `shared/videos`."""
    needed = ("vtest.avi", *STRIP, *FOREIGN)
    if missing := [name for name in needed if not (FOOTAGE / name).is_file()]:
        raise LeftOut(f"needs {', '.join(missing)} in {FOOTAGE}")
    return {**planted_rows(folder), **lag_rows(folder), **memory_rows(folder)}


def planted_rows(folder: Path) -> Rows:
    """Precision and recall by kind; one of the films again as a stream, and killed ten times."""
    rows: Rows = {}
    hits: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    told: list[bool] = []
    for camera in CAMERAS:
        film, events = _planted_film(folder, camera)
        logged = watched(folder, film, "film", *LEARNED)
        found = score([(each.start_s, each.end_s) for each in logged], events)
        for kind, own in found.hits.items():
            rows[f"watch: {kind}, {camera}"] = _share(own, "planted events")
            hits[kind] += own
        rows[f"watch: precision, {camera}"] = _share(found.told, "events told")
        told += found.told
    rows["watch: recall"] = _share([each for own in hits.values() for each in own], "planted events")
    rows["watch: precision"] = _share(told, "events told")
    with streamed(as_stream(film, folder / "planted.ts")) as address:
        live = watched(
            folder,
            address,
            "stream",
            *LEARNED,
            "--set",
            "stream.patience_s=0",
            "--set",
            "stream.waiting=5000",
        )
    same = [_told(a) == _told(b) for a, b in zip(live, logged, strict=True)]
    rows["watch: a stream's events and frames"] = at_least(np.mean(same), 1, "share", "those of its film")
    rows["watch: events after ten kills"] = at_least(
        float(killed(folder, film, logged)), 1, "same", "those of a run that was let be"
    )
    return rows


def lag_rows(folder: Path) -> Rows:
    """720p at 25 frames a second, sent as a camera sends it, on this machine with whatever else it does."""
    film = folder / "watched_hd.mp4"
    starts_s = [35.0 + 12 * place for place in range(10)]
    if not film.exists():
        _hd_film(film, starts_s)
    out = folder / "watched_lag"
    shutil.rmtree(out, ignore_errors=True)
    settings = ("--set", "gate.learn_s=20", "--set", "stream.patience_s=0")
    with paced(film) as (address, sender):
        process = subprocess.Popen(
            [COMMAND, "watch", address, "--out", out, *settings], stdout=subprocess.PIPE, text=True, bufsize=1
        )
        lags = []
        for line in process.stdout or ():
            if "–…" in line:
                start_s = float(line.partition("–")[0])
                lags.append(time.time() - sender.began_at - start_s - 1.0)
        process.wait()
    if len(lags) < len(starts_s):
        raise RuntimeError(f"{len(lags)} of {len(starts_s)} events were told")
    p95 = float(np.quantile(lags, 0.95))
    return {
        "watch: lag p95": at_most(
            p95, WINDOW_S, "s", "a window, from the tick's end at the camera to the alert"
        ),
        "watch: lag p50": at_most(statistics.median(lags), WINDOW_S, "s", "the same"),
    }


def memory_rows(folder: Path) -> Rows:
    """Six hours of a small film, as fast as they can be decoded, in a folder of many files."""
    place = folder / "watched_long"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    shots = [Shot(look, 30, motion_px=2) for look in (1, 2, 3, 2)]
    film = make_film(folder / "watched_small.mp4", shots * 5, fps=5, size=(96, 64))
    for number in range(COPIES):
        os.link(film, place / f"{number:03d}.mp4")
    out = folder / "watched_memory"
    shutil.rmtree(out, ignore_errors=True)
    process = subprocess.Popen(
        [COMMAND, "watch", place, "--out", out, "--set", "stream.patience_s=0"], stdout=subprocess.DEVNULL
    )
    seen: list[tuple[float, float]] = []
    while process.poll() is None:
        time.sleep(0.5)
        status = out / "status.json"
        if status.exists() and process.poll() is None:
            hours = json.loads(status.read_text())["stream_s"] / 3600
            seen.append((hours, tree_rss_mb(process.pid)))
    early = [mb for hours, mb in seen if 1.2 <= hours <= 2.2]
    late = [mb for hours, mb in seen if hours >= HOURS - 1]
    return {
        "watch: memory in the sixth hour": at_most(max(late) / max(early), 1.05, "times", "the second hour")
    }


def killed(folder: Path, film: Path, expected: Sequence[Event]) -> bool:
    """Whether a watch that was killed ten times has the events of one that was not."""
    out = folder / "watched_killed"
    shutil.rmtree(out, ignore_errors=True)
    draws = random.Random(0)
    for _ in range(KILLS):
        process = subprocess.Popen(
            [COMMAND, "watch", film, "--out", out, *LEARNED], stdout=subprocess.DEVNULL
        )
        time.sleep(draws.uniform(1.5, 6))
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([COMMAND, "watch", film, "--out", out, *LEARNED], check=True, stdout=subprocess.DEVNULL)
    return [_told(each) for each in events_in(out)] == [_told(each) for each in expected]


def watched(folder: Path, source: Path | str, name: str, *settings: str) -> list[Event]:
    """The events of a watch from its beginning to its end."""
    out = folder / f"watched_{name}"
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run([COMMAND, "watch", source, "--out", out, *settings], check=True, stdout=subprocess.DEVNULL)
    return events_in(out)


def events_in(out: Path) -> list[Event]:
    """Every event that a watch logged."""
    file = out / "events.jsonl"
    return (
        [Event.model_validate_json(line) for line in file.read_text().splitlines()] if file.exists() else []
    )


def _told(event: Event) -> tuple[object, ...]:
    return event.question, event.answer, event.start_s, event.end_s, event.frames


def _share(held: Sequence[bool], of: str) -> Row:
    interval = wilson(sum(held), len(held))
    return at_least(
        interval.value, 0.9, "share", f"{len(held)} {of}, 95 % {interval.low:.2f}–{interval.high:.2f}"
    )


def _planted_film(folder: Path, camera: str) -> tuple[Path, list[Planted]]:
    film = folder / f"planted {camera}.mp4"
    listed = film.with_suffix(".json")
    if not listed.exists():
        listed.write_text(json.dumps(plant(film, camera, FOOTAGE, PLANTED)))
    return film, [Planted(*each) for each in json.loads(listed.read_text())]


def _hd_film(path: Path, starts_s: Sequence[float]) -> None:
    """A real film back and forth, with black-outs of three seconds."""
    with av.open(str(FOOTAGE / "sam2_02_cups.mp4")) as container:
        images = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][::2]
    black = np.zeros_like(images[0])
    with av.open(str(path), "w") as out:
        options = {"preset": "veryfast", "crf": "26", "g": "50"}
        stream = out.add_stream("libx264", rate=Fraction(HD_FPS), options=options)
        stream.width, stream.height, stream.pix_fmt = *HD, "yuv420p"
        there_and_back = [*images, *images[::-1]]
        for number in range(round((starts_s[-1] + 10) * HD_FPS)):
            time_s = number / HD_FPS
            is_out = any(start <= time_s < start + 3 for start in starts_s)
            image = black if is_out else there_and_back[number % len(there_and_back)]
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode())
