"""How many frames a request has room for, and what a recipe makes of it."""

import json
from pathlib import Path

import pytest

from reelproof.pipeline.dag import build_dag
from reelproof.pipeline.recipe import recipe_for_sources
from reelproof.pipeline.teachers.room import room_for_frames
from reelproof.pipeline.teachers.vllm_settings import VllmTeacherConfig
from reelproof.schemas.footage import ClipKind
from reelproof.stages.teachers.protocol import ServerTeacherConfig, TeacherNeeds, TransformersTeacherConfig

NEEDS = TeacherNeeds(image_width_px=512, image_height_px=512, max_tokens=1024)
SERVER = "teachers.0.teacher={kind: server, model: m, urls: ['http://127.0.0.1:1/v1'], max_model_len: %d}"


def server(context: int | None) -> ServerTeacherConfig:
    return ServerTeacherConfig(model="m", urls=("http://127.0.0.1:1/v1",), max_model_len=context)


@pytest.mark.parametrize("context", [4096, 32_768, 131_072])
def test_frames_that_fit_leave_room_for_prompt_and_answer(context):
    """A frame of 512 x 512 px is 19 x 19 tokens for Qwen2-VL, its label and marks about a dozen more."""
    room = room_for_frames(server(context), NEEDS)
    used = room * (19 * 19 + 14) + NEEDS.max_tokens + NEEDS.prompt_characters / 3
    assert used <= context < used + 2 * (19 * 19 + 14)


def test_nobody_is_shown_more_than_512_frames_or_than_the_server_takes():
    assert room_for_frames(server(1_000_000), NEEDS) == 512
    assert room_for_frames(VllmTeacherConfig(model="org/m", max_model_len=1_000_000), NEEDS) == 64


def test_room_is_not_known_without_a_context():
    assert room_for_frames(server(None), NEEDS) is None
    assert room_for_frames(VllmTeacherConfig(model="org/m"), NEEDS) is None
    stretched = VllmTeacherConfig(model="org/m", extra_args=("--rope-scaling", "{}"))
    assert room_for_frames(stretched, NEEDS) is None


def test_room_in_a_folder_follows_its_config(tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 32_768}))
    folder = TransformersTeacherConfig(model=str(tmp_path))
    assert room_for_frames(folder, NEEDS) == room_for_frames(server(32_768), NEEDS)
    (tmp_path / "config.json").write_text("not JSON")
    assert room_for_frames(folder, NEEDS) is None


def test_long_clips_of_a_recipe_show_what_its_teacher_has_room_for():
    recipe = recipe_for_sources("films", [SERVER % 131_072])
    clips = recipe.clips_to_cut
    assert clips.frames_of(ClipKind.WHOLE).timeline == clips.max_long_frames == 345
    assert clips.frames_of(ClipKind.SEGMENT).timeline == 16
    assert build_dag(recipe).needs_of(recipe.prober).images == 345
    assert room_for_frames(recipe.prober, build_dag(recipe).needs_of(recipe.prober)) >= 345


@pytest.mark.parametrize("overrides", [[], [SERVER % 2048], ["clips.max_long_frames=16", SERVER % 131_072]])
def test_long_clips_have_the_usual_budget_where_more_is_not_known_to_fit(overrides):
    recipe = recipe_for_sources("films", overrides)
    assert recipe.clips_to_cut.frames_of(ClipKind.WHOLE) == (16, 16)
    assert recipe.clips_to_cut.frames_of(ClipKind.SEGMENT) == (16, 16)
