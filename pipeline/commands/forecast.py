"""Parts with steps to do -> how many completions they will take, how many tokens, how long, at what cost.

Questions are counted where a part has them and go by other parts, or by the recipe's settings, where it does
not. What a completion takes goes by earlier builds of the folder; without any, prompts by their frames and
answers by their longest give a bound from above.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reelproof.pipeline.accounts.accounting import StepUse
from reelproof.pipeline.cluster.schedule import Todo
from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.progress.run_progress import RunProgress
from reelproof.pipeline.recipe import Recipe
from reelproof.pipeline.teachers.kinds import TeacherConfig, teacher_price
from reelproof.schemas.record import Record
from reelproof.stages.teachers.protocol import TeacherPrice

TOKEN_SIDE_PX = 28
"""Of the square of a picture that is one token, as in Qwen-VL."""
TEXT_TOKENS = 400
"""Of a prompt without its frames: instructions, times, question, options."""
CLIPS_A_VIDEO = 1
"""Before any is known: a short film is one clip."""
PARTS_AT_ONCE = 4
"""Before any is known."""


class StepForecast(Record):
    """What one step is expected to take in the parts that it has not been through."""

    step: str
    calls: int
    """Completions, those in the logs among them."""
    prompt_tokens: int
    completion_tokens: int
    seconds: float | None
    """Of its tasks together; None where no earlier build tells."""
    cost: float | None
    measured: bool
    """Whether earlier builds tell what a completion takes; else it is a bound from above."""


class Forecast(Record):
    """What a build is expected to take."""

    steps: tuple[StepForecast, ...]
    logged: int = 0
    """Completions that the logs of those parts hold: some of them will not be asked for again."""
    seconds: float | None = None
    """Until its end; None where no earlier build tells."""

    @property
    def calls(self) -> int:
        """Of all steps."""
        return sum(each.calls for each in self.steps)

    @property
    def tokens(self) -> tuple[int, int]:
        """Of prompts, and of completions."""
        return sum(each.prompt_tokens for each in self.steps), sum(
            each.completion_tokens for each in self.steps
        )

    @property
    def cost(self) -> float | None:
        """In the price's currency; None where no teacher has a price."""
        costs = [each.cost for each in self.steps if each.cost is not None]
        return sum(costs) if costs else None


@dataclass(frozen=True)
class KnownQuestions:
    """How many questions parts have, as far as is known."""

    counted: Mapping[str, int]
    """Part's name -> number, for those whose questions are made."""
    videos: int
    """In those parts."""

    def of(self, part: PartInputs, recipe: Recipe) -> int:
        """Counted, by the other parts' average, or by the recipe."""
        if part.name in self.counted:
            return self.counted[part.name]
        if self.videos:
            return round(len(part.sources) * sum(self.counted.values()) / self.videos)
        return len(part.given) + len(part.sources) * CLIPS_A_VIDEO * _questions_a_clip(recipe)


def forecast(
    recipe: Recipe,
    todos: Sequence[Todo],
    questions: KnownQuestions,
    before: RunProgress | None,
    logged: int = 0,
) -> Forecast:
    """What the steps to do will take. `before` is what earlier builds of the folder took."""
    earlier = {each.step: each for each in (before.steps if before else ())}
    steps = []
    for name in dict.fromkeys(step.name for todo in todos for step in todo.steps):
        parts = [todo.inputs for todo in todos if any(step.name == name for step in todo.steps)]
        steps.append(_step_forecast(recipe, name, parts, questions, earlier.get(name)))
    known = all(each.seconds is not None for each in steps)
    at_once = (before.tasks_at_once if before else 0) or PARTS_AT_ONCE
    seconds = sum(each.seconds or 0 for each in steps) / at_once if known else None
    return Forecast(steps=tuple(each for each in steps if each.calls), logged=logged, seconds=seconds)


def _step_forecast(
    recipe: Recipe,
    name: str,
    parts: Sequence[PartInputs],
    questions: KnownQuestions,
    earlier: StepUse | None,
) -> StepForecast:
    calls = _calls(recipe, name, parts, questions, earlier)
    prompt, completion = _tokens_a_call(recipe, name, earlier)
    price = _mean_price(_teachers_of(recipe, name))
    return StepForecast(
        step=name,
        calls=calls,
        prompt_tokens=round(calls * prompt),
        completion_tokens=round(calls * completion),
        seconds=_seconds(calls, sum(len(part.sources) for part in parts), earlier),
        cost=None if price is None else price.of(calls * prompt, calls * completion),
        measured=bool(earlier and earlier.use.calls),
    )


