"""The study of what each check adds: its world, its arms, its intervals."""

import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest

from reelproof.data_cards.checks_apart import asked_on, models, world
from reelproof.data_cards.checks_apart import seeds as seeds_of_study
from reelproof.data_cards.checks_apart.arms import ARMS, CHECKS, Choice, draw
from reelproof.data_cards.checks_apart.figures import by_film, kept_by
from reelproof.data_cards.checks_apart.intervals import coverage, crossed_interval
from reelproof.data_cards.checks_apart.measure import Evidence, share_true
from reelproof.data_cards.checks_apart.plan import DEVELOPMENT_SEEDS, PLAN, BaseStage
from reelproof.data_cards.checks_apart.report import CORE, write_report
from reelproof.data_cards.moving_shapes.arms import Asked
from reelproof.schemas.policy import PolicyConfig
from reelproof.stages.policy import SFT, reason_names
from tests.cases import made_case

TOOK = {"seconds": 1.0, "cpu_seconds": 1.0, "load": 1.0}


def shots(split, shortcut=0.0, hidden=0.0, count=60):
    films = world.draw_films(split, count, 4, shortcut, hidden)
    return list(itertools.chain.from_iterable(film.shots for film in films))


def test_held_out_films_take_paths_that_training_never_shows():
    paths = {
        split: {square.cells for shot in shots(split) for square in shot.squares}
        for split in ("train", "dev", "test")
    }
    assert not paths["train"] & paths["test"]
    assert not paths["train"] & paths["dev"]
    assert {square.cells for shot in shots("shifted") for square in shot.squares} <= {
        path for way in world.OPTIONS for path in world.paths("test", way)
    }
    assert {square.cells for shot in shots("labelled") for square in shot.squares} <= {
        path for way in world.OPTIONS for path in world.paths("train", way)
    }


def test_colour_tells_the_way_in_training_and_not_in_the_test():
    def share(some):
        asked = [shot.squares[0] for shot in some]
        return np.mean([world.way_of(each.cells) == world.FAVOURITES[each.colour] for each in asked])

    assert share(shots("train", shortcut=0.6)) > 0.55
    assert share(shots("test")) < 0.4


def test_every_cut_is_a_change_of_light_that_the_pipeline_finds():
    for film in world.draw_films("train", 40, 4, 0.0, 0.0):
        for before, after in itertools.pairwise(film.shots):
            assert abs(before.background - after.background) > 50


def test_middle_and_coin_are_answered_yes_half_of_the_time():
    told = [world.questions(shot) for shot in shots("test", count=100)]
    for place in (1, 2):
        assert 0.4 < np.mean([each[place].answer == "yes" for each in told]) < 0.6


def test_hidden_squares_are_in_no_picture_and_nothing_true_can_be_said_of_them():
    film = next(
        film
        for film in world.draw_films("train", 60, 4, 0.0, 0.5)
        if film.shots[0].squares[0].hidden and not film.shots[0].squares[1].hidden
    )
    shot = film.shots[0]
    seen = {tuple(pixel) for second in range(3) for pixel in world.draw_frame(shot, second).reshape(-1, 3)}
    assert shot.squares[0].rgb not in seen
    assert shot.squares[1].rgb in seen
    places = {film.name: world.true_places(film)}

    def share(square):
        cells = enumerate(map(world.cell_name, square.cells))
        thought = " ".join(f"[{second}.0 s] {square.colour} {cell}." for second, cell in cells)
        asked = made_case((), text=f"Which way does the {square.colour} square go?").question
        return [share_true(film.name, asked, said, places) for said in (thought, thought.partition(" [")[0])]

    assert share(shot.squares[0]) == [0, 0]
    assert share(shot.squares[1]) == [1, pytest.approx(1 / 3)]


def test_figures_of_a_split_are_means_of_its_films_alone():
    films, scores = ["test-1", "shifted-1", "test-0", "test-1"], [1.0, 1.0, 0.0, 0.0]
    assert by_film(films, scores, "test-").tolist() == [0.0, 0.5]
    assert by_film(films, scores, "shifted-").tolist() == [1.0]


def test_votes_weigh_a_thought_by_what_the_verifier_believes_of_the_frames_that_it_cites():
    shot = shots("test", count=1)[0]
    posed = world.questions(shot)[0]
    said = models.labelled(shot, 0, posed)
    thought = said.completion[0].content[0].text

    class Believes(models.Verifier):
        def belief(self, frame, colour, cell):
            return 1.0 if frame == said.images[0] else 0.25

    told = Evidence(Believes())
    elsewhere = thought.replace("[1.0 s]", "[7.0 s]")
    assert told.evidence([(said, thought), (said, "So left."), (said, elsewhere)]) == [0.5, None, 1.25 / 3]


