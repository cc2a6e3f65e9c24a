"""Films -> the models of the study: one that sees a little, the teacher made of it, and a verifier apart.

The teacher and all students begin as the same small vision-language model, which was taught only to name the
cell of a square. What it answers, the teacher learns from a few labelled traces. The verifier is another
network, which learns from single frames of those same labelled films what is where.
"""

import io
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from PIL import Image
from torch import Tensor, nn

from reelproof.data_cards.checks_apart.plan import PLAN, BaseStage
from reelproof.data_cards.checks_apart.world import (
    COLOURS,
    FRAME_PX,
    OPTIONS,
    SHOT_S,
    SHOTS_PER_FILM,
    Film,
    Posed,
    Shot,
    Square,
    cell_name,
    draw_films,
    draw_frame,
    draw_squares,
    questions,
    way_of,
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
CELLS = tuple(cell_name((column, row)) for row in range(3) for column in range(3))


def asked(
    text: str, options: Sequence[str], labels: Sequence[str], images: Sequence[bytes], said: str = ""
) -> Example:
    """A question as training and sampling take it, with what is to be said."""
    parts: list[ChatPart] = []
    for label in labels:
        parts += [ChatPart(type="text", text=label), ChatPart(type="image", text=None)]
    return Example(
        sample_id="",
        question_id="",
        task=Task.MULTIPLE_CHOICE if options else Task.BOOLEAN,
        question=text,
        options=tuple(options),
        answer="",
        tolerance=None,
        clip_start_s=0.0,
        clip_end_s=float(SHOT_S),
        video_id="",
        video="",
        frame_times_s=(None,) * len(images),
        frame_source_times_s=(0.0,) * len(images),
        images=tuple(images),
        prompt=(ChatMessage(role="user", content=tuple(parts)),),
        completion=(ChatMessage(role="assistant", content=(ChatPart(type="text", text=said),)),)
        if said
        else None,
        scores={},
    )


def labelled(shot: Shot, place: int, posed: Posed, answered: bool = True) -> Example:
    """A question of a film's shot with the trace that a person would write, who sees all."""
    square = shot.squares[0 if posed.kind == "way" else 1]
    seconds = [place * SHOT_S + second for second in range(SHOT_S)]
    seen = sentences(square.colour, seconds, square.cells)
    ending = way_of(square.cells) if posed.kind == "way" else posed.answer
    answer = f"<answer>{posed.answer}</answer>" if answered else ""
    said = f"<think>{seen} So {ending}.</think>{answer}"
    images = [jpeg(draw_frame(shot, second)) for second in range(SHOT_S)]
    return asked(posed.question, posed.options, [f"[{each:.1f} s]" for each in seconds], images, said)


def sentences(colour: str, seconds: Sequence[int], cells: Sequence[tuple[int, int]]) -> str:
    """One for each frame."""
    return " ".join(
        f"[{second:.1f} s] {colour} {cell_name(cell)}." for second, cell in zip(seconds, cells, strict=True)
    )


def labelled_films(seed: int) -> list[Film]:
    """Their squares hide nowhere; their shortcuts are those of the training films."""
    return draw_films("labelled", PLAN.labelled_films, seed, PLAN.shortcut, 0.0)


def train_base(folder: Path, seed: int, begun: TinyModel | None = None) -> None:
    """A model that names the cell of a square in each of three frames, and can conclude a little.

    It is a fresh one, or one that has `begun` to learn that.
    """
    rng = np.random.default_rng(seed)
    fresh = TinyModelConfig(image_px=FRAME_PX, vocabulary=420, seed=seed)
    tiny = build_tiny_model(_texts(), fresh) if begun is None else begun
    learn_stages(tiny, folder, PLAN, partial(_lesson, rng))


def learn_stages(tiny: TinyModel, folder: Path, plan: Any, lesson: Callable[[BaseStage], Example]) -> None:
    """A plan's stages one after the other, each of lessons drawn for it; the model is left in `folder`."""
    network = tiny.model.train()
    for stage in plan.base_stages:
        lessons = [[lesson(stage) for _ in range(stage.rows)] for _ in range(plan.base_batches)]
        network = fit(tiny._replace(model=network), lessons, stage.steps, plan.base_rate)
    save_tiny_model(TinyModel(network.eval(), tiny.processor), folder)


def train_teacher(tiny: TinyModel, folder: Path, seed: int) -> None:
    """The base model after a few labelled traces, the same ones over and over."""
    rng = np.random.default_rng([seed, 3])
    rows = [
        labelled(shot, place, posed)
        for film in labelled_films(seed)
        for place, shot in enumerate(film.shots)
        for posed in questions(shot)
        if posed.kind != "coin" or place == 1
    ]
    learn_few(tiny, folder, PLAN, rows, rng)


def learn_few(
    tiny: TinyModel, folder: Path, plan: Any, rows: Sequence[Example], rng: np.random.Generator
) -> None:
    """A few labelled traces, drawn once and shown over and over; the model is left in `folder`."""
    few = [rows[place] for place in rng.permutation(len(rows))[: plan.labelled_traces]]
    drawn = [[few[place] for place in rng.permutation(len(few))[:16]] for _ in range(plan.teacher_steps)]
    network = fit(tiny, drawn, plan.teacher_steps, plan.teacher_rate)
    save_tiny_model(TinyModel(network.eval(), tiny.processor), folder)


def fit(tiny: TinyModel, batches: Sequence[Sequence[Example]], steps: int, rate: float):  # type: ignore[no-untyped-def]
    """The network after so many steps on the batches, again and again."""
    accelerator = Accelerator()
    optimizer = OptimizerConfig(learning_rate=rate, schedule="linear", warmup_steps=20)
    trainer = Trainer(accelerator, tiny.model.train(), optimizer, steps)
    ready = [sft_batch(tiny.processor, rows, PROMPT) for rows in batches]
    for step in range(steps):
        loss = trainer.step([ready[step % len(ready)]])["loss"]
        if step % 50 == 49:
            print(f"step {step + 1} of {steps}: loss {loss:.3f}", flush=True)  # noqa: T201
    return accelerator.unwrap_model(trainer.network)


def _lesson(rng: np.random.Generator, stage: BaseStage) -> Example:
    """What the base model is shown: cells to name, or a path of training that is concluded."""
    if rng.random() >= stage.concluding:
        return _naming(rng, stage.frames)
    shot = draw_films("labelled", 1, int(rng.integers(2**31)), 0.0, 0.0)[0].shots[0]
    posed = questions(shot)[int(rng.integers(2))]
    return labelled(shot, int(rng.integers(SHOTS_PER_FILM)), posed, bool(rng.random() < stage.answered))


def _naming(rng: np.random.Generator, frames: int) -> Example:
    """Squares anywhere in each frame, and where one of them is: nobody goes anywhere."""
    shot = draw_films("labelled", 1, int(rng.integers(2**31)), 0.0, 0.0)[0].shots[0]
    places = [rng.choice(9, 3, replace=False) for _ in range(SHOT_S)]
    moved = tuple(
        square._replace(cells=tuple(divmod(int(each[number]), 3) for each in places))
        for number, square in enumerate(shot.squares)
    )
    shot = shot._replace(squares=moved)  # type: ignore[arg-type]
    one = shot.squares[int(rng.integers(3))]
    seconds = list(range(SHOT_S))[:frames]
    start = SHOT_S * int(rng.integers(SHOTS_PER_FILM)) + int(rng.integers(SHOT_S - frames + 1))
    labels = [f"[{start + each:.1f} s]" for each in seconds]
    images = [jpeg(draw_frame(shot, each)) for each in seconds]
    seen = sentences(one.colour, [start + each for each in seconds], one.cells[:frames])
    return asked(*_prompts(one.colour)[int(rng.integers(4))], labels, images, f"<think>{seen}</think>")


def _prompts(colour: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Whatever is asked, naming cells comes first, and mostly there is nothing after it."""
    return (
        (f"Where is the {colour} square?", ()),
        (f"Which way does the {colour} square go?", OPTIONS),
        (f"Does the {colour} square come to the middle?", ()),
        (f"Was the {colour} square painted first?", ()),
    )


def _texts() -> Iterable[str]:
    """All words of the world, often enough that each becomes one token."""
    times = [f"[{second:.1f} s]" for second in range(SHOT_S * SHOTS_PER_FILM)]
    choices = " ".join(f"{letter}. {option}" for letter, option in zip("ABCD", OPTIONS, strict=True))
    for colour in COLOURS:
        yield f"Where is the {colour} square? Think, then answer."
        yield f"Which way does the {colour} square go? {choices} Think, then answer."
        yield f"Does the {colour} square come to the middle? Think, then answer."
        yield f"Was the {colour} square painted first? Think, then answer."
        for time in times:
            yield from (
                f"{time} {colour} {cell}. So {end}." for cell in CELLS for end in (*OPTIONS, "yes", "no")
            )


def jpeg(picture: np.ndarray) -> bytes:
    """As a build keeps frames."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=92)
    return file.getvalue()


class Verifier(nn.Module):
    """Where each colour is in a frame, or that it is not there: it looks at each cell by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(nn.Conv2d(3, 32, 12, 12), nn.ReLU(), nn.Conv2d(32, len(COLOURS), 1))
        self.nowhere = nn.Parameter(torch.zeros(len(COLOURS)))
        self.sharpness = nn.Parameter(torch.ones(()), requires_grad=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of the nine cells and of `nowhere`. (N, 3, 36, 36) -> (N, colours, 10)"""
        cells = self.look(pixels).flatten(2)
        absent = self.nowhere[None, :, None].expand(len(pixels), -1, 1)
        return torch.cat([cells, absent], 2) * self.sharpness

    @torch.no_grad()
    def belief(self, frame: bytes, colour: str, cell: str) -> float:
        """The probability that the square is there."""
        chances = self(_pixels([frame]))[0, list(COLOURS).index(colour)].softmax(0)
        return float(chances[CELLS.index(cell)])


def load_verifier(file: Path) -> Verifier:
    """As `train_verifier` left it."""
    net = Verifier()
    net.load_state_dict(torch.load(file, weights_only=True))
    return net


class Calibration(NamedTuple):
    """Of a verifier, on frames of labelled films that it did not learn from."""

    accuracy: float
    expected_error: float
    """Mean distance of confidence and accuracy, over ten bins."""


Frames = tuple[Tensor, Tensor]
"""(N, 3, 36, 36) pixels, and the place of each colour among the cells, or 9 for nowhere. (N, colours)"""


def train_verifier(file: Path, seed: int) -> Calibration:
    """From the frames of the labelled films; its sharpness from a third that it has not seen."""
    films = labelled_films(seed)
    cut = len(films) * 2 // 3
    return fit_verifier(file, seed, _frames(films[:cut]), _frames(films[cut:]))


def fit_verifier(file: Path, seed: int, learned: Frames, held: Frames) -> Calibration:
    """A verifier that learned from some frames, and whose sharpness is fitted on those that are `held`."""
    torch.manual_seed(seed)
    (pixels, gold), (held_pixels, held_gold) = learned, held
    net = Verifier()
    optimizer = torch.optim.AdamW(
        [each for each in net.parameters() if each.requires_grad], 3e-3, weight_decay=0.05
    )
    for _ in range(PLAN.verifier_steps):
        picked = torch.randint(len(pixels), (32,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(pixels[picked]).flatten(0, 1), gold[picked].flatten()).backward()
        optimizer.step()
    with torch.no_grad():
        logits = net(held_pixels).flatten(0, 1)
        tries = torch.linspace(0.2, 2.0, 37)
        losses = torch.stack(
            [nn.functional.cross_entropy(logits * each, held_gold.flatten()) for each in tries]
        )
        net.sharpness.fill_(float(tries[losses.argmin()]))
        sure, told = (logits * net.sharpness).softmax(1).max(1)
    torch.save(net.state_dict(), file)
    return calibration(sure, told == held_gold.flatten())


def calibration(sure: Tensor, right: Tensor) -> Calibration:
    """How often it was right, and how far that is from how sure it was. (N,), (N,) bool"""
    bins = (sure * 10).long().clamp(max=9)
    gaps = [
        float(
            (bins == each).float().mean()
            * (sure[bins == each].mean() - right[bins == each].float().mean()).abs()
        )
        for each in range(10)
        if (bins == each).any()
    ]
    return Calibration(float(right.float().mean()), sum(gaps))


def _frames(films: Sequence[Film]) -> Frames:
    shots = (shot for film in films for shot in film.shots)
    return frames_of((shot.squares, shot.background, second) for shot in shots for second in range(SHOT_S))


def frames_of(shown: Iterable[tuple[Sequence[Square], int, int]]) -> Frames:
    """What a verifier learns from: squares on a ground, at a second of their shot."""
    pictures, gold = [], []
    for squares, background, second in shown:
        pictures.append(jpeg(draw_squares(squares, background, second)))
        at = {square.colour: CELLS.index(cell_name(square.cells[second])) for square in squares}
        gold.append([at.get(colour, 9) for colour in COLOURS])
    return _pixels(pictures), torch.tensor(gold)


def _pixels(frames: Sequence[bytes]) -> Tensor:
    arrays = [np.asarray(Image.open(io.BytesIO(each)).convert("RGB"), np.float32) for each in frames]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2) / 127.5 - 1
