"""Right answers whose thoughts a verifier vouches for: put down to luck where luck gives them, else not."""

import random
from collections.abc import Sequence

import polars as pl
import pytest

from reelproof.schemas.policy import PolicyConfig
from reelproof.stages.luck_pools import add_sums, pool_figures, pool_sums
from tests.pools import with_pools

CONFIDENCE = PolicyConfig().luck_confidence


def answers(counts: Sequence[tuple[int, int]], luck: float = 0.25, **more: object) -> pl.DataFrame:
    """A question each count of (right, vouched for), of eight rollouts: others are wrong."""
    rows = [
        {"question_id": f"q{number}", "kind": "way", "task": "multiple_choice", "model": "m@1",
         "luck_rate": luck, "teacher_passes": right, "teacher_rollouts": 8, "pass_count": right,
         "rollout_count": 8, "first_passes": right, "first_rollouts": 8, "right_choice": None,
         "first_choice": None, "answer_lenient": float(turn < right), "judged_claims": 2,
         "worst_belief": 0.9 if turn < vouched else 0.1, "worst_observation_belief": None,
         "sufficient": None} | more
        for number, (right, vouched) in enumerate(counts)
        for turn in range(8)
    ]  # fmt: skip
    kinds = {"right_choice": pl.String, "first_choice": pl.String}
    beliefs = dict.fromkeys(("worst_belief", "worst_observation_belief", "sufficient"), pl.Float64)
    return pl.DataFrame(rows, schema_overrides=kinds | beliefs)


def drawn(count: int, known: float, rate: float, luck: float, most: int) -> tuple[pl.DataFrame, list[bool]]:
    """Questions of which a share is known, and whether each is; those that are not are answered by luck."""
    rng = random.Random(count)
    is_known = [rng.random() < known for _ in range(count)]
    counts = []
    for each in is_known:
        vouched = rng.randint(1, most)
        counts.append((sum(rng.random() < (rate if each else luck) for _ in range(vouched)), vouched))
    return answers(counts, luck), is_known


def spared(rows: pl.DataFrame) -> pl.Series:
    """Whether each right answer that is vouched for is shown to be no luck."""
    right = with_pools(rows).filter(pl.col("vouched_luck").is_not_null(), pl.col("answer_lenient") == 1)
    return right.select("question_id", spared=pl.col("vouched_luck") <= 1 - CONFIDENCE)


@pytest.mark.parametrize("luck", [0.5, 0.25, 0.1])
@pytest.mark.parametrize(
    ("known", "rate", "most"), [(0.9, 0.95, 1), (0.9, 0.95, 4), (0.5, 0.95, 4), (0.9, 0.7, 8)]
)
def test_of_answers_that_are_shown_to_be_no_luck_hardly_any_is(luck, known, rate, most):
    rows, is_known = drawn(400, known, rate, luck, most)
    told = (
        spared(rows)
        .filter("spared")
        .with_columns(
            known=pl.col("question_id").replace_strict({f"q{i}": each for i, each in enumerate(is_known)})
        )
    )
    assert told.is_empty() or told["known"].mean() >= CONFIDENCE


@pytest.mark.parametrize(("luck", "most"), [(0.25, 1), (0.25, 3), (0.1, 1), (0.5, 8)])
def test_a_hard_question_answered_right_once_is_known_where_its_pool_is(luck, most):
    rows, _ = drawn(400, 0.95, 0.97, luck, most)
    assert spared(rows)["spared"].mean() > 0.85
    alone = with_pools(rows).filter(pl.col("teacher_passes") == 1)
    assert (alone["pool_luck_tail"] > 1 - CONFIDENCE).mean() > 0.5  # its rate alone does not tell


@pytest.mark.parametrize("luck", [0.5, 0.25, 0.1])
@pytest.mark.parametrize("count", [8, 40, 400])
@pytest.mark.parametrize("most", [1, 8])
def test_guesses_are_luck_whoever_vouches_for_them(luck, count, most):
    rows, _ = drawn(count, 0.0, 1.0, luck, most)
    assert not spared(rows)["spared"].any()


def test_an_answer_that_never_changes_is_luck_whatever_it_is_to_whom():
    rows = answers([(8, 8), (0, 8)] * 100, luck=0.5)
    assert not spared(rows)["spared"].any()


def of_choices(rows: pl.DataFrame, of_a: int) -> pl.DataFrame:
    """The same, where A is right of the first questions, B of others, and A is said, or what is right."""
    is_a = pl.col("question_id").str.slice(1).cast(pl.Int64) < of_a
    right = pl.when(is_a).then(pl.lit("A")).otherwise(pl.lit("B"))
    said = pl.when(pl.col("answer_lenient") == 1).then(right).otherwise(pl.lit("A"))
    return rows.with_columns(right_choice=right, first_choice=said)


