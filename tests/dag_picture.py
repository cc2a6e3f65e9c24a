"""The DAG of `pipeline/dag.py` -> its picture in ARCHITECTURE.md. `make picture` draws it anew."""

import re
from collections.abc import Iterable
from pathlib import Path

from reelproof.pipeline.dag import OVER_ALL, OVER_PARTS, build_dag
from reelproof.pipeline.dataset.card_flow import Edges, needed_above
from reelproof.pipeline.recipe import recipe_for_sources

FILE = Path(__file__).parent.parent / "ARCHITECTURE.md"
ALL_STEPS = (
    "text={frames: shown}",
    "transitions={}",
    "embedding={}",
    "questions.embedding={}",
    "speech={}",
    "teachers=[{teacher: {kind: server, urls: [http://127.0.0.1:1/v1], model: m, takes_sound: true}}]",
    "calibration={}",
    "sufficiency={judge: {kind: signals}}",
    "questions.asked.writer={kind: server, urls: [http://127.0.0.1:1/v1], model: writer}",
    "questions.edited={}",
)
PICTURE = re.compile(r"```mermaid\n.*?```\n", re.DOTALL)
SCORES = re.compile(r"score\.(?!repeats).*")
"""The checks, which are one node."""


def draw() -> str:
    """Every step that a recipe can have, and what each is made from, where no other step implies it."""
    edges = _with_checks_as_one(build_dag(recipe_for_sources("videos", ALL_STEPS)).edges())
    places = {step: f"s{place}" for place, step in enumerate(edges)}
    over_all = [step.name for step in OVER_ALL]
    lines = ["```mermaid", "flowchart LR"]
    for title, steps in (
        ("one file per part and step", [step for step in edges if step not in over_all]),
        ("over all parts", over_all),
    ):
        nodes = "; ".join(f'{places[step]}["{step}"]' for step in steps)
        lines += [f'subgraph {title.replace(" ", "_")} ["{title}"]', f"  {nodes}", "end"]
    for step in edges:
        if above := needed_above(edges, step):
            lines.append(f"{' & '.join(places[each] for each in above)} --> {places[step]}")
    return "\n".join([*lines, "```", ""])


def _with_checks_as_one(edges: Edges) -> Edges:
    assert set(edges) == {step.name for step in (*OVER_PARTS, *OVER_ALL)}
    together: dict[str, tuple[str, ...]] = {}
    for step, above in edges.items():
        name = SCORES.sub("scores", step)
        together[name] = _once((*together.get(name, ()), *(SCORES.sub("scores", each) for each in above)))
    return together


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


if __name__ == "__main__":
    text = FILE.read_text(encoding="utf-8")
    FILE.write_text(PICTURE.sub(lambda _: draw(), text, count=1), encoding="utf-8")
