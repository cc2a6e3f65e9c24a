import itertools
import math
import random
from collections.abc import Callable, Mapping, Sequence

import polars as pl
import pytest
from scipy.stats import beta

from reelproof.schemas.answers.chance import open_guess_rate
from reelproof.schemas.question import Task
from reelproof.schemas.trace import ProbeResult
from reelproof.stages.checks.luck import LuckConfig, measure_luck
from reelproof.stages.luck_pools import add_sums, pool_figures, pool_sums
from tests.cases import completion, made_case
from tests.pools import UNSEEN, with_pools
from tests.views import made_clip

CLIP = made_clip("film", 20.0)
TIMES_S = [round(frame.time_s, 1) for frame in CLIP.timeline]


def asked(task: Task, answer: str, text: str = "What?", **more):
    return made_case([], task=task, answer=answer, text=text, clip=CLIP, **more).question


def blind(passes: int, rollouts: int = 4) -> ProbeResult:
    return ProbeResult(
        question_id="q", model="m", blind_passes=passes, blind_rollouts=rollouts, single_passes=None,
        single_rollouts=None, shuffled_passes=None, shuffled_rollouts=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("question", "rate"),
    [
        (asked(Task.BOOLEAN, "yes"), 1 / 2),
        (asked(Task.MULTIPLE_CHOICE, "B", options=("a", "b", "c")), 1 / 3),
        (asked(Task.ORDERING, "2, 1, 3"), 1 / 6),
        (asked(Task.NUMERICAL, "3"), None),
        (asked(Task.NUMERICAL, "3", "How many metres?", tolerance=1.0), None),
        (asked(Task.NUMERICAL, "3", "How many dogs?"), 1 / 10),
        (asked(Task.OPEN_ENDED, "a dog"), None),
        (asked(Task.TEMPORAL_GROUNDING, "[2.0, 9.0]", timed=False), None),
    ],
)
def test_share_of_right_guesses_is_exact_where_answers_are_a_closed_set_and_unknown_elsewhere(question, rate):
    assert open_guess_rate(question) == (None if rate is None else pytest.approx(rate))


@pytest.mark.parametrize(("gold", "tolerance"), [(10.0, 1.0), (1.0, 2.5), (19.0, 3.0), (5.0, 40.0)])
def test_guessed_times_are_right_as_often_as_drawn_ones(gold, tolerance):
    question = asked(Task.NUMERICAL, str(gold), "When is the first cut, in seconds?", tolerance=tolerance)
    rng = random.Random(0)
    drawn = [rng.uniform(TIMES_S[0], TIMES_S[-1]) for _ in range(20_000)]
    share = sum(abs(each - gold) <= tolerance for each in drawn) / len(drawn)
    assert open_guess_rate(question) == pytest.approx(share, abs=0.02)


def test_guessed_spans_are_right_as_often_as_overlap_says():
    gold = (TIMES_S[3], TIMES_S[9])
    guesses = list(itertools.combinations(TIMES_S, 2))
    overlaps = [
        max(0.0, min(b, gold[1]) - max(a, gold[0])) / (max(b, gold[1]) - min(a, gold[0])) for a, b in guesses
    ]
    question = asked(Task.TEMPORAL_GROUNDING, f"[{gold[0]}, {gold[1]}]")
    for enough in (0.31, 0.52, 0.93):
        share = sum(each >= enough for each in overlaps) / len(guesses)
        assert open_guess_rate(question, enough) == pytest.approx(share)


def score(case):
    return list(measure_luck([case], LuckConfig()))


def test_luck_is_counted_for_each_teacher_and_for_all():
    case = made_case(
        [completion("so", each) for each in ("yes", "yes", "no", "yes")], task=Task.BOOLEAN, answer="yes"
    )
    models = ("one@1", "one@1", "two@1", "two@1")
    traces = [
        trace.model_copy(update={"model": model}) for trace, model in zip(case.traces, models, strict=True)
    ]
    traces[0] = traces[0].model_copy(update={"finish_reason": "error"})
    scores = score(case._replace(traces=tuple(traces)))
    assert [(each.teacher_passes, each.teacher_rollouts) for each in scores] == [
        (1, 1),
        (1, 1),
        (1, 2),
        (1, 2),
    ]
    assert [each.luck_tail for each in scores] == pytest.approx([0.5, 0.5, 0.75, 0.75])
    assert {round(each.question_luck_tail, 9) for each in scores} == {0.5}  # 2 of 3: 4/8


