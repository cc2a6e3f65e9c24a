import time
from pathlib import Path

import pytest

from reelproof.schemas.answers.citing import cited_spans, without_citations
from reelproof.schemas.answers.loose_times import loose_times
from reelproof.schemas.answers.statements import cited_statements

TABLE = [line.split("\t") for line in Path(__file__).with_name("loose_times.tsv").read_text().splitlines()]
"""A sentence, the times of the film that a person finds in it, and, where those are others, what is read."""


def told(text: str) -> str:
    spans = cited_spans(text)
    ends = (
        f"{each.start_s:g}-{each.end_s:g}" if each.end_s > each.start_s else f"{each.start_s:g}"
        for each in spans
    )
    return ",".join(ends) or "-"


def test_times_without_brackets_are_read_where_they_point_at_the_film():
    assert [(row, found) for row in TABLE if (found := told(row[0])) != row[-1]] == []


def test_what_is_read_otherwise_than_by_a_person_is_little():
    assert len(TABLE) > 300
    assert sum(row[1] == "-" != row[-1] for row in TABLE) <= 1
    assert sum(len(row) == 3 for row in TABLE) <= 5


def test_a_loose_time_makes_a_claim_of_its_sentence_alone():
    thought = "At [1.0 s] a car stops. At 3.0 s the man falls! He lies there for 2 s. Then he gets up."
    claims = cited_statements(thought)
    assert [each.text for each in claims] == ["At [1.0 s] a car stops.", "At 3.0 s the man falls!"]
    assert [each.cited[0].start_s for each in claims] == [1.0, 3.0]


def test_brackets_and_loose_times_come_in_the_order_of_the_text():
    assert told("At 5.0 s and [1.0 s] it is red, from 2 to 3 s <t>4</t>s blue.") == "5,1,2-3,4"


def test_a_decimal_comma_makes_no_two_times():
    assert told("At 3,5 s he falls.") == "-"


def test_a_time_is_found_where_it_stands_however_it_is_marked_up():
    text = "It is  dark.  At **3.0 s** and\u00a0`5.0  s` the *lamp* is lit, at 7,0 s it is off."
    found = list(loose_times(text))
    assert [text[each.start : each.end] for each in found] == ["3.0 s** and\u00a0`5.0  s", "7,0 s"]
    assert [span.start_s for each in found for span in each.spans] == [3.0, 5.0, 7.0]


def test_only_what_stands_in_brackets_is_taken_out():
    assert "3.0 s" in without_citations("At 3.0 s and [4.0 s] it is red.")


@pytest.mark.parametrize(
    "unit",
    [
        "at 3 s",
        "3:12 ",
        "1-",
        "3 s, ",
        "from 1 to ",
        "~",
        "at about ",
        "(3.0 s",
        "在3",
        "12",
        "* ",
        '"',
        "m",
        "by 3 m ",
        "**",
        "_1",
        "3,0 s ",
        "bei 3,0 s ",
        "um 3 s, um ",
        "zwischen 3 und ",
        "  ",
    ],
)
def test_hostile_texts_take_linear_time(unit):
    text = unit * (100_000 // len(unit))
    start = time.process_time()
    for _ in loose_times(text):
        pass
    assert time.process_time() - start < 5  # quadratic would be a minute and more
