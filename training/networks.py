"""A model's folder -> a network to train, and the network -> a folder that the Auto classes load."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import is_bnb_available, patch_environment
from peft import LoraConfig, PeftModel, get_peft_model
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import FSDPModule
from transformers import AutoConfig, AutoModelForImageTextToText, BitsAndBytesConfig
from transformers.integrations.deepspeed import unset_hf_deepspeed_config
from transformers.modeling_layers import GradientCheckpointingLayer

from reelproof.schemas.install import installing
from reelproof.training.preflight import SetupError, loading, save_processor
from reelproof.training.runs import RunFolder
from reelproof.training.settings.runs import LoraSettings

KEEPS_CACHE = "_can_checkpoint_with_cache"


def check_kernels(model: str, lora: LoraSettings | None, attention: str | None) -> None:
    """Raise SetupError for weights and attention in ways that are not to be had; no weights are loaded."""
    if lora is not None and lora.base == "4bit" and not is_bnb_available():
        raise SetupError(f"lora.base: 4bit needs bitsandbytes: {installing('qlora')}; or set it to bf16")
    if attention is not None:
        config = AutoConfig.from_pretrained(model)
        try:
            kind: Any = AutoModelForImageTextToText
            with torch.device("meta"):
                kind.from_config(config, attn_implementation=attention)
        except (ImportError, ValueError) as error:
            said = " ".join(str(error).split())
            raise SetupError(f"attention: {attention} cannot be used ({said}); leave it out") from None


def load_network(
    model: str, lora: LoraSettings | None, gradient_checkpointing: bool, attention: str | None = None
) -> Any:
    """The weights, float32 where they are trained."""
    base = lora.base if lora is not None else "float32"
    given: dict[str, Any] = {
        "dtype": torch.float32 if base == "float32" else torch.bfloat16,
        "attn_implementation": attention,
    }
    if base == "4bit":
        given["quantization_config"] = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
        given["device_map"] = PartialState().device
    with loading(model):
        network: Any = AutoModelForImageTextToText.from_pretrained(model, **given)
    if lora is not None:
        modules = lora.target_modules if isinstance(lora.target_modules, str) else list(lora.target_modules)
        network = get_peft_model(
            network, LoraConfig(r=lora.rank, lora_alpha=lora.alpha, target_modules=modules)
        )
    if gradient_checkpointing:
        checkpoint_layers(network)
    return network.train()


def layer_kinds(network: Any) -> list[str]:
    """Names of the classes whose modules are a network's repeated layers."""
    return sorted({type(each).__name__ for each in network.modules() if is_layer(each)})


def is_layer(module: Any) -> bool:
    """Whether it is one of a network's repeated layers."""
    return isinstance(module, GradientCheckpointingLayer)


def checkpoint_layers(network: Any) -> None:
    """Have activations computed again on the way back. A layer keeps its cache: ours does not change then."""
    how = {"use_reentrant": False}
    if hasattr(network, "activation_checkpointing_enable"):  # what newer versions call it
        network.activation_checkpointing_enable(activation_checkpointing_kwargs=how)
    else:
        network.gradient_checkpointing_enable(gradient_checkpointing_kwargs=how)
    for layer in network.modules():
        if is_layer(layer):
            setattr(layer, KEEPS_CACHE, True)


class Start:
    """What a policy was at the start and is held near to: without its additions, or else a frozen copy."""

    def __init__(self, accelerator: Accelerator, policy: Any, model: str) -> None:
        """`policy` is prepared, or not yet; `model` is the folder of the weights that it began with."""
        self._accelerator, self._policy = accelerator, accelerator.unwrap_model(policy)
        has_additions = isinstance(self._policy, PeftModel)
        self._copy = None if has_additions else load_frozen(model, accelerator.device)

    @contextmanager
    def network(self) -> Iterator[Any]:
        """Within, it can be asked; nothing is learned from that."""
        with torch.no_grad(), self._accelerator.autocast():  # it is not prepared
            if self._copy is not None:
                yield self._copy
                return
            was_training = self._policy.training
            with self._policy.eval().disable_adapter():
                yield self._policy
            self._policy.train(was_training)


