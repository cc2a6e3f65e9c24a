"""Longer films -> labelled traces, and the models that learn from them, as in `checks_apart`."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from reelproof.data_cards.checks_apart.models import (
    CELLS,
    Calibration,
    asked,
    fit,
    fit_verifier,
    frames_of,
    jpeg,
    learn_few,
    learn_stages,
)
from reelproof.data_cards.checks_apart.plan import BaseStage
from reelproof.data_cards.checks_apart.world import COLOURS, FRAME_PX, MIDDLE, Cell, cell_name, draw_squares
from reelproof.data_cards.longer_films.plan import PLAN
from reelproof.data_cards.longer_films.world import (
    COIN,
    COUNTED,
    KINDS,
    MOST_SHOTS,
    SHIFTED_SLOT_SECONDS,
    SLOTS,
    Film,
    Posed,
    Shot,
    draw_shot,
    labelled_films,
)
from reelproof.data_cards.tiny_model import TinyModel, TinyModelConfig, build_tiny_model, save_tiny_model
from reelproof.training.shards import Example

LAST_S = MOST_SHOTS * SLOTS * max(SHIFTED_SLOT_SECONDS)


def labelled(
    shot: Shot, begins: int, number: int, shown: Sequence[int] | None = None, ending: str | None = None
) -> Example:
    """A question about a shot with the trace that a person would write, who sees all that is shown.

    `shown` are seconds of the shot, by default one of each slot; `ending` is what comes after what is seen,
    by default the conclusion and the answer.
    """
    square, posed = shot.squares[number], shot.posed[number]
    shown = list(_each_slot(shot)) if shown is None else shown
    times = [begins + each for each in shown]
    cells = [square.cells[each] for each in shown]
    said = f"<think>{_seen(square.colour, posed, times, cells)}"
    said += concluded(posed, cells) if ending is None else ending
    images = [jpeg(draw_squares(shot.squares, shot.background, each)) for each in shown]
    return asked(posed.question, posed.options, [f"[{each:.1f} s]" for each in times], images, said)


def _seen(colour: str, posed: Posed, times: Sequence[int], cells: Sequence[Cell]) -> str:
    """A sentence for each frame; where visits are counted, with the count so far."""
    found, count = [], 0
    for time_s, cell in zip(times, cells, strict=True):
        count += cell == MIDDLE
        so_far = f" {COUNTED[count]}" if posed.kind == "count" and cell == MIDDLE else ""
        found.append(f"[{time_s:.1f} s] {colour} {cell_name(cell)}{so_far}.")
    return " ".join(found)


def concluded(posed: Posed, cells: Sequence[Cell], answered: bool = True) -> str:
    """What follows from the cells, and with it the answer."""
    first, last = cell_name(cells[0]), cell_name(cells[-1])
    by = {"way": f"{first} to {last}, so ", "same": f"{first} to {last}, so ", "where": f"{last}, so "}
    answer = f"<answer>{posed.answer}</answer>" if answered else ""
    return f" So {by.get(posed.kind, '')}{posed.concluded}.</think>{answer}"


def train_base(folder: Path, seed: int, begun: TinyModel | None = None) -> None:
    """A model that names the cell of a square in each of eight frames, and can conclude a little.

    It is a fresh one, or one that has `begun` to learn that.
    """
    rng = np.random.default_rng(seed)
    tiny = build_tiny_model(_texts(), _fresh(seed)) if begun is None else begun
    learn_stages(tiny, folder, PLAN, partial(_lesson, rng))


def _fresh(seed: int) -> TinyModelConfig:
    return TinyModelConfig(image_px=FRAME_PX, vocabulary=900, seed=seed)


def _lesson(rng: np.random.Generator, stage: BaseStage) -> Example:
    """Cells to name, after which there is mostly nothing, or a question that is concluded."""
    shot = draw_shot(rng, int(rng.integers(20, 190)))
    begins, number = int(rng.integers(LAST_S - shot.seconds)), int(rng.integers(2))
    slot_s = shot.seconds // SLOTS
    shown = [slot * slot_s + int(rng.integers(slot_s)) for slot in range(stage.frames)]
    if rng.random() < stage.concluding:
        cells = [shot.squares[number].cells[0], shot.squares[number].cells[-1]]
        ending = concluded(shot.posed[number], cells, bool(rng.random() < stage.answered))
        return labelled(shot, begins, number, shown, ending)
    shot = shot.about_the_coin() if rng.random() < 1 / len(KINDS) else shot
    return labelled(shot, begins, number, shown, "</think>")


def train_teacher(tiny: TinyModel, folder: Path, seed: int) -> None:
    """The base model after a few labelled traces, the same ones over and over."""
    rng = np.random.default_rng([seed, 3])
    rows = [
        labelled(about, begins, number)
        for film in labelled_films(seed)
        for begins, shot in zip(film.begins(), film.shots, strict=True)
        for about, number in ((shot, 0), (shot, 1), (shot.about_the_coin(), 0))
        if about is shot or begins == 0
    ]
    learn_few(tiny, folder, PLAN, rows, rng)


def train_judge(folder: Path) -> None:
    """A model that sees no frame and concludes from what is observed; it learned from no film at all."""
    rng = np.random.default_rng(PLAN.judge_seed)
    tiny = build_tiny_model(_texts(), _fresh(PLAN.judge_seed))
    lessons = [[_conclusion(rng) for _ in range(PLAN.judge_rows)] for _ in range(PLAN.judge_steps // 2)]
    network = fit(tiny._replace(model=tiny.model.train()), lessons, PLAN.judge_steps, PLAN.base_rate)
    save_tiny_model(TinyModel(network.eval(), tiny.processor), folder)


def _conclusion(rng: np.random.Generator) -> Example:
    """Observations, a question, and what follows; of who was painted first, that nothing does."""
    shot, number = draw_shot(rng, 0), int(rng.integers(2))
    square, posed = shot.squares[number], shot.posed[number]
    begins, shown = int(rng.integers(LAST_S - shot.seconds)), list(_each_slot(shot))
    cells = [square.cells[each] for each in shown]
    seen = _seen(square.colour, posed, [begins + each for each in shown], cells)
    told = f"<think>{concluded(posed, cells)}"
    if rng.random() < 1 / len(KINDS):
        posed = shot.about_the_coin().posed[number]
        told = "<think> So unknown.</think><answer>unknown</answer>"
    return asked(f"{seen} {posed.question}", posed.options, (), (), told)


def train_verifier(file: Path, seed: int) -> Calibration:
    """From the frames of the labelled films; its sharpness from a third that it has not seen."""
    films = labelled_films(seed)
    cut = len(films) * 2 // 3
    return fit_verifier(file, seed, frames_of(_shown(films[:cut])), frames_of(_shown(films[cut:])))


def _shown(films: Sequence[Film]) -> Iterable[tuple[tuple[object, ...], int, int]]:
    return (
        (shot.squares, shot.background, second)
        for film in films
        for shot in film.shots
        for second in _each_slot(shot)
    )


def _each_slot(shot: Shot) -> range:
    """A second in the middle of each."""
    slot_s = shot.seconds // SLOTS
    return range(slot_s // 2, shot.seconds, slot_s)


def _texts() -> Iterable[str]:
    """All words of the world, often enough that each becomes one token."""
    ends = [end for kind in KINDS.values() for end in kind.options]
    choices = [
        " ".join(f"{letter}. {option}" for letter, option in zip("ABCD", kind.options, strict=False))
        for kind in KINDS.values()
    ]
    for colour in COLOURS:
        for kind, listed in zip(KINDS.values(), choices, strict=True):
            yield f"{kind.question.format(colour)} {listed} Think, then answer."
        yield f"{COIN.format(colour)} Think, then answer."
        for second in range(LAST_S):
            yield from (
                f"[{second:.1f} s] {colour} {cell}. So {cell} to {cell}, so {cell}." for cell in CELLS
            )
            yield from (f"[{second:.1f} s] {colour} {end}. So {end}." for end in ends)
