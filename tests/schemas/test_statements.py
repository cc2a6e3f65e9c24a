import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.schemas.answers.statements import cited_statements

WITH_WHAT_BELONGS_TO_IT = {
    "a look": "At [3.0 s] look. The man falls.",
    "a look announced": "Let me check the frame at [3.0 s]. The man falls.",
    "a loose time": "At 3.0 s! The man falls.",
    "dots": "At [3.0 s] ... the man falls.",
    "a heading": "### [3.0 s]\n\nThe man falls.",
    "a label": "**[3.0-5.5 s]:**\nThe man falls.",
    "a rule below": "[3.0 s]\n---\nThe man falls.",
    "an item with items of its own": "- [3.0 s]\n  - the man falls\n  - a dog barks",
    "a list after a colon": "At [3.0 s] three things lie there:\n- a hat\n- a stick\n- a shoe",
    "a numbered list": "At [3.0 s]:\n1. The man falls.\n2. A dog barks.",
    "a table": "| [3.0 s] | [4.0 s] |\n|---|---|\n| he waves | he falls |",
    "a semicolon": "At [3.0 s] a car passes; the man falls.",
    "a semicolon of Chinese": "在[3.0 s]，他站着；他摔倒。",
    "a time behind": "The man falls. [3.0 s]",
    "a time in between": "The man falls. [3.0 s] So it is one.",
    "a row of a table": "| 3.0 s | he falls |",
    "short for something": "At [3.0 s] a thing, e.g. a dog, bites Mr. Smith vs. the cat.",
}


@pytest.mark.parametrize("said", WITH_WHAT_BELONGS_TO_IT.values(), ids=WITH_WHAT_BELONGS_TO_IT)
def test_what_is_said_of_a_time_is_one_claim_with_it(said):
    before, after = "He stands there.\n", "\nHe is gone."
    assert [each.text for each in cited_statements(f"{before}{said}{after}")] == [said]


@pytest.mark.parametrize(
    ("thought", "claims"),
    [
        ("At [3.0 s] he waves. He does not fall.", ["At [3.0 s] he waves."]),
        ("At [3.0 s] he waves; at [4.0 s] he falls.", ["At [3.0 s] he waves;", "at [4.0 s] he falls."]),
        ("At [3.0 s] look. At [4.0 s] he falls.", ["At [4.0 s] he falls."]),
        ("- [3.0 s] he waves\n- he falls", ["- [3.0 s] he waves"]),
        ("- [3.0 s]:\n- he waves\n\nHe falls.", ["- [3.0 s]:\n- he waves"]),
        ("[3.0 s] Rain. It stops.", ["[3.0 s] Rain."]),
        (
            "It rains. [3.0 s] He falls. [4.0 s] He waves.",
            ["It rains. [3.0 s] He falls.", "[4.0 s] He waves."],
        ),
        ("Let me look at [3.0 s] and [4.0 s].", []),
        ("He falls.\n[3.0 s]\nHe waves.", ["[3.0 s]\nHe waves."]),
    ],
)
def test_what_says_something_of_its_time_stands_alone_and_a_mere_time_is_no_claim(thought, claims):
    assert [each.text for each in cited_statements(thought)] == claims


PIECES = st.sampled_from(
    ["At [3.0 s] look.", "[4.0 s]", "he falls;", "he waves.", "- a dog", "1. ", "---", "at 5.0 s it rains",
     '"Stop. Now!"', "<obj>a. b</obj><box>[1,2,30,40]</box>"]
)  # fmt: skip


@given(st.lists(st.tuples(PIECES, st.sampled_from([" ", "\n", "\n\n"])), max_size=12), st.booleans())
def test_claims_stand_in_the_thought_in_their_order_and_none_twice(pieces, whole_quotes):
    thought = "".join(said + end for said, end in pieces)
    place = 0
    for each in cited_statements(thought, whole_quotes):
        place = thought.index(each.text, place) + len(each.text)
        assert each.cited
