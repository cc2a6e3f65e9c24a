"""Examples -> what a model takes: its chat prompt, token ids, pixels, and which tokens the loss counts.

Every image is decoded from the JPEG bytes that the teacher saw and handed to the processor as it is.
"""

import io
import itertools
import string
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from reelproof.schemas.answers.reading import read_completion
from reelproof.schemas.sample import ChatMessage, ChatPart
from reelproof.training.frames import is_shown, limit_frames, size_px
from reelproof.training.settings.rows import PromptConfig, PromptStyle
from reelproof.training.shards import Example

OPENING = "<think>"
SOME_ANSWER = "(an answer)"


Inputs = dict[str, Tensor]
"""What a model's forward takes, by name."""


class Batch(NamedTuple):
    """Right-padded sequences of prompt and completion."""

    inputs: Inputs
    """What the model's forward takes: `input_ids`, `attention_mask` (B, T) and the processor's pixels."""
    counted: Tensor
    """(B, T) bool: tokens of the completion, its end included; the loss is over these and no others."""

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        inputs = {name: value.to(device, non_blocking=True) for name, value in self.inputs.items()}
        return Batch(inputs, self.counted.to(device, non_blocking=True))


def chat_prompt(example: Example, cfg: PromptConfig) -> list[dict[str, Any]]:
    """The conversation up to the model's turn, as chat templates take it."""
    turns = example.prompt if cfg.style == "published" else (_short_turn(example, cfg.style),)
    ends = {picture[-1] for picture in pictured(example, cfg)}
    places = itertools.count()
    return [
        {
            "role": turn.role,
            "content": [
                {"type": "image"} if part.type == "image" else {"type": "text", "text": part.text or ""}
                for part in turn.content
                if part.type != "image" or next(places) in ends
            ],
        }
        for turn in turns
    ]


def pictured(example: Example, cfg: PromptConfig) -> list[list[int]]:
    """The places of the frames that each picture shows: one, or of a pair two."""
    found: list[list[int]] = []
    sizes = [size_px(jpeg) if cfg.frame_pairs else None for jpeg in example.images]
    for place, size in enumerate(sizes):
        if cfg.frame_pairs and found and len(found[-1]) == 1 and sizes[found[-1][0]] == size:
            found[-1].append(place)
        else:
            found.append([place])
    return found


def completion_text(example: Example, style: PromptStyle) -> str:
    """What the model learns to say: the kept completion, or for `direct` its answer block alone."""
    if example.completion is None:
        raise ValueError(f"row {example.sample_id} has no completion to learn from; train on subset `sft`")
    text = text_of(example.completion)
    return f"<answer>{read_completion(text).answer}</answer>" if style == "direct" else text


def text_of(turns: Iterable[ChatMessage] | None) -> str:
    """All text of chat turns; empty where there are none."""
    return "".join(part.text or "" for turn in turns or () for part in turn.content)


def opened_thought(prompt: str) -> str:
    """`<think>` where the chat template has begun the model's turn with it, else nothing."""
    return OPENING if prompt.rstrip().endswith(OPENING) else ""


def left_to_say(prompt: str, completion: str) -> str:
    """A completion without the opening tag that the prompt ends with."""
    opened = opened_thought(prompt)
    said = completion.removeprefix(opened)
    return said.lstrip() if opened and said != completion else said


def read_row(processor: Any, example: Example, cfg: PromptConfig, tail: str = "") -> Inputs:
    """A row as the model takes it, followed by a tail: an answer's beginning, or nothing."""
    short = limit_frames(example, cfg.max_frames)
    prompt = prompt_text(processor, short, cfg)
    shown = [
        [Image.open(io.BytesIO(short.images[place])).convert("RGB") for place in places]
        for places in pictured(short, cfg)
    ]
    # In lists of lists: some processors (Gemma, SmolVLM, Idefics) take a flat list for those of many rows.
    images = [[frames[-1] for frames in shown]] if shown else None
    row = processor(text=[prompt + left_to_say(prompt, tail)], images=images, return_tensors="pt")
    if cfg.frame_pairs:
        show_pairs(processor, row, shown)
    return dict(row)


def stack(rows: Sequence[Inputs], pad: int, side: Literal["left", "right"]) -> Inputs:
    """Rows as one batch: their tokens padded on one side, their pictures behind each other.

    Where a row's pictures are nested (SmolVLM) or cut into tiles, 0 fills up what others have more of, as it
    does in the batches of their processors.
    """
    found = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        parts = [row[name] for row in rows if name in row]
        sizes = [max(several) for several in zip(*(part.shape[1:] for part in parts), strict=True)]
        is_left = side == "left" and parts[0].shape == rows[0]["input_ids"].shape
        filler = pad if name == "input_ids" else 0
        found[name] = torch.cat([_filled_up(part, sizes, filler, is_left) for part in parts])
    return found


