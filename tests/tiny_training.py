"""A dataset folder and a model that train in seconds: frames of one colour, and thoughts that name it."""

import hashlib
import io
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
from PIL import Image as Picture

from reelproof.data_cards.tiny_model import TinyModelConfig, build_tiny_model, save_tiny_model
from reelproof.schemas.question import QuestionSource, Task
from reelproof.schemas.record import Record
from reelproof.schemas.sample import ChatMessage, ChatPart, DpoSample, Image, RlSample, Row, SftSample
from reelproof.schemas.tables import to_table
from reelproof.training.settings.runs import LoraSettings
from reelproof.training.shards import Example
from tests.published import write_manifest

COLOURS = ("red", "green", "blue", "yellow")
OPTIONS = COLOURS
QUESTION = "Which colour comes last?"
TINY = TinyModelConfig(
    image_px=16, patch_px=8, width=32, vision_width=32, layers=1, heads=2, context_tokens=256
)


def jpeg(colour: str, side_px: int = 16) -> bytes:
    file = io.BytesIO()
    Picture.new("RGB", (side_px, side_px), colour).save(file, "JPEG")
    return file.getvalue()


def row_fields(number: int, frames: int = 2, side_px: int = 16) -> dict:
    colours = [COLOURS[(number + place) % 4] for place in range(frames)]
    jpegs = [jpeg(colour, side_px) for colour in colours]
    parts = [ChatPart(type="text", text="Frames:")]
    for place in range(frames):
        parts += [ChatPart(type="text", text=f"[{place:.1f} s]"), ChatPart(type="image", text=None)]
    parts.append(ChatPart(type="text", text=QUESTION))
    return {
        "sample_id": f"s{number:04d}",
        "video_id": f"v{number}",
        "video": f"v{number}.mp4",
        "license": "CC0-1.0",
        "clip_id": f"c{number}",
        "clip_start_s": 0.0,
        "clip_end_s": float(frames),
        "frame_times_s": tuple(float(place) for place in range(frames)),
        "frame_source_times_s": tuple(float(place) for place in range(frames)),
        "frame_sha256": tuple(hashlib.sha256(each).hexdigest() for each in jpegs),
        "question_id": f"q{number:04d}",
        "question_kind": "colour",
        "question_source": QuestionSource.GIVEN,
        "task": Task.MULTIPLE_CHOICE,
        "question": QUESTION,
        "options": OPTIONS,
        "answer": "ABCD"[COLOURS.index(colours[-1])],
        "tolerance": None,
        "evidence": (),
        "policy": "test",
        "images": tuple(Image(bytes=each) for each in jpegs),
        "prompt": (ChatMessage(role="user", content=tuple(parts)),),
    }


def sft_row(number: int, **changes: int) -> SftSample:
    fields = row_fields(number, **changes)
    last = OPTIONS["ABCD".index(fields["answer"])]
    thought = f"{last} at [{len(fields['images']) - 1:.1f} s]. " + "and " * (number % 3) + f"So {last}."
    text = f"<think>{thought}</think><answer>{fields['answer']}</answer>"
    said = ChatMessage(role="assistant", content=(ChatPart(type="text", text=text),))
    return SftSample(
        **fields,
        thought=thought,
        prediction=fields["answer"],
        teacher="t@1",
        prompt_id="p",
        request_id="r",
        claims=(),
        completion=(said,),
    )


def dpo_row(number: int, **changes: int) -> DpoSample:
    """The right answer over the next one."""
    right = sft_row(number, **changes)
    wrong = "ABCD"[("ABCD".index(right.answer) + 1) % 4]
    said = right.completion[0].content[0].text.replace(f"<answer>{right.answer}", f"<answer>{wrong}")
    ids = {
        f"{side}_{name}": f"{side}{number}"
        for side in ("chosen", "rejected")
        for name in ("request_id", "teacher")
    }
    return DpoSample(
        **row_fields(number, **changes),
        **ids,
        pair_reason="wrong_answer",
        reasons=("wrong_answer",),
        chosen_prediction=right.answer,
        rejected_prediction=wrong,
        chosen=right.completion,
        rejected=(ChatMessage(role="assistant", content=(ChatPart(type="text", text=said),)),),
    )


def rl_row(number: int, **changes: int) -> RlSample:
    return RlSample(**row_fields(number, **changes))


def write_dataset(
    folder: Path, subset: str, rows: Sequence[Row], record: type[Record], shards: int = 2, group_rows: int = 4
) -> Path:
    files = []
    for shard in range(shards):
        file = folder / f"data/{subset}/train-{shard:05d}-of-{shards:05d}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        mine = rows[shard::shards]
        pq.write_table(to_table(mine, record), file, row_group_size=group_rows)
        files.append(file)
    return write_manifest(folder, files, name="test")


def write_sft(folder: Path, count: int = 24, **changes: int) -> Path:
    return write_dataset(folder, "sft", [sft_row(number, **changes) for number in range(count)], SftSample)


def write_dpo(folder: Path, count: int = 24, **changes: int) -> Path:
    return write_dataset(folder, "dpo", [dpo_row(number, **changes) for number in range(count)], DpoSample)


def write_rl(folder: Path, count: int = 8, **changes: int) -> Path:
    return write_dataset(folder, "rl", [rl_row(number, **changes) for number in range(count)], RlSample)


def write_test_questions(dataset: Path, count: int) -> None:
    """Give a dataset so many questions of the split `test`, as any subset's training answers them."""
    file = dataset / "data/rl/test-00000-of-00001.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(to_table([rl_row(90 + number) for number in range(count)], RlSample), file)
    write_manifest(dataset, sorted(dataset.glob("data/*/*.parquet")), name="test")


def write_model(folder: Path, seed: int = 0) -> str:
    texts = [
        *(f"[{place:.1f} s] {colour}. So {colour}." for place in range(4) for colour in COLOURS),
        QUESTION,
        "A. B. C. D.",
    ]
    save_tiny_model(build_tiny_model(texts * 4, TINY.model_copy(update={"seed": seed})), folder)
    return str(folder)


class EvenJudge:
    """Believes every other thought; the process is killed in the middle of a step after so many calls."""

    def __init__(self, calls: int = 10**6) -> None:
        self.left = calls

    def evidence(self, cases: Sequence[tuple[Example, str]]) -> list[float]:
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        return [float(place % 2) for place, _ in enumerate(cases)]


def move_weights(network: Any, lora: LoraSettings | None, std: float) -> None:
    """Those of the adapters, or without them of attention's outputs, are drawn anew, the same each time."""
    for name, weight in network.named_parameters():
        if "lora_B" in name or (lora is None and "o_proj" in name):
            torch.nn.init.normal_(weight, std=std, generator=torch.Generator().manual_seed(0))
