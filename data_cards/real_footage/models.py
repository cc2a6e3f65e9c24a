"""Questions about edited frames -> labelled traces, the models that learn from them, and a verifier apart.

A trace names what is seen in each frame, and concludes. All models begin as one base, which learned on flat
coloured pictures, through the same eye, to name frames in turn and to say from when to when. The verifier is
a linear layer on the eye, which sees one frame at a time.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from reelproof.data_cards.checks_apart.models import Calibration, asked, calibration, fit, jpeg
from reelproof.data_cards.moving_shapes.arms import Asked, example
from reelproof.data_cards.real_footage.eye import FEATURES, MEMORY, build_seeing_model, picture
from reelproof.data_cards.real_footage.plan import PLAN
from reelproof.data_cards.tiny_model import TinyModel, save_tiny_model
from reelproof.schemas.edited import PLAIN
from reelproof.schemas.sample import ChatMessage, ChatPart
from reelproof.training.shards import Example

WORDS = {"recoloured_span": ("natural", "recoloured"), "turned_span": ("upright", "inverted")}
"""Kind of question -> what may be said of a frame: as it was, and edited."""
FLAT = {
    "red": (220, 40, 40),
    "green": (40, 185, 60),
    "blue": (45, 75, 225),
    "yellow": (240, 220, 40),
    "white": (240, 240, 240),
    "black": (15, 15, 15),
}
_CLAIM = re.compile(r"(\[\d+\.\d s\]) ([a-z]+)")
_FLAT_PICTURES, _BASE_BATCHES = 12, 150


def states(each: Asked) -> list[str]:
    """What is true of each frame, by what was done to it."""
    return [WORDS[each.question.kind][edit != PLAIN] for edit in each.edits]


def share_true(each: Asked, thought: str) -> float:
    """Of a thought's claims, by what was done to the frames: of all frames, or of as many as it claims."""
    true = dict(zip(_times(each), states(each), strict=True))
    claims = _CLAIM.findall(thought)
    held = {time for time, word in claims if true.get(time) == word}
    return len(held) / max(len(true), len(claims))


def _times(each: Asked) -> list[str]:
    return [f"[{shown.shown_s:.1f} s]" for shown in each.question.frames]


def completion(seconds: Sequence[float], said: Sequence[str], sought: str) -> str:
    """What a person would write: each frame, and after those that are sought from when to when so far."""
    lines, first_s, span = [], None, ""
    for time_s, word in zip(seconds, said, strict=True):
        lines.append(f"[{time_s:.1f} s] {word}")
        if word == sought:
            first_s = time_s if first_s is None else first_s
            span = f"{first_s:.1f} to {time_s:.1f}"
            lines.append(span)
    answer = span.replace(" to", ",")
    return "<think>" + "\n".join([*lines, f"So {span}"]) + f"</think><answer>[{answer}]</answer>"


def labelled(each: Asked) -> Example:
    """The question with its labelled trace."""
    seconds = [shown.shown_s or 0.0 for shown in each.question.frames]
    said = completion(seconds, states(each), WORDS[each.question.kind][1])
    turn = ChatMessage(role="assistant", content=(ChatPart(type="text", text=said),))
    return example(each)._replace(completion=(turn,))


def train_base(folder: Path, some: Sequence[Asked]) -> None:
    """A fresh model after lessons of flat pictures; `some` questions tell only which words there are."""
    rng = np.random.default_rng(PLAN.base_seed)
    flat = {name: [_flat(rgb, rng) for _ in range(_FLAT_PICTURES)] for name, rgb in FLAT.items()}
    spelled = [*map(labelled, some), *(_lesson(rng, flat, 8) for _ in range(300))]
    texts = [f"{each.question} Think, then answer. {_said(each)}" for each in spelled]
    tiny = build_seeing_model(texts, PLAN.base_seed)
    network = tiny.model
    for stage in PLAN.base_stages:
        lessons = [
            [_lesson(rng, flat, stage.frames) for _ in range(stage.rows)] for _ in range(_BASE_BATCHES)
        ]
        network = fit(tiny._replace(model=network), lessons, stage.steps, PLAN.base_rate)
    save_tiny_model(TinyModel(network.eval(), tiny.processor), folder)


def _said(row: Example) -> str:
    return row.completion[0].content[0].text or "" if row.completion else ""


def _flat(rgb: tuple[int, int, int], rng: np.random.Generator) -> bytes:
    noisy = np.array(rgb) + rng.normal(0, 15, 3) + rng.normal(0, 12, (112, 160, 3))
    return jpeg(np.clip(noisy, 0, 255).astype(np.uint8))


