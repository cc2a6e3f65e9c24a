"""Parts with steps to do -> how many completions they will take, how many tokens, how long, at what cost.

Questions are counted where a part has them and go by other parts, or by the recipe's settings, where it does
not. What a completion takes goes by earlier builds of the folder; without any, prompts by their frames and
answers by their longest give a bound from above.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reelproof.pipeline.accounts.accounting import StepUse
from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.parts.step import Ask, Expected, PartStep, Step
from reelproof.pipeline.parts.todo import Todo, teachers_of
from reelproof.pipeline.progress.run_progress import RunProgress
from reelproof.pipeline.recipe import Recipe
from reelproof.pipeline.teachers.kinds import teacher_price
from reelproof.schemas.record import Record
from reelproof.stages.questions.computed import USUAL
from reelproof.stages.teachers.protocol import ServerTeacherConfig, TeacherNeeds, TeacherPrice

TOKEN_SIDE_PX = 28
"""The side of the square of pixels that becomes one token, as in Qwen-VL."""
TEXT_TOKENS = 400
"""Of a prompt without its frames: instructions, times, question, options."""
CLIPS_A_VIDEO = 1
"""Before any is known: a short film is one clip."""
PARTS_AT_ONCE = 4
"""Before any is known."""


_QUEUED = 12
"""Parts at servers want so many times what these take at once: of a part, most is answered or not asked yet
while its slowest answer, and what follows from that, are waited for."""
_PARTS_AT_SERVERS = range(8, 257)
"""So few or many, whatever that comes to: each takes a thread."""


class StepForecast(Record):
    """What one step is expected to take in the parts that it has not been through."""

    step: str
    calls: int
    """Completions, those in the logs among them."""
    at_most: bool
    """Whether there may well be fewer."""
    counted: bool
    """Whether it follows from questions that are there; else from what other films had, or may have."""
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
        """The requests that all steps together are expected to make."""
        return sum(each.calls for each in self.steps)

    @property
    def tokens(self) -> tuple[int, int]:
        """The tokens of prompts, and of completions, that are expected."""
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

    def are_known(self, part: PartInputs, recipe: Recipe) -> bool:
        """Whether a part's questions are counted, or none are made beside those that came with its videos."""
        return part.name in self.counted or not _most_made(part, recipe)

    def of(self, part: PartInputs, recipe: Recipe) -> int:
        """Counted, as they came, by the other parts' average, or by the recipe."""
        if part.name in self.counted:
            return self.counted[part.name]
        made = _most_made(part, recipe)
        if made and self.videos:
            return round(len(part.sources) * sum(self.counted.values()) / self.videos)
        return len(part.given) + made


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
    for step in {each.name: each for todo in todos for each in todo.steps}.values():
        parts = [todo.inputs for todo in todos if any(each.name == step.name for each in todo.steps)]
        steps.append(_step_forecast(recipe, step, parts, questions, earlier.get(step.name)))
    known = all(each.seconds is not None for each in steps)
    at_once = (before.tasks_at_once if before else 0) or PARTS_AT_ONCE
    seconds = sum(each.seconds or 0 for each in steps) / at_once if known else None
    return Forecast(steps=tuple(each for each in steps if each.calls), logged=logged, seconds=seconds)


def parts_at_servers(recipe: Recipe, todos: Sequence[Todo]) -> int:
    """How many parts may wait for servers at once: as the recipe says, or so many that no queue runs dry."""
    waiting = [
        Todo(todo.inputs, tuple(step for step in todo.steps if step.slot == "TEACHER")) for todo in todos
    ]
    asking = [each for each in waiting if each.steps]
    if not asking:
        return 0
    if recipe.cluster.teacher_slots is not None:
        return recipe.cluster.teacher_slots
    servers = [each for each in teachers_of(asking) if isinstance(each, ServerTeacherConfig)]
    taken = sum(each.concurrency * len(each.urls) for each in servers)
    steps = forecast(recipe, asking, KnownQuestions({}, 0), None).steps
    calls = max((each.calls for each in steps), default=1)
    fill = math.ceil(_QUEUED * taken * len(asking) / calls)
    return min(max(fill, _PARTS_AT_SERVERS.start), _PARTS_AT_SERVERS.stop - 1)


