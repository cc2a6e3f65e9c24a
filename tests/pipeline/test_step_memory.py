"""What a step holds of a long film, and what is left of that once it is done."""

import platform
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import psutil
import pytest

from reelproof.pipeline.disk.sealed import write_parquet
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.parts.part import PartInputs, PartRun
from reelproof.pipeline.parts.plan import Part
from reelproof.pipeline.parts.run_step import run_step, write_records
from reelproof.pipeline.parts.step import PartStep, Step
from reelproof.schemas.footage import Footage, FrameSignals
from reelproof.schemas.speech import ClipSpeech
from reelproof.schemas.tables import arrow_schema
from tests.small_parts import footage

INPUTS = PartInputs(part=Part(number=0, video_ids=()), sources=())
ROWS, FRAMES = 60, 1500
THUMBNAIL_BYTES = 144


@pytest.fixture
def long_film(tmp_path) -> PartRun:
    """A part with a film of many rows, as `footage` leaves it."""
    names = [name for name in FrameSignals.model_fields if name not in ("signature", "pictures")]
    store, (film, schema) = Store(str(tmp_path)), (footage(0, 2), arrow_schema(Footage))
    with write_parquet(store, "footage.parquet", schema) as writer:
        rows = (
            film.model_copy(
                update={
                    "signals": FrameSignals(
                        **{name: np.full(FRAMES, row, np.float32) for name in names},
                        signature=bytes([row]) * THUMBNAIL_BYTES * FRAMES,
                    )
                }
            )
            for row in range(ROWS)
        )
        write_records(writer, rows, Footage, rows_at_once=1)
    return PartRun(store, INPUTS, {"footage": "footage.parquet"})


@contextmanager
def peak_bytes() -> Iterator[list[int]]:
    """Those that Python took at most meanwhile, once it is over."""
    told: list[int] = []
    tracemalloc.start()
    try:
        yield told
        told.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


def test_thumbnails_of_a_long_film_are_held_once(long_film):
    with peak_bytes() as peak:
        (film,) = long_film.footage(with_thumbnails=True)
    whole = ROWS * FRAMES * THUMBNAIL_BYTES
    assert len(film.signals.signature) == whole
    assert peak[0] < 1.7 * whole
    signature = np.frombuffer(film.signals.signature, np.uint8).reshape(-1, THUMBNAIL_BYTES)
    assert (signature == film.signals.time_s[:, None]).all()
    assert len(film.candidates) == 2 * ROWS


def test_a_step_that_wants_no_thumbnails_does_without(long_film):
    with peak_bytes() as peak:
        (film,) = long_film.footage()
    (whole,) = long_film.footage(with_thumbnails=True)
    assert film == whole.model_copy(update={"signals": whole.signals.model_copy(update={"signature": b""})})
    assert peak[0] < ROWS * FRAMES * THUMBNAIL_BYTES


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries give memory back otherwise")
def test_what_a_step_held_is_given_back_to_the_system(tmp_path):
    pinned = []

    def hold_much(_: PartRun) -> Iterator[ClipSpeech]:
        held = [b"x" * 50_000 for _ in range(2000)]
        pinned.append(b"y" * 50_000)  # behind all of them
        yield ClipSpeech(clip_id=str(len(held)), lines=())

    step = Step(PartStep(name="held", version=1, run=hold_much, makes=ClipSpeech), ())
    before = psutil.Process().memory_info().rss
    assert run_step(step, INPUTS, str(tmp_path)).rows == 1
    assert psutil.Process().memory_info().rss - before < 30e6
