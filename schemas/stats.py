"""What a dataset's `stats.json` says: every number that the card and the plots show, and nothing else."""

from pydantic import Field

from reelproof.schemas.answers.subjects import Subject
from reelproof.schemas.balance import KeyBalance
from reelproof.schemas.calibration import ReliabilityBin
from reelproof.schemas.record import Record


class SplitSize(Record):
    """One split of one config."""

    config: str
    split: str
    rows: int
    shards: int
    size_bytes: int


class RuleCount(Record):
    """How one rule of the policy thins a set out. Rows are traces."""

    set: str
    rule: str
    fires: int
    """Rows that it applies to."""
    alone: int
    """Rows that no other rule applies to."""
    left: int
    """Rows left after it and all rules before it."""


class KindCount(Record):
    """One kind of question."""

    source: str
    kind: str
    task: str
    questions: int
    traces: int
    right: int
    """Traces whose strict answer score is 1."""
    sft: int
    rl: int
    dpo: int
    """Pairs."""


class Histogram(Record):
    """How a measurement is spread: counts in equal bins from `low` to `high`, the last one closed.

    Values outside count in the first or the last bin.
    """

    column: str
    low: float
    high: float
    all: tuple[int, ...]
    kept: tuple[int, ...]
    """Of those in `sft`; empty where that has no meaning."""
    unknown: int
    """Without a value."""
    setting: str | None = None
    """The policy field that draws a line through it,"""
    threshold: float | None = None
    """and where."""


class Tally(Record):
    """A value and how often it occurs."""

    value: str
    count: int


class ProbePass(Record):
    """How often a task's questions are answered right with and without their evidence.

    Means over questions of the share of right answers; null where nobody asked.
    """

    task: str
    questions: int
    shown: float | None
    """With the frames as they are shown,"""
    blind: float | None
    """without any,"""
    single: float | None
    """with one,"""
    shuffled: float | None
    """in another order."""


class VerifierTrust(Record):
    """How far a verifier can be believed in claims of one subject, by claims whose truth is known."""

    verifier: str
    subject: Subject
    parts: int
    """Parts in which it was put to the test, …"""
    able_parts: int
    """… and those where it can tell true from false: elsewhere its verdicts are unknown."""
    true_claims: int
    false_claims: int
    unknown: int
    """Known claims of which it said that it cannot know."""
    calibration_error: float | None
    """Expected calibration error of its calibrated beliefs; null where it is unable everywhere."""
    reliability: tuple[ReliabilityBin, ...]
    """Ten, from 0 to 1, over the parts where it is able; none where there is none."""


class BuildStats(Record):
    """What does not depend on the policy."""

    key: str
    """Hash of the files that it was counted in."""
    videos: int
    duration_s: float
    left_out_s: float = Field(ge=0)
    """Seconds of the videos that lie in no clip."""
    damaged_videos: int = Field(ge=0)
    """Videos of which a part is lost, …"""
    damaged_s: float = Field(ge=0)
    """… and how many seconds of them in all."""
    clips: int
    scenes: int
    """Of the clips that span their whole video: scenes of segments are among them."""
    questions: int
    frames_per_question: float
    completion_tokens: int = Field(ge=0)
    """Of all traces, kept or not."""
    scene_lengths_s: Histogram
    licenses: tuple[Tally, ...]
    """Videos by licence, …"""
    clip_kinds: tuple[Tally, ...]
    teachers: tuple[Tally, ...]
    """… traces by who wrote them."""
    answer_keys: tuple[KeyBalance, ...]
    verifiers: tuple[VerifierTrust, ...] = ()
    """None where the recipe does not calibrate them."""


class PolicyStats(Record):
    """What depends on the policy, or is counted over traces."""

    traces: int
    kept_videos: int
    """Videos with rows in `sft`."""
    kept_questions: int
    splits: tuple[SplitSize, ...]
    funnel: tuple[RuleCount, ...]
    kinds: tuple[KindCount, ...]
    histograms: tuple[Histogram, ...]
    pass_counts: tuple[Tally, ...]
    """`{right}/{rollouts}`, and the questions with it."""
    pairs: tuple[Tally, ...]
    """Pairs in `dpo`, by why the rejected trace is the worse one."""
    probes: tuple[ProbePass, ...]
    duplicate_traces: int
    duplicate_questions: int
    judged_claims: int
    """Claims of all traces that the verifier judged, …"""
    testable_claims: int
    """… those of them that were held against control frames, …"""
    kept_judged_claims: int
    kept_testable_claims: int
    """… and the same of the traces in `sft`."""
    kept_unjudged_claims: int = 0
    """Claims of the traces in `sft` that cite a time and that nobody judged, …"""
    kept_judged_observations: int = 0
    """… what these observe without a time, as far as it was judged by all frames, …"""
    kept_unjudged_observations: int = 0
    """… and as far as it was not."""
    contaminated: int | None
    """Traces of questions that are in an evaluation set; null where none was named."""


class Stats(Record):
    """Counts and spreads of one dataset."""

    build: BuildStats
    policy: PolicyStats
