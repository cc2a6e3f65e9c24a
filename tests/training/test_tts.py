import json

import pytest

from reelproof.schemas.answers.votes import count_votes, vote
from reelproof.schemas.question import Task
from reelproof.schemas.rollout import RolloutGroup
from reelproof.training.evaluate import evaluate_model
from reelproof.training.evaluation_tables import constant_baseline
from reelproof.training.frames import frame_labels, with_frames
from reelproof.training.preflight import SetupError
from reelproof.training.sampling import Said
from reelproof.training.settings.asking import EvaluateConfig, SamplingConfig
from reelproof.training.settings.rows import PromptConfig
from reelproof.training.settings.tts import TtsConfig
from reelproof.training.shards import example_of
from reelproof.training.tts import scale_test_time, try_strategies
from tests.tiny_training import jpeg, rl_row, write_model, write_rl

EXAMPLE = example_of(rl_row(0).model_dump())  # the answer is B, green
THOUGHT = {"B": "So green.", "A": "So red.", "C": "So blue.", "a": "So green."}
"""What is said before each letter; `a` is an A whose thought speaks for B, and the likeliest."""
LOGPROB = {"a": -0.05, "B": -0.1}


class Scripted:
    """Says the script's letters in turn, whatever is asked; remembers how many frames it saw."""

    def __init__(self, script):
        self.script, self.place, self.frames, self.tails = script, 0, [], []

    def sample(self, asks, cfg):
        said = []
        for ask in asks:
            letter = self.script[self.place % len(self.script)]
            self.place += 1
            self.frames.append(len(ask.example.images))
            self.tails.append(ask.tail)
            text = f"<think>{THOUGHT[letter]}</think><answer>{letter.upper()}</answer>"
            said.append(Said(ask.tail + text, (), 5, LOGPROB.get(letter, -3.0), True, 0.5))
        return said


class Believing:
    """Believes thoughts that speak of green."""

    def evidence(self, cases):
        return [0.9 if "green" in thought else 0.1 for _, thought in cases]


def outcome(strategy, script, examples=(EXAMPLE,), **changes):
    cfg = TtsConfig(strategies=(strategy,), samples=5, **changes)
    return try_strategies(Scripted(script), examples, cfg, Believing())[0]


@pytest.mark.parametrize(
    ("strategy", "script", "right"),
    [
        ("greedy", "B", 1),
        ("one_sample", "ABBBB", 0),
        ("majority", "AABBB", 1),
        ("majority", "AAABB", 0),
        ("weighted_logprob", "AAABB", 1),
        ("weighted_evidence", "AAAAB", 1),
        ("best_of_n", "AAAAB", 1),
        ("best_of_n", "aaaaB", 1),
        ("early_stop", "BBBAA", 1),
        ("early_stop", "AAABB", 0),
    ],
)
def test_strategy_answers_as_its_rule_says(strategy, script, right):
    assert outcome(strategy, script).right == (right,)


def test_evidence_counts_for_more_the_higher_its_power():
    assert outcome("weighted_evidence", "AAAAB", evidence_power=0.1).right == (0,)
    assert outcome("weighted_evidence", "AAAAB", evidence_power=4.0).right == (1,)


def test_early_stop_costs_only_what_it_drew():
    assert outcome("early_stop", "BBBAA").samples == 3
    assert outcome("early_stop", "ABABB").samples == 5
    # Two of four are half of the votes, and two more could draw level: both must be passed.
    cfg = TtsConfig(strategies=("early_stop",), samples=4)
    assert try_strategies(Scripted("AABB"), [EXAMPLE], cfg, Believing())[0].samples == 4
    assert try_strategies(Scripted("AAAB"), [EXAMPLE], cfg, Believing())[0].samples == 3
    assert outcome("majority", "BBBAA").samples == 5
    assert outcome("majority", "BBBAA").tokens == 25


def test_confidence_exit_thinks_only_where_the_answer_at_once_is_unsure():
    """The first five completions are the thoughts, then comes the answer at once, of probability 0.905."""
    sure = outcome("confidence_exit", "AAAAAB")
    assert (sure.right, sure.samples, sure.tokens) == ((1,), 1, 5)
    unsure = outcome("confidence_exit", "AAAAAB", sure=0.91)
    assert (unsure.right, unsure.samples, unsure.tokens) == ((0,), 2, 10)
    assert [at for at, *_ in sure.curve] == [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0]
    assert [at[1:] for at in sure.curve] == [(5, 1)] * 5 + [(10, 0)] * 3
    sampler = Scripted("AAAAAB")
    try_strategies(sampler, [EXAMPLE], TtsConfig(strategies=("confidence_exit",), samples=5), Believing())
    assert sampler.tails == [""] * 5 + ["<think></think><answer>"]


