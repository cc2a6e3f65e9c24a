"""One trained model, several ways to spend more on a question -> accuracy against cost, for each way.

Samples are drawn once and shared: every strategy that votes looks at the same ones.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from reelproof.schemas.answers.scores import lenient_score, strict_score
from reelproof.schemas.intervals import Interval, wilson
from reelproof.training.batches import PromptConfig
from reelproof.training.films import Films
from reelproof.training.groups import Group, logged
from reelproof.training.preflight import (
    SetupError,
    check_frames,
    check_length,
    load_processor,
)
from reelproof.training.rewards import Verifier
from reelproof.training.runs import keep_rollouts, model_path, write_whole
from reelproof.training.sampling import LocalSampler, Sampler
from reelproof.training.server import BackendConfig, ServerSampler
from reelproof.training.shards import Example, Shards, open_shards, stream_in_order
from reelproof.training.strategies import FROM_POOL, FROM_SAMPLER, NEEDS_VERIFIER, Choice, Pool, draw_pools
from reelproof.training.tables import Point, plot_points, text_table
from reelproof.training.tts_settings import TtsConfig as TtsConfig

_KEPT = 100
_LABEL_TOKENS = 12
"""Of the time that stands before a frame."""


class Outcome(NamedTuple):
    """A strategy over all questions; costs are means per question."""

    strategy: str
    accuracy: Interval
    samples: float
    tokens: float
    frames: float
    seconds: float
    right: tuple[float, ...]
    """Each question's score, in the rows' order."""


def scale_test_time(
    build_dir: Path,
    model: str,
    out: Path,
    cfg: TtsConfig,
    verifier: Verifier | None = None,
    films: Films | None = None,
) -> list[Outcome]:
    """Try each strategy on DIR's questions; leaves tts.json, tts.md and tts.png in `out`."""
    shards = open_shards(build_dir, cfg.shards)
    examples = list(stream_in_order(shards))[: cfg.max_rows]
    goes_back = films is not None and "more_frames" in cfg.strategies
    most_frames = cfg.most_frames if goes_back else 0
    sampler = open_sampler(model, cfg.backend, cfg.prompt, shards, cfg.sampling.max_tokens, most_frames)
    out.mkdir(parents=True, exist_ok=True)
    outcomes = try_strategies(sampler, examples, cfg, verifier, films, partial(_keep, out))
    write_outcomes(outcomes, out)
    return outcomes


def _keep(out: Path, pools: Sequence[Pool]) -> None:
    """The samples of the first questions, to be looked at: `reelproof browse OUT`."""
    (out / "rollouts.jsonl").unlink(missing_ok=True)
    groups = [
        Group(each.example, each.said, each.scored, tuple(one.right for one in each.scored))
        for each in pools[:_KEPT]
    ]
    jpegs = {jpeg for each in groups for jpeg in each.example.images}
    keep_rollouts(out, [logged(0, each) for each in groups], jpegs)


def try_strategies(
    sampler: Sampler,
    examples: Sequence[Example],
    cfg: TtsConfig,
    verifier: Verifier | None = None,
    films: Films | None = None,
    drawn: Callable[[Sequence[Pool]], None] = lambda _: None,
) -> list[Outcome]:
    """Every strategy on the same questions; those that need a verifier are refused without one.

    `drawn` is given the samples that they share.
    """
    lacking = [name for name in cfg.strategies if name in NEEDS_VERIFIER and verifier is None]
    if lacking:
        raise SetupError(
            f"{', '.join(lacking)} need a verifier that looks at the frames; name one or leave them out"
        )
    pools = draw_pools(sampler, examples, cfg, verifier) if set(cfg.strategies) & set(FROM_POOL) else []
    if pools:
        drawn(pools)
    outcomes = []
    for name in cfg.strategies:
        if name in FROM_POOL:
            choices = [FROM_POOL[name](pool, cfg) for pool in pools]
        else:
            choices = FROM_SAMPLER[name](sampler, examples, cfg, films)
        outcomes.append(_outcome(name, examples, choices, cfg))
    return outcomes


def open_sampler(
    model: str, backend: BackendConfig, prompt: PromptConfig, shards: Shards, room: int, most_frames: int = 0
) -> Sampler:
    """The model in this process, or the server's model of that name.

    Raises SetupError, before weights are loaded, for a model here that does not see, or whose context does
    not hold the longest row, `most_frames` of its film and `room` tokens of answer.
    """
    if backend.kind == "server":
        return ServerSampler(backend, model, prompt)
    path = model_path(model)
    processor = load_processor(path, prompt.image_settings)
    frames = check_frames(processor, shards, allow_resize=True)
    check_length(processor, path, shards, prompt, frames, room)
    try:
        more = most_frames * (max(frames.tokens) + _LABEL_TOKENS)
        check_length(processor, path, shards, prompt, frames, room + more)
    except SetupError as error:
        raise SetupError(f"with most_frames={most_frames} frames of the film (lower it): {error}") from None
    return LocalSampler.load(model, prompt)


def write_outcomes(outcomes: Sequence[Outcome], out: Path) -> None:
    """Table, JSON and plot of accuracy against cost."""
    rows = [
        [each.strategy, f"{each.accuracy.value:.3f}", f"{each.accuracy.low:.3f}–{each.accuracy.high:.3f}"]
        + [f"{cost:.2f}" for cost in (each.samples, each.tokens, each.frames, each.seconds)]
        for each in outcomes
    ]
    head = ["strategy", "accuracy", "95 %", "samples", "tokens", "frames", "seconds"]
    write_whole(out / "tts.md", text_table(head, rows))
    write_whole(out / "tts.json", _as_json(outcomes))
    points = [Point(each.strategy, each.tokens, each.accuracy) for each in outcomes]
    plot_points(points, out / "tts.png", "drawn tokens per question", "accuracy")


def _outcome(name: str, examples: Sequence[Example], choices: Sequence[Choice], cfg: TtsConfig) -> Outcome:
    score = strict_score if cfg.rewards.scoring == "strict" else lenient_score
    right = tuple(
        score(example.task, choice.answer, example.answer, example.options, example.tolerance)
        for example, choice in zip(examples, choices, strict=True)
    )
    count = len(choices)

    def mean(costs: Iterator[float]) -> float:
        return sum(costs) / count

    return Outcome(
        name,
        wilson(sum(right), count),
        mean(float(each.samples) for each in choices),
        mean(float(each.tokens) for each in choices),
        mean(float(each.frames) for each in choices),
        mean(each.seconds for each in choices),
        right,
    )


def _as_json(outcomes: Sequence[Outcome]) -> str:
    plain = [{**each._asdict(), "accuracy": each.accuracy._asdict()} for each in outcomes]
    return json.dumps(plain, indent=1) + "\n"
