"""The study of longer films: its world, its labelled thoughts, and what counts as true."""

import itertools
from collections import Counter

import numpy as np
import pytest

from reelproof.data_cards.checks_apart import server
from reelproof.data_cards.checks_apart.arms import Choice
from reelproof.data_cards.checks_apart.plan import BaseStage
from reelproof.data_cards.longer_films import models, study, world
from reelproof.data_cards.moving_shapes.arms import Asked
from reelproof.schemas.answers.conclusion import Conclusions, Posed, agreement
from reelproof.schemas.answers.scores import read_completion, strict_score
from reelproof.schemas.question import Task
from reelproof.stages.teachers.messages import sufficiency_messages
from tests.cases import made_case


def films(split="test", shortcut=0.0, hidden=0.0, count=120):
    return world.draw_films(split, count, 4, shortcut, hidden)


def shots(**drawn):
    return [shot for film in films(**drawn) for shot in film.shots]


def test_films_last_eight_seconds_to_two_minutes_and_those_with_a_shift_are_slower_than_any():
    lengths = [sum(shot.seconds for shot in film.shots) for film in films(count=400)]
    assert (min(lengths), max(lengths)) == (8, 120)
    slow = {shot.seconds for shot in shots(split="shifted")}
    assert slow == {32}
    assert slow.isdisjoint(shot.seconds for shot in shots())


def test_every_cut_is_a_change_of_light_that_the_pipeline_finds():
    for film in films():
        for before, after in itertools.pairwise(film.shots):
            assert abs(before.background - after.background) > 50


def answer_from_cells(kind, cells):
    """As a person would say it who has the film before them, second by second."""
    slots = [cell for cell, _ in itertools.groupby(cells)]
    visits = [place for place, cell in enumerate(cells) if cell == (1, 1)]
    (first_column, first_row), (last_column, last_row) = cells[0], cells[-1]
    if kind == "way":
        across, down = last_column - first_column, last_row - first_row
        assert (across == 0) != (down == 0)
        return {across > 0: "right", across < 0: "left", down > 0: "down", down < 0: "up"}[True]
    if kind == "count":
        return ("none", "one", "two", "three")[slots.count((1, 1))]
    if kind == "when":
        return "never" if not visits else "early" if visits[0] < len(cells) / 2 else "late"
    if kind == "order":
        return next("left" if column == 0 else "right" for column, _ in cells if column != 1)
    if kind == "where":
        return ("left", "centre", "right")[last_column]
    return "yes" if cells[0] == cells[-1] else "no"


def test_the_gold_of_every_kind_is_what_the_squares_do():
    asked = Counter()
    for shot in shots():
        for square, posed in zip(shot.squares, shot.posed, strict=True):
            told = answer_from_cells(posed.kind, square.cells)
            gold = posed.options["ABCD".index(posed.answer)] if posed.options else posed.answer
            assert told == gold == posed.concluded
            assert square.colour in posed.question
            asked[posed.kind] += 1
    assert set(asked) == {*world.KINDS}
    assert min(asked.values()) > 60


def test_a_colour_tells_the_answer_in_training_and_not_in_the_test():
    def share(some):
        told = [
            list(models.COLOURS).index(square.colour) % len(world.KINDS[posed.kind].options)
            == world.KINDS[posed.kind].options.index(posed.concluded)
            for shot in some
            for square, posed in zip(shot.squares, shot.posed, strict=True)
        ]
        return np.mean(told)

    assert share(shots(split="train", shortcut=0.6)) > 0.65
    assert share(shots()) < 0.45


