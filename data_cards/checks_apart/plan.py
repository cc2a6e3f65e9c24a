"""Every setting of the study in one place; its hash stands in the result."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple


class BaseStage(NamedTuple):
    """What the model that all begin with is shown for a while."""

    frames: int
    rows: int
    """A step."""
    steps: int
    concluding: float = 0.0
    """Share of rows in which a path is concluded; in the others squares are but named."""
    answered: float = 0.0
    """Share of those that go on to the answer."""


class Plan(NamedTuple):
    """To be chosen on development films with seeds from 100 up, before the test films are asked."""

    train_films: int = 60
    dev_films: int = 40
    test_films: int = 160
    shifted_films: int = 80
    shifted_jitter: float = 60.0
    """Twice the spread of colours, on films that else are like the test's."""
    labelled_films: int = 14
    labelled_traces: int = 80
    held_out_seed: int = 77
    shortcut: float = 0.6
    hidden: float = 0.15
    base_seed: int = 5
    base_stages: tuple[BaseStage, ...] = (
        BaseStage(1, 64, 300),
        BaseStage(3, 32, 600, 0.5, 0.5),
    )
    base_batches: int = 150
    base_rate: float = 1e-3
    teacher_steps: int = 150
    teacher_rate: float = 5e-4
    verifier_steps: int = 300
    rollouts: int = 8
    blind_rollouts: int = 4
    votes: int = 8
    """Of the verifier on a claim, and of a student on an answer."""
    temperature: float = 1.0
    rows: int = 512
    most_of_a_question: int = 4
    steps: int = 240
    batch_rows: int = 16
    rate: float = 5e-4
    rounds: int = 3
    """In which the student of one is the teacher of the next."""


class AskedOnPlan(NamedTuple):
    """What `asked_on.py` adds, chosen on development films as well."""

    most_rollouts: int = 64
    """Of a question that luck may explain."""
    base_seeds_from: int = 1000
    """A seed's base model is drawn from this plus its number; `base_seed` is that of `study.py` alone."""
    least_cells: float = 0.5
    """A base that names fewer cells of development films, as a share, goes through its stages once more."""


class AfterSftPlan(NamedTuple):
    """What `after_sft.py` adds. No trial chose it: rates stand to that of SFT as in moving_shapes (RL) and as
    the product's own do (DPO); the number of rounds is what time allowed.
    """

    rounds: int = 30
    """Of reinforcement."""
    questions: int = 16
    """A round."""
    group: int = 8
    """Rollouts of a question in a round."""
    order: Literal["uniform", "half_right"] = "half_right"
    """In which questions are drawn, by what the student gets right of them."""
    rl_rate: float = 2e-4
    evidence: float = 0.5
    """Weight of the mean belief in a thought's claims; that of an answer that counts is 1."""
    gate: float = 0.8
    """Mean belief in its thought's three claims with which an answer counts: a denied one is too many."""
    sft_steps_a_round: int = 7
    """Of the control, which so takes about the CPU seconds of reinforcement."""
    dpo_epochs: float = 2.0
    dpo_pairs: int = 8
    """A step."""
    dpo_rate: float = 5e-5


PLAN, ASKED_ON, AFTER_SFT = Plan(), AskedOnPlan(), AfterSftPlan()
DEVELOPMENT_SEEDS = 100
"""Seeds from here on are asked the development films, and stand in no report."""


def sha256_of(settings: Mapping[str, Any]) -> str:
    """Of all settings of a plan."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
