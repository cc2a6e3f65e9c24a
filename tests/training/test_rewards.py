import io
import math

import pytest
from PIL import Image

import reelproof.schemas.answers.scores
import reelproof.stages.checks.agreement
import reelproof.stages.checks.citations
import reelproof.stages.checks.form
import reelproof.stages.checks.text
from reelproof.schemas.place import Place
from reelproof.schemas.question import Task
from reelproof.stages.checks.agreement import AgreementConfig
from reelproof.stages.checks.text import TextConfig
from reelproof.training import rewards
from reelproof.training.preflight import SetupError
from reelproof.training.rewards import check_rewards, score_completions
from reelproof.training.settings.rewards import RewardConfig
from reelproof.training.shards import example_of
from tests.cases import completion, made_case
from tests.tiny_training import rl_row

EXAMPLE = example_of(rl_row(0).model_dump(mode="python"))  # frames at 0 and 1 s, red then green: B


class HalfJudge:
    belief = 0.5

    def evidence(self, cases):
        return [self.belief for _ in cases]


class NoJudge(HalfJudge):
    belief = 0.0


def components(text, cfg=None, verifier=None, example=EXAMPLE):
    return score_completions([(example, text)], cfg or RewardConfig(), verifier)[0].components


def test_answers_are_scored_by_the_functions_that_the_filter_uses():
    assert {
        "strict": reelproof.schemas.answers.scores.strict_score,
        "lenient": reelproof.schemas.answers.scores.lenient_score,
        "partial": reelproof.schemas.answers.scores.partial_score,
    } == rewards.SCORERS
    assert rewards.read_completion is reelproof.schemas.answers.scores.read_completion


@pytest.mark.parametrize(
    ("name", "filter_module"),
    [
        ("agreement", reelproof.stages.checks.agreement),
        ("repetition", reelproof.stages.checks.text),
        ("thought_words", reelproof.stages.checks.form),
        ("cited_near_frames", reelproof.stages.checks.citations),
        ("read_completion", reelproof.stages.checks.form),
    ],
)
def test_thoughts_are_measured_by_the_functions_that_the_filter_uses(name, filter_module):
    assert getattr(rewards, name) is getattr(filter_module, name)


def test_reward_measures_what_the_filter_measures():
    thought = "At [0.0 s] it is red, at [0.1 s] it is red, at [7.0 s] it is red. So it is green."
    text = completion(thought, "B")
    case = made_case([text], task=EXAMPLE.task, text=EXAMPLE.question, options=EXAMPLE.options)
    scored = components(text)
    (agreed,) = reelproof.stages.checks.agreement.measure_agreement([case], AgreementConfig())
    (read,) = reelproof.stages.checks.text.measure_text([case], TextConfig())
    assert scored["agreement"] == agreed.agrees == 1
    assert scored["repetition"] == 1 - read.repetition < 1


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("<think>Green.</think><answer>B</answer>", "accuracy", 1),
        ("<think>Green.</think><answer>(b)</answer>", "accuracy", 0),
        ("<answer>B</answer>", "accuracy", 0),  # strict: the form counts
        ("<think>Green.</think><answer>B</answer>", "format", 1),
        ("<think>Green.</think>B", "format", 0),
        ("<think>First red. So green.</think><answer>B</answer>", "agreement", 1),
        ("<think>First green. So red.</think><answer>B</answer>", "agreement", 0),
        ("<think>So red or green.</think><answer>B</answer>", "agreement", 0),
        ("<think>A leaf.</think><answer>B</answer>", "agreement", 0),  # nothing is concluded
        ("<think>So the answer is B.</think><answer>B</answer>", "agreement", 1),
        ("<think>So the answer is A.</think><answer>B</answer>", "agreement", 0),
        ("<think>[0.0 s] red. [1.2 s] green.</think><answer>B</answer>", "grounding", 1),
        ("<think>[0.0 s] red. [7.0 s] green.</think><answer>B</answer>", "grounding", 0.5),
        ("<think>No time is cited.</think><answer>B</answer>", "grounding", 0),
        ("<think>a b c d e</think><answer>B</answer>", "repetition", 1),
        ("<think>a b c d a b c d</think><answer>B</answer>", "repetition", 0.8),
    ],
)
def test_component(text, name, value):
    assert components(text)[name] == pytest.approx(value)


@pytest.mark.parametrize(("words", "value"), [(4, 0.0), (6, 0.5), (8, 1.0), (20, 1.0), (30, 0.5), (40, 0.0)])
def test_length_falls_off_to_nothing_at_half_and_at_double(words, value):
    cfg = RewardConfig(min_words=8, max_words=20)
    text = f"<think>{'w ' * words}</think><answer>B</answer>"
    assert components(text, cfg)["length"] == pytest.approx(value)


def test_span_asked_for_is_compared_with_the_spans_cited():
    example = EXAMPLE._replace(task=Task.TEMPORAL_GROUNDING, answer="[2.0, 4.0]", options=())
    assert components("<think>At [1.0-3.0 s].</think><answer>[2, 4]</answer>", example=example)[
        "grounding"
    ] == pytest.approx(1 / 3)


BOXED = EXAMPLE._replace(
    key_places=(Place(label="man", time_s=2.0, left=0.25, top=0.25, right=0.75, bottom=0.75),)
)


