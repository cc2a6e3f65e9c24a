"""Settings of steps that put several stages' configs together."""

from pydantic import BaseModel, ConfigDict, Field

from pipeline.teachers import TeacherConfig
from stages.computed import ComputedConfig
from stages.questions import QuestionsConfig


class QuestionSources(BaseModel):
    """Where questions come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    given: QuestionsConfig = QuestionsConfig()
    """What is shown with questions that came with the videos."""
    computed: ComputedConfig = ComputedConfig()
    """Questions that the pipeline knows the answers of."""


class SharedTeacher(BaseModel):
    """A teacher, and how many of the rollouts it gives relative to the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    teacher: TeacherConfig
    share: float = Field(default=1.0, gt=0)
