"""A question's answers so far -> whether more of them may yet tell what is known from what luck gives.

A question that is answered right as seldom as luck would is not shown to be luck: so few rollouts may not
tell. Whoever asks until they do is fooled more often, unless what is left to luck is shared among the batches
(`Tally.luck_tail`; Pocock 1977 shares it alike, as here, in batches of one size). When to give up is free:
that lets nothing through. A question is given up where, by its answers so far, luck would hardly be excluded
at the end (stochastic curtailment by predictive power: Spiegelhalter, Freedman and Blackburn 1986).
"""

from bisect import bisect_left

from reelproof.schemas.answers.tally import Tally
from reelproof.schemas.intervals import binomial_tail, chance_of_passes

_LEAST_HOPE = 0.1
"""With less of a chance that luck is excluded at the end, a question is given up."""


def is_undecided(so_far: Tally, luck_rate: float | None, more: int, batches: int, confidence: float) -> bool:
    """Whether some answers are right, luck explains them, and `more` rollouts may well exclude it.

    Args:
        so_far: The question's answers.
        luck_rate: Share of guesses that are right; of a question for which it is None nothing is decided.
        more: Rollouts that it may still get, 1 or more.
        batches: In which its rollouts may come; after each it is asked whether luck is excluded.
        confidence: How sure that must be.
    """
    tail, left_to_luck = so_far.luck_tail(luck_rate, batches), 1 - confidence
    if luck_rate is None or tail is None or not so_far.passes or tail <= left_to_luck:
        return False
    rollouts = so_far.rollouts + more

    def excludes_luck(count: int) -> bool:
        return binomial_tail(so_far.passes + count, rollouts, luck_rate) <= left_to_luck / batches

    wanted = bisect_left(range(more + 1), True, key=excludes_luck)
    return chance_of_passes(wanted, more, *so_far) >= _LEAST_HOPE
