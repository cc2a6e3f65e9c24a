"""How closely a film is looked at for one question, and how often the model is asked."""

from typing import Self

from pydantic import Field, model_validator

from reelproof.schemas.settings import Settings
from reelproof.stages.answers.put_claims import ClaimConfig
from reelproof.stages.answers.traces import RolloutConfig


class AskConfig(Settings):
    """How one question is answered."""

    first_frames: int = Field(default=22, ge=1, le=4096)
    """The first look shows so many frames, evenly spread; each further one half as many again, next to those
    that the thought before cited. None comes where votes agree and the frames bear out what they claim."""
    closer_frames: int = Field(default=15, ge=4, le=4096)
    """An answer that names moments is no more exact than the frames around them: a look of so many must find
    them in the same gaps, more closely. It shows a quarter of them there for the first time."""
    most_frames: int = Field(default=64, ge=1, le=4096)
    """No look shows more."""
    agreed_share: float = Field(default=0.75, gt=0, le=1)
    """Votes agree where this share of them says the same."""
    votes: RolloutConfig = RolloutConfig(rollouts=4, temperature=0.7)
    claims: ClaimConfig = ClaimConfig()
    min_belief: float = Field(default=0.5, ge=0, le=1)
    """The model's belief from which frames bear a claim out."""
    long_side_px: int = Field(default=512, ge=16, le=4096)
    """Frames are shrunk so that their longer side is at most this."""
    jpeg_quality: int = Field(default=85, ge=20, le=100)
    """Frames are shown as JPEGs of this quality, as a build's are."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.first_frames > self.most_frames:
            raise ValueError(f"first_frames={self.first_frames} is above most_frames={self.most_frames}")
        return self