def test_who_favours_what_is_often_right_is_right_by_luck():
    rows = answers([(8, 8)] * 70 + [(0, 8)] * 30, luck=0.25)
    favoured = of_choices(rows, 70)
    assert not spared(favoured)["spared"].any()
    assert pool_figures(pool_sums(favoured)).known["known_doubt"].item() > 0.05
    assert spared(rows)["spared"].any()  # where nobody knows what is favoured, they look like knowledge


def test_a_right_answer_tells_less_where_it_is_the_one_that_is_mostly_given():
    told = with_pools(of_choices(answers([(1, 1)] * 98 + [(0, 1)] * 2, luck=0.25), 70))
    by_choice = (
        told.filter(pl.col("answer_lenient") == 1).group_by("right_choice").agg(pl.col("vouched_luck").max())
    )
    chances = dict(by_choice.iter_rows())
    assert chances["A"] > 1.5 * chances["B"]


def test_nothing_is_said_of_what_nobody_vouches_for_nor_of_small_pools_nor_of_scores_by_degree():
    some = [(2, 3)] * 20
    told = with_pools(answers(some))
    assert told["vouched_luck"].is_not_null().to_list() == [turn < 3 for _ in some for turn in range(8)]
    for rows in (
        answers(some[:7]),
        answers(some, task="temporal_grounding"),
        answers(some, luck_rate=None).with_columns(pl.col("luck_rate").cast(pl.Float64)),
        answers(some, judged_claims=0, worst_belief=None),
        answers(some, worst_observation_belief=0.2),
    ):
        assert with_pools(rows)["vouched_luck"].is_null().all()


def judged(rows: pl.DataFrame, rate: float, seed: int = 0) -> pl.DataFrame:
    """The same with a judge who concludes the right answer from so many of what thoughts observe."""
    rng = random.Random(seed)
    return rows.with_columns(sufficient=pl.Series([float(rng.random() < rate) for _ in range(len(rows))]))


def test_what_a_judge_concludes_from_what_is_vouched_for_is_no_luck_though_the_teacher_guesses():
    rows, _ = drawn(100, 0.0, 1.0, 0.5, 8)
    assert not spared(rows)["spared"].any()
    told = with_pools(judged(rows, 0.97))
    mine = told.filter(pl.col("answer_lenient") == 1, pl.col("worst_belief") > 0.5)
    led = mine["sufficient"] == 1
    assert (mine.filter(led)["vouched_luck"] <= 1 - CONFIDENCE).mean() > 0.9
    assert mine.filter(~led)["vouched_luck"].is_null().all()


def test_without_a_judge_the_answers_tell():
    rows, _ = drawn(100, 0.9, 0.95, 0.25, 4)
    without = with_pools(rows.drop("sufficient"))
    assert without["vouched_luck"].equals(with_pools(rows)["vouched_luck"])
    assert without["vouched_luck"].count()


def test_a_judge_who_guesses_or_always_says_the_same_shows_nothing():
    rows, _ = drawn(100, 0.0, 1.0, 0.5, 8)
    assert not spared(judged(rows, 0.5))["spared"].any()
    is_yes = pl.col("question_id").str.slice(1).cast(pl.Int64) < 70
    right = pl.when(is_yes).then(pl.lit("yes")).otherwise(pl.lit("no"))
    yes_man = rows.with_columns(right_choice=right, sufficient=is_yes.cast(pl.Float64))
    assert not spared(yes_man)["spared"].any()


def test_sums_of_parts_add_up_to_those_of_the_whole():
    rows, _ = drawn(60, 0.8, 0.9, 0.25, 4)
    half = pl.col("question_id").str.slice(1).cast(pl.Int64) < 30
    parts = add_sums([pool_sums(rows.filter(half)), pool_sums(rows.filter(~half))])
    order = ("vouched_passes", "vouched_rollouts")
    assert parts.vouched.sort(order).equals(pool_sums(rows).vouched.sort(order))


def test_each_teacher_is_told_by_its_own_answers():
    rows, _ = drawn(100, 1.0, 0.97, 0.25, 2)
    luck, _ = drawn(100, 0.0, 1.0, 0.25, 2)
    both = with_pools(pl.concat([rows, luck.with_columns(model=pl.lit("n@1"))]))
    right = both.filter(pl.col("answer_lenient") == 1, pl.col("vouched_luck").is_not_null())
    known = right.group_by("model").agg((pl.col("vouched_luck") <= 1 - CONFIDENCE).mean()).sort("model")
    knows, guesses = known["vouched_luck"]
    assert knows > 0.9
    assert guesses == 0
