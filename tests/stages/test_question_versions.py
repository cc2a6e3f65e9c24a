import hashlib
from collections.abc import Iterable

import pytest

from reelproof.schemas.footage import Clip
from reelproof.schemas.question import GivenRow, Question
from reelproof.schemas.record import Record
from reelproof.stages.footage import clips
from reelproof.stages.questions import computed
from reelproof.stages.questions import given as questions
from tests.views import made_view

VIEWS = [made_view("a", 20.0, [7.0, 12.0]), made_view("b", 30.0), made_view("c", 130.0, [31.0, 62.0, 95.0])]
ROW = GivenRow(kind="set", video_id="a", question="Who?", options=("I", "you"), answer="B", task=None)


def made_clips() -> list[Clip]:
    return list(clips.cut_clips(VIEWS, clips.ClipConfig()))


def long_clips() -> list[Clip]:
    """At every scale."""
    view = made_view("film", 1300.0, [9.0, 22.0, 70.0, 300.0, 610.0, 900.0])
    return list(clips.cut_clips([*VIEWS, view], clips.ClipConfig(max_long_frames=64)))


def made_given() -> list[Question]:
    return list(questions.given_questions(made_clips(), [ROW], questions.QuestionsConfig()))


def made_computed() -> list[Question]:
    cfg = computed.ComputedConfig(lone_scene_share=1.0)
    return list(computed.computed_questions(made_clips(), cfg))


def digest(records: Iterable[Record]) -> str:
    return hashlib.sha256("\n".join(each.model_dump_json() for each in records).encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("stage", "records", "version", "golden"),
    [
        (clips, long_clips, 5, "4df1ed0ca9a37e05"),
        (questions, made_given, 6, "c4a83e08d858edb4"),
        (computed, made_computed, 10, "98b34ca5627e3ff7"),
    ],
)
def test_output_changes_only_with_the_version(stage, records, version, golden):
    """The fingerprint of a step holds its VERSION: where this changed, bump it and renew the table."""
    made = list(records())
    assert made
    assert (stage.VERSION, digest(made)) == (version, golden)
