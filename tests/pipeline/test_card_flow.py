import re
from graphlib import TopologicalSorter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.pipeline.dag import build_dag
from reelproof.pipeline.dataset.card_flow import flow_lines
from reelproof.pipeline.recipe import recipe_for_sources


@st.composite
def graphs(draw) -> dict[str, tuple[str, ...]]:
    """Steps, each made from some of those before it."""
    names = [f"step.{place}" for place in range(draw(st.integers(1, 8)))]
    return {
        name: tuple(draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else ())
        for place, name in enumerate(names)
    }


def drawn(lines: list[str]) -> dict[str, set[str]]:
    """What the picture says: a step, and those right above it."""
    names = dict(match.groups() for line in lines if (match := re.fullmatch(r'(s\d+)\["(.+)"\]', line)))
    above: dict[str, set[str]] = {name: set() for name in names.values()}
    for line in lines[len(names) :]:
        source, target = line.split(" --> ")
        above[names[target]].add(names[source])
    return above


def reached(above: dict[str, set[str]]) -> dict[str, set[str]]:
    """All that each step rests on."""
    found: dict[str, set[str]] = {}
    for name in TopologicalSorter(above).static_order():
        found[name] = above[name].union(*(found[each] for each in above[name]))
    return found


@given(graphs())
def test_picture_reaches_what_the_steps_rest_on_by_no_edge_too_many(rests_on):
    above = drawn(flow_lines(rests_on))
    wanted = reached({step: set(each) for step, each in rests_on.items()})
    assert reached(above) == wanted
    for step, direct in above.items():
        for each in direct:
            fewer = {**above, step: direct - {each}}
            assert reached(fewer) != wanted


@pytest.mark.parametrize("more", [(), ("sufficiency={judge: {kind: signals}}",)])
def test_picture_of_a_build_has_its_steps_and_those_over_all_parts(more):
    dag = build_dag(recipe_for_sources("videos", more))
    above = drawn(flow_lines(dag.edges()))
    assert [step.name for step in dag.steps] == list(above)[: len(dag.steps)]
    assert list(above)[len(dag.steps) :] == [step.name for step in dag.whole]
    full = reached(above)
    for step in (*dag.steps, *dag.whole):
        assert full[step.name] == {each.name for each in step.ancestors}
    assert full["card"] == set(above) - {"card", "croissant", "checksums"}


def test_names_cannot_leave_their_place_in_the_picture():
    assert flow_lines({'x"] --> evil["': ()}) == ['s0["x   --  evil  "]']
