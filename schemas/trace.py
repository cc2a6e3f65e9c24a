"""A completion read as a chain of thought, what was measured of it, and what was decided."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from pydantic import Field

from reelproof.schemas.answers.quotes import ClaimedQuote
from reelproof.schemas.clip_quality import ClipQuality
from reelproof.schemas.footage import Clip, Span
from reelproof.schemas.place import Place, PlaceFault
from reelproof.schemas.question import Question
from reelproof.schemas.record import Record
from reelproof.schemas.speech import SpeechLine
from reelproof.schemas.written import FrameText


class Trace(Record):
    """A parsed completion: thought, the times it cites, answer."""

    trace_id: str
    """Its completion's `request_id`."""
    question_id: str
    clip_id: str
    video_id: str
    prompt_id: str
    """Hash of the prompt template's text."""
    model: str
    sample_index: int
    text: str
    """The completion, as it came."""
    thought: str
    answer: str | None
    """What a person takes for the answer: the last answer block, or what stands outside the thought."""
    cited: tuple[Span, ...]
    """Times and spans that the thought cites, in its order; a point in time is a span of length 0."""
    finish_reason: str
    completion_tokens: int = 0
    mean_logprob: float | None = None
    batch: int = Field(default=0, ge=0)
    """Which batch of its question's rollouts it came with: every question gets the first, of number 0."""
    batches: int = Field(default=1, ge=1)
    """So many batches it could have at most; after each it was asked whether luck explains what is right."""


class ClaimKind(StrEnum):
    """What a claim speaks of, by what it cites, and so what it is held against."""

    MOMENT = "moment"
    """One shown frame."""
    STRETCH = "stretch"
    """A span of them: what is seen all the while."""
    CHANGE = "change"
    """Several moments: how they follow on each other."""
    QUOTE = "quote"
    """Words, as said then: held against the lines of speech, and not against frames."""
    WRITING = "writing"
    """Words, as written there: held against the text that was read in the frames."""
    OBSERVATION = "observation"
    """It cites no time, and is held against all frames that the question shows. No others can test it."""


class ControlKind(StrEnum):
    """Where the frames come from that a claim is held against."""

    ROLES = "roles"
    """They are the cited ones, in each other's places."""
    SAME_CLIP = "same_clip"
    """Elsewhere in what the question shows."""
    OTHER_CLIP = "other_clip"
    """Another clip of the video: no frame of the own one can tell."""


class ClaimedPlace(Place):
    """What a claim puts into a box, and the verifier's beliefs that it is seen in that part of a frame."""

    frame_sha256: str | None
    """The shown frame that stands for its time; null where none does."""
    fault: PlaceFault | None
    """What is wrong with the box itself; then nobody was asked."""
    belief: float | None
    """With the box cut out of that frame, in [0, 1]; null where the verifier cannot know."""
    control_belief: float | None
    """With the same box of a frame that looks otherwise there; null where there is none."""
    elsewhere_belief: float | None
    """With another box of the same frame; null where none looks otherwise."""

    @property
    def margin(self) -> float | None:
        """Belief above that in the better one of both controls; null where neither can test it."""
        controls = [each for each in (self.control_belief, self.elsewhere_belief) if each is not None]
        return self.belief - max(controls) if self.belief is not None and controls else None

    def is_grounded(self, min_belief: float) -> bool | None:
        """Whether the box is sound and shows what it is said to, better than its controls; null: unknown."""
        if self.fault is not None:
            return False
        if self.belief is None:
            return None
        return self.belief >= min_belief and (self.margin is None or self.margin > 0)


class Claim(Record):
    """One sentence of a thought that cites a time, or observes without one; what a verifier said of it."""

    trace_id: str
    index: int = Field(ge=0)
    text: str
    cited: tuple[Span, ...]
    cited_score: float | None = Field(ge=0, le=1)
    """The verifier's belief with the cited frames, or for an observation with all, calibrated where the
    recipe says so; null where it cannot know, or is unable."""
    control_score: float | None = Field(ge=0, le=1)
    """Its belief with control frames; null where none can test the claim, or where it cannot know."""
    kind: ClaimKind | None = None
    """Null where no shown frame stands for what is cited."""
    control: ControlKind | None = None
    """Null where no other frames can test the claim."""
    frames: tuple[str, ...] = ()
    """sha256 of the shown frames that stand for what is cited, in order of time; none where one lacks."""
    control_frames: tuple[str, ...] = ()
    """sha256 of the control frames, set after set."""
    verifier: str
    """`name@revision` of the verifier."""
    places: tuple[ClaimedPlace, ...] = ()
    """What it puts into boxes, in its order."""
    quotes: tuple[ClaimedQuote, ...] = ()
    """What it quotes of what is said."""


