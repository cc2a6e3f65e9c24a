"""How a film is looked at, what makes a moment worth showing, and what a model is asked about it."""

from pydantic import Field

from reelproof.pipeline.decoder.process import ChildLimits
from reelproof.pipeline.watching.settings import VotesConfig
from reelproof.schemas.settings import Settings
from reelproof.stages.answers.put_claims import ClaimConfig
from reelproof.stages.footage.scan import FootageConfig
from reelproof.stages.footage.storyboard import StoryboardConfig
from reelproof.stages.highlights.scoring import ScoreConfig


class HighlightsConfig(Settings):
    """How a reel is made."""

    question: str = Field(
        default="Does something happen here that one would show to a friend?", min_length=1, max_length=2000
    )
    """The model is asked this about each moment, yes or no, and what it claims is held to the frames."""
    asked: int = Field(default=24, ge=1, le=10_000)
    """The model is asked about so many moments, those that the signals say are worth the most."""
    frames: int = Field(default=8, ge=1, le=256)
    """A question about a moment shows so many frames at most."""
    footage: FootageConfig = FootageConfig(exact=True)
    storyboards: StoryboardConfig = StoryboardConfig()
    score: ScoreConfig = ScoreConfig()
    votes: VotesConfig = VotesConfig()
    claims: ClaimConfig = ClaimConfig()
    limits: ChildLimits = ChildLimits()
