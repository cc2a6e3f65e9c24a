"""A set of questions, wherever they come from -> rows to ask, whose frames come when they are due."""

import io
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from reelproof.training.batches import PromptConfig, PromptStyle
from reelproof.training.frames import without_speech
from reelproof.training.shards import Example, ShardsConfig, open_shards, stream_in_order


class QuestionSet(Protocol):
    """What a model is asked in an evaluation."""

    @property
    def sha256(self) -> str:
        """Which set it is."""
        ...

    @property
    def setup(self) -> Sequence[Any]:
        """What decides an answer beside the row's `sample_id`, the model and how it is asked."""
        ...

    @property
    def leaves_out_lost(self) -> bool:
        """Whether questions that cannot be shown are left out; else they count as wrong."""
        ...

    def examples(self, style: PromptStyle) -> Sequence[Example]:
        """Every question, in order. In every style, a question keeps its `question_id`."""
        ...

    def frame_sizes(self) -> Collection[tuple[int, int]]:
        """(width, height) of frames such as they show."""
        ...

    def shown(self, example: Example) -> Example | None:
        """The row with its frames; None where they are not to be had, and `lost` says why."""
        ...

    def lost(self, example: Example) -> str:
        """Why its frames are not to be had, as far as is known by now; else empty."""
        ...

    def prompt(self, style: PromptStyle) -> PromptConfig:
        """How its rows of that style are put to the model."""
        ...


class DatasetQuestions:
    """The rows of a published dataset, their frames with them."""

    leaves_out_lost = False

    def __init__(
        self, folder: Path, cfg: ShardsConfig, max_frames: int | None = None, speech: bool = True
    ) -> None:
        """Without `speech`, rows are asked without what is said. Raises DatasetError as `open_shards`."""
        shards = open_shards(folder, cfg)
        rows = stream_in_order(shards)
        self._examples = list(rows) if speech else [without_speech(row) for row in rows]
        self._max_frames = max_frames
        self.sha256 = shards.dataset_sha256
        self.setup = [self.sha256] if speech else [self.sha256, "speech"]

    def examples(self, style: PromptStyle) -> Sequence[Example]:  # noqa: ARG002 — it is the prompt that differs
        """Every row."""
        return self._examples

    def frame_sizes(self) -> Collection[tuple[int, int]]:
        """Of every frame."""
        return {Image.open(io.BytesIO(jpeg)).size for row in self._examples for jpeg in row.images}

    def shown(self, example: Example) -> Example | None:
        """The row as it is."""
        return example

    def lost(self, example: Example) -> str:  # noqa: ARG002 — frames lie in the dataset itself
        """No row's frames are."""
        return ""

    def prompt(self, style: PromptStyle) -> PromptConfig:
        """In this style, with at most so many frames."""
        return PromptConfig(style=style, max_frames=self._max_frames)