@pytest.mark.parametrize(
    ("task", "answer", "probe", "rate"),
    [
        (Task.BOOLEAN, "yes", blind(4), 0.5),
        (Task.NUMERICAL, "3", None, None),
        (Task.NUMERICAL, "3", blind(0, 0), None),
        (Task.NUMERICAL, "3", blind(0), 0.0),
        (Task.NUMERICAL, "3", blind(3), 0.75),
        (Task.OPEN_ENDED, "a dog", blind(1), 0.25),
    ],
)
def test_where_the_form_does_not_tell_blind_answers_do(task, answer, probe, rate):
    case = made_case([completion("so", answer)], task=task, answer=answer, text="What?")._replace(probe=probe)
    assert score(case)[0].luck_rate == rate


def test_blind_answers_raise_what_the_range_gives_and_do_not_lower_it():
    question = asked(Task.NUMERICAL, "10.0", "When is the first cut, in seconds?", tolerance=2.0)
    case = made_case([completion("so", "10.0")], clip=CLIP)._replace(question=question)
    by_range = open_guess_rate(question)
    rates = [score(case._replace(probe=blind(passes)))[0].luck_rate for passes in range(5)]
    assert rates[0] == by_range
    assert rates == sorted(rates)
    assert rates[4] == pytest.approx((4 + 2 * by_range) / 6)


def measured(
    kind: str,
    passes: list[int],
    rate: float = 0.5,
    rollouts: int = 8,
    right: Sequence[str] | None = None,
    wrong: Sequence[str] = ("another",),
) -> pl.DataFrame:
    """A question a row group: each has `rollouts` rows, of which as many as pass say what is `right`, and the
    others what is `wrong`, in turn; all alike where nothing is chosen.
    """
    rows = [
        {"question_id": f"{kind}{i}", "kind": kind, "task": "boolean", "model": "m@1", "luck_rate": rate,
         "teacher_passes": passed, "teacher_rollouts": rollouts,
         "first_passes": passed, "first_rollouts": rollouts, "right_choice": right[i] if right else None,
         "first_choice": (right[i] if turn < passed else wrong[turn % len(wrong)]) if right else None,
         "pass_count": passed, "rollout_count": rollouts, **UNSEEN}
        for i, passed in enumerate(passes) for turn in range(rollouts)
    ]  # fmt: skip
    texts = ("right_choice", "first_choice")
    beliefs = ("sufficient", "worst_belief", "worst_observation_belief")
    return pl.DataFrame(
        rows, schema_overrides=dict.fromkeys(texts, pl.String) | dict.fromkeys(beliefs, pl.Float64)
    )


def chosen(right: Sequence[str], says: Callable[[str], str], rate: float, rollouts: int = 8) -> pl.DataFrame:
    """A question a right answer; the teacher `says` something for each rollout, given what is right."""
    said = [[says(each) for _ in range(rollouts)] for each in right]
    passes = [sum(each == key for each in row) for key, row in zip(right, said, strict=True)]
    rows = measured("chosen", passes, rate, rollouts, right)
    return rows.with_columns(first_choice=pl.Series([each for row in said for each in row]))


def drawn(shares: list[float], seed: int, rollouts: int = 8) -> list[int]:
    rng = random.Random(seed)
    return [sum(rng.random() < share for _ in range(rollouts)) for share in shares]


def figures(frame: pl.DataFrame) -> dict[str, float]:
    (row,) = pool_figures(pool_sums(frame)).pools.iter_rows(named=True)
    return row


def test_pool_weighs_much_where_questions_are_alike_and_little_where_they_differ():
    tossed = figures(measured("tossed", drawn([0.5] * 200, 1)))
    split = figures(measured("split", drawn([0.02, 0.98] * 100, 2)))
    mixed = figures(measured("mixed", drawn([random.Random(i).betavariate(4, 4) for i in range(2000)], 3)))
    assert tossed["pool_weight"] > 25
    assert split["pool_weight"] == 1  # as little as is ever taken
    assert mixed["pool_weight"] == pytest.approx(8, abs=2)  # as many as the Beta distribution's two counts
    assert tossed["pool_pass_rate"] == pytest.approx(0.5, abs=0.05)


def test_pool_of_questions_asked_once_each_is_weighed_by_its_answers_and_a_lone_question_by_none():
    assert figures(measured("once", [1] * 20, rollouts=1))["pool_weight"] == 20
    assert figures(measured("lone", [7]))["pool_weight"] == 0
    assert figures(measured("right", [8] * 3))["pool_weight"] == 24


def test_pools_mean_excess_is_bounded_with_questions_as_units():
    always_yes = figures(measured("constant", [8, 0] * 20))
    assert always_yes["pool_excess"] == pytest.approx(0)
    assert always_yes["pool_excess_error"] == pytest.approx(0.5 / math.sqrt(39), rel=0.02)
    assert figures(measured("few", [8, 0, 8]))["pool_excess_error"] is None


