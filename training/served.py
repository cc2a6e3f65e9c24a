"""A policy in training -> rollouts from a vLLM server, which is handed each version of the weights.

Additions (LoRA) go to it as one adapter a version, whole weights are read again in place; either lies in a
folder that trainer and server see. What it draws comes back as token ids with their log-probabilities.
"""

import copy
import itertools
import json
import shutil
import threading
import time
import uuid
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from openai import APIConnectionError, APIStatusError
from peft import PeftModel
from transformers.utils.logging import disable_progress_bar

from reelproof.schemas.openai_reply import choices_in, token_ids_in
from reelproof.training.batches import opened_thought, prompt_text
from reelproof.training.logprobs import forbidden_tokens
from reelproof.training.networks import gathered_state
from reelproof.training.preflight import SetupError
from reelproof.training.sampling import Ask, LocalSampler, Said
from reelproof.training.server import Server
from reelproof.training.settings.asking import SamplingConfig
from reelproof.training.settings.rl import RolloutConfig
from reelproof.training.settings.rows import PromptConfig

LOOK_EVERY_S = 1.0
"""At a server that went away."""
TRIES = 3
"""So often one request is sent to a server that goes away and comes back."""
_NEVER = -100
"""What is added to the logit of a token that must not be drawn."""
_STARTED = (
    "start it with `VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 vllm serve MODEL --enable-lora --max-lora-rank RANK "
    "--enable-tower-connector-lora --logprobs-mode processed_logprobs`"
)
_STARTED_WHOLE = "start it with `VLLM_SERVER_DEV_MODE=1 vllm serve MODEL --logprobs-mode processed_logprobs`"


