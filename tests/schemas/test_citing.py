from pathlib import Path

import pytest

from reelproof.schemas.answers.citing import cited_spans, without_citations
from reelproof.schemas.answers.statements import cited_statements

READ = [
    ("[3.0 s, 5.0 s]", [(3, 3), (5, 5)]),
    ("[3.0 s and 5.0 s]", [(3, 3), (5, 5)]),
    ("[3.0s,5.0s]", [(3, 3), (5, 5)]),
    ("[3.0 s; 5.0 s]", [(3, 3), (5, 5)]),
    ("[3.0 s, 4.0-5.0 s]", [(3, 3), (4, 5)]),
    ("[0:03, 0:05]", [(3, 3), (5, 5)]),
    ("[at 3.0 s]", [(3, 3)]),
    ("[around 0:03]", [(3, 3)]),
    ("[t=3.0 s]", [(3, 3)]),
    ("[~3.0 s]", [(3, 3)]),
    ("[from 3.0 s to 5.0 s]", [(3, 5)]),
    ("[3.0 s～5.0 s]", [(3, 5)]),
    ("\\[3.0 s\\]", [(3, 3)]),
    ("【3.0 s】", [(3, 3)]),
    ("［3.0 s］", [(3, 3)]),
    ("[3.0 秒]", [(3, 3)]),
    ("[3, 5]", []),
    ("[3,5 s]", []),
    ("[3 cars]", []),
    ("[frames 3 and 5]", []),
    ("[1, 2, 3, 4]", []),
]


@pytest.mark.parametrize(("cited", "spans"), READ)
def test_times_in_brackets_are_cited_however_they_are_written(cited, spans):
    thought = f"There is a car {cited} on the left."
    assert [(span.start_s, span.end_s) for span in cited_spans(thought)] == spans
    assert [len(each.cited) for each in cited_statements(thought)] == ([len(spans)] if spans else [])
    assert (cited in without_citations(thought)) is not bool(spans)


NOTED = [line.split("\t") for line in Path(__file__).with_name("cited_times.tsv").read_text().splitlines()]
"""A sentence, and the times of the film that it cites."""


@pytest.mark.parametrize(("text", "times"), NOTED, ids=[row[0][:60] for row in NOTED])
def test_times_among_other_words_in_brackets_are_cited(text, times):
    spans = cited_spans(text)
    ends = (
        f"{each.start_s:g}-{each.end_s:g}" if each.end_s > each.start_s else f"{each.start_s:g}"
        for each in spans
    )
    assert (",".join(ends) or "-") == times
    assert bool(cited_statements(text)) is (times != "-")
