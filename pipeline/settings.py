"""Settings of steps that put several stages' configs together."""

from typing import Any

from pydantic import Field, create_model

from reelproof.pipeline.teachers.kinds import TeacherConfig
from reelproof.schemas.settings import Settings
from reelproof.stages.checks.registry import CHECKS
from reelproof.stages.questions.computed import ComputedConfig
from reelproof.stages.questions.given import QuestionsConfig
from reelproof.stages.questions.written import AskedConfig


class AskedSource(Settings):
    """Questions that a teacher writes."""

    writer: TeacherConfig
    answerer: TeacherConfig | None = None
    """Who answers them again without their key; by default the writer."""
    wanted: AskedConfig = AskedConfig()
    min_agreement: float = Field(default=0.5, ge=0, le=1)
    """Smallest share of those answers that agree with the key, for a question to be used."""


class QuestionSources(Settings):
    """Where questions come from."""

    given: QuestionsConfig = QuestionsConfig()
    """What is shown with questions that came with the videos."""
    computed: ComputedConfig = ComputedConfig()
    """Questions that the pipeline knows the answers of."""
    asked: AskedSource | None = None
    """Questions that a teacher writes; none by default."""


class SharedTeacher(Settings):
    """A teacher, and how many of the rollouts it gives relative to the others."""

    teacher: TeacherConfig
    share: float = Field(default=1.0, gt=0)


_CHECK_FIELDS: dict[str, Any] = {check.name: (check.config, check.config()) for check in CHECKS}

ChecksConfig: type[Settings] = create_model("ChecksConfig", __base__=Settings, **_CHECK_FIELDS)
"""One section for each check of the registry, called as the check is."""
