"""What a run of reinforcement learning is told."""

from pydantic import Field

from reelproof.training.curriculum import CurriculumConfig
from reelproof.training.grpo import GrpoConfig, TemporalConfig
from reelproof.training.loop import TrainConfig
from reelproof.training.rewards import RewardConfig
from reelproof.training.sampling import SamplingConfig
from reelproof.training.served import RolloutConfig
from reelproof.training.shards import ShardsConfig
from reelproof.training.trainer import OptimizerConfig


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
