"""Verifiable questions -> a policy that gets them right: GRPO on the model's own rollouts, from the shards.

Each step draws groups of rollouts, rewards them, drops groups that teach nothing, and takes one or more
optimizer steps on the rest. Logged apart: every reward component, dropped groups, and example rollouts.
"""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from itertools import islice
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import DistributedType, set_seed

from reelproof.training.curriculum import Curriculum
from reelproof.training.groups import components, example_row, teaches
from reelproof.training.learner import Learner
from reelproof.training.networks import load_frozen, load_network, save_network
from reelproof.training.preflight import SetupError, check_frames, check_length, load_processor
from reelproof.training.rewards import Verifier, check_rewards
from reelproof.training.rl_settings import RlConfig as RlConfig
from reelproof.training.runs import RunFolder, Tell, model_path
from reelproof.training.served import open_rollouts
from reelproof.training.sft import SOME_UNUSED, TrainSummary, Watch
from reelproof.training.shards import Example, open_shards, stream_in_order
from reelproof.training.trainer import Trainer

Serve = Callable[[RlConfig, str], AbstractContextManager[str]]
"""A run's settings and its model -> the address of a vLLM server that was started for it."""
_MAY_CHANGE = {"url", "key_variable", "handover", "patience_s"}
"""Where a server stands, and who pays, makes no other run."""


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
    path = model_path(model)
    shards = open_shards(build_dir, cfg.shards)
    processor = load_processor(path, cfg.prompt.image_settings)
    frames = check_frames(processor, shards, cfg.allow_resize)
    check_length(processor, path, shards, cfg.prompt, frames, room=cfg.sampling.max_tokens)
    curriculum = Curriculum.of(stream_in_order(shards), cfg.curriculum, cfg.seed)
    examples = curriculum.sample_examples(shards)
    check_rewards(cfg.rewards, examples, verifier)
    held_out = _first_rows(build_dir, cfg)
    if cfg.temporal is not None and all(len(example.images) < 2 for example in examples):
        raise SetupError(
            "temporal contrasts ordered with shuffled frames, but these questions show one frame each; "
            "set it to null"
        )
    accelerator = Accelerator(mixed_precision=cfg.precision, kwargs_handlers=[SOME_UNUSED])
    if accelerator.distributed_type in (DistributedType.FSDP, DistributedType.DEEPSPEED):
        raise SetupError(
            "train rl draws with the whole model on each GPU: start it by --gpus, or under DDP; "
            "where memory is short, set lora"
        )
    setup = {
        "command": "train rl",
        "model": model,
        "dataset_sha256": shards.dataset_sha256,
        "policy": shards.policy,
        "frames": frames._asdict(),
        "config": cfg.model_dump(mode="json", exclude={"backend": _MAY_CHANGE}),
    }
    with RunFolder(out, setup, accelerator.is_main_process, tell) as run, ExitStack() as opened:
        if finished := TrainSummary.of(run):
            return finished
        set_seed(cfg.seed)
        network = load_network(path, cfg.lora, cfg.gradient_checkpointing)
        reference = load_frozen(path, accelerator.device) if cfg.grpo.kl else None
        trainer = Trainer(accelerator, network, cfg.optimizer, cfg.steps * cfg.updates)
        trainer.kept.append(curriculum)
        first = trainer.resume(run)
        policy = accelerator.unwrap_model(trainer.network)
        backend = cfg.backend
        if serve is not None and backend.kind == "vllm" and accelerator.is_main_process:
            backend = backend.model_copy(update={"url": opened.enter_context(serve(cfg, model))})
        sampler = open_rollouts(policy, processor, cfg.prompt, backend, out / "served")
        learner = Learner(cfg, trainer, sampler, reference, verifier)
        began, loss, tokens = time.perf_counter(), math.nan, 0
        for step in range(first + 1, cfg.steps + 1):
            is_saved = step % cfg.checkpoint_every_steps == 0
            learner.publish(step - 1)
            groups = learner.collect(curriculum, shards, step)
            curriculum.refresh(groups)
            kept = [group for group in groups if teaches(group)]
            if cfg.backend.ahead and not is_saved and step < cfg.steps:
                learner.go_ahead(curriculum, shards, step + 1)
            sampler.rest()
            report = learner.learn(kept) if kept else {}
            report |= learner.test(held_out if is_saved or step == cfg.steps else (), step)
            loss = report.get("loss", loss)
            tokens += sum(said.tokens for group in groups for said in group.said)
            spent = time.perf_counter() - began
            oldest = min(said.version for group in groups for said in group.said)
            counts = {"groups": len(groups), "groups_without_variance": len(groups) - len(kept)}
            counts["rollouts/versions_behind"] = step - 1 - oldest
            run.log(step, {**report, **components(groups), **counts, "seconds": spent})
            if step % cfg.examples_every_steps == 0 or step == 1:
                run.append("rollouts.jsonl", [example_row(step, group) for group in groups[:4]])
            if is_saved and step < cfg.steps:
                trainer.checkpoint(run, step)
            if watch is not None and (is_saved or step == cfg.steps):
                watch(step, policy)
        spent = time.perf_counter() - began
        sampler.close()
        save_network(accelerator, trainer.network, processor, run, model_path(model))
        summary = TrainSummary(run.model, cfg.steps, loss, spent, tokens / max(spent, 1e-9))
        run.write_outcome({"state": "done", "processes": accelerator.num_processes, **summary._asdict()})
    return summary


def _first_rows(build_dir: Path, cfg: RlConfig) -> list[Example]:
    """Of the test split, those that a run is measured on."""
    if not cfg.test_rows:
        return []
    shards = open_shards(build_dir, cfg.shards.model_copy(update={"split": "test"}))
    return list(islice(stream_in_order(shards), cfg.test_rows))
