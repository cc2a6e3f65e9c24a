"""The study's world and teacher: what they promise about layouts, single frames and faults."""

import importlib
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reelproof.schemas.answers.scores import read_completion
from reelproof.schemas.sample import ChatMessage, ChatPart
from reelproof.training.shards import example_of
from tests.tiny_training import rl_row

STUDY = Path(__file__).parents[2] / "data_cards" / "moving_shapes"


@pytest.fixture(scope="module")
def load():
    """Imports modules of the study's folder, which is no package."""
    sys.path.insert(0, str(STUDY))
    try:
        yield importlib.import_module
    finally:
        sys.path.remove(str(STUDY))


@pytest.fixture(scope="module")
def study(load):
    return load("world"), load("teacher")


def jpeg(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=92)
    return file.getvalue()


def shown(study, shot, colour):
    world, teacher = study
    frames = tuple(jpeg(world.draw_frame(shot, second + 0.5)) for second in range(4))
    labels = tuple(f"[{second:.1f} s]" for second in range(4))
    return teacher.Shown(labels, frames, f"Which way does the {colour} square go?")


def test_splits_share_no_layout_whichever_square_comes_first(study):
    world, _ = study
    layouts = {
        split: {frozenset([one, two]) for one, two in world.layouts(split)}
        for split in ("train", "dev", "test")
    }
    assert not layouts["train"] & layouts["test"]
    assert not layouts["train"] & layouts["dev"]
    assert not layouts["dev"] & layouts["test"]
    assert min(map(len, layouts.values())) > 40


def test_centre_is_on_every_way_so_that_one_frame_does_not_tell(study):
    world, _ = study
    crossing = {path.way for path in world.all_paths() if (1, 1) in path.cells}
    assert crossing == set(world.OPTIONS)
    assert len(set(world.all_paths())) == 36


def test_teacher_without_faults_is_always_right_and_its_claims_hold(study):
    world, teacher = study
    none = teacher.Faults(0, 0, 0, 0)
    for film in world.draw_films("train", 4, 1):
        for shot in film.shots:
            for path, colour in zip(shot.paths, shot.colours, strict=True):
                said = read_completion(teacher.answer(shown(study, shot, colour), "key", none))
                assert said.well_formed
                assert said.answer == "ABCD"[world.OPTIONS.index(path.way)]
                places = [f"{colour} {world.cell_name(cell)}" for cell in path.cells]
                assert all(place in said.thought for place in places)


def test_systematic_fault_tells_the_other_squares_way(study):
    world, teacher = study
    always = teacher.Faults(1, 0, 0, 0)
    shot = next(
        shot
        for film in world.draw_films("train", 9, 2)
        for shot in film.shots
        if shot.colours[0] in ("blue", "yellow")
    )
    said = read_completion(teacher.answer(shown(study, shot, shot.colours[0]), "key", always))
    assert said.answer == "ABCD"[world.OPTIONS.index(shot.paths[1].way)]
    assert shot.colours[0] in said.thought
    assert shot.colours[1] not in said.thought


def test_verifier_judges_by_the_frame_it_is_shown(study):
    world, teacher = study
    film = world.draw_films("train", 1, 3)[0]
    shot = film.shots[0]
    frame = jpeg(world.draw_frame(shot, 0.5))
    cell = world.cell_name(shot.paths[0].cells[0])
    claims = {f"{shot.colours[0]} {name}" for name in ("a1", "b2", "c3", cell)}
    for claim in claims:
        asked = teacher.Shown(("[0.0 s]",), (frame,), f"Claim: [0.0 s] {claim}.")
        expected = "yes" if claim.endswith(cell) else "no"
        assert teacher.answer(asked, "key", teacher.Faults()) == f"<answer>{expected}</answer>"


def test_faults_come_as_often_as_said(study):
    world, teacher = study
    shot = world.draw_films("train", 1, 0)[0].shots[0]
    asked = shown(study, shot, "red")._replace(frames=shown(study, shot, shot.colours[0]).frames)
    asked = shown(study, shot, shot.colours[0]) if "red" not in shot.colours else asked
    texts = [teacher.answer(asked, f"{n}", teacher.Faults(0, 0, 0, 0.25)) for n in range(200)]
    malformed = np.mean([not read_completion(text).well_formed for text in texts])
    assert 0.15 < malformed < 0.35


def test_judge_counts_the_claims_that_hold_of_the_four_asked_for(load, study):
    world, teacher = study
    shot = world.draw_films("train", 1, 0)[0].shots[0]
    asked = shown(study, shot, shot.colours[0])
    parts = []
    for label in asked.labels:
        parts += [ChatPart(type="text", text=label), ChatPart(type="image", text=None)]
    prompt = (ChatMessage(role="user", content=tuple(parts)),)
    example = example_of(rl_row(0).model_dump())
    example = example._replace(question=asked.text, images=asked.frames, prompt=prompt)
    whole = read_completion(teacher.answer(asked, "key", teacher.Faults(0, 0, 0, 0))).thought
    other = whole.replace(shot.colours[0], shot.colours[1])
    three, none = whole.partition(". ")[2], "So left."
    verifier = load("measure").ShapesVerifier()
    assert verifier.evidence([(example, said) for said in (whole, three, other, none)]) == [1, 0.75, 0, None]


def test_pairing_narrows_the_interval_of_a_difference(load):
    stats = load("over_seeds")
    rng = np.random.default_rng(0)
    theirs = (rng.random((3, 300)) < 0.5).astype(float)
    ours = np.maximum(theirs, (rng.random((3, 300)) < 0.2).astype(float))
    gap = stats.paired_difference(ours, theirs, draws=500)
    assert 0 < gap.low < gap.value < gap.high
    one, other = stats.mean_over_seeds(ours, draws=500), stats.mean_over_seeds(theirs, draws=500)
    assert gap.high - gap.low < (one.high - one.low) + (other.high - other.low)
    assert stats.paired_difference(ours, ours, draws=50) == (0, 0, 0)
