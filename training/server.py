"""Examples -> completions, from a model behind an OpenAI-compatible server: vLLM, llama.cpp, a hosted one."""

import json
import time
from collections.abc import Callable, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from openai import APIConnectionError, APIStatusError, OpenAI, OpenAIError

from reelproof.schemas.openai_frames import data_uri
from reelproof.schemas.openai_reply import choices_in, fault_in, tokens_in, told_in
from reelproof.schemas.server_key import ServerKey
from reelproof.training.batches import chat_prompt
from reelproof.training.frames import limit_frames
from reelproof.training.preflight import SetupError, load_processor
from reelproof.training.runs import model_path, trained_with
from reelproof.training.sampling import Ask, CutOff, LocalSampler, Said, Sampler
from reelproof.training.settings.asking import BackendConfig, SamplingConfig, ServerAddress
from reelproof.training.settings.rows import PromptConfig

REFUSALS = (400, 413, 422)
"""HTTP states that blame one request, not the server or its key."""
_KEPT = "every answer so far is kept, and the same command goes on"
WAITS_S = (0.5, 1.0, 2.0)
"""Before a reply that is none is asked for again; openai asks again for what comes with an error's status."""
_MAY_GO = ("logprobs", "seed", "temperature", "top_p", "max_tokens")
"""Fields that some services forbid; without them an answer is less well described, or less repeatable."""


class _NoReply(Exception):  # noqa: N818 - says what happened
    """A reply that holds no answer, as a proxy or a server that breaks off gives them."""


class ServerSampler:
    """A model behind a server."""

    def __init__(self, backend: BackendConfig, model: str, prompt: PromptConfig) -> None:
        """Raises SetupError for a server that does not answer, wants another key or serves other models."""
        self._server, self._model = Server(backend, prompt), model
        self._left_out: frozenset[str] = frozenset()
        """Fields of a request that the service forbids, as it told."""
        served = self._server.models()
        if served and model not in served:
            listed = ", ".join(map(repr, served[:8])) + ", …" * (len(served) > 8)
            raise SetupError(
                f"the server at {backend.url} does not serve {model!r}; it serves {listed}; "
                "name one of these as --model"
            )

    def sample(self, asks: Sequence[Ask], cfg: SamplingConfig) -> list[Said]:
        """One request per ask, `cfg.batch_rows` in flight.

        Raises CutOff, with what was answered, where the server is gone, or refuses for other reasons than the
        request's.
        """
        with ThreadPoolExecutor(cfg.batch_rows) as pool:
            found = list(pool.map(lambda place: self._answer(asks[place], place, cfg), range(len(asks))))
        faults = [each for each in found if isinstance(each, SetupError)]
        if faults:
            raise CutOff(str(faults[0]), [each if isinstance(each, Said) else None for each in found])
        return [each for each in found if isinstance(each, Said)]

    def _answer(self, ask: Ask, place: int, cfg: SamplingConfig) -> Said | SetupError:
        """What one request brings; one that is too long, say, must not cost the answers to all others."""
        left_out = self._left_out  # others may learn of more while this one is under way
        try:
            return self._ask(ask, place, cfg, left_out)
        except APIConnectionError as error:
            return self._server.named(error)
        except APIStatusError as error:
            if error.status_code not in REFUSALS:
                return self._server.named(error)
            said = _said(error)
            named = str(getattr(error, "param", None) or said)
            forbidden = {name for name in _MAY_GO if name in named} - left_out
            if not forbidden:
                return self._refused(said)
            self._left_out |= forbidden
            return self._answer(ask, place, cfg)

    def _ask(self, ask: Ask, place: int, cfg: SamplingConfig, left_out: Set[str]) -> Said | SetupError:
        fields = {
            "temperature": cfg.temperature,
            "top_p": cfg.top_p,
            "max_tokens": cfg.max_tokens,
            "seed": cfg.seed + place,
            "logprobs": True,
        }
        sent: dict[str, Any] = {name: fields[name] for name in fields if name not in left_out}
        if "max_tokens" in left_out:
            sent["max_completion_tokens"] = cfg.max_tokens
        if ask.tail:  # vLLM's way of going on from a given beginning
            sent["extra_body"] = {"add_generation_prompt": False, "continue_final_message": True}
        waits = iter(WAITS_S)
        while True:
            began = time.perf_counter()
            content = self._server.chat(self._model, ask, sent)
            try:
                return self._read(content, ask.tail, time.perf_counter() - began)
            except _NoReply as fault:
                if (wait_s := next(waits, None)) is None:
                    return self._server.ended(str(fault))
                time.sleep(wait_s)

    def _read(self, content: bytes, tail: str, seconds: float) -> Said:
        """What a reply with HTTP 200 says. Raises _NoReply where it says nothing, as a proxy's page does."""
        try:
            reply = json.loads(content)
            if fault := fault_in(reply):
                if fault.status in REFUSALS:
                    return self._refused(fault.message)
                raise _NoReply(fault.message)
            (choice,) = choices_in(reply, 1)
        except (ValueError, RecursionError) as error:
            raise _NoReply(f"what cannot be read: {error}") from None
        return Said(
            text=tail + choice.text,
            tokens=tokens_in(reply)[1] or len(choice.logprobs),
            mean_logprob=choice.mean_logprob,
            finished=choice.finish_reason == "stop",
            seconds=seconds,
            refused=choice.error or "",
        )

    def _refused(self, why: str) -> Said:
        return Said(refused=self._server.key.hidden_in(why))


