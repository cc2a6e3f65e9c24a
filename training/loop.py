"""A dataset and a model -> a trained model: the one loop of SFT, DPO and RL.

One process or many: `accelerate launch` brings DDP, FSDP or DeepSpeed. A killed run goes on from its last
checkpoint.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from accelerate import Accelerator, PartialState
from accelerate.utils import (
    DistributedDataParallelKwargs,
    DistributedType,
    ProjectConfiguration,
    gather_object,
    set_seed,
)

from reelproof.schemas.answers.reading import read_answer
from reelproof.schemas.answers.scores import strict_score
from reelproof.training.networks import check_kernels, load_network, save_network
from reelproof.training.preflight import (
    FrameContract,
    SetupError,
    check_length,
    frame_contract,
    frame_sizes,
    load_processor,
    rows_without_images,
)
from reelproof.training.runs import RunFolder, Tell, model_path
from reelproof.training.sampling import Ask, LocalSampler, Said
from reelproof.training.served import PolicySampler
from reelproof.training.settings.asking import SamplingConfig
from reelproof.training.settings.rows import ShardsConfig
from reelproof.training.settings.runs import TrainConfig
from reelproof.training.shards import Example, Shards, open_shards, stream_in_order
from reelproof.training.trackers import check_trackers, memory_gb, tracking
from reelproof.training.trainer import Trainer

MAY_CHANGE = ("test_rows", "log_every_steps", "trackers")
"""Settings that change nothing of what is learned."""
# Eyes have layers that feed no loss: under DDP the second step would wait for their gradients.
SOME_UNUSED = DistributedDataParallelKwargs(find_unused_parameters=True)


class TrainSummary(NamedTuple):
    """What a run left."""

    model: Path
    steps: int
    loss: float
    """Of the last step."""
    seconds: float
    tokens_per_s: float
    """All tokens that went through the model or were drawn, padding not counted."""

    @classmethod
    def of(cls, run: RunFolder) -> "TrainSummary | None":
        """What a run that is finished left; None for one that is not."""
        left = run.outcome
        figures = [left.get(name) for name in ("steps", "loss", "seconds", "tokens_per_s")]
        return cls(run.model, *figures) if left else None  # type: ignore[arg-type]  # as it was written


Watch = Callable[[int, Any], None]
"""Looks at a network in training: called with the step and the bare network; it may put that in eval mode."""


class Training:
    """One run; what is learned, and from what, is for its kinds to say."""

    command: str
    """As the run's folder has it."""
    may_change: frozenset[str] = frozenset()
    """Settings with which a run may go on otherwise than it began."""
    draws = False
    """Whether its steps need what the policy says."""
    cfg: TrainConfig
    run: RunFolder
    trainer: Trainer
    sampler: PolicySampler

    def __init__(
        self, build_dir: Path, model: str, cfg: TrainConfig, answers: SamplingConfig, room: int = 0
    ) -> None:
        """Raises DatasetError or SetupError, before weights are loaded, where things do not fit together.

        A row must leave `room` tokens of the context. `answers` is how test questions are answered.
        """
        check_trackers(cfg.trackers)
        self.model, self.path, self.cfg, self.answers = model, model_path(model), cfg, answers
        self.shards = open_shards(build_dir, cfg.shards)
        self.processor = load_processor(self.path, cfg.prompt.image_settings)
        check_kernels(self.path, cfg.lora, cfg.attention)
        self.frames = self._check(self.shards, room)
        self.test: list[Example] = []
        if cfg.test_rows:
            held_out = open_shards(build_dir, ShardsConfig(subset="rl", split="test"))
            self._check(held_out, answers.max_tokens)
            self.test = list(islice(stream_in_order(held_out), cfg.test_rows))

    def _check(self, shards: Shards, room: int) -> FrameContract:
        frames = frame_contract(self.processor, frame_sizes(shards), self.cfg.allow_resize)
        rows = rows_without_images(shards)
        check_length(self.processor, self.path, rows, self.cfg.prompt, frames, room)
        return frames

    def settled(self, processes: int) -> TrainConfig:  # noqa: ARG002  # some share rows out
        """The settings, with what follows from the data."""
        return self.cfg

    def setup(self, processes: int) -> Mapping[str, Any]:  # noqa: ARG002  # some count them
        """What the run's folder says beside data, model and settings."""
        return {}

    def make_trainer(self, accelerator: Accelerator, network: Any) -> Trainer:
        """Who steps, and keeps in a checkpoint what is needed to go on."""
        raise NotImplementedError

    def make_sampler(self, policy: Any, opened: ExitStack) -> PolicySampler:  # noqa: ARG002  # a server's
        """Who draws what the policy says: by default itself."""
        return LocalSampler(policy, self.processor, self.cfg.prompt)

    def steps(self, done: int) -> Iterator[tuple[Mapping[str, float], int]]:
        """Figures and tokens of one step after another, from the one after `done` on."""
        raise NotImplementedError

    def train(self, out: Path, watch: Watch | None, tell: Tell) -> TrainSummary:
        """Train into `out`. A run that is finished is left as it is; a killed one goes on.

        `watch` is called where a checkpoint is due, and at the end; `tell` gets a line every few seconds.
        """
        accelerator = Accelerator(
            mixed_precision=self.cfg.precision,
            kwargs_handlers=[SOME_UNUSED],
            log_with=list(self.cfg.trackers) or None,
            project_config=ProjectConfiguration(logging_dir=str(out / "tensorboard")),
        )
        cfg = self.cfg = self.settled(accelerator.num_processes)
        is_shared_out = accelerator.distributed_type in (DistributedType.FSDP, DistributedType.DEEPSPEED)
        if (self.draws or self.test) and is_shared_out and not accelerator.is_fsdp2:
            raise SetupError(
                "rollouts and answers to test_rows are drawn with all weights in each process; FSDP2 and "
                "DDP can have them there: choose --sharing fsdp or ddp"
            )
        if is_shared_out and cfg.lora is not None and cfg.lora.base != "float32":
            raise SetupError(
                f"lora.base: weights in {cfg.lora.base} are whole in each process; choose --sharing ddp, or "
                "float32"
            )
        setup = {
            "command": self.command,
            "model": self.model,
            "dataset_sha256": self.shards.dataset_sha256,
            "policy": self.shards.policy,
            "frames": self.frames._asdict(),
            **self.setup(accelerator.num_processes),
            "config": cfg.model_dump(mode="json"),
        }
        free = {f"config.{name}" for name in {*self.may_change, *MAY_CHANGE}}
        run = RunFolder(out, setup, accelerator.is_main_process, tell, free)
        with ExitStack() as opened:
            if finished := TrainSummary.of(run):
                return finished
            opened.enter_context(run.alone())
            set_seed(cfg.seed)
            network = load_network(self.path, cfg.lora, cfg.gradient_checkpointing, cfg.attention)
            self.run, self.trainer = run, self.make_trainer(accelerator, network)
            done = self.trainer.resume(run)
            opened.enter_context(tracking(accelerator, run.folder, setup, done))
            policy = accelerator.unwrap_model(self.trainer.network)
            self.sampler = self.make_sampler(policy, opened)
            began, tokens, loss = time.perf_counter(), 0, math.nan
            for step, (taught, more) in zip(range(done + 1, cfg.steps + 1), self.steps(done), strict=False):
                is_last = step == cfg.steps
                is_due = is_last or step % cfg.checkpoint_every_steps == 0
                tested = self._answer_test(step) if is_due and self.test else {}
                tokens, loss = tokens + more, taught.get("loss", loss)
                spent = time.perf_counter() - began
                if step % cfg.log_every_steps == 0 or is_last or tested:
                    spent_on = {"tokens_per_s": tokens / spent, "seconds": spent, "memory_gb": memory_gb()}
                    figures = {**taught, **tested, **spent_on}
                    run.log(step, figures)
                    accelerator.log(figures, step)
                if is_due and not is_last:
                    self.trainer.checkpoint(run, step)
                if watch is not None and is_due:
                    watch(step, policy)
                self.trainer.network.train()
            spent = time.perf_counter() - began
            self.sampler.close()
            save_network(accelerator, self.trainer.network, self.processor, run, self.path)
            summary = TrainSummary(run.model, cfg.steps, loss, spent, tokens / max(spent, 1e-9))
            run.write_outcome({"state": "done", "processes": accelerator.num_processes, **summary._asdict()})
        return summary

    def _answer_test(self, version: int) -> dict[str, float]:
        """The share of the test questions that the policy gets strictly right in one greedy answer each."""
        processes, style = PartialState(), self.cfg.prompt.style
        mine = self.test[processes.process_index :: processes.num_processes]
        self.sampler.publish(version)
        said = self.sampler.sample([Ask(each) for each in mine], self.answers) if mine else []
        self.sampler.rest()
        rights = gather_object([right(*each, style) for each in zip(mine, said, strict=True)])
        return {"test/right": sum(rights) / len(rights)}


def right(example: Example, said: Said, style: str) -> float:
    """The strict score of an answer, as `evaluate` has it."""
    answer = read_answer(said.text, style).answer
    return strict_score(example.task, answer, example.answer, example.options, example.tolerance)
