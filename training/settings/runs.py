"""What a training run is told: by supervised fine-tuning, and by preferences."""

from typing import Literal

from pydantic import Field

from reelproof.schemas.settings import Settings
from reelproof.training.settings.rows import PromptConfig, ShardsConfig


class OptimizerConfig(Settings):
    """AdamW and its learning rate."""

    learning_rate: float = Field(default=1e-5, gt=0, le=1)
    """The rate after the warm-up."""
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    """How the rate goes on after the warm-up; `linear` and `cosine` end at 0."""
    warmup_steps: int = Field(default=10, ge=0)
    """The rate rises from 0 for so many steps."""
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    """AdamW's decoupled decay of the weights."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Longer gradients are scaled down to this norm."""


class LoraSettings(Settings):
    """Train low-rank additions instead of all weights (arXiv 2106.09685)."""

    rank: int = Field(default=16, ge=1, le=1024)
    """The additions have this rank."""
    alpha: int = Field(default=32, ge=1)
    """The additions are scaled by this over their rank."""
    base: Literal["float32", "bf16", "4bit"] = "float32"
    """The weights below them, which do not change, are held like this: `4bit` is QLoRA (arXiv 2305.14314), by
    bitsandbytes. The model that a run leaves has the additions merged into the weights as they were."""
    target_modules: str | tuple[str, ...] = "all-linear"
    """These layers have additions, as PEFT names them; `all-linear` is every linear one."""


class TrainConfig(Settings):
    """What every training run is told."""

    shards: ShardsConfig = ShardsConfig()
    prompt: PromptConfig = PromptConfig()
    steps: int = Field(default=1000, ge=1)
    """The optimizer makes so many steps."""
    optimizer: OptimizerConfig = OptimizerConfig()
    lora: LoraSettings | None = None
    """These low-rank additions are trained; null trains all weights."""
    gradient_checkpointing: bool = False
    """Activations are computed again on the way back: less memory, more time."""
    attention: str | None = None
    """The attention kernel, as transformers names it, such as `sdpa` or `flash_attention_2`; by default the
    model's own."""
    precision: Literal["no", "bf16", "fp16"] = "no"
    """The mixed precision of all that is computed; `no` computes in float32."""
    log_every_steps: int = Field(default=1, ge=1)
    """Loss, speed and memory are logged this often."""
    trackers: tuple[str, ...] = ()
    """What is logged goes to RUN/metrics.jsonl and to these, as accelerate names them: `tensorboard` (in
    RUN/tensorboard), `wandb`, `trackio` or `mlflow`. Each has its own package and environment variables."""
    checkpoint_every_steps: int = Field(default=100, ge=1)
    """A run that is killed goes on from the last of its checkpoints, which are this many steps apart."""
    test_rows: int = Field(default=0, ge=0)
    """So many questions of the subset `rl`, split `test`, are answered whenever a checkpoint is due, and at
    the end, each once and greedily: `test/right` among the metrics is the share that is strictly right."""
    allow_resize: bool = False
    """The run goes on although the processor shows other pixels than the teacher saw."""
    seed: int = 0
    """Dropout, new weights and the questions that are drawn follow from it; the rows' order has its own in
    `shards`."""


class SftConfig(TrainConfig):
    """One run of supervised fine-tuning."""

    epochs: float = Field(default=3.0, gt=0)
    """All rows are gone through so often, where `steps` names no number."""
    steps: int = Field(default=0, ge=0)
    """The optimizer makes so many steps; 0 makes as many as `epochs` comes to."""
    batch_rows: int = Field(default=4, ge=1, le=4096)
    """So many rows go through one forward pass on each device."""
    accumulate: int = Field(default=1, ge=1, le=4096)
    """One optimizer step takes so many forward passes."""
    packed: bool = False
    """The rows of a forward pass lie end to end in one sequence, without padding: the same loss. Kernels
    other than `attention: flash_attention_2` mask what a row does not see, and gain where rows are short."""
    workers: int | None = Field(default=None, ge=0, le=64)
    """So many processes decode frames and make batches ahead of their step, in shared memory (/dev/shm); by
    default 4 beside a GPU, and none where the steps are a CPU's work themselves."""
    log_every_steps: int = Field(default=10, ge=1)
    """Loss and speed are logged this often."""
    test_tokens: int = Field(default=512, ge=1, le=32_768)
    """An answer to a question of the test split may have so many tokens."""


class DpoConfig(SftConfig):
    """One run of preference optimisation."""

    shards: ShardsConfig = ShardsConfig(subset="dpo")
    epochs: float = Field(default=1.0, gt=0)
    """All pairs are gone through so often, where `steps` names no number."""
    batch_rows: int = Field(default=2, ge=1, le=4096)
    """So many pairs go through one forward pass on each device."""
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=1e-6)
    beta: float = Field(default=0.1, gt=0)
    """The higher, the nearer the model stays to the one that it starts from."""
