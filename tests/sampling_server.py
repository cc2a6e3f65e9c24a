"""A model behind vLLM's endpoints, for tests: it really draws, token by token, and takes weights as it runs.

`with SamplingServer(folder, processor) as server: server.url`. What it says is what the weights say that it
was handed last: chat completions with token ids and log-probabilities, adapters, whole weights read again.
"""

import base64
import io
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

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
        drawn = [
            _draw(self.networks[body["model"]], inputs, body, body["seed"] + index)
            for index in range(body["n"])
        ]
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


@torch.no_grad()
def _draw(network: Any, prompt: dict, body: dict, seed: int) -> tuple[list[int], list[float], bool]:
    """The tokens, their log-probabilities, and whether the last one ends the answer."""
    draws = torch.Generator().manual_seed(seed)
    ends = network.generation_config.eos_token_id
    ids, logprobs = prompt["input_ids"], []
    start = ids.shape[1]
    while ids.shape[1] - start < body["max_tokens"]:
        inputs = prompt | {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if "mm_token_type_ids" in prompt:
            kinds = prompt["mm_token_type_ids"]
            inputs["mm_token_type_ids"] = torch.nn.functional.pad(kinds, (0, ids.shape[1] - start))
        logits = network(**inputs).logits[0, -1].float()
        for token, bias in body["logit_bias"].items():
            logits[int(token)] += bias
        chances = torch.log_softmax(logits / (body["temperature"] or 1.0), dim=-1)
        best = chances.argmax(keepdim=True)
        token = torch.multinomial(chances.exp(), 1, generator=draws) if body["temperature"] else best
        logprobs.append(float(chances[token]))
        ids = torch.cat([ids, token.view(1, 1)], dim=1)
        if int(token) in (ends if isinstance(ends, list) else [ends]):
            return ids[0, start:].tolist(), logprobs, True
    return ids[0, start:].tolist(), logprobs, False
