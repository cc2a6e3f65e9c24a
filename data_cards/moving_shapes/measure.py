"""A trained arm and the world's questions -> every answer's score, and the share of its claims that hold."""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from teacher import find_squares
from world import cell_name

from reelproof.schemas.answers.scores import read_completion, strict_score
from reelproof.training.frames import frame_labels
from reelproof.training.preflight import load_processor
from reelproof.training.runs import model_path
from reelproof.training.sampling import Ask, LocalSampler
from reelproof.training.settings.asking import SamplingConfig
from reelproof.training.settings.rewards import RewardConfig
from reelproof.training.settings.rows import PromptConfig, PromptStyle
from reelproof.training.settings.tts import Strategy, TtsConfig
from reelproof.training.shards import Example
from reelproof.training.tts import try_strategies, write_outcomes

MAX_TOKENS = 40
VOTES = 8
NAMES: Mapping[str, str] = {
    "majority": "vote8",
    "weighted_evidence": "weighted8",
    "one_sample": "sample1",
    "best_of_n": "best8",
}


class ShapesVerifier:
    """Measures the cited frames: the share of a thought's claims that are so, of the four it should make.

    A claim counts only if it is about the square that was asked for and cites a frame that was shown.
    """

    claim = re.compile(r"(\[\d+\.\d s\]) (red|green|blue|yellow) ([a-c][1-3])\.")
    wanted = 4

    def evidence(self, cases: Sequence[tuple[Example, str]]) -> list[float | None]:
        """As `training.rewards.Verifier` has it."""
        return [self._share(example, thought) for example, thought in cases]

    def _share(self, example: Example, thought: str) -> float | None:
        shown = dict(zip(frame_labels(example), example.images, strict=True))
        claims = self.claim.findall(thought)
        held = 0
        for label, colour, cell in claims:
            if label not in shown or f"the {colour} square" not in example.question:
                continue
            place = find_squares(shown[label]).get(colour)
            held += place is not None and cell_name(place) == cell
        return held / max(self.wanted, len(claims)) if claims else None


class Answers(NamedTuple):
    """Greedy answers to a set of questions."""

    right: list[float]
    """Strict form and right answer."""
    cited: list[float] | None
    """Share of claims that hold; null where no thought is asked for."""
    said: str
    """The first completion, to look at."""


def answer_greedily(sampler: LocalSampler, examples: Sequence[Example], style: PromptStyle) -> Answers:
    """One completion of each question."""
    cfg = SamplingConfig(temperature=0.0, max_tokens=MAX_TOKENS, batch_rows=128)
    said = sampler.sample([Ask(each) for each in examples], cfg)
    read = [read_completion(each.text) for each in said]
    # A thought is asked for in every style but `direct`.
    right = [
        strict_score(each.task, one.answer, each.answer, each.options)
        * float(one.well_formed or style == "direct")
        for each, one in zip(examples, read, strict=True)
    ]
    thoughts = [(each, one.thought) for each, one in zip(examples, read, strict=True)]
    cited = [share or 0.0 for share in ShapesVerifier().evidence(thoughts)]
    return Answers(right, None if style == "direct" else cited, said[0].text)


class Measure:
    """Asks a seed's arms the test questions, once each, and keeps every answer's score beside the runs."""

    def __init__(self, folder: Path, test: Sequence[Example], seed: int) -> None:
        self.folder, self.test, self.seed = folder, test, seed

    def arm(self, name: str, model: Path, style: PromptStyle = "brief") -> None:
        """Greedy answers of one model."""
        if (self.folder / f"{name}.json").is_file():
            return
        sampler = LocalSampler.load(str(model), PromptConfig(style=style))
        self._keep(name, answer_greedily(sampler, self.test, style))

    def votes(self, name: str, model: Path, cfg: TtsConfig) -> None:
        """Every strategy of `cfg`; the table with their costs goes to NAME-tts."""
        board = self.folder / f"{name}-tts"
        if (board / "tts.json").is_file():
            return
        outcomes = try_strategies(LocalSampler.load(str(model), cfg.prompt), self.test, cfg, ShapesVerifier())
        for each in outcomes:
            if each.strategy in NAMES:
                self._keep(f"{name}_{NAMES[each.strategy]}", Answers(list(each.right), None, ""))
        board.mkdir(exist_ok=True)
        write_outcomes(outcomes, board)

    def _keep(self, name: str, answers: Answers) -> None:
        (self.folder / f"{name}.json").write_text(json.dumps(answers._asdict()))
        cited = f", cited {_mean(answers.cited):.3f}" if answers.cited else ""
        print(f"seed {self.seed}: {name}: test {_mean(answers.right):.3f}{cited}", flush=True)  # noqa: T201


def voting(seed: int, strategies: tuple[Strategy, ...]) -> TtsConfig:
    """Votes of eight, chosen on the development set."""
    return TtsConfig(
        prompt=PromptConfig(style="brief"),
        sampling=SamplingConfig(max_tokens=MAX_TOKENS, batch_rows=256, seed=seed),
        samples=VOTES,
        strategies=strategies,
        evidence_power=4.0,
        rewards=RewardConfig(scoring="strict"),
    )


class Progress:
    """CPU seconds of one run, and its accuracy on the development set as it goes; survives a kill.

    CPU seconds, because arms share cores; what watching costs is not counted.
    """

    def __init__(self, run: Path, start: Path, dev: Sequence[Example], style: PromptStyle) -> None:
        self.file = run / "progress.json"
        self.processor = load_processor(model_path(str(start)))
        self.dev, self.style = dev, style
        self.lines: list[dict[str, Any]] = json.loads(self.file.read_text()) if self.file.is_file() else []
        self._before = self.lines[-1]["cpu_seconds"] if self.lines else 0.0
        self._began = time.process_time()

    def watch(self, step: int, network: Any) -> None:
        """As `training.sft.Watch` has it."""
        spent = self._before + time.process_time() - self._began
        sampler = LocalSampler(network.eval(), self.processor, PromptConfig(style=self.style))
        answers = answer_greedily(sampler, self.dev, self.style)
        line = {"step": step, "cpu_seconds": round(spent, 1), "dev_accuracy": _mean(answers.right)}
        line["dev_citations"] = _mean(answers.cited) if answers.cited else None
        self.lines = [*(each for each in self.lines if each["step"] < step), line]
        self.file.write_text(json.dumps(self.lines))
        self._before, self._began = spent, time.process_time()


def train_once(run: Path, progress: Progress, train: Callable[[Callable[[int, Any], None]], object]) -> float:
    """Train unless that is done. CPU seconds that it took."""
    done = run / "cpu_seconds"
    if not done.is_file():
        train(progress.watch)
        done.write_text(str(progress.lines[-1]["cpu_seconds"]))
    return float(done.read_text())


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