@pytest.mark.parametrize(
    ("thought", "time", "place"),
    [
        ("A <obj>man</obj><box>[0.25,0.25,0.75,0.75]</box>at<t>2.0</t>s.", 1.0, 1.0),
        ("A <obj>man</obj><box>[0.25,0.25,0.75,0.5]</box>at<t>3.0</t>s.", math.exp(-0.5), 0.0),
        ("A <obj>man</obj><box>[0.25,0.25,0.75,0.5]</box>at<t>2.9</t>s.", math.exp(-0.405), 0.5),
        ("At [1.0 s] nothing.", math.exp(-0.5), 0.0),
        ("Nothing.", 0.0, 0.0),
    ],
)
def test_times_and_boxes_are_compared_with_those_of_the_question(thought, time, place):
    scored = components(completion(thought, "B"), example=BOXED)
    assert scored["key_time"] == pytest.approx(time)
    assert scored["key_place"] == pytest.approx(place)
    assert components(completion(thought, "B"))["key_place"] == 0


@pytest.mark.parametrize(("progress", "sigma_s"), [(0.0, 4.0), (0.5, 2.0), (0.75, 1.0), (1.0, 1.0)])
def test_near_in_time_means_less_and_less(progress, sigma_s):
    text = completion("At [5.0 s].", "B")
    (scored,) = score_completions([(BOXED, text)], RewardConfig(), progress=progress)
    assert scored.components["key_time"] == pytest.approx(math.exp(-((3.0 / sigma_s) ** 2) / 2))


def test_times_inside_the_span_that_is_asked_for_count():
    asked = EXAMPLE._replace(task=Task.TEMPORAL_GROUNDING, answer="[2.0, 4.0]", options=())
    assert components(completion("From <t>3</t>s to <t>5</t>s.", "x"), example=asked)["key_time"] == 0.5


def test_corners_of_boxes_in_training_are_pixels_of_its_frames():
    width, height = Image.open(io.BytesIO(BOXED.images[0])).size
    box = [width // 4, height // 4, 3 * width // 4, 3 * height // 4]
    said = completion(f"A <obj>man</obj><box>{box}</box>at<t>2.0</t>s.", "B")
    assert components(said, example=BOXED)["key_place"] == pytest.approx(1.0)
    thousandths = completion("A <obj>man</obj><box>[250,250,750,750]</box>at<t>2.0</t>s.", "B")
    assert components(thousandths, RewardConfig(box_unit="thousandths"), example=BOXED)["key_place"] == 1


def test_total_is_the_weighted_sum_and_right_stands_apart():
    cfg = RewardConfig(accuracy=2.0, format=0.5, evidence=1.0)
    scored = score_completions([(EXAMPLE, "<think>x</think><answer>B</answer>")], cfg, HalfJudge())[0]
    assert scored.total == pytest.approx(2.0 + 0.5 + 0.5)
    assert scored.right == 1


def test_a_span_that_is_nearly_the_gold_one_counts_as_right():
    asked = EXAMPLE._replace(task=Task.TEMPORAL_GROUNDING, options=(), answer="[2.0, 16.0]")
    close, far = (
        score_completions([(asked, f"<think>x</think><answer>[{start}, 16.0]</answer>")], RewardConfig())[0]
        for start in ("3.0", "12.0")
    )
    assert (round(close.right, 2), close.is_right, far.is_right) == (0.93, True, False)
    choice = score_completions([(EXAMPLE, "<think>x</think><answer>B</answer>")], RewardConfig())[0]
    assert choice.is_right


def test_gate_lets_an_answer_count_only_on_checked_evidence():
    text = "<think>x</think><answer>B</answer>"
    closed = score_completions([(EXAMPLE, text)], RewardConfig(gate_accuracy=True), HalfJudge())[0]
    ajar = score_completions([(EXAMPLE, text)], RewardConfig(gate_accuracy=True, gate=0.5), HalfJudge())[0]
    assert (closed.components["accuracy"], closed.right, ajar.components["accuracy"]) == (0, 1, 1)
    unbelieved = score_completions([(EXAMPLE, text)], RewardConfig(gate_accuracy=True), NoJudge())[0]
    assert (unbelieved.components["accuracy"], unbelieved.right) == (0, 1)


def test_gate_lets_an_answer_count_only_where_the_thought_speaks_for_it():
    cfg = RewardConfig(gate_agreement=True)
    assert components("<think>So green.</think><answer>B</answer>", cfg)["accuracy"] == 1
    assert components("<think>So red.</think><answer>B</answer>", cfg)["accuracy"] == 0


@pytest.mark.parametrize(
    ("cfg", "example", "message"),
    [
        (RewardConfig(evidence=1.0), EXAMPLE, "need a verifier"),
        (RewardConfig(grounding=1.0), EXAMPLE._replace(prompt=()), "rewards.grounding"),
        (RewardConfig(agreement=1.0), EXAMPLE._replace(task=Task.OPEN_ENDED), "rewards.agreement"),
        (RewardConfig(accuracy=0.0), EXAMPLE, "weight 0"),
        (RewardConfig(key_time=1.0), EXAMPLE, "rewards.key_time"),
        (RewardConfig(key_place=1.0), EXAMPLE, "rewards.key_place"),
    ],
)
def test_rewards_that_the_questions_cannot_give_are_refused(cfg, example, message):
    with pytest.raises(SetupError, match=message):
        check_rewards(cfg, [example], None)
