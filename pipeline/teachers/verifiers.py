"""Who judges claims: one teacher, or a panel of several, of which one may be the text that was read."""

from typing import Annotated, Any, Literal

from annotated_types import MinLen
from pydantic import Discriminator, Field, Tag

from reelproof.pipeline.teachers.kinds import SignalsTeacherConfig, TeacherConfig
from reelproof.pipeline.teachers.vllm_settings import VllmTeacherConfig
from reelproof.schemas.settings import Settings
from reelproof.stages.teachers.protocol import ServerTeacherConfig, TransformersTeacherConfig


class TextVerifierConfig(Settings):
    """The text that was read in the frames (section `text`): no model, and no judge of anything else."""

    kind: Literal["text"] = "text"


MemberConfig = Annotated[TextVerifierConfig | TeacherConfig, Field(discriminator="kind")]
"""Who may be of a panel: a teacher, or the `text` that was read."""


def kind(value: Any) -> str | None:
    """What tells one verifier from a list of them, and kinds of one from each other."""
    if isinstance(value, list | tuple):
        return "panel"
    found = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return found if isinstance(found, str) else None


VerifierConfig = Annotated[
    Annotated[SignalsTeacherConfig, Tag("signals")]
    | Annotated[ServerTeacherConfig, Tag("server")]
    | Annotated[VllmTeacherConfig, Tag("vllm")]
    | Annotated[TransformersTeacherConfig, Tag("transformers")]
    | Annotated[tuple[MemberConfig, ...], MinLen(1), Tag("panel")],
    Discriminator(kind),
]
"""Who judges claims: one teacher, or a panel of several."""


def models_of(verifier: VerifierConfig) -> tuple[TeacherConfig, ...]:
    """The models among those who judge, in turn."""
    return tuple(each for each in _members(verifier) if not isinstance(each, TextVerifierConfig))


def reads_text(verifier: VerifierConfig) -> bool:
    """Whether what a claim quotes as written is held against the text that was read."""
    return any(isinstance(each, TextVerifierConfig) for each in _members(verifier))


def _members(verifier: VerifierConfig) -> tuple[MemberConfig, ...]:
    return verifier if isinstance(verifier, tuple) else (verifier,)