@pytest.mark.parametrize("kind", world.KINDS)
def test_a_labelled_thought_is_true_and_concludes_its_answer(kind):
    film, place, number = next(
        (film, place, number)
        for film in films()
        for place, shot in enumerate(film.shots)
        for number in (0, 1)
        if place and shot.posed[number].kind == kind
    )
    posed = film.shots[place].posed[number]
    example = models.labelled(film.shots[place], film.begins()[place], number)
    read = read_completion(example.completion[0].content[0].text)
    task = Task.MULTIPLE_CHOICE if posed.options else Task.BOOLEAN
    asked = Posed(task, posed.question, posed.options)
    assert agreement(read.thought, read.answer, asked, Conclusions()) is True
    assert strict_score(task, read.answer, posed.answer, posed.options) == 1
    shown = [float(part.text[1:-3]) for part in example.prompt[0].content if part.type == "text"]
    question = made_case((), text=posed.question).question
    frames = [question.frames[0].model_copy(update={"shown_s": each}) for each in shown]
    each = Asked(film.name, question.model_copy(update={"frames": tuple(frames)}), None, (), ())
    told = study.told_truly([film])
    assert told(each, read.thought) == 1
    assert told(each, read.thought.replace(f"[{shown[3]:.1f} s]", f"[{shown[4]:.1f} s]")) < 1
    elsewhere = film.shots[place].squares[number]._replace(hidden=True)
    squares = tuple(elsewhere if at == number else one for at, one in enumerate(film.shots[place].squares))
    hides = film._replace(
        shots=(*film.shots[:place], film.shots[place]._replace(squares=squares), *film.shots[place + 1 :])
    )
    assert study.told_truly([hides])(each, read.thought) == 0


def test_the_base_model_is_shown_one_frame_of_each_slot_and_some_questions_are_answered():
    rng = np.random.default_rng(0)
    stage = BaseStage(frames=8, rows=1, steps=1, concluding=0.5, answered=0.5)
    lessons = [models._lesson(rng, stage) for _ in range(200)]
    said = [each.completion[0].content[0].text for each in lessons]
    assert all(len(each.images) == 8 for each in lessons)
    assert 70 < sum("So " in each for each in said) < 130
    assert 30 < sum("<answer>" in each for each in said) < 70
    assert not any("<answer>" in each for each in said if "So " not in each)


def test_the_judge_learns_to_conclude_from_text_alone_and_that_nothing_tells_of_a_coin():
    rng = np.random.default_rng(0)
    lessons = [models._conclusion(rng) for _ in range(200)]
    assert not any(each.images for each in lessons)
    for each in lessons:
        said = each.completion[0].content[0].text
        assert each.question.startswith("[")
        assert ("painted first" in each.question) == (
            said == "<think> So unknown.</think><answer>unknown</answer>"
        )


def test_the_server_reads_what_a_judge_is_asked():
    question = made_case((), text="Does the red square end where it began?", task=Task.BOOLEAN).question
    (turn,) = sufficiency_messages(question, "[0.0 s] red a 1. [1.0 s] red a 1.")
    asked = "\n".join(part.text for part in turn.content)
    body = {"messages": [{"role": "user", "content": asked}]}
    read = server._example(body, server.Reading(lambda frame: frame, 8))
    assert read.question == "[0.0 s] red a 1. [1.0 s] red a 1. Does the red square end where it began?"
    assert (read.options, read.images) == ((), ())


def test_arms_heed_luck_as_their_names_say():
    def takers(balanced, counted):
        case = made_case(["Four."])
        each = Choice(
            Asked("a", case.question, case.clip, (), ()),
            case.traces[0],
            frozenset(balanced),
            frozenset(counted),
        )
        return {name for name, heeds in study.HEEDED.items() if heeds(each)}

    assert takers((), ()) == {*study.NAMES}
    assert takers((), ("lucky",)) == {*study.NAMES} - {"sft_luck_counted"}
    assert takers(("lucky",), ("lucky",)) == {"sft_right", "sft_without_luck", "sft_raw"}
    assert takers(("ungrounded",), ("ungrounded",)) == {"sft_right", "sft_raw"}


def test_questions_of_held_out_films_have_no_coin_tosses():
    kinds = {
        split: {row["kind"] for film in films(split=split) for row in world.manifest_rows(film)}
        for split in ("train", "test")
    }
    assert kinds["train"] - kinds["test"] == {"coin"}
