"""An arm and the held-out questions -> each answer's scores; a trace -> whether the world bears it out."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from reelproof.data_cards.checks_apart.models import PROMPT, Verifier, load_verifier
from reelproof.data_cards.checks_apart.plan import PLAN
from reelproof.data_cards.checks_apart.server import MAX_TOKENS
from reelproof.data_cards.checks_apart.world import ANY_COLOUR, SHOT_S, Film, true_places
from reelproof.data_cards.moving_shapes.arms import Asked, example
from reelproof.schemas.answers.conclusion import Conclusions, Posed, agreement
from reelproof.schemas.answers.scores import read_completion, strict_score
from reelproof.schemas.question import Question
from reelproof.training.frames import frame_labels
from reelproof.training.sampling import Ask, LocalSampler
from reelproof.training.settings.asking import SamplingConfig
from reelproof.training.settings.rewards import RewardConfig
from reelproof.training.settings.tts import Strategy, TtsConfig
from reelproof.training.shards import Example
from reelproof.training.tts import try_strategies

Places = Mapping[str, Mapping[tuple[int, str], str]]
"""Film -> (second, colour) -> cell."""
Truly = Callable[[Asked, str], float]
"""A question and a thought -> the share of its claims that are true."""
STRATEGIES: tuple[Strategy, ...] = ("greedy", "one_sample", "majority", "weighted_evidence", "best_of_n")
_CLAIM = re.compile(rf"\[(\d+)\.0 s\] ({ANY_COLOUR}) ([a-c] [1-3])\.")
_ABOUT = re.compile(r"the (\w+) square")


class Answers(NamedTuple):
    """Greedy answers, one entry a question."""

    films: list[str]
    kinds: list[str]
    right: list[float]
    """In the form that was asked for, and right."""
    cited: list[float]
    """Share of the three frames of which something true is said about the square that was asked for."""
    agrees: list[float]
    """The thought concludes the answer."""
    proven: list[float]
    """Right, all three frames truly cited, and concluded."""


def places_of(films: Sequence[Film]) -> Places:
    """What the world knows of each film."""
    return {film.name: true_places(film) for film in films}


def share_true(film: str, question: Question, thought: str, places: Places) -> float:
    """Of a thought's claims, by the world's own state: of three, or of as many as it makes."""
    about = _ABOUT.search(question.text)
    claims = _CLAIM.findall(thought)
    held = {
        int(second)
        for second, colour, cell in claims
        if about and colour == about[1] and places[film].get((int(second), colour)) == cell
    }
    return len(held) / max(SHOT_S, len(claims))


def told_truly(places: Places) -> Truly:
    """By what the world knows of its films."""
    return lambda each, thought: share_true(each.film, each.question, thought, places)


def answer_greedily(
    model: Path, asked: Sequence[Asked], told: Truly, max_tokens: int = MAX_TOKENS
) -> Answers:
    """One completion of each question."""
    sampler = LocalSampler.load(str(model), PROMPT)
    cfg = SamplingConfig(temperature=0.0, max_tokens=max_tokens, batch_rows=256)
    said = sampler.sample([Ask(example(each)) for each in asked], cfg)
    answers = Answers([], [], [], [], [], [])
    for each, one in zip(asked, said, strict=True):
        question, read = each.question, read_completion(one.text)
        posed = Posed(question.task, question.text, question.options)
        right = strict_score(question.task, read.answer, question.answer, question.options) * read.well_formed
        cited = told(each, read.thought)
        agrees = agreement(read.thought, read.answer, posed, Conclusions()) is True
        figures = (each.film, question.kind, right, cited, agrees, right * (cited == 1) * agrees)
        for column, figure in zip(answers, figures, strict=True):
            column.append(figure if isinstance(figure, str) else float(figure))  # type: ignore[arg-type]
    return answers


class Evidence:
    """The learned verifier's mean belief in a thought's claims, of three or of as many as it makes."""

    def __init__(self, net: Verifier) -> None:
        self._net = net

    def evidence(self, cases: Sequence[tuple[Example, str]]) -> list[float | None]:
        """As `training.rewards.Verifier` has it."""
        return [self._belief(example, thought) for example, thought in cases]

    def _belief(self, example: Example, thought: str) -> float | None:
        shown = dict(zip(frame_labels(example), example.images, strict=True))
        claims = _CLAIM.findall(thought)
        held = [
            self._net.belief(shown[label], colour, cell)
            for second, colour, cell in claims
            if (label := f"[{second}.0 s]") in shown and f"the {colour} square" in example.question
        ]
        return sum(held) / max(SHOT_S, len(claims)) if claims else None


def answer_by_votes(model: Path, verifier: Path, asked: Sequence[Asked], seed: int) -> dict[str, list[float]]:
    """Strategy -> the score of each question's answer; the votes are the same samples for all."""
    cfg = TtsConfig(
        prompt=PROMPT,
        sampling=SamplingConfig(max_tokens=MAX_TOKENS, batch_rows=256, seed=seed),
        strategies=STRATEGIES,
        samples=PLAN.votes,
        rewards=RewardConfig(),
    )
    sampler, net = LocalSampler.load(str(model), PROMPT), load_verifier(verifier)
    outcomes = try_strategies(sampler, [example(each) for each in asked], cfg, Evidence(net))
    return {each.strategy: list(each.right) for each in outcomes}


def keep(file: Path, content: object) -> None:
    """Whole or not at all."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(content))
    new.replace(file)