def _lesson(rng: np.random.Generator, flat: dict[str, list[bytes]], frames: int) -> Example:
    """Flat pictures, for a while of another colour: from when to when?"""
    seconds = sorted(float(each) for each in rng.choice(np.arange(0, 8, 0.5), frames, replace=False))
    sought, other = (str(each) for each in rng.choice(list(FLAT), 2, replace=False))
    length = int(rng.integers(1, frames // 2 + 1))
    first = int(rng.integers(frames - length + 1))
    said = [sought if first <= place < first + length else other for place in range(frames)]
    images = [flat[each][int(rng.integers(_FLAT_PICTURES))] for each in said]
    text = f"For a while the picture is {sought}. From when to when?"
    labels = [f"[{each:.1f} s]" for each in seconds]
    return asked(text, (), labels, images, completion(seconds, said, sought))


def draw_labelled(every: Sequence[Asked], seed: int) -> list[Asked]:
    """The few questions whose traces a seed's teacher and verifier learn from."""
    rng = np.random.default_rng([seed, 3])
    return [every[place] for place in rng.permutation(len(every))[: PLAN.labelled_traces]]


def train_teacher(base: TinyModel, folder: Path, few: Sequence[Asked], seed: int) -> None:
    """The base after a few labelled traces, the same ones over and over."""
    rng, rows = np.random.default_rng([seed, 4]), [labelled(each) for each in few]
    steps = PLAN.teacher_steps
    drawn = [[rows[place] for place in rng.permutation(len(rows))[: PLAN.batch_rows]] for _ in range(steps)]
    save_tiny_model(base._replace(model=fit(base, drawn, steps, PLAN.teacher_rate).eval()), folder)


class Verifier(nn.Module):
    """What is to be seen in one frame, of the words that a kind of question allows."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("spread", torch.ones(FEATURES))
        self.tell = nn.ModuleDict({kind: nn.Linear(FEATURES, len(words)) for kind, words in WORDS.items()})
        self.sharpness = nn.Parameter(torch.ones(()), requires_grad=False)

    def forward(self, features: Tensor, kind: str) -> Tensor:
        """Logits of the kind's words. (N, 1280) -> (N, words)"""
        return self.tell[kind]((features - self.mean) / self.spread) * self.sharpness

    @torch.no_grad()
    def believe(self, frame: bytes, said: str) -> float | None:
        """The probability of the word that is claimed; None of a word that it does not know."""
        claim = _CLAIM.search(said)
        kind = next((kind for kind, words in WORDS.items() if claim and claim[2] in words), None)
        if claim is None or kind is None:
            return None
        chances = self(_features([frame]), kind)[0].softmax(0)
        return float(chances[WORDS[kind].index(claim[2])])


def _features(frames: Sequence[bytes]) -> Tensor:
    return torch.from_numpy(MEMORY.features([picture(each) for each in frames]))


class _Frames(NamedTuple):
    features: Tensor
    words: Tensor


def train_verifier(file: Path, few: Sequence[Asked], seed: int) -> Calibration:
    """From the frames of the labelled traces; its sharpness from a third that it has not learned from."""
    torch.manual_seed(seed)
    cut = len(few) * 2 // 3
    mine, held = (_by_kind(part) for part in (few[:cut], few[cut:]))
    net = Verifier()
    every = torch.cat([each.features for each in mine.values()])
    net.mean.copy_(every.mean(0))
    net.spread.copy_(every.std(0) + 0.1)
    optimizer = torch.optim.AdamW(net.tell.parameters(), 2e-3, weight_decay=1.0)
    for _ in range(PLAN.verifier_steps):
        optimizer.zero_grad()
        _loss(net, mine).backward()
        optimizer.step()
    with torch.no_grad():
        tries = torch.linspace(0.1, 2.0, 39)
        net.sharpness.fill_(float(min(tries, key=lambda each: _with_sharpness(net, each, held))))
        sure = [net(each.features, kind).softmax(1).max(1) for kind, each in held.items()]
    torch.save(net.state_dict(), file)
    is_right = [one.indices == each.words for one, each in zip(sure, held.values(), strict=True)]
    return calibration(torch.cat([each.values for each in sure]), torch.cat(is_right))


def _by_kind(rows: Sequence[Asked]) -> dict[str, _Frames]:
    found = {}
    for kind, words in WORDS.items():
        if mine := [each for each in rows if each.question.kind == kind]:
            told = [words.index(word) for each in mine for word in states(each)]
            found[kind] = _Frames(torch.cat([_features(each.images) for each in mine]), torch.tensor(told))
    return found


def _loss(net: Verifier, frames: dict[str, _Frames]) -> Tensor:
    losses = [
        nn.functional.cross_entropy(net(each.features, kind), each.words) for kind, each in frames.items()
    ]
    return torch.stack(losses).sum()


def _with_sharpness(net: Verifier, sharpness: Tensor, frames: dict[str, _Frames]) -> float:
    net.sharpness.copy_(sharpness)
    return float(_loss(net, frames))


def load_verifier(file: Path) -> Callable[[bytes, str], float | None]:
    """What the verifier that was left there believes."""
    net = Verifier()
    net.load_state_dict(torch.load(file, weights_only=True))
    return net.believe
