"""What a run of reinforcement learning is told."""

from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from reelproof.schemas.settings import Settings
from reelproof.training.settings.asking import SamplingConfig, ServerAddress
from reelproof.training.settings.rewards import RewardConfig
from reelproof.training.settings.rows import ShardsConfig
from reelproof.training.settings.runs import OptimizerConfig, TrainConfig

Scale = Literal["group_std", "none"]
Normalise = Literal["sequence", "token", "length_limit"]


class GrpoConfig(Settings):
    """The policy-gradient objective: GRPO, Dr. GRPO, DAPO, GSPO, CISPO. The defaults are DAPO's."""

    scale: Scale = "group_std"
    """Centred rewards are divided by their group's standard deviation (GRPO), or are not (Dr. GRPO, arXiv
    2503.20783)."""
    normalise: Normalise = "token"
    """`sequence`: mean of each rollout's mean (GRPO); `token`: mean over all tokens (DAPO, arXiv 2503.14476);
    `length_limit`: sum over rollouts × the token limit (Dr. GRPO)."""
    ratio: Literal["token", "sequence"] = "token"
    """The ratio of new to old probability is each token's own, or for all tokens of a rollout their geometric
    mean (GSPO, arXiv 2507.18071, with `normalise: sequence`, `clip_low: 3e-4`, `clip_high: 4e-4`)."""
    surrogate: Literal["clipped", "cispo"] = "clipped"
    """`clipped`: beyond the clip range a token has no gradient; `cispo`: each has, in proportion to its ratio
    up to 1 and `clip_high` (arXiv 2506.13585)."""
    clip_low: float = Field(default=0.2, ge=0, le=1)
    """The ratio counts down to 1 less this; CISPO has no lower bound."""
    clip_high: float = Field(default=0.28, ge=0)
    """The ratio counts up to 1 and this; above `clip_low` it is DAPO's clip-higher."""
    kl: float = Field(default=0.0, ge=0, le=10)
    """The weight of the divergence from the start; 0 loads no second model."""
    unbiased_kl: bool = True
    """The divergence is weighted by the ratio, so that its gradient is that of the true one (arXiv
    2512.02556); `false` is GRPO's as it was first published."""
    learn_truncated: bool = True
    """Rollouts that the token limit cut off are learned from; DAPO's overlong filter is `false`."""
    overlong_tokens: int = Field(default=0, ge=0, le=32_768)
    """A rollout loses reward by its share of the last so many tokens before the limit, 1 at the limit (DAPO's
    soft overlong punishment); 0 has none."""
    most_importance: float | None = Field(default=2.0, gt=0)
    """A token that a server drew counts as often as the trainer makes it likelier than the server did, at
    most so often (truncated importance sampling, as in TRL and verl); null counts all once."""


class TemporalConfig(Settings):
    """T-GRPO's contrast with shuffled frames (arXiv 2503.21776)."""

    bonus: float = Field(default=0.3, gt=0)
    """A right rollout gains this where the ordered frames do well enough against the shuffled."""
    share: float = Field(default=1.0, gt=0)
    """The ordered frames do well enough from this share of what the shuffled do."""
    rollouts: int = Field(default=4, ge=1, le=128)
    """Each question has so many rollouts with shuffled frames; they are not trained on."""


class CurriculumConfig(Settings):
    """How questions are chosen."""

    order: Literal["uniform", "easy_first", "half_right"] = "uniform"
    """`easy_first`: from high pass rates to low as training goes on; `half_right`: mostly near one half."""
    memory: float = Field(default=0.5, ge=0, le=1)
    """Weight of what was known when a question's rate is refreshed; 1 keeps the stored counts for ever."""
    floor: float = Field(default=0.1, gt=0, le=1)
    """Least weight of a question, so that none is forgotten."""
    steps: int = Field(default=100, ge=1)
    """The order `easy_first` goes from easy to hard over so many steps."""


class RolloutConfig(ServerAddress):
    """Where rollouts are drawn."""

    kind: Literal["transformers", "server", "vllm"] = "transformers"
    """The model that is trained draws them itself (`transformers`), or a running vLLM `server` that has the
    same model and is handed what it learns, or such a one that the run starts (`vllm`), on a free GPU."""
    vllm: dict[str, JsonValue] = Field(default={})
    """How that server is started, with the settings of a `vllm` teacher, such as `max_model_len`."""
    sleeps: bool = False
    """The server has a GPU together with training, and sleeps while the policy learns
    (`--enable-sleep-mode`)."""
    ahead: int = Field(default=0, ge=0, le=1)
    """At 1 a server draws the rollouts of the next step while this one is learned from: its weights are one
    step behind. After a checkpoint it waits, so that a run that goes on from there draws the same."""
    handover: str | None = Field(default=None, pattern=r"^[/~]")
    """Weights are handed to a server in this folder, which it sees by the same path, and which no other run
    has; `/dev/shm/NAME` hands them over in memory. By default RUN/served."""
    patience_s: float = Field(default=600, ge=0, le=86_400)
    """A server that goes away is waited for so long, and is then handed the weights again."""

    @model_validator(mode="after")
    def _does_not_draw_asleep(self) -> Self:
        if self.kind == "transformers" and (self.ahead or self.sleeps):
            raise ValueError("ahead and sleeps are for kind server or vllm; set kind, or leave them out")
        if self.ahead and self.sleeps:
            raise ValueError(
                "a server that sleeps while the policy learns draws nothing ahead; set one of them"
            )
        return self


class RlConfig(TrainConfig):
    """One run of reinforcement learning."""

    shards: ShardsConfig = ShardsConfig(subset="rl")
    steps: int = Field(default=200, ge=1)
    """There are so many rounds of rollouts."""
    questions: int = Field(default=32, ge=1, le=4096)
    """One round answers so many questions."""
    rollouts: int = Field(default=8, ge=2, le=256)
    """One round answers each question so often."""
    updates: int = Field(default=1, ge=1, le=16)
    """One round makes so many optimizer steps; from the second on the clip range matters."""
    sampling: SamplingConfig = SamplingConfig()
    backend: RolloutConfig = RolloutConfig()
    rewards: RewardConfig = RewardConfig()
    grpo: GrpoConfig = GrpoConfig()
    temporal: TemporalConfig | None = None
    """The contrast with shuffled frames; null has none."""
    curriculum: CurriculumConfig = CurriculumConfig()
    refill_rounds: int = Field(default=0, ge=0, le=16)
    """So often more questions are drawn in place of groups without variance."""
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=1e-6, schedule="constant")
    batch_rows: int = Field(default=64, ge=1, le=4096)
    """So many rollouts go through one forward pass of training."""
    checkpoint_every_steps: int = Field(default=20, ge=1)
    examples_every_steps: int = Field(default=10, ge=1)
    """Some rollouts with their components go to RUN/rollouts.jsonl this often."""
