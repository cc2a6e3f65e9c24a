"""What ARCHITECTURE.md says of adding a check, a computed question and a teacher, done in a copy."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from tests.films import Shot, make_film

ROOT = Path(__file__).parent.parent
PACKAGES = (".src", "data_cards", "pipeline", "schemas", "stages", "training")

CHECK = '''"""Traces -> how long is the thought's longest sentence?"""

from collections.abc import Iterable, Iterator

import polars as pl

from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.scores import Score
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case
from reelproof.stages.checks.check import Check, Rule

VERSION = 1


class SentenceConfig(Settings):
    """Where sentences end."""

    ends: str = "."


class SentenceScore(Score):
    """Does the thought say one thing at a time?"""

    longest_sentence: int
    """Words."""


def measure_sentences(cases: Iterable[Case], cfg: SentenceConfig) -> Iterator[SentenceScore]:
    for case in cases:
        for trace in case.traces:
            longest = max(len(each.split()) for each in trace.thought.split(cfg.ends))
            yield SentenceScore(trace_id=trace.trace_id, longest_sentence=longest)


def rules(_policy: PolicyConfig) -> tuple[Rule, ...]:
    return (Rule("long_sentence", "one of its sentences is long", pl.col("longest_sentence") > 8),)


CHECK = Check("sentences", VERSION, measure_sentences, SentenceConfig, SentenceScore, "traces", rules)
'''
MAKER = '''"""A clip -> how many frames of it are shown."""

from reelproof.schemas.question import Task, timed_frames
from reelproof.stages.questions.maker import Draft, Maker, Table


def _frames_shown(table: Table) -> Draft | None:
    frames = timed_frames(table.clip.timeline)
    return Draft(Task.NUMERICAL, "How many frames are shown?", str(len(frames)), frames)


FRAMES_SHOWN = Maker(_frames_shown, "how many frames are shown")
'''
TEACHER = '''"""Requests -> one and the same answer."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.schemas.settings import Settings


class StubbornTeacherConfig(Settings):
    """A teacher that has made up its mind."""

    kind: Literal["stubborn"] = "stubborn"
    answer: str = "1"
    """Its answer to whatever it is asked."""


class StubbornTeacher:
    """Says the same of every film."""

    def __init__(self, cfg: StubbornTeacherConfig, model: str) -> None:
        self.model, self._said = model, f"<think>I have seen it all.</think><answer>{cfg.answer}</answer>"

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        for each in requests:
            name = each.request_id
            yield Completion(request_id=name, model=self.model, text=self._said, finish_reason="stop")
'''


def run(tree: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """`reelproof` as the copy of the tree has it."""
    command = [str(Path(sys.executable).with_name("reelproof")), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(tree / ".src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done


def put_line(file: Path, before: str, line: str) -> None:
    text = file.read_text()
    assert text.count(before) == 1
    file.write_text(text.replace(before, line + before))


def add_check(tree: Path) -> None:
    (tree / "stages/checks/sentences.py").write_text(CHECK)
    registry = tree / "stages/checks/registry.py"
    put_line(registry, "    sufficiency,\n    text,\n", "    sentences,\n")
    put_line(registry, "    sufficiency.CHECK,\n", "    sentences.CHECK,\n")


def add_computed_question(tree: Path) -> None:
    (tree / "stages/questions/frames_shown.py").write_text(MAKER)
    kinds = tree / "stages/questions/computed_kinds.py"
    imported = "from reelproof.stages.questions.frames_shown import FRAMES_SHOWN\n"
    put_line(kinds, "from reelproof.stages.questions.maker import", imported)
    put_line(kinds, '    "motion_half": Maker', '    "frames_shown": FRAMES_SHOWN,\n')


def add_teacher(tree: Path) -> None:
    (tree / "stages/teachers/stubborn.py").write_text(TEACHER)
    kinds = tree / "pipeline/teachers/kinds.py"
    imported = "from reelproof.stages.teachers.stubborn import StubbornTeacher, StubbornTeacherConfig\n"
    put_line(kinds, "\nSAMPLED_BLOCKS", imported)
    put_line(kinds, "    SignalsTeacherConfig | ServerTeacherConfig", "    StubbornTeacherConfig |\n")
    put_line(kinds, "    SignalsTeacherConfig,\n    ServerTeacherConfig,\n", "    StubbornTeacherConfig,\n")
    case = "        case StubbornTeacherConfig():\n"
    put_line(
        kinds,
        "            case SignalsTeacherConfig():\n",
        f"    {case}                yield StubbornTeacher(cfg, teacher_identity(cfg))\n",
    )
    put_line(
        kinds,
        "        case SignalsTeacherConfig():\n            return _sig",
        f'{case}            return f"stubborn@{{cfg.answer}}"\n',
    )
    put_line(kinds, "        case SignalsTeacherConfig():\n            _sig", f"{case}            pass\n")


class Built(NamedTuple):
    tree: Path
    out: Path
    rejected: pl.DataFrame


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """By a copy of the product's folders to which all of it was added."""
    tree = tmp_path_factory.mktemp("tree")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, tree / name, symlinks=True)
    for add in (add_check, add_computed_question, add_teacher):
        add(tree)
    films, out = tree / "films", tree / "out"
    films.mkdir()
    make_film(films / "a.mp4", [Shot(501, 2.0), Shot(502, 2.0)], fps=10, size=(160, 120))
    settings = (
        "teachers=[{teacher: {kind: signals}}, {teacher: {kind: stubborn, answer: red}}]",
        "claims.verifier.kind=signals", "rollouts.rollouts=4", "probes.probes=[]",
        "clips.timeline_every_s=0.5", "checks.sentences.ends=;", "card.plots=false",
        "policy.extra_rules=[{name: mine, where: longest_sentence > 10000}]",
    )  # fmt: skip
    run(tree, "build", films, "--out", out, "--workers", 1, *(f"--set={each}" for each in settings))
    return Built(
        tree, out, pl.concat(map(pl.read_parquet, (out / "dataset/data/rejected").glob("*.parquet")))
    )


def test_a_check_and_a_computed_question_are_two_files_each(built):
    long = built.rejected.filter(pl.col("longest_sentence") > 8)
    assert len(long)
    assert all("long_sentence" in reasons for reasons in long["reasons"])
    assert "frames_shown" in set(built.rejected["question_kind"])
    stats = json.loads((built.out / "dataset/stats.json").read_text())
    assert "long_sentence" in {rule["rule"] for rule in stats["policy"]["funnel"]}
    assert "frames_shown" in {kind["kind"] for kind in stats["policy"]["kinds"]}
    assert "score.sentences" in (built.out / "dataset/README.md").read_text()
    told = run(built.tree, "explain", built.out, long["sample_id"][0]).stdout
    assert "longest_sentence: " in told
    assert "rejected for" in told


def test_a_teacher_is_a_file_and_its_places_among_the_kinds(built):
    said = built.rejected.filter(pl.col("teacher") == "stubborn@red")
    assert len(said)
    assert set(said["prediction"]) == {"red"}
    assert len(built.rejected) > len(said)
    assert "stubborn@red" in (built.out / "dataset/README.md").read_text()
