"""Verifiable questions -> a policy that gets them right: GRPO on the model's own rollouts, from the shards.

Each step draws groups of rollouts, rewards them, drops groups that teach nothing, and takes one or more
optimizer steps on the rest. Logged apart: every reward component, dropped groups, and example rollouts.
"""

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from pydantic import Field
from torch import Tensor

from reelproof.schemas.answers.scores import is_right
from reelproof.schemas.settings import Settings
from reelproof.training.batches import Batch, PromptConfig
from reelproof.training.curriculum import Curriculum, CurriculumConfig
from reelproof.training.groups import Group, components, example_row, right_answers, shuffle_frames, teaches
from reelproof.training.grpo import (
    GrpoConfig,
    TemporalConfig,
    group_advantages,
    overlong_penalty,
    policy_loss,
    temporal_bonus,
)
from reelproof.training.logprobs import (
    Bundle,
    bundle_batch,
    bundle_logprobs,
    completion_logprobs,
    forbidden_tokens,
    whole_batch,
)
from reelproof.training.networks import LoraSettings, load_frozen, load_network, save_network, shares_prompts
from reelproof.training.preflight import SetupError, check_frames, check_length, load_processor
from reelproof.training.rewards import RewardConfig, Scored, Verifier, check_rewards, score_completions
from reelproof.training.runs import RunFolder, model_path
from reelproof.training.sampling import Ask, LocalSampler, SamplingConfig
from reelproof.training.sft import TrainSummary, Watch
from reelproof.training.shards import Example, ShardsConfig, open_shards, stream_in_order
from reelproof.training.trainer import OptimizerConfig, Trainer


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
    batch_rows: int = Field(default=64, ge=1, le=4096)
    """So many rollouts go through one forward pass of training."""
    checkpoint_every_steps: int = Field(default=20, ge=1)
    """A run that is killed goes on from the last of its checkpoints, which are this many steps apart."""
    examples_every_steps: int = Field(default=10, ge=1)
    """Some rollouts with their components go to RUN/rollouts.jsonl this often."""
    allow_resize: bool = False
    """The run goes on although the processor shows other pixels than the teacher saw."""
    seed: int = 0
    """The questions that are drawn, dropout and new weights follow from it."""


def train_rl(
    build_dir: Path,
    model: str,
    out: Path,
    cfg: RlConfig,
    verifier: Verifier | None = None,
    watch: Watch | None = None,
) -> TrainSummary:
    """Train `model` on DIR's `rl` rows into `out`; a killed run goes on from its last checkpoint.

    `verifier` gives the evidence reward; `watch` is called where a checkpoint is due, and at the end. One
    process: rollouts are not spread over devices. Raises DatasetError and SetupError, before weights are
    loaded, where data, model, rewards and settings do not fit.
    """
    path = model_path(model)
    shards = open_shards(build_dir, cfg.shards)
    processor = load_processor(path, cfg.prompt.image_settings)
    frames = check_frames(processor, shards, cfg.allow_resize)
    check_length(processor, path, shards, cfg.prompt, frames, room=cfg.sampling.max_tokens)
    curriculum = Curriculum.of(stream_in_order(shards), cfg.curriculum, cfg.seed)
    examples = curriculum.sample_examples(shards)
    check_rewards(cfg.rewards, examples, verifier)
    if cfg.temporal is not None and all(len(example.images) < 2 for example in examples):
        raise SetupError(
            "temporal contrasts ordered with shuffled frames, but these questions show one frame each; "
            "set it to null"
        )
    accelerator = Accelerator()
    if accelerator.num_processes > 1:
        raise SetupError("train rl runs in one process; start it without `accelerate launch`")
    setup = {
        "command": "train rl",
        "model": model,
        "dataset_sha256": shards.dataset_sha256,
        "policy": shards.policy,
        "frames": frames._asdict(),
        "config": cfg.model_dump(mode="json"),
    }
    with RunFolder(out, setup, accelerator.is_main_process) as run:
        set_seed(cfg.seed)
        network = load_network(path, cfg.lora, cfg.gradient_checkpointing)
        reference = load_frozen(path, accelerator.device) if cfg.grpo.kl else None
        trainer = Trainer(accelerator, network, cfg.optimizer, cfg.steps * cfg.updates)
        trainer.kept.append(curriculum)
        first = trainer.resume(run)
        sampler = LocalSampler(accelerator.unwrap_model(trainer.network), processor, cfg.prompt)
        learner = _Learner(cfg, trainer, sampler, reference, verifier)
        began, loss, tokens = time.perf_counter(), math.nan, 0
        for step in range(first + 1, cfg.steps + 1):
            groups = learner.collect(curriculum, shards, step)
            curriculum.refresh(groups)
            kept = [group for group in groups if teaches(group)]
            report = learner.learn(kept) if kept else {}
            loss = report.get("loss", loss)
            tokens += sum(said.tokens for group in groups for said in group.said)
            spent = time.perf_counter() - began
            counts = {"groups": len(groups), "groups_without_variance": len(groups) - len(kept)}
            run.log(step, {**report, **components(groups), **counts, "seconds": spent})
            if step % cfg.examples_every_steps == 0 or step == 1:
                run.append("rollouts.jsonl", [example_row(step, group) for group in groups[:4]])
            if step % cfg.checkpoint_every_steps == 0 and step < cfg.steps:
                trainer.checkpoint(run, step)
            if watch is not None and (step % cfg.checkpoint_every_steps == 0 or step == cfg.steps):
                watch(step, accelerator.unwrap_model(trainer.network))
        spent = time.perf_counter() - began
        save_network(accelerator, trainer.network, processor, run, model_path(model))
        summary = TrainSummary(run.model, cfg.steps, loss, spent, tokens / max(spent, 1e-9))
        run.write_outcome({"state": "done", **summary._asdict()})
    return summary