FAVOURITES = [
    # what is right how often, what is said how often whatever is asked, luck by the form
    ({"yes": 0.7, "no": 0.3}, {"yes": 1.0}, 0.5),
    ({"yes": 0.62, "no": 0.38}, {"yes": 0.8, "no": 0.2}, 0.5),
    ({"A": 0.4, "B": 0.2, "C": 0.2, "D": 0.2}, {"A": 0.7, "B": 0.1, "C": 0.1, "D": 0.1}, 0.25),
    ({"A": 0.55, "B": 0.15, "C": 0.15, "D": 0.15}, {"A": 1.0}, 0.25),
    ({"2": 0.5, "3": 0.3, "4": 0.2}, {"2": 0.5, "3": 0.3, "4": 0.2}, 0.1),
    ({"2": 0.5, "3": 0.3, "4": 0.2}, {"2": 1.0}, 0.1),
]


def drawer(rng: random.Random, shares: Mapping[str, float]) -> Callable[[], str]:
    return lambda: rng.choices(list(shares), list(shares.values()))[0]


@pytest.mark.parametrize(("key", "favours", "rate"), FAVOURITES)
def test_who_favours_what_is_often_right_does_no_better_than_luck(key, favours, rate):
    rng = random.Random(4)
    right = [drawer(rng, key)() for _ in range(400)]
    say = drawer(rng, favours)
    rows = chosen(right, lambda _: say(), rate)
    pool = figures(rows)
    assert pool["pool_pass_rate"] > rate + 0.04
    assert pool["pool_excess"] < 2 * pool["pool_excess_error"]
    unaware = with_pools(rows.with_columns(pl.lit(None, pl.String).alias("right_choice")))
    assert unaware["pool_excess"][0] > 2 * unaware["pool_excess_error"][0]
    told = with_pools(rows)
    left = [(each["pool_luck_tail"] <= 0.05).mean() for each in (told, unaware)]
    assert left[0] < min(0.1, left[1])  # and of those that are left, none: the pool's mean shows nothing
    shares = dict(zip(*(told[name] for name in ("right_choice", "pool_luck_rate")), strict=True))
    assert all(share == pytest.approx(favours.get(each, 0.0), abs=0.05) for each, share in shares.items())


@pytest.mark.parametrize(("key", "rate"), [(key, rate) for key, _, rate in FAVOURITES])
def test_who_knows_beats_luck_however_often_one_answer_is_right(key, rate):
    rng = random.Random(5)
    right = [drawer(rng, key)() for _ in range(400)]
    say = drawer(rng, key)
    rows = chosen(right, lambda each: each if rng.random() < 0.9 else say(), rate)
    pool = figures(rows)
    assert pool["pool_excess"] > 4 * pool["pool_excess_error"]
    told = with_pools(rows).filter(pl.col("teacher_passes") == 8)
    assert (told["pool_luck_tail"] <= 0.05).mean() > 0.95


def test_what_is_said_to_a_question_does_not_count_as_luck_of_its_own():
    told = with_pools(chosen(["A"] * 9 + ["B"], lambda each: each, 0.25))
    shares = dict(told.select("right_choice", "pool_luck_rate").unique().iter_rows())
    assert shares == {"A": pytest.approx(8 / 9), "B": 0.0}


def test_a_pool_in_which_one_answer_is_always_right_shows_nothing():
    told = with_pools(chosen(["no"] * 40, lambda each: each, 0.5))
    assert set(told["pool_luck_rate"]) == {1.0}
    assert set(told["pool_luck_tail"]) == {1.0}


def test_choices_are_counted_in_one_spelling_and_in_the_first_batch_alone():
    case = made_case(
        [completion("so", each) for each in ("(b)", "B. red", "none", "C")],
        task=Task.MULTIPLE_CHOICE, answer="B", options=("blue", "red", "green"),
    )  # fmt: skip
    late = [each.model_copy(update={"batch": 1}) for each in case.traces[3:]]
    scores = score(case._replace(traces=(*case.traces[:3], *late)))
    assert [each.first_choice for each in scores] == ["B", "B", None, None]
    assert {each.right_choice for each in scores} == {"B"}
    near = made_case([completion("so", "3.2")], task=Task.NUMERICAL, answer="3")
    (number,) = score(near._replace(question=near.question.model_copy(update={"tolerance": 0.5})))
    assert (number.right_choice, number.first_choice) == (None, None)