class ClaimVerdict(StrEnum):
    """What came of a claim."""

    GROUNDED = "grounded"
    """The cited frames bear it out, and control frames do so less."""
    UNTESTED = "untested"
    """The cited frames bear it out; no control frames can test it, or the verifier cannot tell by them."""
    CONTROL_BELIEVED = "control_believed"
    """Control frames bear it out as much: it may be true of any frame."""
    UNGROUNDED = "ungrounded"
    """The cited frames do not bear it out."""
    UNJUDGED = "unjudged"
    """No frame was shown at what it cites, or no verifier is able and knows."""


class JudgedPlace(ClaimedPlace):
    """What a claim puts into a box, as it is published."""

    verdict: ClaimVerdict
    """Of the box alone: a faulty one is `ungrounded`."""


class JudgedClaim(Record):
    """A claim as it is published with its trace."""

    text: str
    cited: tuple[Span, ...]
    """Seconds; a point in time is a span of length 0."""
    kind: ClaimKind | None
    """Null where no shown frame stands for what is cited."""
    frame_sha256: tuple[str, ...]
    """Frames of the row that stand for what is cited, by their hashes."""
    control: ControlKind | None
    """Where the control frames come from; null where none can test the claim."""
    control_sha256: tuple[str, ...]
    """Their hashes; those of `other_clip` are frames of another clip of the video."""
    verifier: str
    """`name@revision`"""
    cited_belief: float | None
    """The verifier's belief with the cited frames, or for an observation with all, in [0, 1]; a probability
    where the recipe calibrates its verifiers. Null where it cannot know, or is unable."""
    control_belief: float | None
    """Its belief with the control frames."""
    verdict: ClaimVerdict
    places: tuple[JudgedPlace, ...] = ()
    """What it puts into boxes of frames."""
    quotes: tuple[ClaimedQuote, ...] = ()
    """What it quotes of what is said, and when that is said."""


class TraceClaims(Record):
    """All claims of a thought that cite a time, in its order; then its observations that cite none."""

    trace_id: str
    claims: tuple[JudgedClaim, ...]


class ProbeResult(Record):
    """How often one question is answered right without its evidence; null where a probe cannot be asked."""

    question_id: str
    model: str
    """`name@revision` of who was asked."""
    blind_passes: int | None
    """With no frames."""
    blind_rollouts: int | None
    single_passes: int | None
    """With one frame; null for questions that show no more than one."""
    single_rollouts: int | None
    shuffled_passes: int | None
    """With the frames in another order under the same times; null for questions that show fewer than two."""
    shuffled_rollouts: int | None
    speech_passes: int | None = None
    """With what is said and no frame; null for questions that show no lines."""
    speech_rollouts: int | None = None


class Sufficiency(Record):
    """What a judge who sees no frame answers from a thought's observations alone."""

    trace_id: str
    judge: str
    """`name@revision` of the judge."""
    observations: int = Field(ge=0)
    """Sentences that were left without the conclusions."""
    said: str | None
    """The judge's answer; null where it gave none, or where nothing was left to judge."""


class Case(NamedTuple):
    """One question, its clip, and all its rollouts: what checks look at."""

    clip: Clip
    question: Question
    traces: tuple[Trace, ...]
    probe: ProbeResult | None = None
    """Where the probes ran."""
    claims: tuple[Claim, ...] = ()
    """Of all its rollouts, where a verifier judged them."""
    sufficiencies: tuple[Sufficiency, ...] = ()
    """Of all its rollouts, where a judge looked at them."""
    key_agreement: float | None = None
    """Of a written question, where it was answered again without its key."""
    texts: Mapping[str, FrameText] = MappingProxyType({})
    """sha256 -> what is written in that frame of the clip's video, where text was read."""
    lines: tuple[SpeechLine, ...] = ()
    """What is said in the clip, as the question shows it."""
    quality: ClipQuality | None = None
    """What the clip looks like as a picture, where that was measured."""
