"""How a manifest's questions are put to a model: which frames they show, and what missing videos come to."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from reelproof.pipeline.benchmark.films import FramesConfig
from reelproof.pipeline.inputs.sources import SourcesConfig
from reelproof.stages.speech.film import SpeechConfig
from reelproof.training.settings.asking import AskingConfig

USUAL_LABELS = (
    *("task_type", "domain", "sub_category", "duration", "duration_group", "question_category", "category"),
    *("topic_category", "question_type", "qsemtype", "type", "area", "level", "difficulty"),
)
"""Columns by which public sets sort their questions."""


class BenchmarkConfig(AskingConfig):
    """How the questions of a manifest are asked, all of them and with no policy in between."""

    moved: ClassVar[Mapping[str, str]] = {"subtitles": "speech"}
    """What a setting was called once -> what it is called now."""

    sources: SourcesConfig
    frames: FramesConfig = FramesConfig()
    speech: SpeechConfig | None = None
    """What is said in the stretch that a question asks about is shown among its frames: by subtitles beside
    the video (`.srt`, `.vtt`, `.ass`), else by the text track in it; by default nothing is."""
    missing_videos: Literal["stop", "wrong", "left_out"] = "stop"
    """Questions whose video is missing or damaged `stop` the command, count as `wrong`, or are `left_out`;
    whatever becomes of them is told."""
    by: tuple[str, ...] = ()
    """Accuracy is told by the values of these columns as well; by default by those that public sets have."""