class ServedSampler:
    """A vLLM server that draws with what `network` was when it was published last."""

    def __init__(
        self, network: Any, processor: Any, prompt: PromptConfig, backend: RolloutConfig, folder: Path
    ) -> None:
        """`backend.url` counts as the main process has it. Raises SetupError for one that does not answer."""
        self.network, self.processor, self.prompt = network, processor, prompt
        self.version = 0
        shared = [uuid.uuid4().hex[:8], backend.url]  # of two runs, versions of one number are not the same
        broadcast_object_list(shared)
        self._run, url = shared
        self._name = ""
        self._sleeps = backend.sleeps  # a run that was killed may have left it so
        self._backend, self._folder = backend.model_copy(update={"url": url}), folder.expanduser().absolute()
        self._server = Server(self._backend, prompt)
        self._base = next(iter(self._server.models()), "")  # before adapters, it lists the model itself
        self._is_adapter = isinstance(network, PeftModel)
        disable_progress_bar()  # type: ignore[no-untyped-call]  # weights are written at each step
        self._words = copy.deepcopy(processor.tokenizer)  # the trainer's pads in another thread meanwhile
        self._coming_back = threading.Lock()
        if PartialState().is_main_process:
            for left in self._folder.glob("policy-*"):  # by a run that was killed
                shutil.rmtree(left)

    def publish(self, version: int) -> None:
        """Hand the weights over as they are now, where they are of another version, and wake the server.

        Raises SetupError where it cannot take them.
        """
        processes = PartialState()
        processes.wait_for_everyone()
        before, self._name = self._name, f"policy-{self._run}-{version:06d}"
        self.version = version
        state = gathered_state(self.network) if self._name != before else None
        if processes.is_main_process:
            self._wake()
            if self._name != before:
                self.network.save_pretrained(self._folder / self._name, state_dict=state)
                self._hand_over()
                if before:
                    self._forget(before)
        processes.wait_for_everyone()

    def rest(self) -> None:
        """A server that shares a GPU gives its memory back."""
        if self._backend.sleeps:
            PartialState().wait_for_everyone()
            if PartialState().is_main_process:
                self._post("sleep?level=1", {})
                self._sleeps = True

    def close(self) -> None:
        """Take away what was handed over."""
        if PartialState().is_main_process and self._name:
            self._wake()
            self._forget(self._name)

    def _wake(self) -> None:
        if self._sleeps:
            self._post("wake_up", {})
        self._sleeps = False

    def sample(self, asks: Sequence[Ask], cfg: SamplingConfig) -> list[Said]:
        """One request for neighbours that are alike; `cfg.batch_rows` completions in flight.

        Draws follow from `cfg.seed` and the row, as far as the server's arithmetic does. Raises SetupError
        where the server refuses, or is gone for too long.
        """
        runs = [(ask, len(list(same))) for ask, same in itertools.groupby(asks)]
        at_once = max(1, cfg.batch_rows // max(count for _, count in runs))
        with ThreadPoolExecutor(at_once) as pool:
            found = list(pool.map(lambda run: self._draw(run[0], run[1], cfg), runs))
        if not self._is_there():  # it has begun anew meanwhile, with the weights of its start
            self._bring_back()
            return self.sample(asks, cfg)
        return list(itertools.chain.from_iterable(found))

    def _draw(self, ask: Ask, count: int, cfg: SamplingConfig, tries: int = TRIES) -> list[Said]:
        began = time.perf_counter()
        try:
            reply = self._ask(ask, count, cfg)
        except (APIConnectionError, APIStatusError) as error:
            status = getattr(error, "status_code", 500)
            is_away = status == 404 or status >= 500  # or it began anew without what it was handed
            if tries == 1 or not is_away:
                raise self._server.named(error) from None
            self._bring_back()
            return self._draw(ask, count, cfg, tries - 1)
        return self._read(reply, ask, count, time.perf_counter() - began)

    def _ask(self, ask: Ask, count: int, cfg: SamplingConfig) -> Any:
        images = vars(self.processor).get("images_kwargs")
        # A model's own generation settings would have the server draw from another distribution.
        own = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "return_token_ids": True}
        sent = {
            "n": count,
            "seed": zlib.crc32(f"{cfg.seed} {ask.example.sample_id}".encode()),
            "temperature": cfg.temperature,
            "top_p": cfg.top_p,
            "max_tokens": cfg.max_tokens,
            "logprobs": True,
            "logit_bias": {str(token): _NEVER for token in forbidden_tokens(self.processor)},
            "extra_body": own | ({"mm_processor_kwargs": images} if images else {}),
        }
        model = self._name if self._is_adapter else self._base
        return json.loads(self._server.chat(model, ask, sent))

    def _read(self, reply: Any, ask: Ask, count: int, seconds: float) -> list[Said]:
        try:
            choices = choices_in(reply, count)
        except ValueError as error:
            raise self._server.ended(f"what cannot be read: {error}") from None
        prompt_ids = token_ids_in(reply.get("prompt_token_ids"))
        complete = all(len(each.token_ids) == len(each.logprobs) > 0 for each in choices)
        if len(choices) != count or not prompt_ids or not complete:
            raise self._server.ended(
                f"{len(choices)} completions where {count} were asked for, or none with its token ids and "
                f"log-probabilities: rollouts are drawn by vLLM from 0.11 on; {_STARTED}"
            )
        opened = opened_thought(prompt_text(self.processor, ask.example, self.prompt))
        return [
            Said(
                text=opened + self._words.decode(each.token_ids, skip_special_tokens=True),
                token_ids=each.token_ids,
                tokens=len(each.token_ids),
                mean_logprob=each.mean_logprob,
                finished=each.finish_reason == "stop",
                seconds=seconds / count,
                logprobs=each.logprobs,
                prompt_ids=prompt_ids,
                version=self.version,
            )
            for each in choices
        ]

    def _hand_over(self) -> None:
        """Have the server take what lies in the folder."""
        path = str(self._folder / self._name)
        if self._is_adapter:
            self._post("v1/load_lora_adapter", {"lora_name": self._name, "lora_path": path})
            return
        self._post("pause?mode=wait", {})  # it also forgets what it keeps of prompts
        self._post("collective_rpc", {"method": "reload_weights", "kwargs": {"weights_path": path}})
        self._post("update_weight_version", {"new_version": self._name})
        self._post("resume", {})

    def _is_there(self) -> bool:
        """Whether the server answers, with this version."""
        try:
            if self._is_adapter:
                return self._name in self._server.models()
            held = json.loads(self._server.beside.get("weight_info", cast_to=bytes))
            return bool(held["weight_version"] == self._name)
        except (SetupError, APIConnectionError, APIStatusError):
            return False

    def _bring_back(self) -> None:
        """Wait for a server that went away, and hand it the weights again. Raises SetupError."""
        end_s = time.monotonic() + self._backend.patience_s
        with self._coming_back:
            while not self._is_there():
                try:
                    self._server.models()
                    self._hand_over()
                except SetupError:
                    if time.monotonic() > end_s:
                        raise
                    time.sleep(LOOK_EVERY_S)

    def _forget(self, name: str) -> None:
        if self._is_adapter:
            self._post("v1/unload_lora_adapter", {"lora_name": name})
        shutil.rmtree(self._folder / name, ignore_errors=True)

    def _post(self, path: str, body: dict[str, Any]) -> None:
        try:
            self._server.beside.post(path, body=body, cast_to=bytes)
        except (APIConnectionError, APIStatusError) as error:
            if getattr(error, "status_code", None) == 404:
                raise SetupError(
                    f"the server at {self._backend.url} takes no weights while it runs (it has no {path}); "
                    + (_STARTED if self._is_adapter else _STARTED_WHOLE)
                ) from None
            raise self._server.named(error) from None


PolicySampler = LocalSampler | ServedSampler
"""Whoever draws what a policy in training says."""
