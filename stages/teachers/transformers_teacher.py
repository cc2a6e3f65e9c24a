"""Requests -> completions by a model in this process: any image-text-to-text model that transformers loads.

For small models and machines without a server. Each request is drawn with random numbers of its own, so the
batch that it happens to be in decides nothing but the last bits of the arithmetic.
"""

import hashlib
import io
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

import torch
from huggingface_hub import constants
from PIL import Image
from safetensors import SafetensorError
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
)

from reelproof.schemas.chat import ChatRequest, Completion, Message, Sampling, TextPart
from reelproof.schemas.hub import go_offline_without_hub
from reelproof.stages.teachers.protocol import TeacherUnavailable, TransformersTeacherConfig


class TransformersTeacher:
    """The model is loaded with the first request, once a process; a JSON schema is not enforced."""

    def __init__(self, cfg: TransformersTeacherConfig, identity: str) -> None:
        """`identity` is `name@revision`, as requests name it."""
        self.model = identity
        self._cfg = cfg

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        """Batches of at most `cfg.batch`, of requests that are drawn alike; a batch's completions together.

        A prompt for which the model's context is too short is a completion with an error. Raises
        TeacherUnavailable where the model cannot be loaded, KeyError for a frame that is missing.
        """
        if not requests:
            return
        loaded = _load(self._cfg, self.model)
        for batch in _batches(requests, self._cfg.batch):
            with loaded.lock:
                completions = _answer_batch(loaded, batch, frames, self.model)
            yield from completions


_PROCESSORS: Any = AutoProcessor
_MODELS: Any = AutoModelForImageTextToText
_GENERATION: Any = GenerationConfig  # transformers' own annotations of the three do not hold


class _Loaded(NamedTuple):
    model: Any
    processor: Any
    context_tokens: int
    lock: threading.Lock
    """One batch at a time: two would not be faster."""


_LOADING = threading.Lock()


def _load(cfg: TransformersTeacherConfig, identity: str) -> _Loaded:
    """Threads that begin together get one and the same: a cache alone would let each load a copy."""
    with _LOADING:
        return _loaded(cfg, identity)


@lru_cache(maxsize=2)
def _loaded(cfg: TransformersTeacherConfig, identity: str) -> _Loaded:
    place = cfg.device
    if place == "auto":
        place = "cuda" if torch.cuda.is_available() else "cpu"
    pinned = {} if cfg.revision is None else {"revision": cfg.revision}
    go_offline_without_hub(cfg.model, constants)
    try:
        processor = _PROCESSORS.from_pretrained(cfg.model, **pinned)
        model = _MODELS.from_pretrained(cfg.model, dtype=cfg.dtype, **pinned).to(place).eval()
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        raise TeacherUnavailable(
            f"teacher {identity}: transformers cannot load it onto {place}: {' '.join(str(error).split())}; "
            "expected a folder or a Hub name of an image-text-to-text model"
        ) from error
    processor.tokenizer.padding_side = "left"
    context_tokens = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 1 << 30
    return _Loaded(model, processor, context_tokens, threading.Lock())


def _batches(requests: Sequence[ChatRequest], size: int) -> Iterator[list[ChatRequest]]:
    """Requests drawn alike lie in one batch, in the order in which they came."""
    alike: dict[tuple[bool, Sampling], list[ChatRequest]] = {}
    for request in requests:
        drawn = request.sampling.model_copy(update={"seed": 0, "json_schema": None})
        alike.setdefault((bool(request.images), drawn), []).append(request)
    for same in alike.values():
        for start in range(0, len(same), size):
            yield same[start : start + size]


def _answer_batch(
    loaded: _Loaded, batch: Sequence[ChatRequest], frames: Mapping[str, bytes], identity: str
) -> list[Completion]:
    sampling = batch[0].sampling
    inputs = _inputs(loaded, batch, frames)
    prompt_tokens = inputs["attention_mask"].sum(dim=1).tolist()
    too_long = [tokens + sampling.max_tokens > loaded.context_tokens for tokens in prompt_tokens]
    if any(too_long):
        fitting = [request for request, long in zip(batch, too_long, strict=True) if not long]
        failures = [
            _too_long(request, tokens, loaded.context_tokens, identity)
            for request, tokens, long in zip(batch, prompt_tokens, too_long, strict=True)
            if long
        ]
        return failures + (_answer_batch(loaded, fitting, frames, identity) if fitting else [])
    started_s = time.monotonic()
    draws = _Draws([_random(request) for request in batch], sampling)
    ending = loaded.model.generation_config.eos_token_id
    endings = {ending} if isinstance(ending, int) else set(ending or ())
    with torch.inference_mode():
        output = loaded.model.generate(
            **inputs.to(loaded.model.device),
            generation_config=_plain_generation(loaded, sampling),
            logits_processor=LogitsProcessorList([draws]),
        )
    answers = output[:, inputs["input_ids"].shape[1] :].tolist()
    latency_s = time.monotonic() - started_s
    return [
        _completion(
            loaded,
            request,
            _until_end(answer, endings),
            tokens,
            draws.log_probabilities[row],
            latency_s,
            identity,
        )
        for row, (request, answer, tokens) in enumerate(zip(batch, answers, prompt_tokens, strict=True))
    ]


