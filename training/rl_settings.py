"""What a run of reinforcement learning is told."""

from typing import Literal

from pydantic import Field

from reelproof.schemas.settings import Settings
from reelproof.training.batches import PromptConfig
from reelproof.training.curriculum import CurriculumConfig
from reelproof.training.grpo import GrpoConfig, TemporalConfig
from reelproof.training.networks import LoraSettings
from reelproof.training.rewards import RewardConfig
from reelproof.training.sampling import SamplingConfig
from reelproof.training.served import RolloutConfig
from reelproof.training.shards import ShardsConfig
from reelproof.training.trainer import OptimizerConfig


class RlConfig(Settings):
    """One run of reinforcement learning."""

    shards: ShardsConfig = ShardsConfig(subset="rl")
    prompt: PromptConfig = PromptConfig()
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
    lora: LoraSettings | None = None
    """These low-rank additions are trained; null trains all weights."""
    gradient_checkpointing: bool = False
    """Activations are computed again on the way back: less memory, more time."""
    precision: Literal["no", "bf16", "fp16"] = "no"
    """The mixed precision of rollouts and updates; `no` computes in float32."""
    batch_rows: int = Field(default=64, ge=1, le=4096)
    """So many rollouts go through one forward pass of training."""
    checkpoint_every_steps: int = Field(default=20, ge=1)
    """A run that is killed goes on from the last of its checkpoints, which are this many steps apart."""
    examples_every_steps: int = Field(default=10, ge=1)
    """Some rollouts with their components go to RUN/rollouts.jsonl this often."""
    test_rows: int = Field(default=0, ge=0)
    """So many rows of the split `test` are answered whenever a checkpoint is due, and at the end, each once
    and greedily: `test/right` among the metrics."""
    allow_resize: bool = False
    """The run goes on although the processor shows other pixels than the teacher saw."""
    seed: int = 0
    """The questions that are drawn, dropout and new weights follow from it."""