def _step_forecast(
    recipe: Recipe,
    step: Step[PartStep],
    parts: Sequence[PartInputs],
    questions: KnownQuestions,
    earlier: StepUse | None,
) -> StepForecast:
    videos = sum(len(part.sources) for part in parts)
    asked = sum(questions.of(part, recipe) for part in parts)
    calls = step.kind.calls(recipe, Expected(videos * CLIPS_A_VIDEO, asked))
    rate = earlier.needed_a_video if earlier and step.kind.varies else None
    calls = calls if rate is None else round(videos * rate)
    prompt, completion = _tokens_a_call(step.asks, earlier)
    price = _mean_price(step.asks)
    return StepForecast(
        step=step.name,
        calls=calls,
        at_most=rate is None and (step.kind.varies or step.kind.bound(recipe)),
        counted=rate is None and all(questions.are_known(part, recipe) for part in parts),
        prompt_tokens=round(calls * prompt),
        completion_tokens=round(calls * completion),
        seconds=_seconds(calls, videos, earlier),
        cost=None if price is None else price.of(calls * prompt, calls * completion),
        measured=bool(earlier and earlier.use.calls),
    )


def _tokens_a_call(asks: Sequence[Ask], earlier: StepUse | None) -> tuple[float, float]:
    """Of prompt and completion: measured, or a bound from above."""
    if earlier and earlier.use.calls:
        use = earlier.use
        return use.prompt_tokens / use.calls, use.completion_tokens / use.calls
    prompts = [TEXT_TOKENS + ask.needs.images * _frame_tokens(ask.needs) for ask in asks]
    return max(prompts, default=0), max((ask.needs.max_tokens for ask in asks), default=0)


def _frame_tokens(needs: TeacherNeeds) -> int:
    width, height = needs.image_width_px, needs.image_height_px
    return math.ceil(width / TOKEN_SIDE_PX) * math.ceil(height / TOKEN_SIDE_PX)


def _seconds(calls: int, videos: int, earlier: StepUse | None) -> float | None:
    """Of the step's tasks: by its calls where it made any, else by its videos."""
    if earlier is None or not earlier.videos:
        return None
    if earlier.use.calls:
        return calls * earlier.seconds / earlier.use.needed
    return None if calls else videos * earlier.seconds / earlier.videos


def _mean_price(asks: Sequence[Ask]) -> TeacherPrice | None:
    """Of a token, whoever answers; None where none of them has a price."""
    prices = [(teacher_price(ask.teacher), ask.share) for ask in asks]
    if all(price is None for price, _ in prices):
        return None
    whole = sum(share for _, share in prices)
    told = [(price or TeacherPrice(), share / whole) for price, share in prices]
    return TeacherPrice(
        per_million_prompt_tokens=sum(price.per_million_prompt_tokens * share for price, share in told),
        per_million_completion_tokens=sum(
            price.per_million_completion_tokens * share for price, share in told
        ),
    )


def _most_made(part: PartInputs, recipe: Recipe) -> int:
    """The most questions that the recipe makes of a part's clips, beside those that came with its videos."""
    asked, computed, edited = recipe.questions.asked, recipe.questions.computed, recipe.questions.edited
    a_clip = len(asked.wanted.tasks) * asked.wanted.per_task if asked else 0
    a_clip += len(edited.kinds) * edited.repeats if edited else 0
    with_own = {row.video_id for row in part.given}
    made = 0
    for each in part.sources:
        usual = () if each.video_id in with_own else USUAL
        kinds = usual if computed.kinds is None else computed.kinds
        made += CLIPS_A_VIDEO * (a_clip + len(kinds) * computed.repeats)
    return made