def test_sums_of_parts_add_up_to_those_of_the_whole():
    one, other = measured("a", [8, 7, 3, 0]), measured("b", [1, 2])
    more = measured("a", [5, 6, 6]).with_columns(pl.col("question_id") + "/more")
    parts = add_sums([pool_sums(one), pool_sums(pl.concat([other, more]))])
    whole = add_sums([pool_sums(pl.concat([one, more, other]))])
    assert parts.asked.sort("kind").equals(whole.asked.sort("kind"))


def test_rows_get_their_pools_figures_in_their_own_order():
    frame = pl.concat([measured("a", [8, 7]), measured("b", [1], rate=0.25)])
    unknown = frame.head(1).with_columns(
        luck_rate=pl.lit(None, pl.Float64), kind=pl.lit("c"), question_id=pl.lit("other")
    )
    told = with_pools(pl.concat([unknown, frame.reverse()]))
    assert told["question_id"].to_list() == ["other", *frame.reverse()["question_id"]]
    assert told["pool_questions"].to_list() == [None, *[1] * 8, *[2] * 16]


def test_teachers_and_tasks_have_pools_of_their_own():
    frame = measured("a", [8, 7])
    other = frame.with_columns(model=pl.lit("n@1"), first_passes=pl.lit(0, pl.Int64))
    told = with_pools(pl.concat([frame, other]))
    assert told.group_by("model").agg(pl.col("pool_pass_rate").first()).sort("model").rows() == [
        ("m@1", 15 / 16),
        ("n@1", 0.0),
    ]


def test_what_a_pool_leaves_to_luck_is_the_beta_distribution_below_the_rate():
    passes = drawn([0.5] * 20, 4) + drawn([0.9] * 20, 5)
    frame = measured("mixed", passes).with_columns(
        pass_count=pl.col("teacher_passes") + 1, rollout_count=pl.lit(12)
    )
    told = with_pools(frame)
    pool = figures(frame)
    prior = pool["pool_weight"] * pool["pool_pass_rate"], pool["pool_weight"] * (1 - pool["pool_pass_rate"])
    for right, mine, everyones in zip(
        frame["teacher_passes"], told["pool_luck_tail"], told["pool_question_luck_tail"], strict=True
    ):
        assert mine == pytest.approx(beta.cdf(0.5, prior[0] + right, prior[1] + 8 - right))
        assert everyones == pytest.approx(beta.cdf(0.5, prior[0] + right + 1, prior[1] + 11 - right))


def test_small_pools_and_questions_without_answers_leave_nothing_known():
    assert with_pools(measured("few", [8] * 7))["pool_luck_tail"].null_count() == 7 * 8
    asked = pl.concat([measured("a", [8] * 8), measured("a", [0], rollouts=1).with_columns(
        question_id=pl.lit("none"), teacher_rollouts=pl.lit(0, pl.Int64), first_rollouts=pl.lit(0, pl.Int64)
    )])  # fmt: skip
    assert with_pools(asked)["pool_luck_tail"].null_count() == 1


@pytest.mark.parametrize(("rollouts", "rate"), [(8, 0.5), (4, 0.25), (1, 0.25), (2, 0.5)])
def test_hardly_a_right_guess_survives_its_pool_and_hardly_a_known_answer_is_lost(rollouts, rate):
    """Pools of 60 questions, guessed throughout; and known in four of five, wrong in the others.

    Where each is asked but once, a pool of guesses is kept or lost as a whole: one in twenty.
    """
    rng = random.Random(rollouts)
    kept_guesses, guesses, kept, known = 0, 0, 0, 0
    for trial in range(20):
        guessed = measured("g", drawn([rate] * 60, rng.randrange(1 << 20), rollouts), rate, rollouts)
        right = with_pools(guessed).filter(pl.col("teacher_passes") > 0)
        kept_guesses += (right["pool_luck_tail"] <= 0.05).sum()
        guesses += len(right)
        shares = [0.97 if place % 5 else 0.03 for place in range(60)]
        answered = measured("k", drawn(shares, trial, rollouts), rate, rollouts)
        right = with_pools(answered).filter(pl.col("teacher_passes") / rollouts > 0.9)
        kept += (right["pool_luck_tail"] <= 0.05).sum()
        known += len(right)
    assert kept_guesses / guesses < (0.1 if rollouts == 1 else 0.05)
    assert kept / known > 0.95


def test_rows_that_do_not_count_change_no_pool():
    frame, gone = (
        measured("a", [8, 7, 6] * 4),
        measured("a", [0] * 4).with_columns(pl.col("question_id") + "/gone"),
    )
    both = pl.concat([gone, frame])
    told = with_pools(both, pl.Series([False] * len(gone) + [True] * len(frame)))
    assert told.tail(len(frame)).equals(with_pools(frame))
