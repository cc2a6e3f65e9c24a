import hashlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from reelproof.schemas.answers.chance import open_guess_rate
from reelproof.schemas.answers.scores import gold_fault, strict_score
from reelproof.schemas.edited import PLAIN, EditedQuestion
from reelproof.schemas.footage import hash_distance
from reelproof.schemas.question import QuestionSource
from reelproof.stages.footage.edits import encode, hue_turned
from reelproof.stages.questions.edited import EditedConfig, edited_questions
from reelproof.stages.questions.edited_kinds import EDIT_MAKERS
from tests.edited_footage import READERS, Film, decoded, film, seen

EASY = {"changed_bits": 1, "least_colour": 1.0}


def ask(made: Film, *kinds: str, **how: object) -> list[EditedQuestion]:
    cfg = EditedConfig(**(EASY | {"kinds": kinds or tuple(EDIT_MAKERS)} | how))
    return list(edited_questions([made.clip], made.jpegs, cfg))


def stored(asked: list[EditedQuestion]) -> dict[str, bytes]:
    return {each.frame.sha256: each.jpeg for question in asked for each in question.frames}


@pytest.fixture(scope="module")
def made() -> Film:
    return film(10, seed=3)


@pytest.fixture(scope="module")
def small() -> Film:
    """Quick to encode."""
    return film(10, seed=3, width=112, height=80)


@pytest.fixture(scope="module")
def many(made) -> list[EditedQuestion]:
    return ask(made, repeats=15)


@settings(max_examples=8)
@given(
    frames=st.integers(6, 16),
    seed=st.integers(0, 10**6),
    hue_turn_deg=st.sampled_from([45, 90, 180]),
    shape_share=st.sampled_from([0.09, 0.15]),
    zoom=st.sampled_from([2, 3]),
    jpeg_quality=st.sampled_from([75, 90]),
)
def test_whoever_looks_at_the_stored_files_finds_the_gold(frames, seed, **how):
    made = film(frames, seed % 50)
    asked = ask(made, seed=seed, **how)
    assert {"shape_count", "marked_frames"} <= {each.question.kind for each in asked}
    for each in asked:
        question = each.question
        found = READERS[question.kind](each, seen(each, stored(asked), made))
        assert strict_score(question.task, found, question.answer, question.options) == 1, question


def test_every_kind_is_asked(many):
    counts = Counter(each.question.kind for each in many)
    assert set(counts) == set(EDIT_MAKERS)
    assert all(count >= 4 for count in counts.values())
    for each in many:
        assert each.question.source is QuestionSource.COMPUTED
        assert gold_fault(each.question.task, each.question.answer, each.question.options) is None


def test_each_shown_file_is_stored_once_under_its_hash(many):
    files = [each for question in many for each in question.frames]
    assert len({each.frame.sha256 for each in files}) == len(files)
    for each in files:
        assert hashlib.sha256(each.jpeg).hexdigest() == each.frame.sha256
        assert decoded(each.jpeg).shape == (each.frame.height, each.frame.width, 3)
    shown = {frame.sha256 for each in many for frame in each.question.frames}
    assert shown == {each.frame.sha256 for each in files}


def test_no_file_of_the_footage_is_shown_beside_edited_ones(made, many):
    shown = {frame.sha256 for each in many for frame in each.question.frames}
    assert not shown & set(made.jpegs)
    sizes = {(frame.frame.width, frame.frame.height) for each in many for frame in each.question.frames}
    assert sizes == {(272, 208)}


def test_frames_that_are_not_edited_are_the_same_file_in_all_questions(many):
    plain = {
        (frame.frame.time_s, frame.sha256)
        for each in many
        for frame, edit in zip(each.question.frames, each.edits, strict=True)
        if edit == PLAIN
    }
    assert len(plain) == 10


def test_what_was_done_is_told_frame_by_frame(many):
    for each in many:
        assert len(each.edits) == len(each.question.frames)
        done = [edit for edit in each.edits if edit != PLAIN]
        kind, answer = each.question.kind, each.question.answer
        if kind in ("mirrored_frame", "zoomed_place"):
            assert len(done) == 1
        elif kind == "shape_count":
            names = [name for edit in done for name in edit.removeprefix("pasted over: ").split(", ")]
            assert len(names) == 16
            assert Counter(names)[counted(each)] == int(answer)
        elif kind == "marked_frames":
            assert len(done) == len(each.edits)
        else:
            assert 2 <= len(done) < len(each.edits) / 2


def counted(each: EditedQuestion) -> str:
    return each.question.text.partition(" are ")[2].partition("s, in all")[0].replace("crosse", "cross")


def test_numbers_are_as_likely_as_the_stated_guess_rate_says(made):
    for kind in ("shape_count", "marked_frames"):
        asked = [
            each for seed in range(4) for each in ask(made, kind, repeats=64, seed=seed, jpeg_quality=20)
        ]
        counts = Counter(int(each.question.answer) for each in asked)
        assert set(counts) == set(range(1, 11))
        expected = len(asked) / 10
        assert sum((count - expected) ** 2 / expected for count in counts.values()) < 27.9  # p = 0.001
        assert {open_guess_rate(each.question) for each in asked} == {0.1}


