"""Every setting of the study on real footage in one place; its hash stands in the result."""

from typing import NamedTuple

from reelproof.data_cards.checks_apart.plan import BaseStage


class Plan(NamedTuple):
    """To be chosen on the development films with seeds from 100 up, before the other half's are asked."""

    kind: str = "recoloured_span"
    """Of the pipeline's questions about edited frames."""
    repeats: int = 2
    """Of a clip, drawn anew."""
    hue_turn_deg: float = 60.0
    labelled_clips: int = 6
    """Of each film, from some of which the labelled traces are drawn."""
    asked_clips: int = 12
    """Of each film, which students are asked about who have not seen it …"""
    taught_clips: int = 8
    """… and so many of which the teacher is asked about where it is a film to learn from."""
    clip_seed: int = 0
    base_seed: int = 5
    base_stages: tuple[BaseStage, ...] = (BaseStage(2, 32, 100), BaseStage(4, 24, 100), BaseStage(8, 16, 600))
    """Lessons of so many flat pictures each, to name in turn."""
    base_rate: float = 1e-3
    labelled_traces: int = 40
    teacher_steps: int = 150
    teacher_rate: float = 5e-4
    verifier_steps: int = 150
    rollouts: int = 6
    votes: int = 8
    """Of the verifier on a claim."""
    temperature: float = 1.0
    max_tokens: int = 72
    rows: int = 128
    steps: int = 150
    batch_rows: int = 8
    rate: float = 5e-4


PLAN = Plan()
