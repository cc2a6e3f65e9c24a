"""A tiny vision-language model in process, through the same protocol as a server."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from reelproof.data_cards.tiny_model import TinyModelConfig, build_tiny_model, save_tiny_model
from reelproof.pipeline.teachers.kinds import TransformersTeacherConfig, open_teacher
from reelproof.schemas.chat import ChatRequest, ImagePart, Message, Sampling, TextPart
from reelproof.stages.teachers.protocol import TeacherUnavailable
from reelproof.stages.teachers.transformers_teacher import _load, choose_tokens


def jpeg(colour: str) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (36, 36), colour).save(content, "JPEG")
    return content.getvalue()


FRAMES = {"r" * 64: jpeg("red"), "b" * 64: jpeg("blue")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    texts = ["<think>[0.0 s] red square</think><answer>B</answer>"] * 10
    return save_tiny_model(
        build_tiny_model(texts, TinyModelConfig(context_tokens=256)), tmp_path_factory.mktemp("m") / "tiny"
    )


def request(model: str, text: str, images=("r" * 64,), sample_index=0, **sampling) -> ChatRequest:
    parts = (*(ImagePart(sha256=each) for each in images), TextPart(text=text))
    return ChatRequest(
        model=model,
        messages=(Message(role="user", content=parts),),
        sampling=Sampling(**{"max_tokens": 12, "logprobs": True, **sampling}),
        sample_index=sample_index,
    )


def ask(folder, make, batch=4):
    cfg = TransformersTeacherConfig(model=str(folder), device="cpu", batch=batch)
    with open_teacher(cfg) as teacher:
        requests = make(teacher.model)
        said = {each.request_id: each for each in teacher.complete(requests, FRAMES)}
    assert len(said) == len(requests)
    return [said[each.request_id] for each in requests]


def rollouts(model):
    shown = [(), ("r" * 64,), ("b" * 64,), ("r" * 64, "b" * 64)]
    return [request(model, "what?" * (1 + index), images, index) for images in shown for index in range(3)]


def test_answers_are_the_same_alone_and_in_any_batch(folder):
    alone, together = ask(folder, rollouts, batch=1), ask(folder, rollouts, batch=5)
    assert [each.text for each in alone] == [each.text for each in together]
    assert [each.prompt_tokens for each in alone] == [each.prompt_tokens for each in together]
    assert len({each.text for each in alone}) > 8
    assert all(each.finish_reason == "length" or each.completion_tokens <= 12 for each in alone)
    assert all(each.mean_logprob < 0 for each in alone)


def test_greedy_answers_do_not_depend_on_the_seed_and_frames_count(folder):
    def greedy(model):
        return [
            request(model, "what?", (image,), temperature=0, seed=seed) for image in FRAMES for seed in (0, 1)
        ]

    red, red_again, blue, _ = ask(folder, greedy)
    assert red.text == red_again.text
    assert red.mean_logprob != blue.mean_logprob


def test_a_prompt_beyond_the_context_is_a_recorded_failure_and_its_neighbours_are_answered(folder):
    def one_too_long(model):
        return [request(model, "what?"), request(model, "far too long " * 200), request(model, "why?")]

    said = ask(folder, one_too_long)
    assert [each.error is None for each in said] == [True, False, True]
    assert said[1].finish_reason == "error"
    assert "more than the context of 256" in said[1].error


def test_threads_that_begin_together_load_one_model(folder):
    cfg = TransformersTeacherConfig(model=str(folder), device="cpu", dtype="float32")
    begin = threading.Barrier(3)

    def load(_):
        begin.wait(timeout=60)
        return _load(cfg, "tiny@together")

    with ThreadPoolExecutor(3) as pool:
        loaded = list(pool.map(load, range(3)))
    assert len({id(each.model) for each in loaded}) == 1
    assert len({id(each.lock) for each in loaded}) == 1


def test_a_folder_without_a_model_is_one_clear_error(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(TeacherUnavailable, match="cannot load it onto cpu"):
        ask(tmp_path, lambda model: [request(model, "what?")])


@settings(max_examples=200, deadline=None)
@given(
    logits=st.lists(st.floats(-8, 8), min_size=1, max_size=12),
    temperature=st.floats(0.1, 2),
    top_p=st.floats(0.01, 1),
    uniform=st.floats(0, 1, exclude_max=True),
)
def test_tokens_are_drawn_from_the_nucleus_as_the_definition_says(logits, temperature, top_p, uniform):
    chosen = int(choose_tokens(torch.tensor([logits]), temperature, top_p, [uniform])[0])
    weights = torch.softmax(torch.tensor(logits) / temperature, dim=0).tolist()
    likelier = sum(weight for weight in weights if weight > weights[chosen] + 1e-6)
    assert likelier < top_p + 1e-5


def test_drawn_tokens_are_as_frequent_as_they_are_likely():
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).repeat(1000, 1)
    uniforms = [(index + 0.5) / 1000 for index in range(1000)]
    assert choose_tokens(logits, 1.0, 1.0, uniforms).bincount().tolist() == [500, 300, 150, 50]
    assert choose_tokens(logits, 1.0, 0.6, uniforms).bincount().tolist() == [625, 375]