def _calls(
    recipe: Recipe,
    name: str,
    parts: Sequence[PartInputs],
    questions: KnownQuestions,
    earlier: StepUse | None,
) -> int:
    """Completions of a step. Claims go by earlier builds, if any: what thoughts cite varies."""
    videos = sum(len(part.sources) for part in parts)
    asked = sum(questions.of(part, recipe) for part in parts)
    rollouts = asked * recipe.rollouts.rollouts
    wanted = recipe.questions.asked.wanted if recipe.questions.asked else None
    if name == "asked" and wanted is not None:
        a_clip = len(wanted.tasks) * (1 + wanted.per_task * wanted.answers)
        return _by_videos(videos, earlier, videos * CLIPS_A_VIDEO * a_clip)
    if name == "traces":
        return rollouts
    if name == "probes":
        return asked * len(recipe.probes.probes) * recipe.probes.rollouts
    if name == "claims":
        a_trace = recipe.claims.claims_per_trace * (1 + recipe.claims.controls) * recipe.claims.votes
        return _by_videos(videos, earlier, rollouts * a_trace)
    return rollouts if name == "sufficiency" else 0


def _by_videos(videos: int, earlier: StepUse | None, bound: int) -> int:
    rate = earlier.needed_a_video if earlier else None
    return bound if rate is None else round(videos * rate)


def _tokens_a_call(recipe: Recipe, name: str, earlier: StepUse | None) -> tuple[float, float]:
    """Of prompt and completion: measured, or a bound from above."""
    if earlier and earlier.use.calls:
        use = earlier.use
        return use.prompt_tokens / use.calls, use.completion_tokens / use.calls
    needs = recipe.teacher_needs(recipe.prober)
    frame = math.ceil(needs.image_width_px / TOKEN_SIDE_PX) * math.ceil(needs.image_height_px / TOKEN_SIDE_PX)
    images = {"sufficiency": 0, "claims": recipe.claims.frames_per_claim}.get(name, needs.images)
    longest = {
        "asked": recipe.questions.asked.wanted.max_tokens if recipe.questions.asked else 0,
        "probes": recipe.probes.max_tokens,
        "claims": recipe.claims.max_tokens,
        "sufficiency": recipe.sufficiency.max_tokens,
    }
    return TEXT_TOKENS + images * frame, longest.get(name, recipe.rollouts.max_tokens)


def _seconds(calls: int, videos: int, earlier: StepUse | None) -> float | None:
    """Of the step's tasks: by its calls where it made any, else by its videos."""
    if earlier is None or not earlier.videos:
        return None
    if earlier.use.calls:
        return calls * earlier.seconds / earlier.use.needed
    return None if calls else videos * earlier.seconds / earlier.videos


def _teachers_of(recipe: Recipe, name: str) -> list[tuple[TeacherConfig, float]]:
    """Who a step asks, and for what share of its completions."""
    asked = recipe.questions.asked
    if name == "asked" and asked:
        answers = asked.wanted.per_task * asked.wanted.answers
        return [(asked.writer, 1), (asked.answerer or asked.writer, answers)]
    if name == "traces":
        return [(each.teacher, each.share) for each in recipe.teachers]
    one = {"probes": recipe.prober, "claims": recipe.verifier, "sufficiency": recipe.judge}.get(name)
    return [(one, 1)] if one else []


def _mean_price(asked: Sequence[tuple[TeacherConfig, float]]) -> TeacherPrice | None:
    """Of a token, whoever answers; None where none of them has a price."""
    prices = [(teacher_price(cfg) or TeacherPrice(), share) for cfg, share in asked]
    if all(teacher_price(cfg) is None for cfg, _ in asked):
        return None
    whole = sum(share for _, share in prices)
    return TeacherPrice(
        per_million_prompt_tokens=sum(price.per_million_prompt_tokens * share for price, share in prices)
        / whole,
        per_million_completion_tokens=sum(
            price.per_million_completion_tokens * share for price, share in prices
        )
        / whole,
    )


def _questions_a_clip(recipe: Recipe) -> int:
    """The most that the recipe makes."""
    asked = recipe.questions.asked
    written = len(asked.wanted.tasks) * asked.wanted.per_task if asked else 0
    return written + len(recipe.questions.computed.kinds) * recipe.questions.computed.repeats