def test_votes_have_the_curve_of_what_they_cost():
    assert outcome("majority", "ABBBB").curve == ((1, 5, 0), (2, 10, 0), (4, 20, 1))
    early = {at: (tokens, right) for at, tokens, right in outcome("early_stop", "ABBBB").curve}
    assert (early[0.125], early[0.375], early[0.75]) == ((5, 0), (15, 1), (20, 1))
    assert outcome("greedy", "B").curve == ()


def test_budget_forcing_goes_on_where_the_thought_would_end():
    sampler = Scripted("AB")
    cfg = TtsConfig(strategies=("budget_forcing",), waits=1)
    result = try_strategies(sampler, [EXAMPLE], cfg)[0]
    assert sampler.tails == ["", "<think>So red. Wait,"]
    assert (result.samples, result.tokens, result.right) == (2, 10, (1,))


def test_more_frames_are_shown_only_where_votes_split():
    example = example_of(rl_row(0).model_dump())
    sampler = Scripted("ABAB" + "BBBB")
    cfg = TtsConfig(strategies=("more_frames",), samples=4, first_frames=1)
    result = try_strategies(sampler, [example], cfg)[0]
    assert sampler.frames == [1] * 4 + [2] * 4
    assert (result.samples, result.frames, result.right) == (8, 3, (1,))
    three_of_four = try_strategies(Scripted("BABB"), [example], cfg)[0]
    assert (three_of_four.samples, three_of_four.frames, three_of_four.right) == (4, 1, (1,))
    agreed = try_strategies(Scripted("B"), [example], cfg)[0]
    assert (agreed.samples, agreed.frames) == (4, 1)


class Filmed:
    """Has every film, or none; remembers the times that it was asked for."""

    def __init__(self, is_there=True):
        self.is_there, self.asked = is_there, []

    def frames(self, example, times_s):
        self.asked.append(tuple(times_s))
        return [jpeg("gray")] * len(times_s) if self.is_there else None


def test_film_is_gone_back_to_once_all_frames_of_the_row_are_shown():
    sampler, films = Scripted("ABAB" * 3 + "BBBB"), Filmed()
    cfg = TtsConfig(strategies=("more_frames",), samples=4, first_frames=1, most_frames=6)
    result = try_strategies(sampler, [EXAMPLE], cfg, films=films)[0]
    assert sampler.frames == [1] * 4 + [2] * 4 + [4] * 4 + [6] * 4
    assert films.asked == [(0.2, 0.8, 1.2, 1.8), (0.2, 0.5, 0.8, 1.2, 1.5, 1.8)]
    assert (result.samples, result.frames, result.right) == (16, 1 + 2 + 4 + 6, (1,))
    agreed = try_strategies(Scripted("ABAB" + "BBBB"), [EXAMPLE], cfg, films=films)[0]
    assert (agreed.samples, agreed.frames) == (8, 3)


def test_row_keeps_its_words_around_the_films_frames():
    more = with_frames(EXAMPLE, 3, Filmed())
    assert frame_labels(more) == ["[0.3 s]", "[1.0 s]", "[1.7 s]"]
    words = [[part.text for part in each.prompt[0].content] for each in (EXAMPLE, more)]
    assert (words[1][0], words[1][-1]) == (words[0][0], words[0][-1])
    assert len(words[1]) == 2 + 2 * 3
    assert len({*frame_labels(with_frames(EXAMPLE, 60, Filmed()))}) == 60


@pytest.mark.parametrize(
    "change",
    [
        {"frame_source_times_s": (1.0, 0.0)},
        {"frame_times_s": (None, None)},
        {"frame_source_times_s": (None, None)},  # edited
        {"frame_times_s": (None, None), "frame_source_times_s": (None, None)},
        {"frame_times_s": (1.0, 0.0), "frame_source_times_s": (1.0, 0.0)},
        {"clip_start_s": 0.5},
        {"frame_times_s": (), "frame_source_times_s": ()},
    ],
)
def test_no_frame_of_the_film_is_added_where_the_frames_are_the_question(change):
    films = Filmed()
    assert with_frames(EXAMPLE._replace(**change), 4, films) is None
    assert films.asked == []
    cfg = TtsConfig(strategies=("more_frames",), samples=2, first_frames=2)
    result = try_strategies(Scripted("AB"), [EXAMPLE._replace(**change)], cfg, films=films)[0]
    assert (result.samples, result.frames) == (2, 2)


