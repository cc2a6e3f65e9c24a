"""Examples -> completions and their log-probabilities, from a model in this process."""

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText, LogitsProcessor

from reelproof.training.batches import Inputs, opened_thought, prompt_text, read_row, stack
from reelproof.training.heads import token_logprobs, without
from reelproof.training.logprobs import forbidden_tokens
from reelproof.training.networks import gather_weights, takes
from reelproof.training.preflight import SetupError, load_processor, loading
from reelproof.training.runs import model_path
from reelproof.training.settings.asking import SamplingConfig
from reelproof.training.settings.rows import PromptConfig
from reelproof.training.shards import Example


class Ask(NamedTuple):
    """One completion wanted."""

    example: Example
    tail: str = ""
    """The beginning of the completion, to go on from."""
    read: Inputs | None = None
    """The example as the model takes it, where that is there already."""


class Said(NamedTuple):
    """One completion; by default one where nothing was said."""

    text: str = ""
    """With the tail that it went on from, or the opening tag of the thought that the prompt ends with."""
    token_ids: tuple[int, ...] = ()
    """Of what was drawn; empty from a server."""
    tokens: int = 0
    """How many were drawn."""
    mean_logprob: float | None = None
    """Of the tokens drawn, at the temperature they were drawn at; null where the server gives none."""
    finished: bool = False
    """It ended by itself."""
    seconds: float = 0.0
    """Its share of its batch's time."""
    refused: str = ""
    """Why the server would not answer this one request, where it would not."""
    logprobs: tuple[float, ...] = ()
    """Of each token, as the server that drew a rollout tells it; empty from others."""
    prompt_ids: tuple[int, ...] = ()
    """The prompt as that server read it."""
    version: int = 0
    """So many steps of training made the weights that drew it."""


OF_ROLLOUTS = ("logprobs", "prompt_ids", "version")
"""Fields of `Said` that training alone looks at."""


class CutOff(SetupError):  # noqa: N818 - says what happened, as BuildFailed does
    """No more can be asked; some of the asks were answered before."""

    def __init__(self, message: str, said: Sequence[Said | None]) -> None:
        """`said` is in the order of the asks, with None for those that were not answered."""
        super().__init__(message)
        self.said = said


class Sampler(Protocol):
    """Whatever completes prompts."""

    def sample(self, asks: Sequence[Ask], cfg: SamplingConfig) -> list[Said]:
        """One completion for each ask, in order; asks that are alike are drawn apart."""
        ...


