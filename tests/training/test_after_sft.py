"""What comes after SFT in the study of checks: what is reinforced, for what, and how it is told."""

import json
from types import SimpleNamespace

import pytest

from reelproof.data_cards.checks_apart import after_sft, models, world
from reelproof.data_cards.checks_apart.plan import DEVELOPMENT_SEEDS, BaseStage
from reelproof.data_cards.moving_shapes.arms import Asked
from reelproof.schemas.question import Task
from reelproof.training.rewards import score_completions
from tests.cases import made_case
from tests.training.test_checks_apart import TOOK, choice, finished_seed
from tests.views import made_clip


def test_reinforced_are_half_right_questions_and_right_ones_of_which_nothing_is_kept():
    every = [
        choice(0, of=0),  # half right, and kept
        choice(1, of=1, balanced=("claim_denied",)),  # always right
        choice(2, of=1, balanced=("disagrees",)),
        choice(3, of=2),  # always right, and one trace kept
        choice(4, of=2, balanced=("claim_denied",)),
        choice(5, of=3, balanced=("lucky",)),  # a coin toss
        choice(6, of=4, balanced=("lucky",)),  # … that fell on one side
        choice(7, of=5, balanced=("wrong_answer",)),
        choice(8, of=6, balanced=("claim_denied",)),  # half right, in a film of many such
    ]
    reasons = [(), ("always_right",), ("another_rollout", "always_right"), ("always_right",)]
    reasons += [("another_rollout", "always_right"), ("lucky",), ("always_right", "lucky")]
    reasons += [("never_right",), ("over_video_quota",)]
    told = {f"t{number}": frozenset(each) for number, each in enumerate(reasons)}
    taken = after_sft.to_reward(every, told)
    assert [each.asked.question.question_id for each in taken] == ["q0", "q1", "q6"]


def a_seed(folder, monkeypatch):
    """A base model in the student's place, with a verifier; both have hardly learned."""
    few = models.PLAN._replace(base_stages=(BaseStage(1, 2, 1),), base_batches=1, verifier_steps=1)
    monkeypatch.setattr(models, "PLAN", few)
    models.train_base(folder / after_sft.START, 0)
    models.train_verifier(folder / "verifier.pt", 0)
    return SimpleNamespace(number=0, folder=folder, verifier=folder / "verifier.pt")


def asked_of(shot, name):
    """The way of its first square, as a build has it, with one trace."""
    posed = world.questions(shot)[0]
    clip = made_clip("film", float(world.SHOT_S))
    how = {"task": Task.MULTIPLE_CHOICE, "answer": posed.answer, "options": posed.options, "clip": clip}
    case = made_case(["<think>a 1.</think><answer>A</answer>"], text=posed.question, name=name, **how)
    seconds = range(len(case.question.frames))
    images = tuple(models.jpeg(world.draw_frame(shot, second)) for second in seconds)
    asked = Asked("film", case.question, case.clip, images, case.traces)
    return choice(0)._replace(asked=asked, trace=case.traces[0])


def test_a_student_is_reinforced_on_its_own_rollouts_of_those_questions(tmp_path, monkeypatch):
    seed = a_seed(tmp_path, monkeypatch)
    small = after_sft.AFTER_SFT._replace(rounds=2, questions=2, group=2)
    monkeypatch.setattr(after_sft, "AFTER_SFT", small)
    shots = world.draw_films("train", 1, 0, 0.0, 0.0)[0].shots
    questions = [asked_of(shot, f"q{number}") for number, shot in enumerate(shots)]
    assert after_sft.reinforce(seed, "rl", questions) == (3, 2)
    rollouts = [json.loads(line) for line in (tmp_path / "rl" / "rollouts.jsonl").read_text().splitlines()]
    assert {each["question"] for each in rollouts} <= {each.asked.question.text for each in questions}
    assert {len(each["rollouts"]) for each in rollouts} == {2}
    setup = json.loads((tmp_path / "rl" / "run.json").read_text())["setup"]
    assert setup["model"] == str(tmp_path / after_sft.START)
    assert setup["config"]["rewards"]["gate_accuracy"]


@pytest.mark.parametrize(("name", "reward"), [("rl", 0.3), ("rl_outcome", 1.0)])
def test_an_answer_with_a_claim_that_the_verifier_denies_earns_only_where_the_answer_is_all(name, reward):
    shot = world.draw_films("train", 1, 0, 0.0, 0.0)[0].shots[0]
    posed = world.questions(shot)[0]
    said = models.labelled(shot, 0, posed)._replace(answer=posed.answer, task=Task.MULTIPLE_CHOICE)

    class Believes:
        def evidence(self, cases):
            return [0.6] * len(cases)

    text = said.completion[0].content[0].text
    (scored,) = score_completions([(said, text)], after_sft.REWARDS[name], Believes())
    assert scored.total == pytest.approx(reward)


def finished(out, seed, names):
    finished_seed(out, seed, {name: (1.0, float(name.startswith("rl"))) for name in names})
    for name in {*names} & {*after_sft.NAMES}:
        found = {"found": {"held": 10 * seed, "steps": 30}, **TOOK}
        (out / f"seed-{seed}" / f"trained-{name}.json").write_text(json.dumps(found))


def test_what_comes_after_is_told_of_seeds_that_have_it_and_of_no_development_seed(tmp_path):
    out = tmp_path / "out"
    for seed in (0, 1, 2, DEVELOPMENT_SEEDS):
        some = after_sft.NAMES if seed != 1 else after_sft.FIRST
        finished(out, seed, (after_sft.START, *some))
    finished(out, 3, (after_sft.START, "dpo"))
    after_sft.write_report(out, tmp_path)
    told = json.loads((tmp_path / "after_sft.json").read_text())
    assert (told["seeds"], told["unfinished_seeds"]) == ([0, 1, 2], [3])
    gap = told["differences"]["rl - sft_all_more"]
    assert (gap["seeds"], gap["right"]["by_seed"]) == ([0, 1, 2], [0.5, 0.5, 0.5])
    assert told["differences"]["rl - rl_outcome"]["seeds"] == [0, 2]
    assert told["work"]["rl_outcome"] == {
        "0": {"held": 0, "steps": 30, "cpu_seconds": 1.0},
        "2": {"held": 20, "steps": 30, "cpu_seconds": 1.0},
    }
    lines = (tmp_path / "after_sft.md").read_text().splitlines()
    (work,) = [each for each in lines if each.startswith("| dpo") and each.count("|") == 5]
    assert [each.strip() for each in work.split("|")[2:-1]] == ["10", "30", "1"]