@pytest.mark.parametrize("kind", ["mirrored_frame", "zoomed_place"])
def test_no_letter_is_favoured(small, kind):
    asked = [each for seed in range(3) for each in ask(small, kind, repeats=64, seed=seed, jpeg_quality=20)]
    counts = Counter(each.question.answer for each in asked)
    expected = counts.total() / 4
    assert counts.total() > 40
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 16.3  # p = 0.001


def test_harder_settings_change_less(made):
    (far,), (near,) = (ask(made, "recoloured_span", hue_turn_deg=degrees) for degrees in (180, 30))
    assert changed(far, made) > 2 * changed(near, made)
    (large,), (small,) = (ask(made, "marked_frames", shape_share=share) for share in (0.15, 0.06))
    assert changed(large, made) > 1.5 * changed(small, made)  # both are encoded anew
    (more,) = ask(made, "shape_count", pasted=40)
    assert sum(edit.count(",") + 1 for edit in more.edits if edit != PLAIN) == 40
    (few,) = ask(made, "mirrored_frame", options=2)
    assert open_guess_rate(few.question) == 1 / 2
    assert {
        len(each.question.options) for each in ask(made, "zoomed_place", zoom=3, options=8, repeats=64)
    } == {8}


def changed(asked: EditedQuestion, made: Film) -> float:
    shown = seen(asked, stored([asked]), made)
    return sum(float(np.abs(each.picture - each.footage).mean()) for each in shown)


def test_frames_without_colour_are_not_asked_for_their_colours():
    made = film(10, seed=3, grey=True)
    assert ask(made, "recoloured_span", repeats=20, least_colour=6.0) == []
    assert ask(made, "turned_span", repeats=20)


def test_pictures_that_look_the_same_mirrored_or_turned_are_not_asked_about(made):
    of = {each.time_s: each for each in made.clip.timeline}
    asked = ask(made, "mirrored_frame", "turned_span", repeats=40, changed_bits=24)
    apart = [
        hash_distance(frame.frame, of[frame.frame.time_s])
        for each in asked
        for frame, edit in zip(each.question.frames, each.edits, strict=True)
        if edit != PLAIN
    ]
    assert min(apart) > 20, "shrinking and encoding change a few bits"
    assert len(asked) < len(ask(made, "mirrored_frame", "turned_span", repeats=40))


def test_parts_of_which_one_holds_most_detail_are_not_asked_about(small):
    """The enlarged frame's file would be as large as that part alone."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 56, 3))
    jpegs, timeline = {}, []
    for each in small.clip.timeline:
        picture = decoded(small.jpegs[each.sha256]).astype(np.uint8)
        picture[:40, :56] = noise
        encoded = encode(picture, each, 85)
        jpegs[encoded.frame.sha256] = encoded.jpeg
        timeline.append(encoded.frame)
    clip = small.clip.model_copy(update={"timeline": tuple(timeline)})
    assert ask(small, "zoomed_place", repeats=20)
    assert ask(Film(clip, jpegs), "zoomed_place", repeats=20) == []


@pytest.mark.parametrize("degrees", [60, 90, 180])
def test_hues_are_turned_around_grey(degrees):
    """Cb + i Cr times e^(i degrees); dull colours, none of which a turn takes out of range."""
    picture = np.random.default_rng(0).integers(98, 158, (16, 16, 3), dtype=np.uint8)
    before, after = (np.asarray(Image.fromarray(each).convert("YCbCr"), float) - 128
                     for each in (picture, hue_turned(picture, degrees)))  # fmt: skip
    turned = (before[..., 1] + 1j * before[..., 2]) * np.exp(1j * np.radians(degrees))
    assert np.abs(after[..., 1] - turned.real).max() < 3
    assert np.abs(after[..., 2] - turned.imag).max() < 3
    assert np.abs(after[..., 0] - before[..., 0]).max() < 3


@pytest.mark.parametrize(
    "update",
    [
        {"damaged_share": 0.1},
        {"timeline": 5},
    ],
)
def test_damaged_or_short_clips_are_asked_nothing(made, update):
    if "timeline" in update:
        update = {"timeline": made.clip.timeline[: update["timeline"]]}
    assert ask(made._replace(clip=made.clip.model_copy(update=update))) == []


def test_same_clips_give_the_same_questions_and_another_seed_gives_others(made):
    assert ask(made) == ask(made)
    assert {e.question.question_id for e in ask(made)} != {e.question.question_id for e in ask(made, seed=1)}


def test_unknown_kind_is_refused():
    with pytest.raises(ValidationError, match="there is no kind colour"):
        EditedConfig(kinds=("colour",))
