"""Settings of steps that put several stages' configs together."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from reelproof.pipeline.teachers.kinds import TeacherConfig
from reelproof.stages.checks.registry import CHECKS
from reelproof.stages.questions.computed import ComputedConfig
from reelproof.stages.questions.given import QuestionsConfig
from reelproof.stages.questions.written import AskedConfig


class AskedSource(BaseModel):
    """Questions that a teacher writes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    writer: TeacherConfig
    answerer: TeacherConfig | None = None
    """Who answers them again without their key; by default the writer."""
    wanted: AskedConfig = AskedConfig()
    min_agreement: float = Field(default=0.5, ge=0, le=1)
    """Smallest share of those answers that agree with the key, for a question to be used."""


class QuestionSources(BaseModel):
    """Where questions come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    given: QuestionsConfig = QuestionsConfig()
    """What is shown with questions that came with the videos."""
    computed: ComputedConfig = ComputedConfig()
    """Questions that the pipeline knows the answers of."""
    asked: AskedSource | None = None
    """Questions that a teacher writes; none by default."""


class SharedTeacher(BaseModel):
    """A teacher, and how many of the rollouts it gives relative to the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    teacher: TeacherConfig
    share: float = Field(default=1.0, gt=0)


_CHECK_FIELDS: dict[str, Any] = {check.name: (check.config, check.config()) for check in CHECKS}

ChecksConfig: type[BaseModel] = create_model(
    "ChecksConfig", __config__=ConfigDict(frozen=True, extra="forbid"), **_CHECK_FIELDS
)
"""One section for each check of the registry, called as the check is."""
