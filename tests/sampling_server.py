"""A model behind vLLM's endpoints, for tests: it really draws, token by token, and takes weights as it runs.

`with SamplingServer(folder, processor) as server: server.url`. What it says is what the weights say that it
was handed last: chat completions with token ids and log-probabilities, adapters, whole weights read again.
"""

import base64
import io
import json
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import PeftModel
from PIL import Image
from transformers import AutoModelForImageTextToText


class SamplingServer:
    """Serves one model on loopback, one request at a time."""

    def __init__(self, folder: str, processor: Any) -> None:
        self.folder, self.processor = folder, processor
        self.takes_adapters = True
        self.is_awake = True
        self.told: list[str] = []
        """Paths that were asked for, with the name of a model or adapter."""
        self.fault: Callable[[], None] = lambda: None
        """Called before each chat completion."""
        self._turn = threading.Lock()
        self.begin_anew()

    def begin_anew(self) -> None:
        """As after a restart: nothing that it was handed is there."""
        self.networks = {"served": _load(self.folder)}
        self.weights = "default"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> "SamplingServer":
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer({})

            def do_POST(self) -> None:
                self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

            def _answer(self, body: dict) -> None:
                with outer._turn:
                    status, said = outer.answer(self.path.partition("?")[0], body)
                content = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, body: dict) -> tuple[int, Any]:
        name = body.get("lora_name") or body.get("model") or body.get("new_version") or ""
        self.told.append(f"{path} {name}".strip())
        if path == "/v1/models":
            return 200, {
                "object": "list",
                "data": [{"id": each, "object": "model"} for each in self.networks],
            }
        if path == "/v1/load_lora_adapter" and self.takes_adapters:
            self.networks[name] = PeftModel.from_pretrained(_load(self.folder), body["lora_path"]).eval()
        elif path == "/v1/unload_lora_adapter":
            del self.networks[name]
        elif path == "/collective_rpc":
            self.networks["served"] = _load(body["kwargs"]["weights_path"])
        elif path == "/update_weight_version":
            self.weights = name
        elif path in ("/sleep", "/wake_up"):
            self.is_awake = path == "/wake_up"
        elif path == "/v1/chat/completions":
            assert self.is_awake
            self.fault()
            return (
                self._complete(body) if name in self.networks else (404, {"error": {"message": "no model"}})
            )
        elif path not in ("/weight_info", "/pause", "/resume"):
            return 404, {"error": {"message": f"no {path}"}}
        return 200, {"weight_version": self.weights}

    def _complete(self, body: dict) -> tuple[int, Any]:
        inputs = self._read(body["messages"])
        seeds = range(body["seed"], body["seed"] + body["n"])
        drawn = _draw(self.networks[body["model"]], inputs, body, seeds)
        choices = [
            {
                "index": index,
                "message": {"role": "assistant", "content": self.processor.tokenizer.decode(ids)},
                "finish_reason": "stop" if len(ids) < body["max_tokens"] or is_end else "length",
                "token_ids": ids,
                "logprobs": {"content": [{"token": "", "logprob": each} for each in logprobs]},
            }
            for index, (ids, logprobs, is_end) in enumerate(drawn)
        ]
        return 200, {"choices": choices, "prompt_token_ids": inputs["input_ids"][0].tolist()}

    def _read(self, messages: list[dict]) -> dict:
        pictures = []
        for part in messages[0]["content"]:
            if part["type"] == "image_url":
                jpeg = base64.b64decode(part["image_url"]["url"].partition(",")[2])
                pictures.append(Image.open(io.BytesIO(jpeg)).convert("RGB"))
        turns = [
            {
                "role": turn["role"],
                "content": [
                    {"type": "image"} if part["type"] == "image_url" else part for part in turn["content"]
                ],
            }
            for turn in messages
        ]
        text = self.processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        return dict(self.processor(text=[text], images=[pictures], return_tensors="pt"))


def _load(folder: str | Path) -> Any:
    return AutoModelForImageTextToText.from_pretrained(folder).eval()


class _Drawn(NamedTuple):
    token_ids: list[int]
    logprobs: list[float]
    is_end: bool
    """Whether its last token ends the answer."""


@torch.no_grad()
def _draw(network: Any, prompt: dict, body: dict, seeds: Sequence[int]) -> list[_Drawn]:
    """One answer a seed; all of them a token at a time, with no more said of one that has ended."""
    draws = [torch.Generator().manual_seed(seed) for seed in seeds]
    ends = network.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    inputs = {name: torch.cat([each] * len(seeds)) for name, each in prompt.items()}
    drawn = [_Drawn([], [], False) for _ in seeds]
    for _ in range(body["max_tokens"]):
        logits = network(**inputs).logits[:, -1].float()
        for token, bias in body["logit_bias"].items():
            logits[:, int(token)] += bias
        chances = torch.log_softmax(logits / (body["temperature"] or 1.0), dim=-1)
        tokens = chances.argmax(dim=-1, keepdim=True)
        if body["temperature"]:
            each = zip(chances.exp(), draws, strict=True)
            tokens = torch.stack([torch.multinomial(row, 1, generator=draw) for row, draw in each])
        for place, (answer, token) in enumerate(zip(drawn, tokens.flatten().tolist(), strict=True)):
            if not answer.is_end:
                answer.token_ids.append(token)
                answer.logprobs.append(float(chances[place, token]))
                drawn[place] = answer._replace(is_end=token in ends)
        if all(answer.is_end for answer in drawn):
            break
        inputs["input_ids"] = torch.cat([inputs["input_ids"], tokens], dim=1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        if "mm_token_type_ids" in inputs:
            inputs["mm_token_type_ids"] = torch.nn.functional.pad(inputs["mm_token_type_ids"], (0, 1))
    return drawn
