"""Every setting of the study of longer films in one place; its hash stands in the result."""

from typing import NamedTuple

from reelproof.data_cards.checks_apart.plan import BaseStage


class Plan(NamedTuple):
    """To be chosen on development films with seeds from 100 up, before the test films are asked."""

    train_films: int = 60
    dev_films: int = 40
    test_films: int = 160
    shifted_films: int = 80
    shifted_jitter: float = 60.0
    """Twice the spread of colours, in shots that last longer than any other."""
    labelled_films: int = 16
    labelled_traces: int = 100
    held_out_seed: int = 77
    shortcut: float = 0.6
    """How often the answer is the one that goes with a square's colour, on purpose."""
    hidden: float = 0.15
    """How often a square that is asked for is not to be seen."""
    base_stages: tuple[BaseStage, ...] = (
        BaseStage(1, 64, 300),
        BaseStage(3, 32, 300),
        BaseStage(8, 24, 1000, 0.4, 0.5),
    )
    base_batches: int = 400
    base_seeds_from: int = 2000
    """A seed's base model is drawn from this plus its number."""
    base_rate: float = 1e-3
    least_cells: float = 0.5
    """A base that names fewer cells of development films, as a share, goes through its stages once more."""
    judge_seed: int = 7
    judge_rows: int = 64
    judge_steps: int = 600
    """Of lessons in text alone; one judge for all seeds."""
    teacher_steps: int = 60
    teacher_rate: float = 3e-4
    rollouts: int = 8
    most_rollouts: int = 32
    """Of a question that luck may explain."""
    blind_rollouts: int = 4
    votes: int = 8
    """Of the verifier on a claim."""
    temperature: float = 1.0
    max_tokens: int = 72
    rows: int = 512
    steps: int = 240
    batch_rows: int = 16
    rate: float = 5e-4


PLAN = Plan()
