"""What a watch.yaml may say: what is looked for, how closely, and what is kept of it."""

from typing import Self

from pydantic import Field, model_validator

from reelproof.schemas.answers.normalise import GoldError, normalise
from reelproof.schemas.question import Task
from reelproof.schemas.settings import Settings
from reelproof.stages.answers.put_claims import ClaimConfig
from reelproof.stages.footage.scan import FootageConfig
from reelproof.stages.footage.watched import TickConfig
from reelproof.stages.watching.gate import GateConfig
from reelproof.stages.watching.hysteresis import HysteresisConfig


class UnusualConfig(HysteresisConfig):
    """Events without a question: stretches unlike what the camera showed before.

    Scores are in widths of the usual spread: 1 is at its edge, 2 twice as far from the middle.
    """

    watch: bool = True
    """Such events are told."""
    open_at: float = Field(default=2.0, gt=0)
    """An event opens where a tick stands out so far."""
    keep_at: float = Field(default=1.25, gt=0)
    """It goes on while ticks stand out at least so far; those are not learned as usual."""


class QuestionConfig(Settings):
    """A question that is asked again and again, and the answers to it that alert."""

    text: str = Field(min_length=1)
    """The question, as it is put to the model."""
    task: Task = Task.BOOLEAN
    """What kind of answer it wants: `boolean`, `multiple_choice`, `numerical`, …"""
    options: tuple[str, ...] = ()
    """The options of a multiple-choice question, without letters."""
    alert: tuple[str, ...] = Field(default=("yes",), min_length=1)
    """An event is where one of these is the answer, such as `yes`, or `B`."""

    @model_validator(mode="before")
    @classmethod
    def _is_a_text(cls, given: object) -> object:
        """A text alone is a question that wants yes or no."""
        return {"text": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _can_be_answered(self) -> Self:
        for answer in self.alert:
            try:
                normalise(self.text, self.options, answer, self.task)
            except GoldError as error:
                raise ValueError(f"alert: {answer!r} is no answer to it: {error}") from None
        return self


class VotesConfig(Settings):
    """How often each question is asked about a window."""

    most: int = Field(default=3, ge=1, le=64)
    """A window has at most so many answers; none more is asked for once the outcome is settled."""
    temperature: float = Field(default=0.7, ge=0, le=2)
    """0 is greedy, and then one answer is all that is asked for."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """The draws are from this nucleus of the distribution."""
    max_tokens: int = Field(default=512, ge=16, le=131_072)
    """One answer, with its thought, may have so many tokens."""
    seed: int = Field(default=0, ge=0)
    """The draws follow from it."""


class ClipsConfig(Settings):
    """The clips that are cut of events, and how much of the disk they may take."""

    margin_s: float = Field(default=3.0, ge=0, le=600)
    """A clip begins so long before its event, and ends so long after it."""
    slack_s: float = Field(default=2.0, ge=0, le=600)
    """Packets are copied as they are from a key frame that lies at most so much earlier than wanted; else the
    clip is coded again."""
    disk_mb: int = Field(default=2048, ge=10, le=10**9)
    """Clips and frames take at most so much, in megabytes: the oldest clips are removed first, then the
    oldest frames, and never the log of events."""


class StreamConfig(Settings):
    """What is done where a stream, a model or this machine does not keep up."""

    patience_s: float = Field(default=3600, ge=0, le=10**9)
    """A stream that gives nothing for so long ends the watch, and so does a folder that no file comes to;
    with 0, the stream's end is the end, and what lies in a folder is all."""
    longest_wait_s: float = Field(default=60, gt=0, le=3600)
    """A stream, or a model, that is gone is tried again after 1 s, 2 s, 4 s, … and at most so long."""
    silent_s: float = Field(default=60, ge=1, le=3600)
    """Whatever decodes is ended where it tells nothing for so long, and another is started for what comes
    next of a stream; of a film, the next one is watched. A stream that sends nothing for a quarter of it is
    lost, and connected to again: for a camera that shows less than a picture in 15 s, it has to be more."""
    waiting: int = Field(default=256, ge=1, le=100_000)
    """So many windows may wait to be judged; of a live stream the oldest further ones are dropped and
    counted, any other is read more slowly."""
    recorded_s: float = Field(default=300, ge=10, le=86_400)
    """So much of a live stream is recorded as it comes, for clips to be cut from."""


class WatchConfig(Settings):
    """What is watched for, how closely, and what is kept of it."""

    questions: tuple[QuestionConfig, ...] = Field(default=(), max_length=64)
    """They are asked about windows that stand out. Without one, only `unusual` events are told."""
    unusual: UnusualConfig = UnusualConfig()
    window: TickConfig = TickConfig()
    footage: FootageConfig = FootageConfig()
    gate: GateConfig = GateConfig()
    votes: VotesConfig = VotesConfig()
    claims: ClaimConfig = ClaimConfig()
    min_belief: float = Field(default=0.5, ge=0, le=1)
    """The verifier's belief from which frames bear a claim out."""
    require_evidence: bool = True
    """An answer does not alert that is declared a guess, or whose claims the frames that they cite deny, or
    that are as true of what this camera usually shows."""
    events: HysteresisConfig = HysteresisConfig()
    clips: ClipsConfig = ClipsConfig()
    stream: StreamConfig = StreamConfig()
    measured: str | None = None
    """The folder of an evaluation of this very model (`reelproof evaluate … --out FOLDER`): each event then
    says how often the model is right on such questions."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        ticks = self.window.length_s / self.window.stride_s
        if ticks < 1 or abs(ticks - round(ticks)) > 1e-6:
            raise ValueError("window.length_s is a whole number of window.stride_s, one at least")
        texts = [each.text for each in self.questions]
        if len(set(texts)) < len(texts):
            raise ValueError("questions: each is asked once; two have the same text")
        if not self.questions and not self.unusual.watch:
            raise ValueError("there is nothing to watch for: ask a question, or leave unusual.watch on")
        return self

    @property
    def ticks_a_window(self) -> int:
        """How many ticks a question is about."""
        return round(self.window.length_s / self.window.stride_s)