def open_sampler(
    model: str, backend: BackendConfig, prompt: PromptConfig, check: Callable[[Any], object]
) -> Sampler:
    """The server's model of that name, or the one here, once `check` has looked at its processor.

    Raises SetupError also for a run that was trained on other pictures than the prompt has.
    """
    if backend.kind == "server":
        return ServerSampler(backend, model, prompt)
    trained = trained_with(model).get("prompt", {}).get("frame_pairs", prompt.frame_pairs)
    if trained != prompt.frame_pairs:
        raise SetupError(
            f"{model} was trained with prompt.frame_pairs={trained} and would see other pictures than those "
            f"it learned from; set frame_pairs={trained} (of tts, prompt.frame_pairs)"
        )
    processor = load_processor(model_path(model), prompt.image_settings)
    check(processor)
    return LocalSampler.load(model, prompt, processor)


def check_sendable(prompt: PromptConfig) -> None:
    """Raise SetupError for pictures that a server cannot be sent.

    A pair as a video of two frames, which vLLM takes, has other tokens, and in Qwen3-VL a time of its own.
    """
    if prompt.frame_pairs:
        raise SetupError("frame_pairs: a server takes frames one by one; leave it out, or use no server")


class Server:
    """One address with its key, and what its faults are called here."""

    def __init__(self, backend: ServerAddress, prompt: PromptConfig) -> None:
        """Raises SetupError for a prompt that cannot be sent, and UsageError for what can be no key."""
        check_sendable(prompt)
        self._backend, self._prompt = backend, prompt
        self.key = ServerKey.read(backend.key_variable)
        self.client = OpenAI(base_url=backend.url, api_key=self.key.value, max_retries=4)
        root = backend.url.rstrip("/").removesuffix("/v1")
        self.beside = self.client.with_options(base_url=root, max_retries=0)
        """For what it does beside the OpenAI protocol."""

    def chat(self, model: str, ask: Ask, sent: dict[str, Any]) -> bytes:
        """Its reply to a question; fields of the request beside that are `sent`."""
        example = limit_frames(ask.example, self._prompt.max_frames)
        messages: Any = chat_prompt(example, self._prompt)
        images = iter(example.images)
        for part in (each for turn in messages for each in turn["content"] if each["type"] == "image"):
            part |= {"type": "image_url", "image_url": {"url": data_uri(next(images))}}
        if ask.tail:
            messages.append({"role": "assistant", "content": ask.tail})
        chat = self.client.chat.completions.with_raw_response
        return chat.create(model=model, messages=messages, **sent).content

    def models(self) -> list[str]:
        """The models that it lists; none where it has no such list, as some do not. Raises SetupError."""
        try:
            listed = self.client.with_options(max_retries=0, timeout=30).models.list()
            return [str(each.id) for each in listed.data]
        except APIConnectionError as error:
            raise self.named(error) from None
        except APIStatusError as error:
            if error.status_code in (401, 403):
                raise self.named(error) from None
            return []
        except (OpenAIError, ValueError, TypeError, AttributeError):  # it answers, with no list of models
            return []

    def named(self, error: APIStatusError | APIConnectionError) -> SetupError:
        """A fault that ends the asking, in words."""
        where = f"the server at {self._backend.url}"
        if isinstance(error, APIConnectionError):
            return SetupError(
                f"{where} does not answer ({error.message}); start it, or mend its address; {_KEPT}"
            )
        if error.status_code == 401:  # its message is not quoted: some servers put a part of the key there
            return SetupError(f"{where} {self.key.refused()}; {_KEPT}")
        return self.ended(_said(error))

    def ended(self, said: str) -> SetupError:
        """What it said, where no more can be asked after that."""
        return SetupError(f"the server at {self._backend.url} says {self.key.hidden_in(said)}; {_KEPT}")


def _said(error: APIStatusError) -> str:
    return f"HTTP {error.status_code}: {told_in(error.body) or error.response.reason_phrase}"