def test_the_base_model_is_shown_paths_of_training_some_of_them_answered():
    rng = np.random.default_rng(0)
    stage = BaseStage(frames=3, rows=1, steps=1, concluding=0.5, answered=0.5)
    said = [models._lesson(rng, stage).completion[0].content[0].text for _ in range(200)]
    concluding = [each for each in said if "So " in each]
    assert 70 < len(concluding) < 130
    assert 30 < sum("<answer>" in each for each in concluding) < 70
    assert not any("<answer>" in each for each in said if "So " not in each)


def choice(number, of=0, balanced=(), strict=()):
    case = made_case(["Four."], name=f"q{of}")
    asked = Asked("a", case.question, case.clip, (), ())
    trace = case.traces[0].model_copy(update={"trace_id": f"t{number}"})
    return Choice(asked, trace, frozenset(balanced), frozenset(strict))


def test_every_arm_heeds_the_reasons_that_its_name_says():
    def takers(*reasons):
        return {name for name, heeds in ARMS.items() if heeds(choice(0, 0, reasons, reasons))}

    everything = {*ARMS}
    assert takers() == everything
    assert takers("wrong_answer") == {"sft_raw"}
    assert takers("answered_blind") == {"sft_raw", "sft_right", "sft_without_blind"}
    assert takers("lucky") == {"sft_raw", "sft_right", "sft_right_seen", "sft_without_luck"}
    assert takers("lucky", "disagrees") == {"sft_raw", "sft_right", "sft_right_seen"}


def test_reasons_that_are_left_out_are_the_policys():
    known = {*reason_names(PolicyConfig(), SFT)}
    assert {reason for reasons in CHECKS.values() for reason in reasons} <= known