class LocalSampler:
    """A model in this process. Image and padding tokens are never drawn."""

    def __init__(self, network: Any, processor: Any, prompt: PromptConfig) -> None:
        self.network, self.processor, self.prompt = network, processor, prompt
        self.version = 0

    def publish(self, version: int) -> None:
        """The weights, which are the trainer's own, are now of this version, and all here."""
        self.version = version
        gather_weights(self.network, gathered=True)

    def rest(self) -> None:
        """Nothing is kept that training needs."""
        gather_weights(self.network, gathered=False)

    close = rest

    @classmethod
    def load(cls, model: str, prompt: PromptConfig, processor: Any = None) -> "LocalSampler":
        """From a model's folder or name, or a run that trained one; on the GPU where there is one."""
        path = model_path(model)
        processor = processor or load_processor(path, prompt.image_settings)
        with loading(path):
            network: Any = AutoModelForImageTextToText.from_pretrained(path)
        return cls(network.to("cuda" if torch.cuda.is_available() else "cpu").eval(), processor, prompt)

    @torch.no_grad()
    def sample(self, asks: Sequence[Ask], cfg: SamplingConfig) -> list[Said]:
        """Draw in batches; `cfg.seed` and the order of the asks decide what is drawn."""
        said: list[Said] = []
        self.network.eval()
        with torch.random.fork_rng(devices=list(range(torch.cuda.device_count()))):
            torch.manual_seed(cfg.seed)
            for lot, copies in self._lots(asks, cfg):
                said += self._draw(lot, copies, cfg)
        return said

    def _lots(self, asks: Sequence[Ask], cfg: SamplingConfig) -> Iterator[tuple[Sequence[Ask], int]]:
        """What is drawn at a time: unlike asks, each so often.

        Neighbours that are alike share their prompt, where the model expands pictures with their row.
        """
        counts = {len(list(same)) for _, same in itertools.groupby(asks)}
        copies = min(counts, default=1)
        is_even = len(counts) == 1 and copies <= cfg.batch_rows and cfg.temperature
        if not is_even or not takes(self.network, "mm_encoder_outputs"):
            copies = 1
        distinct, rows = asks[::copies], cfg.batch_rows // copies
        for first in range(0, len(distinct), rows):
            yield distinct[first : first + rows], copies

    def _draw(self, asks: Sequence[Ask], copies: int, cfg: SamplingConfig) -> Iterator[Said]:
        began = time.perf_counter()
        rows = [ask.read or read_row(self.processor, ask.example, self.prompt, ask.tail) for ask in asks]
        pad = self.processor.tokenizer.pad_token_id
        prompts = {name: each.to(self.network.device) for name, each in stack(rows, pad, "left").items()}
        drawing = (
            {"do_sample": True, "temperature": cfg.temperature, "top_p": cfg.top_p, "top_k": 0}
            if cfg.temperature
            else {"do_sample": False}
        )
        chances = _Chances(forbidden_tokens(self.processor), cfg.temperature or 1.0)
        out = self.network.generate(
            **prompts,
            **drawing,
            synced_gpus=False,  # the weights are all here
            repetition_penalty=1.0,  # a model's own would draw from what is not trained
            num_return_sequences=copies,
            max_new_tokens=cfg.max_tokens,
            suppress_tokens=forbidden_tokens(self.processor),
            pad_token_id=pad,
            logits_processor=[chances],
        )
        drawn = out[:, prompts["input_ids"].shape[1] :]
        share = (time.perf_counter() - began) / len(drawn)
        ends = self.network.generation_config.eos_token_id
        ends = {ends} if isinstance(ends, int) else {*(ends or ())}
        told = [
            ask.tail or opened_thought(prompt_text(self.processor, ask.example, self.prompt)) for ask in asks
        ]
        for place, (ids, logprobs) in enumerate(zip(drawn.tolist(), chances.of(drawn), strict=True)):
            length = next((end + 1 for end, each in enumerate(ids) if each in ends), len(ids))
            text = self.processor.tokenizer.decode(ids[:length], skip_special_tokens=True)
            finished = ids[length - 1] in ends
            mean = sum(logprobs[:length]) / length
            whole = told[place // copies] + text
            yield Said(whole, tuple(ids[:length]), length, mean, finished, share, version=self.version)


class _Chances(LogitsProcessor):
    """Looks on as tokens are drawn and notes the log-probability of each: one step's logits at a time."""

    def __init__(self, forbidden: Sequence[int], temperature: float) -> None:
        self._forbidden, self._temperature = forbidden, temperature
        self._last: Tensor | None = None
        self._noted: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Before temperature and nucleus cut the scores, and once the step before has been drawn."""
        self._note(input_ids[:, -1])
        self._last = without(scores, self._forbidden) / self._temperature
        return scores

    def of(self, drawn: Tensor) -> list[list[float]]:
        """Of each token of (N, T)."""
        self._note(drawn[:, -1])
        noted: list[list[float]] = torch.stack(self._noted, dim=1).tolist()
        return noted

    def _note(self, ids: Tensor) -> None:
        if self._last is not None:
            self._noted.append(token_logprobs(self._last, ids))
            self._last = None


def not_all_refused(said: list[Said]) -> list[Said]:
    """The same. Raises SetupError where a server would answer none."""
    if said and all(each.refused for each in said):
        raise SetupError(f"the server refuses every request: {said[0].refused}")
    return said