def _inputs(loaded: _Loaded, batch: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Any:
    turns = [[_turn(message) for message in request.messages] for request in batch]
    prompts = loaded.processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    images = [[_decoded(frames[sha256]) for sha256 in request.images] for request in batch]
    shown = {"images": images} if images[0] else {}
    return loaded.processor(text=prompts, **shown, padding=True, return_tensors="pt")


def _turn(message: Message) -> dict[str, Any]:
    parts = [
        {"type": "text", "text": part.text} if isinstance(part, TextPart) else {"type": "image"}
        for part in message.content
    ]
    return {"role": message.role, "content": parts}


def _decoded(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg)).convert("RGB")


def _plain_generation(loaded: _Loaded, sampling: Sampling) -> Any:
    """The token is chosen by `_Draws` alone, whatever else the model's own settings say."""
    own = loaded.model.generation_config
    return _GENERATION(
        max_new_tokens=sampling.max_tokens,
        do_sample=False,
        eos_token_id=own.eos_token_id,
        pad_token_id=own.pad_token_id if own.pad_token_id is not None else own.eos_token_id,
    )


class _Draws(LogitsProcessor):  # type: ignore[misc, unused-ignore]
    """Leaves one token a row: the likeliest, or one of the nucleus by the row's own random number."""

    def __init__(self, randoms: Sequence[Random], sampling: Sampling) -> None:
        self.log_probabilities: list[list[float]] = [[] for _ in randoms]
        self._randoms = randoms
        self._sampling = sampling

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 - its form
        """(rows, vocabulary) logits -> the same shape, 0 for the chosen token and -inf for all others."""
        chosen = choose_tokens(
            scores.float(),
            self._sampling.temperature,
            self._sampling.top_p,
            [each.random() for each in self._randoms],
        )
        likely = torch.log_softmax(scores.float(), dim=-1).gather(1, chosen[:, None])[:, 0]
        for row, value in enumerate(likely.tolist()):
            self.log_probabilities[row].append(value)
        return torch.full_like(scores, -torch.inf).scatter_(1, chosen[:, None], 0.0)


def choose_tokens(
    logits: torch.Tensor, temperature: float, top_p: float, uniforms: Sequence[float]
) -> torch.Tensor:
    """(rows, vocabulary) logits and a number in [0, 1) a row -> (rows,) token ids, by inversion.

    Temperature 0 takes the likeliest. Else the nucleus is the fewest likeliest tokens whose probability
    reaches `top_p`. Source: arXiv 1904.09751, section 3.1.
    """
    if temperature == 0:
        return logits.argmax(dim=-1)
    probabilities, tokens = torch.softmax(logits / temperature, dim=-1).sort(
        dim=-1, descending=True, stable=True
    )
    reached = probabilities.double().cumsum(dim=-1)
    nucleus = ((reached - probabilities) < top_p).sum(dim=-1, keepdim=True)  # tokens of it, at least one
    mass = reached.gather(1, nucleus - 1)
    wanted = torch.tensor(uniforms, dtype=torch.float64, device=logits.device)[:, None] * mass
    place = torch.searchsorted(reached, wanted, right=True).minimum(nucleus - 1)
    return tokens.gather(1, place)[:, 0]


def _random(request: ChatRequest) -> Random:
    """Of its content, seed and sample index, and of nothing else."""
    return Random(int.from_bytes(hashlib.sha256(request.request_id.encode()).digest()[:8]))  # noqa: S311


def _until_end(answer: Sequence[int], endings: set[int]) -> tuple[list[int], bool]:
    """The tokens up to and with the one that ends it, and whether there is one."""
    for index, token in enumerate(answer):
        if token in endings:
            return list(answer[: index + 1]), True
    return list(answer), False


def _completion(
    loaded: _Loaded,
    request: ChatRequest,
    answer: tuple[list[int], bool],
    prompt_tokens: int,
    log_probabilities: Sequence[float],
    latency_s: float,
    identity: str,
) -> Completion:
    tokens, ended = answer
    likely = log_probabilities[: len(tokens)]
    return Completion(
        request_id=request.request_id,
        model=identity,
        text=loaded.processor.tokenizer.decode(tokens, skip_special_tokens=True),
        finish_reason="stop" if ended else "length",
        prompt_tokens=prompt_tokens,
        completion_tokens=len(tokens),
        latency_s=latency_s,
        mean_logprob=sum(likely) / len(likely) if request.sampling.logprobs and likely else None,
    )


def _too_long(request: ChatRequest, prompt_tokens: int, context_tokens: int, identity: str) -> Completion:
    return Completion(
        request_id=request.request_id,
        model=identity,
        text="",
        finish_reason="error",
        error=f"a prompt of {prompt_tokens} tokens and {request.sampling.max_tokens} for the answer are more "
        f"than the context of {context_tokens}",
    )
