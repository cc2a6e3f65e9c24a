"""One question and several completions -> one answer and what it cost: votes, verifiers, second looks."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from reelproof.schemas.answers.reading import read_answer
from reelproof.schemas.answers.scores import read_completion
from reelproof.schemas.answers.votes import cannot_be_caught, count_votes, leading_share, vote
from reelproof.training.frames import Films, limit_frames, shows_its_film, with_frames
from reelproof.training.rewards import Scored, Verifier, score_completions
from reelproof.training.sampling import Ask, Said, Sampler, not_all_refused
from reelproof.training.settings.tts import TtsConfig
from reelproof.training.shards import Example

AT_ONCE = "<think></think><answer>"
"""What a completion goes on from that is to answer without a thought."""
WAIT = " Wait,"
AGREED_SHARE = 0.75
"""Where so many of the votes are for one answer, more frames are not looked at."""
NEEDS_VERIFIER = ("weighted_evidence", "best_of_n")


class Choice(NamedTuple):
    """What a strategy answered to one question, and what that cost."""

    answer: str | None
    samples: int
    tokens: int
    frames: int
    seconds: float


_NOTHING = Choice(None, 0, 0, 0, 0.0)


class Pool(NamedTuple):
    """One question's shared samples."""

    example: Example
    said: tuple[Said, ...]
    answers: tuple[str | None, ...]
    scored: tuple[Scored, ...]
    at_once: Said | None
    """What it answers before it thinks, where a strategy asks for that."""


def draw_pools(
    sampler: Sampler, examples: Sequence[Example], cfg: TtsConfig, verifier: Verifier | None
) -> list[Pool]:
    """`samples` completions of each question, read and scored."""
    asks = [Ask(example) for example in examples for _ in range(cfg.samples)]
    said = not_all_refused(sampler.sample(asks, cfg.sampling))
    rewards = cfg.rewards.model_copy(update={"evidence": 1.0 if verifier is not None else 0.0})
    scored = score_completions(
        [(ask.example, each.text) for ask, each in zip(asks, said, strict=True)], rewards, verifier
    )
    at_once: Sequence[Said | None] = [None] * len(examples)
    if "confidence_exit" in cfg.strategies:
        likeliest = cfg.sampling.model_copy(update={"temperature": 0.0})
        at_once = sampler.sample([Ask(example, AT_ONCE) for example in examples], likeliest)
    pools = []
    for place, example in enumerate(examples):
        part = slice(place * cfg.samples, (place + 1) * cfg.samples)
        answers = tuple(_answer(each.text, cfg) for each in said[part])
        pools.append(Pool(example, tuple(said[part]), answers, tuple(scored[part]), at_once[place]))
    return pools


def _answer(text: str, cfg: TtsConfig) -> str | None:
    return read_completion(text).said(strictly=cfg.rewards.scoring == "strict")


Vote = tuple[str | None, Sequence[Said]]
"""An answer, and the completions that it took."""


def _voted(pool: Pool, weights: Sequence[float]) -> Vote:
    """By the first samples, each with its weight."""
    count = len(weights)
    return vote(pool.example, pool.answers[:count], weights), pool.said[:count]


def _weighted_evidence(pool: Pool, cfg: TtsConfig) -> Vote:
    held = [each.components for each in pool.scored]
    return _voted(pool, [each["evidence"] ** cfg.evidence_power * each["agreement"] for each in held])


def _likelihood(said: Said) -> float:
    """The mean probability of its tokens; 0 where a server tells none."""
    return math.exp(said.mean_logprob) if said.mean_logprob is not None else 0.0


def _best_of_n(pool: Pool, _: TtsConfig) -> Vote:
    """The one completion that the verifier believes most; of equals the likeliest."""

    def belief(place: int) -> tuple[float, float]:
        held = pool.scored[place].components
        return held["evidence"] * held["agreement"], pool.said[place].mean_logprob or 0.0

    return pool.answers[max(range(len(pool.said)), key=belief)], pool.said


def _early_stop(pool: Pool, cfg: TtsConfig) -> Vote:
    for used in range(1, len(pool.said) + 1):
        tally = count_votes(pool.example, pool.answers[:used], [1.0] * used)
        lead = max((weight for _, weight in tally), default=0.0)
        if cannot_be_caught(tally, len(pool.said) - used) or lead > cfg.settled_share * len(pool.said):
            break
    return _voted(pool, [1.0] * used)


def _confidence_exit(pool: Pool, cfg: TtsConfig) -> Vote:
    """Answer, and think only where the answer is unsure. Source: arXiv 2601.05175 (VideoAuto-R1)."""
    first = pool.at_once or Said()
    if _likelihood(first) >= cfg.sure:
        said = read_answer(first.text, "direct").said(strictly=cfg.rewards.scoring == "strict")
        return said, [first]
    return pool.answers[0], [first, pool.said[0]]