def _filled_up(part: Tensor, sizes: Sequence[int], filler: int, is_left: bool) -> Tensor:
    lacking = [size - has for size, has in zip(sizes, part.shape[1:], strict=True)]
    widths = itertools.chain.from_iterable((each, 0) if is_left else (0, each) for each in reversed(lacking))
    return torch.nn.functional.pad(part, list(widths), value=filler)


def go_on(inputs: Inputs, ids: Tensor, are_there: Tensor) -> Inputs:
    """Sequences that go on with ids, (N, T), where they are there.

    Whatever else the processor gives for each token (token types, …) is 0 on these.
    """
    more = {"input_ids": ids, "attention_mask": are_there}
    shape, none = inputs["input_ids"].shape, torch.zeros_like(ids)
    return {
        name: torch.cat([value, more.get(name, none).to(value.dtype)], dim=1)
        if value.shape == shape
        else value
        for name, value in inputs.items()
    }


def show_pairs(processor: Any, batch: Any, shown: Sequence[Sequence[Image.Image]]) -> None:
    """Put the first frame of each pair into the first half of its picture's patches.

    Qwen-VL's patches reach over two frames, and in an image both are the same one: with two, they are what
    they are in a video.
    """
    firsts = [pair[0] for pair in shown if len(pair) == 2]
    if not firsts:
        return
    settings = vars(processor).get("images_kwargs") or {}
    of_firsts = processor.image_processor(firsts, return_tensors="pt", **settings)["pixel_values"]
    patches = batch["image_grid_thw"].prod(dim=1)
    are_pairs = torch.tensor([len(pair) == 2 for pair in shown]).repeat_interleave(patches)
    half = batch["pixel_values"].unflatten(1, (3, 2, -1))  # (patches, colours, moments, pixels of a moment)
    half[are_pairs, :, 0] = of_firsts.unflatten(1, (3, 2, -1))[:, :, 0]


def prompt_text(processor: Any, example: Example, cfg: PromptConfig) -> str:
    """The prompt through the model's chat template, up to where its answer begins."""
    text = processor.apply_chat_template(
        chat_prompt(example, cfg), add_generation_prompt=True, tokenize=False
    )
    return str(text)


def sft_batch(processor: Any, examples: Sequence[Example], cfg: PromptConfig) -> Batch:
    """Prompts and completions in one sequence each, with the completion's tokens counted."""
    rows = [read_row(processor, each, cfg) for each in examples]
    return join(processor, rows, [ending(processor, each, cfg) for each in examples])


def join(processor: Any, rows: Sequence[Inputs], completions: Sequence[Sequence[int]]) -> Batch:
    """Rows and the ids of their completions -> right-padded sequences."""
    joined = []
    for row, ids in zip(rows, completions, strict=True):
        said = torch.tensor([ids])
        counted = torch.cat([torch.zeros_like(row["input_ids"]), torch.ones_like(said)], dim=1)
        joined.append({**go_on(row, said, torch.ones_like(said)), "counted": counted.bool()})
    inputs = stack(joined, processor.tokenizer.pad_token_id, "right")
    return Batch(inputs, inputs.pop("counted"))


def ending(processor: Any, example: Example, cfg: PromptConfig) -> list[int]:
    """Ids of the completion and of what the chat template puts after it.

    The completion goes in by hand: some templates open its thought in the prompt, some drop thoughts.
    """
    prompt = prompt_text(processor, example, cfg)
    said = completion_text(example, cfg.style)
    if opened_thought(prompt) and not said.startswith(OPENING):
        raise ValueError(
            f"the model's chat template opens a thought, but row {example.sample_id} has none to learn from. "
            "Choose a model whose template does not, or prompt.style published"
        )
    answer = {"role": "assistant", "content": [{"type": "text", "text": SOME_ANSWER}]}
    turns = [*chat_prompt(example, cfg), answer]
    before, found, after = str(processor.apply_chat_template(turns, tokenize=False)).rpartition(SOME_ANSWER)
    if not found or not before.startswith(prompt.rstrip().removesuffix(OPENING).rstrip()):
        raise ValueError(
            "the model's chat template changes the prompt once an answer follows, so completion-only loss "
            "cannot be placed. Choose a model whose template only appends"
        )
    text = left_to_say(prompt, said) + after
    return list(processor.tokenizer(text, add_special_tokens=False)["input_ids"])


def _short_turn(example: Example, style: PromptStyle) -> ChatMessage:
    options = "".join(
        f" {letter}. {text}" for letter, text in zip(string.ascii_uppercase, example.options, strict=False)
    )
    request = " Answer at once." if style == "direct" else " Think, then answer."
    shown = [part for turn in example.prompt for part in turn.content if is_shown(part, example)]
    asked = ChatPart(type="text", text=example.question + options + request)
    return ChatMessage(role="user", content=(asked, *shown))
