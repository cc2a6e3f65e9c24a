"""One seed -> its base model and every arm, each trained, then asked the test questions once.

All that is done is kept; a killed seed goes on from there.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from arms import ArmRows, choose_rows, example, read_asked, write_rows
from base import train_base
from measure import MAX_TOKENS, Measure, Progress, ShapesVerifier, train_once, voting

from reelproof.schemas.sample import SftSample
from reelproof.training.rl import train_rl
from reelproof.training.settings.asking import SamplingConfig
from reelproof.training.settings.rewards import RewardConfig
from reelproof.training.settings.rl import GrpoConfig, RlConfig
from reelproof.training.settings.rows import PromptConfig, ShardsConfig
from reelproof.training.settings.runs import OptimizerConfig, SftConfig
from reelproof.training.settings.tts import ALL
from reelproof.training.sft import train_sft

ROWS = 96
"""Of every SFT arm but those that say otherwise."""
SFT_STEPS, RL_STEPS = 400, 100
RL_RATE = 6e-4
GATED = RewardConfig(gate_accuracy=True, gate_agreement=True, evidence=0.5)
"""An answer counts where all four claims hold in the cited frames and the thought concludes it; claims
that hold count for themselves too."""
OUTCOME_ONLY = RewardConfig()
Style = Literal["brief", "direct"]


class SeedRun:
    """Where one seed's arms lie, and the questions they are watched and measured with."""

    def __init__(self, out: Path, seed: int) -> None:
        self.build, self.folder, self.seed = out / "build", out / f"seed-{seed}", seed
        self.asked = read_asked(self.build)
        self.dev, self.test = (
            [example(each) for each in self.asked if each.film.startswith(split)] for split in ("dev", "test")
        )
        self.measure = Measure(self.folder, self.test, seed)

    def rows(self, build: Path | None = None) -> ArmRows:
        """What each SFT arm is trained on, of the build or of another."""
        other = build or self.build
        return choose_rows(self.asked if build is None else read_asked(other), other, ROWS, self.seed)

    def base(self) -> Path:
        """The model that only names cells."""
        folder = self.folder / "base"
        if not (folder / "config.json").is_file():
            train_base(folder, self.seed)
        return folder

    def sft(
        self, name: str, rows: Sequence[SftSample], start: Path, steps: int, style: Style = "brief"
    ) -> float:
        """Fine-tune into `folder`/NAME. CPU seconds."""
        run = self.folder / name
        cfg = SftConfig(
            shards=ShardsConfig(seed=self.seed),
            prompt=PromptConfig(style=style),
            steps=steps,
            batch_rows=16,
            optimizer=OptimizerConfig(learning_rate=1.5e-3, schedule="cosine", warmup_steps=20),
            checkpoint_every_steps=80,
            seed=self.seed,
        )
        dataset = write_rows(rows, self.folder / f"{name}-rows")
        progress = self._progress(run, start, style)
        return train_once(run, progress, lambda watch: train_sft(dataset, str(start), run, cfg, watch))

    def rl(self, name: str, start: Path, rewards: RewardConfig, steps: int = RL_STEPS) -> float:
        """Reinforce into `folder`/NAME. CPU seconds."""
        run = self.folder / name
        cfg = RlConfig(
            prompt=PromptConfig(style="brief"),
            steps=steps,
            questions=32,
            rollouts=8,
            sampling=SamplingConfig(max_tokens=MAX_TOKENS, batch_rows=256),
            rewards=rewards,
            grpo=GrpoConfig(kl=0.05, unbiased_kl=False),
            optimizer=OptimizerConfig(learning_rate=RL_RATE, schedule="linear", warmup_steps=5),
            batch_rows=128,
            checkpoint_every_steps=20,
            seed=self.seed,
        )
        progress = self._progress(run, start, "brief")
        return train_once(
            run, progress, lambda watch: train_rl(self.build, str(start), run, cfg, ShapesVerifier(), watch)
        )

    def _progress(self, run: Path, start: Path, style: Style) -> Progress:
        return Progress(run, start, self.dev, style)


def run_seed(out: Path, seed: int, noise: Path) -> None:
    """Every arm of one seed; an arm whose result is there is not trained again."""
    torch.set_num_threads(1)
    run = SeedRun(out, seed)
    measure, folder, arms = run.measure, run.folder, run.rows()
    base = run.base()
    measure.arm("base", base)

    def plain(name: str, rows: Sequence[SftSample], style: Style = "brief") -> float:
        seconds = run.sft(name, rows, base, SFT_STEPS, style)
        measure.arm(name, folder / name, style)
        return seconds

    plain("sft_raw", arms.raw)
    sft_seconds = plain("sft_curated", arms.curated)
    curated = folder / "sft_curated"
    rl_seconds = run.rl("sft_curated_rl", curated, GATED)
    measure.arm("sft_curated_rl", folder / "sft_curated_rl")
    more_steps = steps_as_long(folder / "more_steps", rl_seconds, sft_seconds / SFT_STEPS)
    run.sft("sft_curated_more", arms.curated, curated, more_steps)
    measure.arm("sft_curated_more", folder / "sft_curated_more")
    plain("sft_raw_same_budget", arms.raw_same_budget)
    measure.votes("sft_curated_rl", folder / "sft_curated_rl", voting(seed, ALL))
    run.rl("sft_curated_rl_outcome_only", curated, OUTCOME_ONLY)
    measure.arm("sft_curated_rl_outcome_only", folder / "sft_curated_rl_outcome_only")
    plain("sft_random", arms.random)
    plain("sft_direct", arms.curated, "direct")
    votes = ("one_sample", "majority", "weighted_evidence", "best_of_n")
    measure.votes("sft_curated", curated, voting(seed, votes))
    random_faults = run.rows(noise)
    plain("noise_sft_raw", random_faults.raw)
    plain("noise_sft_curated", random_faults.curated)


def steps_as_long(file: Path, seconds: float, seconds_a_step: float) -> int:
    """Steps that take as many seconds; decided once, so that a killed run goes on with the same number."""
    if not file.is_file():
        file.write_text(str(math.ceil(seconds / seconds_a_step)))
    return int(file.read_text())