def _greedy(
    sampler: Sampler, examples: Sequence[Example], cfg: TtsConfig, _films: Films | None, waits: int = 0
) -> list[Choice]:
    """Where the thought would end, go on so often with `WAIT`. Source: arXiv 2501.19393."""
    sampling = cfg.sampling.model_copy(update={"temperature": 0.0})
    tails = [""] * len(examples)
    spent = [_NOTHING] * len(examples)
    for _ in range(waits + 1):
        said = sampler.sample([Ask(*each) for each in zip(examples, tails, strict=True)], sampling)
        spent = [_add(old, [each], 0) for old, each in zip(spent, said, strict=True)]
        tails = [each.text.partition("</think>")[0] + WAIT for each in said]
    shown = (len(limit_frames(example, cfg.prompt.max_frames).images) for example in examples)
    return [
        cost._replace(answer=_answer(each.text, cfg), frames=frames)
        for cost, each, frames in zip(spent, said, shown, strict=True)
    ]


def _more_frames(
    sampler: Sampler, examples: Sequence[Example], cfg: TtsConfig, films: Films | None
) -> list[Choice]:
    """Few frames first; where the votes split, twice as many, until they agree or all are shown.

    Where the film is at hand, all are `most_frames` of it.
    """
    done: dict[int, Choice] = {}
    spent = dict.fromkeys(range(len(examples)), _NOTHING)
    shown = cfg.first_frames
    while len(done) < len(examples):
        left = [place for place in range(len(examples)) if place not in done]
        looks = {place: _look(examples[place], shown, cfg, films) for place in left}
        asks = [Ask(looks[place].example) for place in left for _ in range(cfg.samples)]
        said = sampler.sample(asks, cfg.sampling)
        for order, place in enumerate(left):
            part = said[order * cfg.samples : (order + 1) * cfg.samples]
            spent[place] = _add(spent[place], part, len(looks[place].example.images))
            answers = [_answer(each.text, cfg) for each in part]
            answer = vote(examples[place], answers, [1.0] * len(part))
            agreed = leading_share(examples[place], answers, answer)
            if agreed >= AGREED_SHARE or looks[place].is_last:
                done[place] = spent[place]._replace(answer=answer)
        shown *= 2
    return [done[place] for place in range(len(examples))]


class _Look(NamedTuple):
    example: Example
    is_last: bool
    """There are no more frames."""


def _look(example: Example, shown: int, cfg: TtsConfig, films: Films | None) -> _Look:
    """The row with so many frames: its own as far as they go, then the film's."""
    own = len(example.images)
    can_go_on = films is not None and own < cfg.most_frames and shows_its_film(example)
    if films is None or not can_go_on or shown <= own:
        return _Look(limit_frames(example, shown), shown >= own and not can_go_on)
    found = with_frames(example, min(shown, cfg.most_frames), films)
    return _Look(found or example, found is None or shown >= cfg.most_frames)


FROM_POOL: dict[str, Callable[[Pool, TtsConfig], Vote]] = {
    "one_sample": lambda pool, _: (pool.answers[0], pool.said[:1]),
    "majority": lambda pool, cfg: _voted(pool, [1.0] * cfg.samples),
    "weighted_logprob": lambda pool, _: _voted(pool, [_likelihood(each) for each in pool.said]),
    "weighted_evidence": _weighted_evidence,
    "best_of_n": _best_of_n,
    "early_stop": _early_stop,
    "confidence_exit": _confidence_exit,
}
FROM_SAMPLER: dict[str, Callable[[Sampler, Sequence[Example], TtsConfig, Films | None], list[Choice]]] = {
    "greedy": _greedy,
    "budget_forcing": lambda sampler, examples, cfg, films: _greedy(sampler, examples, cfg, films, cfg.waits),
    "more_frames": _more_frames,
}


def choose(name: str, pool: Pool, cfg: TtsConfig) -> Choice:
    """What a strategy of `FROM_POOL` answers."""
    answer, said = FROM_POOL[name](pool, cfg)
    return _add(_NOTHING, said, len(pool.example.images))._replace(answer=answer)


def along_curve(name: str, cfg: TtsConfig) -> list[tuple[float, TtsConfig]]:
    """The values of the setting that a strategy's cost goes by, with each in its place; most have none."""
    field, values = CURVES.get(name, ("", ()))
    return [
        (each, cfg.model_copy(update={field: each}))
        for each in values
        if field != "samples" or each <= cfg.samples
    ]


CURVES: dict[str, tuple[str, Sequence[float]]] = {
    "majority": ("samples", [2**power for power in range(11)]),
    "early_stop": ("settled_share", (0.125, 0.25, 0.375, 0.5, 0.625, 0.75)),
    "confidence_exit": ("sure", (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)),
}
"""What turns a strategy from cheap to thorough."""


def _add(before: Choice, said: Sequence[Said], frames: int) -> Choice:
    """Frames are counted once a question: its samples share the prompt."""
    return Choice(
        None,
        before.samples + len(said),
        before.tokens + sum(each.tokens for each in said),
        before.frames + frames,
        before.seconds + sum(each.seconds for each in said),
    )
