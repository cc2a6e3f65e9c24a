import pytest

from reelproof.schemas.question import Task
from reelproof.schemas.trace import Claim, ClaimKind, ProbeResult
from reelproof.stages.checks.answer import AnswerConfig, measure_answer
from reelproof.stages.checks.citations import CitationConfig, measure_citations
from reelproof.stages.checks.difficulty import DifficultyConfig, measure_difficulty
from reelproof.stages.checks.form import FormConfig, measure_form
from reelproof.stages.checks.grounding import GroundingConfig, measure_grounding
from reelproof.stages.checks.probes import ProbeScoreConfig, measure_probes
from reelproof.stages.checks.registry import CHECKS
from reelproof.stages.checks.text import (
    TextConfig,
    foreign_script,
    measure_text,
    scripts,
    speaks_of_given_answer,
)
from tests.cases import completion, made_case

GOOD = completion("The picture changes at [1.0 s]. So the answer is 4.", "4")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_every_check_gives_one_score_a_trace_in_order_with_its_defaults(check):
    cases = [made_case([GOOD, "", "<think>"], name=name) for name in "abc"]
    scores = list(check.measure(iter(cases), check.config()))
    assert [type(score) for score in scores] == [check.score] * 9
    assert [score.trace_id for score in scores] == [trace.trace_id for case in cases for trace in case.traces]


def test_checks_have_distinct_names_and_columns():
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    columns = [name for check in CHECKS for name in check.score.model_fields if name != "trace_id"]
    assert len(set(columns)) == len(columns)


def test_form_tells_tags_endings_and_length():
    texts = [GOOD, "<think></think><answer></answer>", "4"]
    scores = list(measure_form([made_case(texts)], FormConfig()))
    assert [score.answer_form for score in scores] == ["as_asked", "unreadable", "unreadable"]
    assert [score.thought_words for score in scores] == [12, 0, 0]
    for reason, finished in (("stop", True), ("length", False), ("error", False)):
        (score,) = measure_form([made_case([GOOD], finish_reason=reason)], FormConfig())
        assert (score.finished, score.failed) == (finished, reason == "error")


def test_answer_is_scored_strictly_leniently_and_in_part():
    case = made_case(
        [completion("a", said) for said in ("2, 1, 3", "2 1 3", "1, 2, 3", "x")],
        task=Task.ORDERING,
        answer="2, 1, 3",
    )
    scores = list(measure_answer([case], AnswerConfig()))
    assert [score.answer_strict for score in scores] == [1, 0, 0, 0]
    assert [score.answer_lenient for score in scores] == [1, 1, 0, 0]
    assert [score.answer_partial for score in scores] == pytest.approx([1, 1, 2 / 3, 0])


def test_open_ended_answers_are_compared_as_configured():
    case = made_case([completion("a", "a dog runs fast")], task=Task.OPEN_ENDED, answer="the dog runs")
    scores = [
        next(measure_answer([case], AnswerConfig(open_ended=how))).answer_lenient for how in ("f1", "rouge")
    ]
    assert scores[0] == pytest.approx(0.8)
    assert 0 < scores[1] < scores[0]


def test_difficulty_counts_passes_and_leaves_failures_out():
    texts = [completion("a", said) for said in ("4", "4", "5", "four")]
    scores = list(measure_difficulty([made_case(texts)], DifficultyConfig()))
    assert {(score.pass_count, score.rollout_count) for score in scores} == {(3, 4)}
    (failed,) = measure_difficulty([made_case([""], finish_reason="error")], DifficultyConfig())
    assert (failed.pass_count, failed.rollout_count, failed.pass_low, failed.pass_high) == (0, 0, 0, 1)


def test_graded_answers_pass_from_the_configured_score_up():
    case = made_case([completion("a", "[0, 6]")], task=Task.TEMPORAL_GROUNDING, answer="[0, 10]")
    passes = [
        next(measure_difficulty([case], DifficultyConfig(min_graded_score=s))).pass_count
        for s in (0.5, 0.6, 0.61)
    ]
    assert passes == [1, 1, 0]


