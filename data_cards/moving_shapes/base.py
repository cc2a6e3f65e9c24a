"""Nothing -> a small vision-language model that sees: where a square is in one frame, then in each of four.

It has never been asked which way anything goes. Trained on four frames from the start it would stay on a
plateau, so one frame comes first; the optimizer then begins anew.
"""

import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from accelerate import Accelerator
from PIL import Image
from world import (
    BACKGROUNDS,
    COLOURS,
    FRAME_PX,
    OPTIONS,
    SHOT_S,
    SHOTS_PER_FILM,
    Path4,
    Shot,
    cell_name,
    draw_frame,
)

from reelproof.data_cards.tiny_model import TinyModel, TinyModelConfig, build_tiny_model, save_tiny_model
from reelproof.schemas.question import Task
from reelproof.schemas.sample import ChatMessage, ChatPart
from reelproof.training.batches import sft_batch
from reelproof.training.settings.rows import PromptConfig
from reelproof.training.settings.runs import OptimizerConfig
from reelproof.training.shards import Example
from reelproof.training.trainer import Trainer

PROMPT = PromptConfig(style="brief")


class _Stage(NamedTuple):
    """A fresh optimizer's stretch of training."""

    frames: int
    rows: int
    steps: int
    warmup: int
    schedule: Literal["constant", "linear"]
    until: float = math.inf
    """Goes on after its steps until the mean loss of the last 25 is below this, up to three times as long."""


STAGES = (
    _Stage(1, 64, 300, 20, "constant"),
    _Stage(SHOT_S, 32, 350, 50, "constant", until=0.06),
    _Stage(SHOT_S, 32, 150, 10, "linear"),  # without it some seeds keep mistaking cells
)

SEES_LOSS = 0.02
"""A model that takes one colour for anything stays above 0.05."""
MOST_ATTEMPTS = 4


def train_base(folder: Path, seed: int) -> None:
    """Train a fresh model to name cells, and save it; one that stays blind to some colour is begun anew."""
    for attempt in range(MOST_ATTEMPTS):
        tiny, loss = _attempt(seed + 1000 * attempt)
        print(f"base of seed {seed}, attempt {attempt}: loss {loss:.4f}", flush=True)  # noqa: T201
        if loss < SEES_LOSS:
            break
    save_tiny_model(tiny, folder)


def _attempt(seed: int) -> tuple[TinyModel, float]:
    """A trained model, and its loss at the end."""
    tiny = build_tiny_model(_texts(), TinyModelConfig(image_px=FRAME_PX, seed=seed))
    rng = np.random.default_rng([seed, 5])
    network, loss = tiny.model.train(), 0.0
    for stage in STAGES:
        accelerator = Accelerator()
        optimizer = OptimizerConfig(learning_rate=1e-3, schedule=stage.schedule, warmup_steps=stage.warmup)
        trainer = Trainer(accelerator, network, optimizer, stage.steps)
        losses: list[float] = []
        while len(losses) < stage.steps or (loss > stage.until and len(losses) < 3 * stage.steps):
            batch = sft_batch(tiny.processor, [_scene(rng, stage.frames) for _ in range(stage.rows)], PROMPT)
            losses.append(trainer.step([batch])["loss"])
            loss = sum(losses[-25:]) / len(losses[-25:])
            if len(losses) % 50 == 0:
                print(f"base, {stage.frames} frame(s), step {len(losses)}: loss {loss:.4f}", flush=True)  # noqa: T201
        network = accelerator.unwrap_model(trainer.network)
    return TinyModel(network, tiny.processor), loss


def _scene(rng: np.random.Generator, frames: int) -> Example:
    """Two squares anywhere in each frame, and where one of them is."""
    colours = tuple(str(each) for each in rng.choice(list(COLOURS), 2, replace=False))
    background = BACKGROUNDS[int(rng.integers(len(BACKGROUNDS)))]
    first = SHOT_S * int(rng.integers(SHOTS_PER_FILM)) + (int(rng.integers(SHOT_S)) if frames == 1 else 0)
    parts: list[ChatPart] = []
    images, sentences = [], []
    for place in range(frames):
        one, two = (divmod(int(cell), 3) for cell in rng.choice(9, 2, replace=False))
        shot = Shot((Path4("", (one,) * SHOT_S), Path4("", (two,) * SHOT_S)), colours, background)
        images.append(_jpeg(draw_frame(shot, 0.0)))
        label = f"[{first + place:.1f} s]"
        parts += [ChatPart(type="text", text=label), ChatPart(type="image", text=None)]
        sentences.append(f"{label} {colours[0]} {cell_name(one)}.")
    said = ChatPart(type="text", text=" ".join(sentences))
    return Example(
        sample_id="",
        question_id="",
        task=Task.OPEN_ENDED,
        question=f"Where is the {colours[0]} square?",
        options=(),
        answer="",
        tolerance=None,
        clip_start_s=0.0,
        clip_end_s=float(SHOT_S),
        video_id="",
        video="",
        frame_times_s=(None,) * frames,
        frame_source_times_s=(0.0,) * frames,
        images=tuple(images),
        prompt=(ChatMessage(role="user", content=tuple(parts)),),
        completion=(ChatMessage(role="assistant", content=(said,)),),
        scores={},
    )


def _texts() -> Iterable[str]:
    """All words of the world, often enough that each becomes one token."""
    times = [f"[{second:.1f} s]" for second in range(SHOT_S * SHOTS_PER_FILM)]
    cells = [cell_name((column, row)) for column in range(3) for row in range(3)]
    choices = " ".join(f"{letter}. {option}" for letter, option in zip("ABCD", OPTIONS, strict=True))
    for colour in COLOURS:
        yield f"Where is the {colour} square? Think, then answer."
        yield f"Which way does the {colour} square go? {choices} Think, then answer. Answer at once."
        for time in times:
            yield from (f"{time} {colour} {cell}. So {way}." for cell in cells for way in OPTIONS)


def _jpeg(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=92)
    return file.getvalue()
