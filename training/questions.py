"""A set of questions, wherever they come from -> rows to ask, whose frames come when they are due."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Protocol

from reelproof.training.frames import size_px, without_speech
from reelproof.training.settings.rows import PromptConfig, PromptStyle, ShardsConfig
from reelproof.training.shards import Example, open_shards, stream_in_order


class QuestionSet(Protocol):
    """What a model is asked in an evaluation."""

    sha256: str
    """Which set it is."""
    setup: Sequence[Any] = ()
    """What decides an answer beside the row's `sample_id`, the model and how it is asked."""
    leaves_out_lost: bool = False
    """Whether questions that cannot be shown are left out; else they count as wrong."""

    def examples(self, style: PromptStyle) -> Sequence[Example]:
        """Every question, in order. In every style, a question keeps its `question_id`."""
        ...

    def frame_sizes(self) -> Collection[tuple[int, int]]:
        """(width, height) of frames such as they show."""
        ...

    def shown(self, example: Example) -> Example | None:
        """The row with its frames, here as it is; None where they are not to be had, and `lost` says why."""
        return example

    def lost(self, example: Example) -> str:  # noqa: ARG002 — of most sets, none are
        """Why its frames are not to be had, as far as is known by now; else empty."""
        return ""

    def prompt(self, style: PromptStyle) -> PromptConfig:
        """How its rows of that style are put to the model."""
        ...


class DatasetQuestions(QuestionSet):
    """The rows of a published dataset, their frames with them."""

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
        return {size_px(jpeg) for row in self._examples for jpeg in row.images}

    def prompt(self, style: PromptStyle) -> PromptConfig:
        """In this style, with at most so many frames."""
        return PromptConfig(style=style, max_frames=self._max_frames)