class _Learner:
    """One step: rollouts, rewards, update."""

    def __init__(
        self,
        cfg: RlConfig,
        trainer: Trainer,
        sampler: LocalSampler,
        reference: Any,
        verifier: Verifier | None,
    ) -> None:
        self.cfg, self.trainer, self.sampler = cfg, trainer, sampler
        self.reference, self.verifier = reference, verifier
        self.forbidden = forbidden_tokens(sampler.processor)

    def collect(self, curriculum: Curriculum, shards: Any, step: int) -> list[Group]:
        """All groups that a step drew, those that teach nothing among them."""
        groups: list[Group] = []
        for again in range(self.cfg.refill_rounds + 1):
            missing = self.cfg.questions - sum(teaches(group) for group in groups)
            seen = [group.example.question_id for group in groups]
            questions = curriculum.draw(shards, missing, step, again, seen) if missing else []
            if not questions:
                break
            groups += self.roll_out(questions, step, again)
        return groups

    def roll_out(self, examples: Sequence[Example], step: int, again: int) -> list[Group]:
        """Draw, read and reward `rollouts` completions of each question."""
        cfg, count = self.cfg, self.cfg.rollouts
        seed = cfg.sampling.seed + 1_000_003 * step + 101 * again
        sampling = cfg.sampling.model_copy(update={"seed": seed})
        self.sampler.network.eval()
        said = self.sampler.sample([Ask(each) for each in examples for _ in range(count)], sampling)
        cases = [(examples[place // count], each.text) for place, each in enumerate(said)]
        scored = score_completions(cases, cfg.rewards, self.verifier)
        totals = torch.tensor([each.total for each in scored]).view(-1, count)
        tokens = torch.tensor([each.tokens for each in said]).view(-1, count)
        totals += overlong_penalty(tokens, sampling.max_tokens, cfg.grpo.overlong_tokens)
        if cfg.temporal is not None:
            shuffled = self._shuffled(examples, sampling, seed)
            right, earned = right_answers(scored, count), self._earned(cases, scored, count)
            totals += temporal_bonus(right, shuffled, earned, cfg.temporal.bonus, cfg.temporal.share)
        return [
            Group(
                example,
                tuple(said[place * count : (place + 1) * count]),
                tuple(scored[place * count : (place + 1) * count]),
                tuple(totals[place].tolist()),
            )
            for place, example in enumerate(examples)
        ]

    def _shuffled(self, examples: Sequence[Example], sampling: SamplingConfig, seed: int) -> Tensor:
        """Which answers are right with the frames in another order. (P, S) of 0 or 1"""
        count = self.cfg.temporal.rollouts if self.cfg.temporal else 0
        asks = [Ask(shuffle_frames(each, seed)) for each in examples for _ in range(count)]
        said = self.sampler.sample(asks, sampling)
        cases = [(asks[place].example, each.text) for place, each in enumerate(said)]
        return right_answers(score_completions(cases, self.cfg.rewards), count)

    def _earned(self, cases: Sequence[tuple[Example, str]], scored: Sequence[Scored], count: int) -> Tensor:
        """Which answers are right and past the gates. (P, count) of 0 or 1"""
        enough = self.cfg.rewards.min_graded_score
        earned = [
            is_right(example.task, each.components["accuracy"], enough)
            for (example, _), each in zip(cases, scored, strict=True)
        ]
        return torch.tensor(earned).float().view(-1, count)

    def learn(self, groups: Sequence[Group]) -> dict[str, float]:
        """Optimizer steps on the groups' rollouts, all of them in each."""
        cfg = self.cfg
        rewards = torch.tensor([group.rewards for group in groups])
        advantages = group_advantages(rewards, cfg.grpo.scale).flatten()
        pieces = list(self._pieces(groups))
        masks = [each.counted if isinstance(each, Bundle) else each.counted[:, 1:] for each in pieces]
        if not cfg.grpo.learn_truncated:
            ended = torch.tensor([said.finished for group in groups for said in group.said])
            rows = torch.split(ended.to(masks[0].device), [len(mask) for mask in masks])
            masks = [mask & row.unsqueeze(1) for mask, row in zip(masks, rows, strict=True)]
        self.trainer.network.train()
        network = self.trainer.network if cfg.updates > 1 else None  # the first update is on policy
        old = self._logprobs(network, pieces)
        reference = self._logprobs(self.reference, pieces)
        report: dict[str, float] = {}
        for _ in range(cfg.updates):
            report = self._update(pieces, masks, advantages, old, reference)
        return report

    @torch.no_grad()
    def _logprobs(self, network: Any, pieces: Sequence[Bundle | Batch]) -> list[Tensor | None]:
        return [None if network is None else self._chances(network, piece) for piece in pieces]

    def _chances(self, network: Any, piece: Bundle | Batch) -> Tensor:
        temperature = self.cfg.sampling.temperature or 1.0
        if isinstance(piece, Bundle):
            return bundle_logprobs(network, piece, self.forbidden, temperature)
        return completion_logprobs(network, piece, self.forbidden, temperature)

    def _update(
        self,
        pieces: list[Bundle | Batch],
        masks: Sequence[Tensor],
        advantages: Tensor,
        old: Sequence[Tensor | None],
        reference: Sequence[Tensor | None],
    ) -> dict[str, float]:
        cfg, device = self.cfg, self.trainer.accelerator.device
        tokens = max(1, sum(int(mask.sum()) for mask in masks))
        sums = {"loss": 0.0, "clipped_share": 0.0, "kl": 0.0}
        first = 0
        for piece, counted, before, start in zip(pieces, masks, old, reference, strict=True):
            now = self._chances(self.trainer.network, piece)
            rows = counted.shape[0]
            gains = advantages[first : first + rows].to(device)
            before = now.detach() if before is None else before
            out = policy_loss(now, before, gains, counted, cfg.grpo, cfg.sampling.max_tokens, start)
            # Pieces add up to the loss over all rollouts at once.
            by_token = cfg.grpo.normalise == "token"
            weight = float(counted.sum()) / tokens if by_token else rows / len(advantages)
            self.trainer.accelerator.backward(out.loss * weight)
            for name, value in out._asdict().items():
                sums[name] += float(value.detach()) * weight
            first += rows
        update = self.trainer.apply()
        return {**sums, "grad_norm": update.grad_norm, "learning_rate": update.learning_rate}

    def _pieces(self, groups: Sequence[Group]) -> Iterator[Bundle | Batch]:
        """As many groups per forward pass as hold `batch_rows` rollouts, at least one."""
        together = max(1, self.cfg.batch_rows // self.cfg.rollouts)
        make = bundle_batch if shares_prompts(self.trainer.network) else whole_batch
        device = self.trainer.accelerator.device
        for first in range(0, len(groups), together):
            mine = groups[first : first + together]
            said = [each.token_ids for group in mine for each in group.said]
            examples = [group.example for group in mine]
            yield make(self.sampler.processor, examples, said, self.cfg.prompt, device)
