"""Counts of a run and its servers' metrics -> what a person wants to know: rates, shares, time left, cost."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from reelproof.pipeline.accounts.accounting import StepUse, TeacherUse
from reelproof.pipeline.accounts.server_load import ServerLoad
from reelproof.schemas.counted import counted
from reelproof.schemas.record import Record


class UseFigures(Record):
    """What a person wants to know of a run's teachers, beside the counts of `TeacherUse`."""

    prompt_tokens_per_s: float = 0
    completion_tokens_per_s: float = 0
    in_flight: int = 0
    """Requests at servers now."""
    mean_in_flight: float = 0
    """Completions under way on average between the first call and the last answer (Little's law)."""
    reuse_share: float = 0
    """Of the completions needed, those that the logs held."""
    gpu_idle_share: float | None = None
    """Of the looks at servers between their first request and their last, those at which they had nothing to
    do; None where no server tells."""
    prefix_hit_share: float | None = None
    """Of the prompts' tokens, those that the servers had read before; None where no server tells."""
    image_hit_share: float | None = None
    """Of the frames, those that the servers had seen before; None where no server tells."""
    cost: float | None = None
    """In the price's currency; None where no teacher has a price."""
    seconds_left: float | None = None
    """Until every step of every part is done, at the rates so far; None where they are not known yet, and
    where what is left of a step has taken longer than what went before."""

    @property
    def told_left(self) -> str:
        """The same in words."""
        if self.seconds_left is None:
            return "time left: not known"
        return f"about {tell_seconds(self.seconds_left)} left"


def use_figures(
    use: TeacherUse, servers: Sequence[ServerLoad], in_flight: int = 0, seconds_left: float | None = 0.0
) -> UseFigures:
    """The figures that follow. Shares of several servers are weighed by their looks and by their tokens."""
    told = [each for each in servers if each.looks]

    def a_second(amount: float) -> float:
        return round(amount / use.seconds, 2) if use.seconds > 0 else 0.0

    return UseFigures(
        prompt_tokens_per_s=a_second(use.prompt_tokens),
        completion_tokens_per_s=a_second(use.completion_tokens),
        in_flight=in_flight,
        mean_in_flight=a_second(use.latency_s),
        reuse_share=round(use.reused / use.needed, 4) if use.needed else 0.0,
        gpu_idle_share=_mean([(each.idle_share, each.looks) for each in told]),
        prefix_hit_share=_mean([(each.prefix_hit_share, each.prompt_tokens) for each in told]),
        image_hit_share=_mean([(each.image_hit_share, each.prompt_tokens) for each in told]),
        cost=use.cost,
        seconds_left=seconds_left,
    )


def _mean(weighed: Sequence[tuple[float, int]]) -> float | None:
    weight = sum(each for _, each in weighed)
    return round(sum(value * each for value, each in weighed) / weight, 4) if weight else None


def seconds_left(
    videos_left: Mapping[str, int],
    finished: Sequence[StepUse],
    running: Sequence[StepUse],
    elapsed_s: float,
    earlier: Sequence[StepUse] = (),
) -> float | None:
    """Until so many videos of each step are through, at the rate and with as many tasks at once as so far.

    `videos_left` counts those of running tasks, whose seconds so far are taken off. A step that no part of
    this build is through goes by earlier builds; None where those do not know it either, and where all that
    is left of a step runs already and has taken longer than what went before.
    """
    rates = {
        each.step: each.seconds_a_video for each in (*earlier, *finished) if each.seconds_a_video is not None
    }
    left = {step: count for step, count in videos_left.items() if count}
    if not left:
        return 0.0
    worked_s = sum(each.seconds for each in (*finished, *running))
    if not worked_s or elapsed_s <= 0 or not left.keys() <= rates.keys():
        return None
    spent_s: defaultdict[str, float] = defaultdict(float)
    for each in running:
        spent_s[each.step] += each.seconds
    ahead_s = {step: count * rates[step] - spent_s[step] for step, count in left.items()}
    if any(spent_s[step] and seconds <= 0 for step, seconds in ahead_s.items()):
        return None
    return sum(ahead_s.values()) * elapsed_s / worked_s


def tell_use(use: TeacherUse, figures: UseFigures) -> str:
    """Use and figures in one line for a person."""
    return "teachers: " + "; ".join(_told(use, figures))


def _told(use: TeacherUse, figures: UseFigures) -> Iterator[str]:
    yield (
        f"{counted(use.prompt_tokens, 'token')} in, {use.completion_tokens:,} out, "
        f"{figures.completion_tokens_per_s:,.1f} out a second"
    )
    yield f"{counted(figures.in_flight, 'request')} in flight, {figures.mean_in_flight:.1f} on average"
    yield f"{figures.reuse_share:.0%} of {counted(use.needed, 'completion')} from the logs"
    if figures.gpu_idle_share is not None:
        yield f"servers idle {figures.gpu_idle_share:.1%} of the time"
    if figures.prefix_hit_share is not None:
        yield (
            f"their caches held {figures.prefix_hit_share:.0%} of the prompts and "
            f"{figures.image_hit_share or 0:.0%} of the frames"
        )
    if use.failed or use.retries:
        yield f"{use.failed} failures, {use.retries} asked again"
    if figures.cost is not None:
        yield f"cost {tell_cost(figures.cost)}"


def tell_size(size_bytes: int) -> str:
    """`25.0 kB`, `3.7 MB`, `12.5 GB`"""
    for unit, bytes_each in (("GB", 1e9), ("MB", 1e6)):
        if size_bytes >= 0.1 * bytes_each:
            return f"{size_bytes / bytes_each:,.1f} {unit}"
    return f"{size_bytes / 1e3:.1f} kB"


def tell_seconds(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`"""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def tell_cost(cost: float) -> str:
    """A cost in words, in the currency of the recipe's prices."""
    return f"{cost:,.2f}" if cost >= 0.1 else f"{cost:.4f}"
