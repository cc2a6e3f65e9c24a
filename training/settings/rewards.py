"""What rollouts are rewarded for."""

from typing import Literal

from pydantic import Field

from reelproof.schemas.answers.placed import BoxUnit
from reelproof.schemas.settings import Settings


class RewardConfig(Settings):
    """Weights of the components; one of weight 0 is measured all the same."""

    accuracy: float = Field(default=1.0, ge=0)
    """The weight of the answer's score."""
    scoring: Literal["strict", "lenient", "partial"] = "strict"
    """Answers are read and scored as exactly as they were asked for (`strict`), as a reader would
    (`lenient`), or with credit for what is partly right (`partial`)."""
    min_graded_score: float = Field(default=0.5, gt=0, le=1)
    """A graded answer (a span, a box, a quantity) counts as right from this score up, any other at 1. The
    curriculum and the temporal contrast go by it."""
    format: float = Field(default=0.0, ge=0)
    """The weight of one thought, then one answer, and nothing else."""
    length: float = Field(default=0.0, ge=0)
    """The weight of a thought whose words number between `min_words` and `max_words`; it falls off to 0 at
    half and at double."""
    min_words: int = Field(default=8, ge=0)
    """A thought has its full length reward from so many words on."""
    max_words: int = Field(default=400, ge=1)
    """A thought has its full length reward up to so many words."""
    agreement: float = Field(default=0.0, ge=0)
    """The weight of a thought that concludes the answer."""
    grounding: float = Field(default=0.0, ge=0)
    """The weight of the share of cited times within half a second of a shown frame; where a span is asked
    for, of the IoU of the cited ones with it."""
    key_time: float = Field(default=0.0, ge=0)
    """The weight of cited times near those of the boxes that came with the question; where a span is asked
    for, of the share of them inside it. One a second away earns 0.61; as a run begins, one four seconds away,
    which comes down to that at three quarters of its steps."""
    key_place: float = Field(default=0.0, ge=0)
    """The weight of the IoU of the thought's boxes with those that came with the question, at nearly the same
    time."""
    box_unit: BoxUnit = "pixels"
    """Corners of boxes in thoughts are `pixels` of the frames, or `thousandths` of their sides."""
    repetition: float = Field(default=0.0, ge=0)
    """The weight of 1 − the share of the thought's 4-grams that came before."""
    evidence: float = Field(default=0.0, ge=0)
    """The weight of the share of the thought's claims that its cited frames bear out, by the build's
    verifier; a claim about a time at which no frame was shown is borne out by none."""
    gate_accuracy: bool = False
    """An answer counts only where it is well formed and the evidence is at least `gate`."""
    gate: float = Field(default=1.0, ge=0, le=1)
    """With `gate_accuracy`, the evidence that an answer needs to count."""
    gate_agreement: bool = False
    """An answer counts only where the thought concludes it: else answers come right while conclusions drift
    away."""
