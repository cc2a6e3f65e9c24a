"""Which ways to spend more on a question are tried, on which rows, and how far each goes."""

from typing import Literal

from pydantic import Field, model_validator

from reelproof.schemas.settings import Settings
from reelproof.training.settings.asking import BackendConfig, SamplingConfig
from reelproof.training.settings.rewards import RewardConfig
from reelproof.training.settings.rows import PromptConfig, ShardsConfig

Strategy = Literal[
    "greedy",
    "one_sample",
    "majority",
    "weighted_logprob",
    "weighted_evidence",
    "best_of_n",
    "early_stop",
    "confidence_exit",
    "budget_forcing",
    "more_frames",
]
ALL: tuple[Strategy, ...] = Strategy.__args__  # type: ignore[attr-defined]


class TtsConfig(Settings):
    """Which strategies are tried, on which rows, and how far each goes."""

    shards: ShardsConfig = ShardsConfig(subset="rl", split="test")
    max_rows: int | None = Field(default=None, ge=1)
    """Only so many rows are asked, the first ones; by default all."""
    prompt: PromptConfig = PromptConfig()
    backend: BackendConfig = BackendConfig()
    sampling: SamplingConfig = SamplingConfig()
    strategies: tuple[Strategy, ...] = ALL
    """These strategies are tried, each on the same samples."""
    samples: int = Field(default=8, ge=1, le=1024)
    """Each vote, and best-of-n, has so many samples."""
    settled_share: float = Field(default=0.5, gt=0, le=1)
    """`early_stop` ends once the leader's share of all `samples` votes is above this, or cannot be caught."""
    sure: float = Field(default=0.9, gt=0, le=1)
    """`confidence_exit` answers at once where the mean probability of that answer's tokens is at least this,
    and thinks where it is not."""
    waits: int = Field(default=1, ge=1, le=8)
    """`budget_forcing` has a thought that would end go on with “Wait,” this often."""
    first_frames: int = Field(default=2, ge=1, le=1024)
    """The strategy `more_frames` begins with so many frames, and doubles them until the leader has three
    quarters of the votes, or all are shown."""
    most_frames: int = Field(default=64, ge=1, le=1024)
    """The strategy `more_frames` goes on to so many, of the film itself, once all frames of the row are
    shown; only where `--videos` names the films' folder."""
    evidence_power: float = Field(default=1.0, gt=0, le=64)
    """The evidence has this power in a weighted vote: above 1, a thought with one false claim counts for
    less."""
    rewards: RewardConfig = RewardConfig(scoring="lenient")
    """Answers are scored, and thought/answer agreement is measured, like this."""

    @model_validator(mode="after")
    def _are_distinct(self) -> "TtsConfig":
        if len(set(self.strategies)) != len(self.strategies) or not self.strategies:
            raise ValueError("strategies: name each once, and at least one")
        return self