def test_draws_are_alike_for_arms_and_take_no_more_of_a_question_than_planned():
    every = [choice(number, of=number // 10) for number in range(80)]
    drawn = draw(every, 20, seed=1)
    held = [each.asked.question.question_id for each in drawn]
    assert len(drawn) == 20
    assert max(map(held.count, held)) == PLAN.most_of_a_question
    fewer = draw(every[:40], 20, seed=1)
    assert [each for each in drawn if each in every[:40]] == [each for each in fewer if each in drawn]
    assert len(draw(every, None, seed=1)) == 80


def test_intervals_over_seeds_and_films_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    for seeds in (3, 8):
        assert 0.91 <= coverage(seeds, 40, 400, rng) <= 0.995
    assert crossed_interval(np.zeros((2, 9))) is None
    assert crossed_interval(np.ones((3, 9))) == (1, 1, 1)


def finished_seed(out, seed, arms):
    """A seed's folder as the study leaves it: arm -> whether each answer to two test films is right."""
    folder = out / f"seed-{seed}"
    folder.mkdir(parents=True)
    (folder / "traces.json").write_text(
        json.dumps([{"kind": "way", "true": 1, "balanced": [], "strict": []}])
    )
    for name in ("build", "verifier"):
        (folder / f"{name}.json").write_text(json.dumps({"found": None, **TOOK}))
    for name, right in arms.items():
        films = ["test-0", "test-1", "shifted-0", "shifted-1"]
        figures = {each: [*right, *right] for each in ("right", "cited", "agrees", "proven")}
        found = {"films": films, **figures, "rows": {"rows": 9, "true": 0.5}}
        (folder / f"arm-{name}.json").write_text(json.dumps({"found": found, **TOOK}))


def test_an_arm_is_told_of_by_the_seeds_that_have_it_and_pairs_by_those_that_have_both(tmp_path):
    for seed in range(4):
        arms = dict.fromkeys(CORE, (1.0, 0.0))
        more = {"sft_right_round_3": (1.0, 1.0)} if seed != 2 else {}
        finished_seed(tmp_path / "out", seed, {**arms, **more})
    finished_seed(tmp_path / "out", DEVELOPMENT_SEEDS, dict.fromkeys(CORE, (0.0, 0.0)))
    finished_seed(tmp_path / "out", 4, {"sft_raw": [0.0, 0.0]})
    write_report(tmp_path / "out", tmp_path)
    told = json.loads((tmp_path / "study.json").read_text())
    assert (told["seeds"], told["unfinished_seeds"]) == ([0, 1, 2, 3], [4])
    assert told["arms"]["sft_raw"]["right"]["value"] == 0.5
    assert told["arms"]["sft_right_round_3"]["seeds"] == [0, 1, 3]
    gap = told["differences"]["sft_right_round_3 - sft_right"]
    assert (gap["seeds"], gap["right"]["by_seed"]) == ([0, 1, 3], [0.5, 0.5, 0.5])
    assert "sft_right_round_3" in (tmp_path / "study.md").read_text()


def test_what_a_filter_keeps_is_what_its_arm_takes():
    reasons = ((), ("wrong_answer",), ("probes_unknown",), ("answered_blind",), ("disagrees",))
    traces = [{"kind": "way", "true": 1, "balanced": list(each), "strict": ["lucky"]} for each in reasons]
    takers = {
        "right": "sft_right",
        "right_seen": "sft_right_seen",
        "balanced": "sft_curated",
        "all": "sft_raw",
    }
    kept = kept_by(traces)["kept"]
    for name, arm in takers.items():
        assert kept[name]["traces"] == sum(ARMS[arm](choice(0, balanced=each)) for each in reasons)
    assert kept["strict"] == {"traces": 0, "true": None}


def of_kind(each, kind):
    question = each.asked.question.model_copy(update={"kind": kind})
    return each._replace(asked=each.asked._replace(question=question))


def test_questions_are_told_by_what_luck_leaves_of_their_right_answers():
    every = [
        choice(0),
        choice(1, balanced=("wrong_answer",)),
        choice(2, of=1, balanced=("lucky", "disagrees")),
        choice(3, of=2, balanced=("wrong_answer", "lucky")),
    ]
    told = asked_on.questions_told(
        [of_kind(each, kind) for each, kind in zip(every, ("way", "way", "way", "coin"), strict=True)]
    )
    assert told["way"] == {"questions": 2, "completions": 3, "right": 2, "not_luck": 1}
    assert told["coin"] == {"questions": 1, "completions": 1, "right": 0, "not_luck": 0}


def test_base_models_of_two_seeds_are_two_models(tmp_path, monkeypatch):
    few = PLAN._replace(base_stages=(BaseStage(1, 2, 1),), base_batches=1)
    monkeypatch.setattr(models, "PLAN", few)
    for seed in (0, 1):
        models.train_base(tmp_path / str(seed), seed)
    weights = [(tmp_path / each / "model.safetensors").read_bytes() for each in ("0", "1")]
    assert weights[0] != weights[1]


def test_each_seed_has_a_base_model_of_its_own_trained_until_it_names_enough_cells(tmp_path, monkeypatch):
    cells = {"seed-0": [0.1, 0.3, 0.6], "seed-1": [0.9]}
    trained = []

    def answers(base, asked, truly):
        return SimpleNamespace(cited=[cells[base.parent.name][int(base.name[-1]) - 1]])

    monkeypatch.setattr(asked_on, "train_base", lambda *given: trained.append(given))
    monkeypatch.setattr(seeds_of_study, "load_model", lambda base: base)
    monkeypatch.setattr(asked_on, "answer_greedily", answers)
    monkeypatch.setattr(asked_on, "held_out_films", list)
    first, second = tmp_path / "seed-0", tmp_path / "seed-1"
    for _ in range(2):  # and once only
        bases = [asked_on.own_base(folder, seed, []) for seed, folder in ((0, first), (1, second))]
        assert bases == [first / "base-3", second / "base-1"]
    assert trained == [
        (first / "base-1", 1000, None),
        (first / "base-2", 2000, first / "base-1"),
        (first / "base-3", 3000, first / "base-2"),
        (second / "base-1", 1001, None),
    ]
    assert asked_on._cells(first) == cells["seed-0"]


def test_what_asking_on_does_is_told_of_seeds_with_all_arms_and_of_no_development_seed(tmp_path):
    questions = {
        kind: {"questions": 2, "completions": 9, "right": 1, "not_luck": 1} for kind in asked_on.KINDS
    }
    for seed in (0, 1, 2, DEVELOPMENT_SEEDS):
        right = {name: (1.0, float(name.endswith("_on"))) for name in asked_on.NAMES}
        finished_seed(tmp_path / "out", seed, right)
        for name, found in (("questions", questions), ("questions_on", questions), ("base-1-cells", 0.75)):
            file = tmp_path / "out" / f"seed-{seed}" / f"{name}.json"
            file.write_text(json.dumps({"found": found, **TOOK}))
    finished_seed(tmp_path / "out", 3, {"sft_right_on": (1.0, 0.0)})
    (tmp_path / "out" / "seed-1" / "arm-sft_right.json").unlink()
    asked_on.write_report(tmp_path / "out", tmp_path)
    told = json.loads((tmp_path / "asked_on.json").read_text())
    assert (told["seeds"], told["unfinished_seeds"]) == ([0, 1, 2], [3])
    assert told["differences"]["sft_curated_on - sft_curated"]["right"]["value"] == 0.5
    assert told["differences"]["sft_curated - sft_right"]["seeds"] == [0, 2]
    assert told["arms"]["sft_right_on"]["right"]["by_seed"] == [1.0, 1.0, 1.0]
    assert told["cells_named_by_base"] == {"0": [0.75], "1": [0.75], "2": [0.75]}
    assert told["questions"]["_on"]["coin"]["completions"] == 27
    lines = (tmp_path / "asked_on.md").read_text().splitlines()
    (coins,) = [each for each in lines if each.startswith("| 8 rollouts") and "coin" in each]
    assert [each.strip() for each in coins.split("|")[3:-1]] == ["6", "27", "3", "3"]
