"""A model's folder -> a network to train, and the network -> a folder that the Auto classes load."""

import inspect
from typing import Any

import torch
from accelerate import Accelerator
from peft import LoraConfig, PeftModel, get_peft_model
from pydantic import Field
from transformers import AutoModelForImageTextToText

from reelproof.schemas.settings import Settings
from reelproof.training.batches import Batch
from reelproof.training.runs import RunFolder


class LoraSettings(Settings):
    """Train low-rank additions instead of all weights (arXiv 2106.09685)."""

    rank: int = Field(default=16, ge=1, le=1024)
    """The additions have this rank."""
    alpha: int = Field(default=32, ge=1)
    """The additions are scaled by this over their rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """This share of what goes into the additions is dropped while training."""
    target_modules: str | tuple[str, ...] = "all-linear"
    """These layers have additions, as PEFT names them; `all-linear` is every linear one."""


def load_network(model: str, lora: LoraSettings | None, gradient_checkpointing: bool) -> Any:
    """The weights in float32, ready to train."""
    network: Any = AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32)
    if lora is not None:
        modules = lora.target_modules
        network = get_peft_model(
            network,
            LoraConfig(
                r=lora.rank,
                lora_alpha=lora.alpha,
                lora_dropout=lora.dropout,
                target_modules=modules if isinstance(modules, str) else list(modules),
            ),
        )
    if gradient_checkpointing:
        network.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        network.config.use_cache = False
    return network.train()


def load_frozen(model: str, device: torch.device) -> Any:
    """The weights in float32, never to change: what a policy is held near to."""
    network: Any = AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32)
    return network.to(device).eval().requires_grad_(False)


def save_network(accelerator: Accelerator, network: Any, processor: Any, run: RunFolder) -> None:
    """Write RUN/model whole, with its processor; of LoRA also the additions alone, in RUN/adapter."""
    accelerator.wait_for_everyone()
    state = accelerator.get_state_dict(network)
    plain = accelerator.unwrap_model(network)
    if not accelerator.is_main_process:
        return
    if isinstance(plain, PeftModel):
        plain.save_pretrained(str(run.folder / "adapter"), state_dict=state)
        plain, state = plain.merge_and_unload(), None
    plain.config.use_cache = True
    plain.save_pretrained(run.model, state_dict=state)
    processor.save_pretrained(run.model)


def takes(network: Any, argument: str) -> bool:
    """Whether the model's forward has this argument, inside the wrappers of accelerate and peft."""
    inner = getattr(network, "module", network)
    inner = inner.get_base_model() if isinstance(inner, PeftModel) else inner
    return argument in inspect.signature(inner.forward).parameters


def logits_needed(network: Any, batch: Batch) -> dict[str, int]:
    """Ask the model for the last places only: those of prompts and images feed no loss, and cost the most."""
    if not takes(network, "logits_to_keep"):
        return {}
    first = int(batch.counted.int().argmax(dim=1).min())
    return {"logits_to_keep": batch.counted.shape[1] - first + 1}