def test_film_that_is_not_there_ends_the_search_with_the_rows_own_frames():
    cfg = TtsConfig(strategies=("more_frames",), samples=2, first_frames=2, most_frames=8)
    result = try_strategies(Scripted("AB"), [EXAMPLE], cfg, films=Filmed(is_there=False))[0]
    assert (result.samples, result.frames) == (4, 4)


def test_votes_count_answers_that_mean_the_same_together():
    assert count_votes(EXAMPLE, ["B", "(b)", "green", "A", None], [1.0] * 5) == [("B", 3.0), ("A", 1.0)]
    number = EXAMPLE._replace(task=Task.NUMERICAL, options=())
    assert vote(number, ["4", "3", "three", "3.0"], [1.0] * 4) == "3"
    assert vote(EXAMPLE, ["A", "B", "B"], [0.0, 0.0, 0.0]) == "B"
    assert vote(EXAMPLE, [None, None], [1.0, 1.0]) is None


def test_votes_on_spans_and_text_take_what_is_nearest_to_all():
    spans = EXAMPLE._replace(task=Task.TEMPORAL_GROUNDING, options=(), answer="[2, 4]")
    said = ["[0, 30]", None, "[2.0, 4.2]", "[1.9, 4.0]", "[2.0, 4.0]", "[7, 9]"]
    assert vote(spans, said, [1.0] * 6) == "[2.0, 4.0]"
    assert vote(spans, said, [9.0, 1.0, 1.0, 1.0, 1.0, 1.0]) == "[0, 30]"
    text = EXAMPLE._replace(task=Task.OPEN_ENDED, options=(), answer="a dog runs")
    assert vote(text, ["cats", "a dog runs away", "the dog runs", "dog runs"], [0.0] * 4) == "the dog runs"


def test_strategies_that_need_a_verifier_are_refused_without():
    with pytest.raises(SetupError, match="best_of_n need a verifier"):
        try_strategies(Scripted("B"), [EXAMPLE], TtsConfig(strategies=("best_of_n",)))


def test_model_is_evaluated_and_scaled_from_shards(tmp_path):
    model, dataset = write_model(tmp_path / "model"), write_rl(tmp_path / "data")
    sampling = SamplingConfig(max_tokens=4)
    shards = TtsConfig().shards.model_copy(update={"split": "train"})
    reports = evaluate_model(
        dataset, model, tmp_path / "eval", EvaluateConfig(shards=shards, sampling=sampling)
    )
    shown = [(each.style, each.questions, each.frames) for each in reports]
    assert shown == [("published", 8, 2), ("direct", 8, 2)]
    assert reports[0].constant == 0.25
    assert json.loads((tmp_path / "eval" / "evaluate.json").read_text())["dataset_sha256"] == "d" * 64
    cfg = TtsConfig(shards=shards, sampling=sampling, samples=2, strategies=("greedy", "majority"))
    outcomes = scale_test_time(dataset, model, tmp_path / "tts", cfg)
    assert [each.samples for each in outcomes] == [1, 2]
    left = {file.name for file in (tmp_path / "tts").iterdir()}
    assert left == {"tts.json", "tts.md", "tts.png", "rollouts.jsonl", "frames"}
    held = json.loads((tmp_path / "tts/tts.json").read_text())
    assert [[at for at, *_ in each["curve"]] for each in held] == [[], [1, 2]]
    kept = (tmp_path / "tts" / "rollouts.jsonl").read_text().splitlines()
    groups = [RolloutGroup.model_validate_json(line) for line in kept]
    assert [len(each.rollouts) for each in groups] == [2] * 8
    assert {each.sha256 for group in groups for each in group.frames} == {
        file.stem for file in (tmp_path / "tts" / "frames").iterdir()
    }
    assert PromptConfig().style == "published"
    with pytest.raises(SetupError, match="holds a comparison of strategies already"):
        scale_test_time(dataset, model, tmp_path / "tts", cfg)
    assert json.loads((tmp_path / "tts/tts.json").read_text()) == held


def test_constant_baseline_is_the_best_single_answer():
    examples = [EXAMPLE._replace(answer=answer) for answer in "BBBA"]
    assert constant_baseline(examples) == 0.75
