"""Requests -> completions with classical vision only: the embedded teacher, verifier and judge; no download.

It looks at the frames and the text of a request and at nothing else, measures how frames differ, and says
what it measured with the times of what it looked at, and what the request tells to be said then. It is often
but not always right. At a temperature above 0 it looks at a part of the pictures only, and says which, so
that rollouts differ and yet say nothing that was not measured; at 0 it looks at all of them and says the same
each time.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.stages.teachers.embedded.claims import verify_claim
from reelproof.stages.teachers.embedded.eye import Eye
from reelproof.stages.teachers.embedded.judge import conclude
from reelproof.stages.teachers.embedded.measure import WHOLE, Region
from reelproof.stages.teachers.embedded.read import (
    AskedClaim,
    AskedObservations,
    AskedQuestion,
    read_request,
)
from reelproof.stages.teachers.embedded.say import SHARP, say
from reelproof.stages.teachers.embedded.view import View
from reelproof.stages.written.protocol import Reader

SIGNALS = "signals"
VERSION = 6

_LEAST_SIDE = 0.25
"""Share of the pictures' width and of their height that is looked at, at least, at temperature 1."""
_WAVERING = 0.25
"""Spread of the threshold for a sharp change at temperature 1."""


class SignalsTeacher:
    """A `Teacher` that answers questions, and judges claims and observations of the kinds that it makes."""

    def __init__(self, name: str = SIGNALS, reader: Reader | None = None) -> None:
        """With a reader, it also speaks of what is written in frames."""
        self.model = model_name(name, reader.name if reader else None)
        self._reader = reader

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        """One completion per request, in order. Each frame is decoded once a call.

        Raises KeyError for a frame that is not in `frames`, ValueError for one that is no picture.
        """
        eye = Eye(frames, self._reader)
        for request in requests:
            yield self._answer(request, eye)

    def _answer(self, request: ChatRequest, eye: Eye) -> Completion:
        match read_request(request):
            case AskedQuestion() as asked:
                text = _answer_question(asked, request, eye)
            case AskedClaim() as asked:
                text = f"<answer>{verify_claim(asked, eye)}</answer>"
            case AskedObservations() as asked:
                text = f"<answer>{conclude(asked)}</answer>"
            case None:
                return self._refusal(request)
        return Completion(
            request_id=request.request_id,
            model=self.model,
            text=text,
            finish_reason="stop",
            completion_tokens=len(text.split()),
        )

    def _refusal(self, request: ChatRequest) -> Completion:
        return Completion(
            request_id=request.request_id,
            model=self.model,
            text="",
            finish_reason="error",
            error="signals answers questions, judges claims and observations; it cannot do what this asks",
        )


def model_name(name: str, reader: str | None) -> str:
    """`name@version`, with who reads for it."""
    return f"{name}@{VERSION}" + (f"+{reader}" if reader else "")


def _answer_question(asked: AskedQuestion, request: ChatRequest, eye: Eye) -> str:
    rng = _generator(request)
    temperature = request.sampling.temperature
    sharp = SHARP * float(np.exp(rng.normal(0.0, _WAVERING) * temperature))
    region = _region(temperature, rng)
    said = say(
        View(asked, eye, eye.compare(asked.shown, region), sharp, rng, greedy=temperature == 0, region=region)
    )
    return f"<think>{said.thought}</think><answer>{said.answer}</answer>"


def _region(temperature: float, rng: np.random.Generator) -> Region:
    """What is looked at: all, or the less the warmer."""
    if temperature == 0:
        return WHOLE
    least = max(1 - (1 - _LEAST_SIDE) * temperature, _LEAST_SIDE)
    width, height = (float(each) for each in rng.uniform(least, 1.0, 2))
    left, top = (float(rng.uniform(0, 1 - side)) for side in (width, height))
    return Region(left, top, left + width, top + height)


def _generator(request: ChatRequest) -> np.random.Generator:
    """Draws that follow from the seed, the sample and the question, whichever other requests there are."""
    sampling = request.sampling
    text = f"{sampling.seed}\x00{request.sample_index}"
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))