def load_frozen(model: str, device: torch.device) -> Any:
    """The weights in float32, whole and never to change."""
    with _whole(), loading(model):
        network: Any = AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32)
    return network.to(device).eval().requires_grad_(False)


@contextmanager
def _whole() -> Iterator[None]:
    """Within, a process loads all weights: FSDP would have the first one do so, DeepSpeed share them out."""
    plugin = AcceleratorState().deepspeed_plugin
    unset_hf_deepspeed_config()  # type: ignore[no-untyped-call]  # transformers' is untyped
    try:
        with patch_environment(fsdp_cpu_ram_efficient_loading="false"):
            yield
    finally:
        if plugin is not None:
            plugin.set_deepspeed_weakref()


@torch.no_grad()
def gather_weights(network: Any, gathered: bool) -> None:
    """Give each process all weights where they are shared out (FSDP2), or its share again. Call it in all.

    In between, processes go through the network each for itself, as often as they like; gradients, optimizer
    and checkpoints know of shares alone.
    """
    parts = [each for each in network.modules() if isinstance(each, FSDPModule)]
    for part in parts:
        # After a forward pass of training layers are shares again; what is before and behind them is small.
        shares = AcceleratorState().fsdp_plugin.reshard_after_forward and is_layer(part)
        part.set_reshard_after_forward(shares and not gathered, recurse=False)
    if parts and gathered:
        # The first pass must be through the whole network: `generate` begins with its eyes.
        network.eval()(
            input_ids=torch.zeros((1, 1), dtype=torch.long, device=network.device), use_cache=False
        )
    for part in parts:
        if gathered:
            part.unshard()
        else:
            part.reshard()


def gathered_state(network: torch.nn.Module) -> dict[str, Any] | None:
    """All weights by name, in the main process, where they are shared out; else None. To be called in all."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    return get_model_state_dict(network, options=options) if isinstance(network, FSDPModule) else None


def save_network(accelerator: Accelerator, network: Any, processor: Any, run: RunFolder, start: str) -> None:
    """Write RUN/model whole, with its processor; of LoRA also the additions alone, in RUN/adapter.

    The weights may lie shared out over processes: additions are merged into those of `start`, read anew.
    """
    accelerator.wait_for_everyone()
    state = accelerator.get_state_dict(network)
    plain = accelerator.unwrap_model(network)
    if not accelerator.is_main_process:
        return
    if isinstance(plain, PeftModel):
        plain.save_pretrained(str(run.folder / "adapter"), state_dict=state)
        base = load_frozen(start, torch.device("cpu"))
        plain, state = PeftModel.from_pretrained(base, run.folder / "adapter").merge_and_unload(), None
    plain.save_pretrained(run.model, state_dict=state)
    save_processor(processor, run.model)


def takes(network: Any, argument: str) -> bool:
    """Whether the model's forward has this argument, inside the wrappers of accelerate and peft."""
    return argument in inspect.signature(type(bare(network)).forward).parameters


def bare(network: Any) -> Any:
    """The model itself, inside the wrappers of accelerate and peft."""
    inner = getattr(network, "module", network)
    return inner.get_base_model() if isinstance(inner, PeftModel) else inner


def shares_prompts(network: Any) -> bool:
    """Whether completions can go on from one pass over their prompt: what was read is keys and values alone.

    Where layers are computed again on the way back, they must leave that to the cache (transformers ≥ 5.20).
    """
    # In this order: versions that leave it to the cache call the property deprecated.
    kept = hasattr(GradientCheckpointingLayer, KEEPS_CACHE) or not bare(network).is_gradient_checkpointing
    return kept and attends(network)


def attends(network: Any) -> bool:
    """Whether all layers over the text are attention to what was read, and carry no state of other kinds."""
    kinds = getattr(bare(network).config.get_text_config(), "layer_types", None) or ["attention"]
    return all("attention" in kind and "linear" not in kind for kind in kinds)
