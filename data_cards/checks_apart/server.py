"""The learned teacher and the learned verifier behind the OpenAI protocol, for as long as a block lasts.

Requests that wait at one time are answered in one batch.
"""

import io
import itertools
import queue
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from reelproof.data_cards.checks_apart.models import PROMPT, Verifier, asked, jpeg
from reelproof.data_cards.checks_apart.world import ANY_COLOUR, FRAME_PX
from reelproof.data_cards.small_server import Completion, Shown, serve_chat, wanted
from reelproof.schemas.draws import hash32
from reelproof.training.sampling import Ask, LocalSampler
from reelproof.training.settings.asking import SamplingConfig
from reelproof.training.shards import Example

TEACHER, VERIFIER = "learned-teacher", "learned-verifier"
MOST_ROWS = 256
MAX_TOKENS = 40
PROMPT_TOKENS = 100
"""Told of each request; nothing heeds it."""
_CLAIM = re.compile(rf"\b({ANY_COLOUR}) ([a-c] [1-3])\b")
_QUESTION = re.compile(r"(?:Observations: (.*)\nWhat was asked|Question): (.*)\n((?:[A-D]\. .*\n)*)")


class _Waiting(NamedTuple):
    """A request on its way, and where its answer goes."""

    body: dict[str, Any]
    replies: "queue.SimpleQueue[list[str]]"


class Reading(NamedTuple):
    """How the teacher reads a request, and how much it may say."""

    as_seen: Callable[[bytes], bytes]
    """A frame as it is sent -> as the teacher takes it."""
    max_tokens: int


Believe = Callable[[bytes, str], float | None]
"""A frame and a claim -> how sure it is that the frame bears it out; None where it cannot be judged."""


@contextmanager
def serve(teacher: Path, believe: Believe, how: Reading) -> Iterator[str]:
    """The server's address."""
    waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
    sampler = LocalSampler.load(str(teacher), PROMPT)

    def complete(body: dict[str, Any]) -> Completion:
        if body["model"] == VERIFIER:
            return Completion(judge(body, believe), PROMPT_TOKENS)
        mine = _Waiting(body, queue.SimpleQueue())
        waiting.put(mine)
        return Completion(mine.replies.get(), PROMPT_TOKENS)

    threading.Thread(target=_answer_all, args=(waiting, sampler, how), daemon=True).start()
    with serve_chat((TEACHER, VERIFIER), complete) as url:
        try:
            yield url
        finally:
            waiting.put(None)


def _answer_all(waiting: "queue.SimpleQueue[_Waiting | None]", sampler: LocalSampler, how: Reading) -> None:
    for batch in itertools.count():
        together = _all_that_wait(waiting)
        if together is None:
            return
        for temperature in {each.body.get("temperature", 1.0) for each in together}:
            alike = [each for each in together if each.body.get("temperature", 1.0) == temperature]
            asks = [Ask(_example(each.body, how)) for each in alike for _ in range(wanted(each.body))]
            cfg = SamplingConfig(
                temperature=temperature, max_tokens=how.max_tokens, batch_rows=MOST_ROWS, seed=batch
            )
            said = iter(sampler.sample(asks, cfg))
            for each in alike:
                each.replies.put([next(said).text for _ in range(wanted(each.body))])


def _all_that_wait(waiting: "queue.SimpleQueue[_Waiting | None]") -> list[_Waiting] | None:
    """One at least, and those that come within 50 ms after each other; None at the end."""
    together: list[_Waiting] = []
    while sum(wanted(each.body) for each in together) < MOST_ROWS:
        try:
            each = waiting.get(timeout=0.05 if together else None)
        except queue.Empty:
            break
        if each is None:
            return None
        together.append(each)
    return together


def believing(net: Verifier) -> Believe:
    """What the network believes of a claim that names a colour and its cell."""

    def believe(frame: bytes, said: str) -> float | None:
        claim = _CLAIM.search(said)
        return net.belief(as_seen(frame), claim[1], claim[2]) if claim else None

    return believe


def judge(body: dict[str, Any], believe: Believe) -> list[str]:
    """Yes as often as the verifier believes that the first frame shows what is claimed."""
    shown = Shown.of(body["messages"])
    belief = believe(shown.frames[0], shown.text.partition("Claim:")[2]) if shown.frames else None
    if belief is None:
        return ["<answer>unknown</answer>"] * wanted(body)
    rng = np.random.default_rng(hash32(int(body.get("seed") or 0), shown.text))
    if not body.get("temperature"):
        return [f"<answer>{'yes' if belief >= 0.5 else 'no'}</answer>"] * wanted(body)
    return [f"<answer>{'yes' if rng.random() < belief else 'no'}</answer>" for _ in range(wanted(body))]


def _example(body: dict[str, Any], how: Reading) -> Example:
    shown = Shown.of(body["messages"])
    images = [how.as_seen(each) for each in shown.frames]
    found = _QUESTION.search(shown.text)
    if found is None:
        return asked("", (), shown.labels, images)
    text = f"{found[1]} {found[2]}" if found[1] else found[2]
    return asked(text, [line[3:] for line in found[3].splitlines()], shown.labels, images)


def as_seen(image: bytes) -> bytes:
    """Frames as they are; a build's trial picture, which is larger, shrunk to a frame's size."""
    picture = Image.open(io.BytesIO(image)).convert("RGB")
    if picture.size == (FRAME_PX, FRAME_PX):
        return image
    return jpeg(np.asarray(picture.resize((FRAME_PX, FRAME_PX))))