@pytest.mark.parametrize(
    ("question", "thought", "share"),
    [
        ("How many?", "There are four.", 0),
        ("How many?", "有四个场景", 1),
        ("How many?", "four 四", 1 / 5),
        ("有几个?", "有四个", 0),
        ("How many?", "это x", 3 / 4),
        ("123?", "abc", 0),  # a question without letters allows all scripts
        ("How many?", "café naïve", 0),
        ("How many?", "1 2 3", 0),
        ("视频中有多少个人？", "在 [1.2 s] 有一个人，在 [3.4-5.0 s] 又来了一个人。", 0),
        ("视频中有多少个人？", "所以选B。", 0),
        ("视频中有多少个人？", "有人 OK", 1 / 2),
        ("何人いますか", "カメラの前でコーヒーを買う人々", 0),
        ("カメラ", "ｶﾒﾗを見る", 0),
        ("有几个人", "カメラ", 1),  # kana are foreign to Chinese
        ("カメラ", "camera", 1),
        ("Ｈｏｗ", "four", 0),
    ],
)
def test_foreign_script_is_the_share_of_letters_the_question_does_not_use(question, thought, share):
    assert foreign_script(thought, scripts(question)) == pytest.approx(share)


@pytest.mark.parametrize(
    ("thought", "leaks"),
    [
        ("The given answer is B, so I explain it.", True),
        ("According to the answer key this is B.", True),
        ("The ground truth says 4.", True),
        ("Since the correct answer is B, the car must be red.", True),
        ("As the answer provided is 4, there are 3 cuts.", False),
        ("The answer is given as 4.", True),
        ("The provided solution states 4.", True),
        ("I was told the answer is 4.", True),
        ("My reasoning must match the correct answer.", True),
        ("The hint says it is red.", True),
        ("<answer>4</answer> is what I will say.", True),
        ("I first thought <answer>3</answer>, but no.", True),
        ("At [1.0 s] the car is red. So the answer is B.", False),
        ("A man is given an envelope. The answer is B.", False),
        ("The label on the bottle is green.", False),
        ("Given the frames, the answer is 4.", False),
        ("The correct option must be B because the car is red.", False),
        ("Among the given options, red fits best.", False),
        ("Looking at the provided options, only B matches.", False),
        ("None of the listed options fits but C.", False),
        ("Of the provided answer choices, only B fits.", False),
        ("None of the given answers but C fits.", False),
        ("We are given the options red and blue.", False),
        ("The options are given as A to D.", False),
        ("The given option B shows a car.", False),
        ("The cap should match the label.", False),
        ("Since the label is red, it is milk.", False),
        ("The label says 'Milk'.", False),
        ("The shop's response was given.", False),
        ("The known answer is B.", True),
        ("The correct option is given as B.", True),
        ("I already know which correct option it is.", True),
        ("Since the correct option is B, the car must be red.", True),
    ],
)
def test_leak_is_talk_of_a_given_answer(thought, leaks):
    assert speaks_of_given_answer(thought) is leaks


def test_text_takes_scripts_from_question_options_and_answer():
    case = made_case(
        [completion("красный 赤", "A")], task=Task.MULTIPLE_CHOICE, options=("красный",), answer="A"
    )
    (score,) = measure_text([case], TextConfig())
    assert score.foreign_script == pytest.approx(1 / 8)


def test_citations_count_those_in_the_clip_and_near_a_shown_frame():
    frame_s = made_case([]).question.frames[2].shown_s
    thought = f"[{frame_s} s] [{frame_s - 0.2:.1f}-{frame_s + 0.2:.1f} s] [{frame_s + 0.8:.1f} s] [999.0 s]"
    (score,) = measure_citations([made_case([completion(thought, "4")])], CitationConfig())
    assert (score.citations, score.citations_in_clip, score.citations_near_frame) == (4, 0.75, 0.5)
    (untimed,) = measure_citations([made_case([completion(thought, "4")], timed=False)], CitationConfig())
    assert untimed.citations_near_frame == 0
    concluded = f"A car at [{frame_s + 0.4:.1f} s]. So it goes at [999.0 s]."
    (rounded,) = measure_citations([made_case([completion(concluded, "4")])], CitationConfig())
    assert (rounded.citations, rounded.citations_near_frame) == (2, 1)
    (none,) = measure_citations([made_case([completion("no times", "4")])], CitationConfig())
    assert (none.citations, none.citations_in_clip, none.citations_near_frame) == (0, None, None)


