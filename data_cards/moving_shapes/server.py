"""The faulty teacher, also as verifier, behind the OpenAI protocol for as long as a block lasts."""

import hashlib
import json
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from teacher import Faults, answer

from reelproof.data_cards.small_server import Completion, Shown, serve_chat, wanted

MODEL = "shapes-oracle-with-faults"


def serve(faults: Faults) -> AbstractContextManager[str]:
    """The server's address."""
    return serve_chat([MODEL], partial(_complete, faults))


def _complete(faults: Faults, body: dict[str, Any]) -> Completion:
    shown = Shown.of(body["messages"])
    key = hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest()
    seed = int(body.get("seed") or 0)
    texts = [answer(shown, f"{key} {seed + place}", faults) for place in range(wanted(body))]
    return Completion(texts, len(shown.text.split()) + 9 * len(shown.frames), key[:12])
