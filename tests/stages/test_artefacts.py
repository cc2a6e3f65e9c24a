"""What was done to frames shows in the pictures, and not in the size of their files or in their noise."""

from collections import defaultdict

import pytest

from reelproof.schemas.edited import PLAIN, EditedQuestion
from reelproof.stages.questions.edited import EditedConfig, edited_questions
from reelproof.stages.questions.edited_kinds import EDIT_MAKERS
from tests.artefact_probe import choices, guesser_rate, probe, worse_encoded
from tests.edited_footage import film

FILMS = 24


@pytest.fixture(scope="module")
def asked() -> dict[str, list[EditedQuestion]]:
    by_kind = defaultdict(list)
    cfg = EditedConfig(changed_bits=1, least_colour=1.0, repeats=4)
    for seed in range(FILMS):
        made = film(8 + seed % 5, seed, width=160, height=120)
        for each in edited_questions([made.clip], made.jpegs, cfg):
            by_kind[each.question.kind].append(each)
    return by_kind


@pytest.fixture(scope="module")
def files(asked) -> dict[str, bytes]:
    every = [each for questions in asked.values() for each in questions]
    return {frame.frame.sha256: frame.jpeg for each in every for frame in each.frames}


@pytest.mark.parametrize("kind", EDIT_MAKERS)
def test_sizes_and_noise_do_not_answer(asked, files, kind):
    probed = probe(choices([each.question for each in asked[kind]], files))
    assert probed.questions >= 60
    assert probed.is_at_luck(), (probed.accuracy, probed.luck)


@pytest.mark.parametrize("kind", ["mirrored_frame", "turned_span", "recoloured_span"])
def test_probe_finds_an_artefact_that_is_there(asked, files, kind):
    planted = dict(files)
    for each in asked[kind]:
        for shown, edit in zip(each.question.frames, each.edits, strict=True):
            if edit != PLAIN:
                planted[shown.sha256] = worse_encoded(files[shown.sha256], quality=80)
    probed = probe(choices([each.question for each in asked[kind]], planted))
    assert not probed.is_at_luck()
    assert probed.accuracy > probed.luck + 0.2


@pytest.mark.parametrize("kind", EDIT_MAKERS)
def test_who_guesses_is_right_as_often_as_is_stated(asked, kind):
    guessed, stated = guesser_rate([each.question for each in asked[kind]], rollouts=8)
    spread = (stated * (1 - stated) / (8 * len(asked[kind]))) ** 0.5
    assert abs(guessed - stated) < 3.3 * spread
