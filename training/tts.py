"""One trained model, several ways to spend more on a question -> accuracy against cost, for each way.

Samples are drawn once and shared: every strategy that votes looks at the same ones.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from reelproof.schemas.answers.scores import lenient_score, strict_score
from reelproof.schemas.intervals import Interval, wilson
from reelproof.training.frames import Films
from reelproof.training.groups import Group, keep_rollouts
from reelproof.training.preflight import SetupError, check_length, frame_contract, frame_sizes
from reelproof.training.rewards import Verifier
from reelproof.training.runs import model_path, write_whole
from reelproof.training.sampling import Sampler
from reelproof.training.server import open_sampler
from reelproof.training.settings.tts import TtsConfig
from reelproof.training.shards import Example, open_shards, stream_in_order
from reelproof.training.strategies import (
    FROM_POOL,
    FROM_SAMPLER,
    NEEDS_VERIFIER,
    Choice,
    Pool,
    along_curve,
    choose,
    draw_pools,
)
from reelproof.training.tables import new_figure, text_table

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
    curve: tuple[tuple[float, float, float], ...] = ()
    """Setting, tokens and accuracy as the setting turns that its cost goes by: see `CURVES`."""


def scale_test_time(
    build_dir: Path,
    model: str,
    out: Path,
    cfg: TtsConfig,
    verifier: Verifier | None = None,
    films: Films | None = None,
) -> list[Outcome]:
    """Try each strategy on DIR's questions; leaves tts.json, tts.md and tts.png in `out`.

    Raises SetupError for a model or a server that cannot be used, and where `out` holds such a comparison.
    """
    if (out / "tts.json").exists():
        raise SetupError(f"{out} holds a comparison of strategies already (tts.json); choose another --out")
    shards = open_shards(build_dir, cfg.shards)
    examples = list(stream_in_order(shards))[: cfg.max_rows]
    more = cfg.most_frames if films is not None and "more_frames" in cfg.strategies else 0

    def check(processor: Any) -> None:
        frames, room = frame_contract(processor, frame_sizes(shards), True), cfg.sampling.max_tokens
        check_length(processor, model_path(model), examples, cfg.prompt, frames, room)
        try:
            room += more * (max(frames.tokens) + _LABEL_TOKENS)
            check_length(processor, model_path(model), examples, cfg.prompt, frames, room)
        except SetupError as error:
            raise SetupError(f"with most_frames={more} frames of the film (lower it): {error}") from None

    sampler = open_sampler(model, cfg.backend, cfg.prompt, check)
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
    keep_rollouts(out, 0, groups, [[None] * len(each.said) for each in groups])


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
            choices = [choose(name, pool, cfg) for pool in pools]
        else:
            choices = FROM_SAMPLER[name](sampler, examples, cfg, films)
        found = _outcome(name, examples, choices, cfg)
        turned = [
            (setting, _outcome(name, examples, [choose(name, pool, at) for pool in pools], at))
            for setting, at in along_curve(name, cfg)
        ]
        curve = tuple((setting, each.tokens, each.accuracy.value) for setting, each in turned)
        outcomes.append(found._replace(curve=curve))
    return outcomes


def write_outcomes(outcomes: Sequence[Outcome], out: Path) -> None:
    """Table, JSON and plot of accuracy against cost."""
    rows = [
        [each.strategy, f"{each.accuracy.value:.3f}", f"{each.accuracy.low:.3f}–{each.accuracy.high:.3f}"]
        + [f"{cost:.2f}" for cost in (each.samples, each.tokens, each.frames, each.seconds)]
        for each in outcomes
    ]
    head = ["strategy", "accuracy", "95 %", "samples", "tokens", "frames", "seconds"]
    write_whole(out / "tts.md", text_table(head, rows))
    plain = [{**each._asdict(), "accuracy": each.accuracy._asdict()} for each in outcomes]
    write_whole(out / "tts.json", json.dumps(plain, indent=1) + "\n")
    _plot(outcomes, out / "tts.png")


def _plot(outcomes: Sequence[Outcome], file: Path) -> None:
    """On a logarithmic axis of costs; with the curve of each that has one."""
    figure, axes = new_figure(7, 4.5)
    for each in outcomes:
        value, low, high = each.accuracy
        drawn = axes.errorbar(each.tokens, value, [[value - low], [high - value]], fmt="o", capsize=3)
        if each.curve:
            turned = sorted(at[1:] for at in each.curve)
            axes.plot(*zip(*turned, strict=True), "-", alpha=0.6, color=drawn.lines[0].get_color())
        axes.annotate(each.strategy, (each.tokens, value), xytext=(6, 4), textcoords="offset points")
    axes.set_xscale("log")
    axes.set_xlabel("drawn tokens per question")
    axes.set_ylabel("accuracy")
    axes.grid(alpha=0.3)
    figure.savefig(file, dpi=110, metadata={"Software": None})


def _outcome(name: str, examples: Sequence[Example], choices: Sequence[Choice], cfg: TtsConfig) -> Outcome:
    score = strict_score if cfg.rewards.scoring == "strict" else lenient_score
    right = tuple(
        score(example.task, choice.answer, example.answer, example.options, example.tolerance)
        for example, choice in zip(examples, choices, strict=True)
    )
    costs = zip(*((each.samples, each.tokens, each.frames, each.seconds) for each in choices), strict=True)
    samples, tokens, frames, seconds = (sum(each) / len(right) for each in costs)
    return Outcome(name, wilson(sum(right), len(right)), samples, tokens, frames, seconds, right)