@pytest.mark.parametrize(
    ("thought", "share"),
    [
        ("At [3.0 s] he waves. So the answer is 4.", 1),
        ("At [3.0 s] he waves. A dog barks at him. So the answer is 4.", 6 / 11),
        ("At [3.0 s] look. A dog barks.", 1),
        ("A dog barks at him. At [3.0 s] he waves. It is wet.", 6 / 14),
        ("He sits. At [3.0 s] he waves. A dog barks. At [4.0 s] he runs.", 12 / 17),
        ("A dog barks.", 0),
        ("So the answer is 4.", None),
    ],
)
def test_of_what_a_thought_observes_the_share_is_told_that_cites_a_time(thought, share):
    (score,) = measure_citations([made_case([completion(thought, "4")])], CitationConfig())
    assert score.cited_share == share


def test_probe_counts_stand_on_every_rollout_and_are_null_without_probes():
    probe = ProbeResult(
        question_id="q",
        model="m@1",
        blind_passes=1,
        blind_rollouts=4,
        single_passes=2,
        single_rollouts=4,
        shuffled_passes=None,
        shuffled_rollouts=None,
    )
    case = made_case([GOOD, GOOD])
    scores = list(measure_probes([case._replace(probe=probe), case], ProbeScoreConfig()))
    assert [score.blind_passes for score in scores] == [1, 1, None, None]
    assert [score.shuffled_rollouts for score in scores] == [None] * 4
    assert [score.guess_rate for score in scores] == [0.1] * 4  # of counts up to ten


def test_grounding_takes_each_traces_own_claims_and_leaves_unknown_ones_out():
    case = made_case([GOOD, GOOD, GOOD])
    beliefs = [
        ("q/0", 1.0, 0.0),
        ("q/0", 0.2, 0.9),
        ("q/0", None, 1.0),
        ("q/1", None, None),
        ("q/1", 0.5, None),
    ]
    claims = tuple(
        Claim(
            trace_id=trace,
            index=i,
            text="",
            cited=(),
            cited_score=cited,
            control_score=control,
            verifier="v@1",
        )
        for i, (trace, cited, control) in enumerate(beliefs)
    )
    first, second, third = measure_grounding([case._replace(claims=claims)], GroundingConfig())
    assert (first.judged_claims, first.grounded_share, first.worst_margin) == (2, 0.5, pytest.approx(-0.7))
    assert [each.worst_belief for each in (first, second, third)] == [0.2, 0.5, None]
    assert (first.claims_unjudged, first.testable_claims, first.best_margin) == (1, 2, 1.0)
    assert (second.claims_unjudged, second.testable_claims, second.best_margin) == (1, 0, None)
    assert (third.claims_unjudged, third.testable_claims, third.best_margin) == (0, 0, None)
    assert (second.judged_claims, second.grounded_share, second.worst_margin) == (1, 1.0, None)
    assert (third.judged_claims, third.grounded_share, third.worst_margin) == (0, None, None)


def test_what_cites_no_time_is_counted_apart_from_claims_that_do():
    case = made_case([GOOD, GOOD])
    claims = tuple(
        Claim(
            trace_id="q/0", index=place, text="", cited=(), kind=kind, cited_score=belief, control_score=None,
            verifier="v@1",
        )
        for place, (kind, belief) in enumerate(
            [(ClaimKind.MOMENT, 0.9), *((ClaimKind.OBSERVATION, each) for each in (0.8, 0.3, None))]
        )
    )  # fmt: skip
    first, second = measure_grounding([case._replace(claims=claims)], GroundingConfig())
    assert (first.judged_claims, first.claims_unjudged, first.worst_belief) == (1, 0, 0.9)
    assert (first.judged_observations, first.observations_unjudged) == (2, 1)
    assert [each.worst_observation_belief for each in (first, second)] == [0.3, None]
