"""Verifiable questions -> a policy that gets them right: GRPO on the model's own rollouts, from the shards.

Each step draws groups of rollouts, rewards them, drops groups that teach nothing, and takes one or more
optimizer steps on the rest. Logged apart: every reward component, dropped groups, and example rollouts.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing
from itertools import count
from pathlib import Path
from typing import Any

from accelerate import Accelerator, PartialState

from reelproof.training.curriculum import Curriculum
from reelproof.training.groups import components, keep_rollouts, teaches
from reelproof.training.learner import Learner
from reelproof.training.loop import Training, TrainSummary, Watch
from reelproof.training.networks import Start
from reelproof.training.preflight import SetupError, rows_without_images
from reelproof.training.rewards import Verifier, check_rewards
from reelproof.training.runs import Tell
from reelproof.training.served import PolicySampler, ServedSampler
from reelproof.training.server import check_sendable
from reelproof.training.settings.rl import RlConfig
from reelproof.training.trainer import Trainer

Serve = Callable[[RlConfig, str], AbstractContextManager[str]]
"""A run's settings and its model -> the address of a vLLM server that was started for it."""


def train_rl(
    build_dir: Path,
    model: str,
    out: Path,
    cfg: RlConfig,
    verifier: Verifier | None = None,
    watch: Watch | None = None,
    tell: Tell = lambda _: None,
    serve: Serve | None = None,
) -> TrainSummary:
    """Train `model` on DIR's `rl` rows into `out`; a killed run goes on from its last checkpoint.

    `verifier` gives the evidence reward; `serve` starts the server of `backend.kind: vllm`; `watch` is called
    where a checkpoint is due, and at the end; `tell` gets a line every few seconds. A run that is finished is
    left as it is. Several processes share out the questions and learn as one does. Raises DatasetError and
    SetupError, before weights are loaded, where data, model, rewards and settings do not fit.
    """
    return RolloutTraining(build_dir, model, cfg, verifier, serve).train(out, watch, tell)


class RolloutTraining(Training):
    """Learns from what the policy says to questions of the curriculum."""

    command = "train rl"
    draws = True
    cfg: RlConfig
    # Where a server stands, and who pays, makes no other run.
    may_change = frozenset(f"backend.{name}" for name in ("url", "key_variable", "handover", "patience_s"))

    def __init__(
        self, build_dir: Path, model: str, cfg: RlConfig, verifier: Verifier | None, serve: Serve | None
    ) -> None:
        """Raises SetupError also for rewards that these questions cannot give."""
        if cfg.backend.kind != "transformers":
            check_sendable(cfg.prompt)
        answers = cfg.sampling.model_copy(update={"temperature": 0.0})
        super().__init__(build_dir, model, cfg, answers, room=cfg.sampling.max_tokens)
        self.verifier, self.serve = verifier, serve
        self.curriculum = Curriculum(rows_without_images(self.shards), cfg.curriculum, cfg.seed)
        examples = self.curriculum.sample_examples(self.shards)
        check_rewards(cfg.rewards, examples, verifier)
        if cfg.temporal is not None and all(len(example.images) < 2 for example in examples):
            raise SetupError(
                "temporal contrasts ordered with shuffled frames, but these questions show one frame each; "
                "set it to null"
            )

    def make_trainer(self, accelerator: Accelerator, network: Any) -> Trainer:
        """It keeps the curriculum."""
        trainer = Trainer(accelerator, network, self.cfg.optimizer, self.cfg.steps * self.cfg.updates)
        trainer.kept.append(self.curriculum)
        return trainer

    def make_sampler(self, policy: Any, opened: ExitStack) -> PolicySampler:
        """The policy itself, or a server that is handed its weights."""
        backend = self.cfg.backend
        if backend.kind == "transformers":
            return super().make_sampler(policy, opened)
        if self.serve is not None and backend.kind == "vllm" and PartialState().is_main_process:
            url = opened.enter_context(self.serve(self.cfg, self.model))
            backend = backend.model_copy(update={"url": url})
        folder = Path(backend.handover or self.run.folder / "served")
        return ServedSampler(policy, self.processor, self.cfg.prompt, backend, folder)

    def steps(self, done: int) -> Iterator[tuple[Mapping[str, float], int]]:
        """Each draws groups, rewards them and learns from those that teach something."""
        cfg, curriculum, shards = self.cfg, self.curriculum, self.shards
        trainer = self.trainer
        start = Start(trainer.accelerator, trainer.network, self.path) if cfg.grpo.kl else None
        with closing(Learner(cfg, trainer, self.sampler, start, self.verifier)) as learner:
            for step in count(done + 1):
                learner.publish(step - 1)
                groups = learner.collect(curriculum, shards, step)
                curriculum.refresh(groups)
                kept = [group for group in groups if teaches(group)]
                looks_ahead = cfg.backend.ahead or cfg.backend.kind == "transformers"
                if looks_ahead and step % cfg.checkpoint_every_steps and step < cfg.steps:
                    learner.go_ahead(curriculum, shards, step + 1)
                self.sampler.rest()
                taught = learner.learn(kept) if kept else {}
                is_due = step % cfg.examples_every_steps == 0 or step == 1
                if is_due and trainer.accelerator.is_main_process:
                    keep_rollouts(
                        self.run.folder, step, groups[:4], [learner.gains(each) for each in groups[:4]]
                    )
                said = [each for group in groups for each in group.said]
                counts = {
                    "groups": len(groups),
                    "groups_without_variance": len(groups) - len(kept),
                    "rollouts/versions_behind": step - 1 - min(each.version for each in said),
                }
                yield {**taught, **components(groups), **counts}, sum(each.tokens for each in said)
