"""A watch of a real RTSP server, whose connection is cut."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reelproof.pipeline.inputs.events_folder import read_events
from tests.films import Shot, make_film
from tests.pipeline.conftest import COMMAND, reelproof_here

PYTHON, SERVER = "/usr/bin/python3", Path(__file__).parents[1] / "rtsp_server.py"
SETTINGS = (
    *("--set", "gate.learn_s=4", "--set", "window.length_s=1", "--set", "window.stride_s=0.5"),
    *("--set", "clips.margin_s=0.5"),
)


@contextmanager
def served(film: Path, port: str = "0") -> Iterator[str]:
    """The address of a server of its own; skips where there is no such server."""
    if not Path(PYTHON).exists():
        pytest.skip("no Python of the system's own")
    with subprocess.Popen([PYTHON, SERVER, film, port], stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().strip()
            if not address:
                pytest.skip("no GStreamer RTSP server is installed")
            yield address
        finally:
            process.kill()


@pytest.fixture(scope="module")
def camera(tmp_path_factory) -> Path:
    shots = [Shot(1, 6), Shot(50, 1.5), Shot(1, 1.5, start_px=60)]
    path = tmp_path_factory.mktemp("camera") / "gate.mp4"
    return make_film(path, shots, fps=10, options={"g": "5", "bf": "0"})


def frames_in(folder: Path) -> list[str]:
    (event,) = read_events(folder)
    return [each.sha256 for each in event.frames]


def test_a_camera_that_is_cut_off_and_comes_back_gives_the_frames_of_its_film(camera, tmp_path):
    out = tmp_path / "live"
    assert reelproof_here("watch", camera, "--out", tmp_path / "film", *SETTINGS).code == 0
    with served(camera) as address:
        patience = ("--set", "stream.patience_s=20")
        watch = subprocess.Popen(
            [COMMAND, "watch", address, "--out", out, *SETTINGS, *patience], stderr=subprocess.PIPE, text=True
        )
        while watch.poll() is None and not list(out.glob("journal/*.jsonl")):
            time.sleep(0.1)  # until it is connected, and well before the event
    time.sleep(1.5)  # tried again after a second, it is still away
    with served(camera, address.rpartition(":")[2].partition("/")[0]):
        _, told = watch.communicate(timeout=60)
    assert watch.returncode == 0, told
    assert "trying again in 1 s" in told
    assert set(frames_in(tmp_path / "film")) < set(frames_in(out))
    assert json.loads((out / "status.json").read_text())["missed_s"] > 1
