"""What a model's config.json tells of its context and its eyes, and what a check makes of it."""

import json
from pathlib import Path

import pytest

from reelproof.pipeline.teachers.kinds import TeacherConfig, check_teacher
from reelproof.pipeline.teachers.model_folder import PROMPT_TOKENS, read_model_folder
from reelproof.pipeline.teachers.vllm_settings import VllmTeacherConfig
from reelproof.stages.teachers.protocol import TeacherNeeds, TeacherUnavailable, TransformersTeacherConfig

SEES = {"architectures": ["Qwen2_5_VLForConditionalGeneration"], "vision_config": {}}
READS = {"architectures": ["Qwen2ForCausalLM"], "max_position_embeddings": 32_768, "use_cache": True}
NEEDS = TeacherNeeds(images=8, max_tokens=1024)


@pytest.fixture
def write(tmp_path):
    def folder(config: object) -> Path:
        (tmp_path / "config.json").write_text(json.dumps(config))
        return tmp_path

    return folder


@pytest.fixture
def vllm(tmp_path):
    """Settings of a vLLM whose environment holds it."""
    executable = tmp_path / "python"
    executable.write_text("#!/bin/sh\nexit 0\n")
    executable.chmod(0o755)

    def cfg(model: Path | str, **settings: object) -> VllmTeacherConfig:
        return VllmTeacherConfig(model=str(model), executable=str(executable), **settings)

    return cfg


@pytest.mark.parametrize(
    ("config", "context_tokens"),
    [
        ({}, None),
        ({"max_position_embeddings": 512}, 512),
        ({"text_config": {"max_position_embeddings": 512}}, 512),
        ({"llm_config": {"max_position_embeddings": 512}}, 512),
        ({"max_position_embeddings": 512, "text_config": {"max_position_embeddings": 2048}}, 2048),
        ({"vision_config": {"max_position_embeddings": 77}}, None),
        ({"max_position_embeddings": 512, "rope_scaling": {"type": "yarn", "factor": 4.0}}, 2048),
        ({"max_position_embeddings": 512, "rope_parameters": {"full_attention": {"factor": 2}}}, 1024),
        ({"max_position_embeddings": 512, "rope_scaling": None}, 512),
        ({"max_position_embeddings": None}, None),
    ],
)
def test_a_context_is_the_longest_that_the_config_may_mean(write, config, context_tokens):
    assert read_model_folder(write(config)).context_tokens == context_tokens


@pytest.mark.parametrize(
    ("config", "reads_text_alone"),
    [
        (READS, True),
        (READS | {"architectures": ["LlamaForCausalLM", "Qwen2ForCausalLM"]}, True),
        (SEES, False),
        ({"architectures": ["LlavaForConditionalGeneration"]}, False),
        ({"architectures": ["InternVLChatModel"], "vision_config": {}, "llm_config": READS}, False),
        ({"architectures": ["Phi4MMForCausalLM"], "img_processor": None}, False),
        ({"architectures": ["LlavaQwenForCausalLM"], "mm_hidden_size": 1152}, False),
        ({"architectures": ["FuyuForCausalLM"], "image_size": 300}, False),
        ({"architectures": ["XForCausalLM"], "parts": [{"ViT_depth": 3}]}, False),
        ({"architectures": ["QWenLMHeadModel"], "visual": {}}, False),
        ({"architectures": []}, False),
        ({"architectures": None}, False),
        ({}, False),
    ],
)
def test_only_a_model_without_any_hint_of_vision_reads_text_alone(write, config, reads_text_alone):
    assert read_model_folder(write(config)).reads_text_alone == reads_text_alone


def test_a_processor_of_images_is_a_hint_of_vision(write):
    folder = write(READS)
    (folder / "preprocessor_config.json").write_text("{}")
    assert not read_model_folder(folder).reads_text_alone


@pytest.mark.parametrize("kind", ["vllm", "transformers"])
def test_a_model_folder_that_cannot_do_what_is_asked_is_told(write, vllm, kind):
    def check(config: object, needs: TeacherNeeds) -> None:
        folder = write(config)
        cfg: TeacherConfig = vllm(folder) if kind == "vllm" else TransformersTeacherConfig(model=str(folder))
        check_teacher(cfg, needs)

    with pytest.raises(TeacherUnavailable, match=r"up to 8 images, but Qwen2ForCausalLM reads text alone"):
        check(READS, NEEDS)
    check(READS, NEEDS._replace(images=0))
    longest = 1024 + PROMPT_TOKENS
    with pytest.raises(TeacherUnavailable, match=rf"context of {longest - 1} tokens.*answer of up to 1024"):
        check(SEES | {"text_config": {"max_position_embeddings": longest - 1}}, NEEDS)
    check(SEES | {"text_config": {"max_position_embeddings": longest}}, NEEDS)
    check(SEES, NEEDS)


def test_a_context_that_is_set_counts_for_names_on_the_hub_as_well(write, vllm):
    with pytest.raises(TeacherUnavailable, match=r"org/m: its context of 1024 tokens.*raise max_model_len"):
        check_teacher(vllm("org/m", max_model_len=1024), NEEDS)
    check_teacher(vllm("org/m", max_model_len=4096), NEEDS)
    folder = write(SEES | {"max_position_embeddings": 512})
    check_teacher(vllm(folder, max_model_len=4096), NEEDS)


@pytest.mark.parametrize("word", ["--max-model-len=9000", "--hf_overrides", "--config"])
def test_what_arguments_of_vllm_itself_may_change_is_left_to_it(write, vllm, word):
    check_teacher(vllm(write(READS | {"max_position_embeddings": 512}), extra_args=(word,)), NEEDS)


@pytest.mark.parametrize("content", ["{", "[]", "\ufeff{}"])
def test_a_config_that_cannot_be_read_is_told(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(TeacherUnavailable, match=r"its config.json .*; copy the model again"):
        read_model_folder(tmp_path)
