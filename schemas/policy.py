"""What a policy is: thresholds, bands, quotas and weights by which traces and questions are kept; presets."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from reelproof.schemas.answers.reading import AnswerForm
from reelproof.schemas.question import Task
from reelproof.schemas.settings import Settings


class ExtraRule(Settings):
    """A rule of the recipe's own: a trace for which the SQL expression holds is not kept in `sft`."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """The reason that rejected traces have."""
    where: str
    """An SQL expression over measurement columns, such as `task = 'ocr' AND thought_words < 20`."""


class PolicyConfig(Settings):
    """Thresholds, bands, quotas and weights. A null measurement breaks no rule but those that require it.

    Give a `preset` and only what differs from it.
    """

    preset: Literal["strict", "balanced", "permissive"] = "balanced"
    """The values that are not given come from this preset."""
    name: str = Field(default="balanced", min_length=1)
    """The published rows call the policy by this name; by default the preset's."""

    answer_forms: tuple[AnswerForm, ...] = ()
    """Forms that are accepted beside the one that is asked for, or `all`; rows are published as asked for."""
    min_graded_score: float = Field(default=0.5, gt=0, le=1)
    """An answer is right from this score up, for tasks whose score is a degree (spans, boxes, free text)."""
    min_thought_words: int = Field(default=5, ge=0)
    """A thought has at least so many words."""
    max_thought_words: int = Field(default=2000, ge=1)
    """A thought has at most so many words."""
    max_repetition: float = Field(default=0.3, ge=0, le=1)
    """Largest share of a thought's 4-grams that occurred before."""
    max_foreign_script: float = Field(default=0.1, ge=0, le=1)
    """Largest share of a thought's letters in scripts that the question does not use."""
    keep_declared_guesses: bool = False
    """Thoughts are kept that say themselves that they guess."""
    require_agreement: bool = False
    """A trace is rejected where it is not known whether the thought's conclusion agrees with the answer."""
    min_citations: int = Field(default=0, ge=0)
    """A thought cites at least so many times."""
    require_evidence: bool = True
    """Thoughts about frames shown with their times are rejected that cite none, or of whose claims none was
    judged."""
    min_citations_in_clip: float = Field(default=1.0, ge=0, le=1)
    """Smallest share of cited times inside the clip."""
    min_citations_near_frame: float = Field(default=1.0, ge=0, le=1)
    """Smallest share of the times at which a thought observes something near a frame that was shown."""
    min_cited_share: float = Field(default=0.2, ge=0, le=1)
    """Smallest share of what a thought observes, in words, that it says of times that it cites, where
    evidence is required: the rest is held against no frame of its own."""
    require_grounding: bool = False
    """A trace is rejected where no claim could be verified, whatever was shown."""
    min_judged_share: float = Field(default=0.5, ge=0, le=1)
    """Smallest share of the claims that cite a time which a verifier judged, where it judged any: those that
    it cannot tell, that cite times without a frame, or that chance did not draw of a long thought, are not
    borne out."""
    min_grounded_share: float = Field(default=0.5, ge=0, le=1)
    """Smallest share of claims that a verifier believes with the cited frames."""
    min_worst_belief: float = Field(default=0.1, ge=0, le=1)
    """Smallest belief in each claim that was judged: below it a verifier denies it, and the other claims,
    however believed, do not make up for that."""
    min_observation_belief: float = Field(default=0.1, ge=0, le=1)
    """Smallest belief, by all frames that the question shows, in each sentence that observes something and
    cites no time: below it a verifier denies it."""
    min_best_margin: float = Field(default=0.01, ge=-1, le=1)
    """Belief with cited minus belief with control frames that one of the claims must have that controls can
    test: above 0, or what it says is true of any frame."""
    min_worst_margin: float = Field(default=-1.0, ge=-1, le=1)
    """Every claim that controls can test has this margin of belief at least."""
    min_sound_boxes: float = Field(default=1.0, ge=0, le=1)
    """Smallest share of the boxes that claims name that lie in the frame and are not nearly all of it."""
    min_spatial_grounded_share: float = Field(default=0.5, ge=0, le=1)
    """Smallest share of the boxes that show what they are said to, more than other parts of frames do."""
    min_key_place_score: float = Field(default=0.0, ge=0, le=1)
    """Smallest mean IoU of the boxes that a thought names with those that came with its question."""
    keep_misread_text: bool = False
    """Thoughts are kept that quote, with a time, what is not written in those frames or boxes."""
    max_text_share: float = Field(default=1.0, ge=0, le=1)
    """Largest share of a clip's frames that text may cover, where text was read."""
    max_lasting_text_share: float = Field(default=1.0, ge=0, le=1)
    """Largest share of the frame that text may cover which stays over a clip's cuts, as a watermark does."""
    max_blur: float = Field(default=1.0, ge=0, le=1)
    """Largest blur of a clip's frames; 0.6 drops what is visibly out of focus."""
    max_static_share: float = Field(default=1.0, ge=0, le=1)
    """Largest share of a clip's time in which nothing moves, as in slides."""
    max_bar_share: float = Field(default=1.0, ge=0, le=1)
    """Largest share of a clip's frames that black bars at the edges may cover; those of a film of 2.39:1 in a
    frame of 16:9 cover 0.26."""
    min_colourfulness: float = Field(default=0.0, ge=0)
    """Smallest colourfulness of a clip's frames; 5 drops black and white, and slides as well."""
    keep_misquotes: bool = False
    """Thoughts are kept that quote, with a time, what is not said, or is said at another time."""
    require_probes: bool = False
    """A trace is rejected where its question was not asked without its frames."""
    max_blind_pass_rate: float = Field(default=0.5, ge=0, le=1)
    """Largest share of right answers with no frames; where luck alone gives more, what luck gives counts."""
    max_speech_pass_rate: float = Field(default=0.5, ge=0, le=1)
    """Largest share of right answers with what is said and no frame, where lines of speech are shown."""
    max_single_pass_rate: float = Field(default=1.0, ge=0, le=1)
    """Largest share of right answers with one frame."""
    max_shuffled_pass_rate: float = Field(default=1.0, ge=0, le=1)
    """Largest share of right answers with the frames in another order."""
    order_tasks: tuple[Task, ...] = tuple(Task)
    """The limits with one frame and with shuffled frames hold for these tasks: one frame may well tell what
    stands in a picture."""
    probe_confidence: float = Field(default=0.95, ge=0.5, lt=1)
    """How sure it must be, from so few answers, that a share is above its limit: the lower end of Wilson's
    one-sided interval is compared. At 0.5 it is the share itself."""
    luck_margin: float = Field(default=0.1, ge=0, le=1)
    """A limit is never below the share that guesses get right (1 of 4 options: 0.25) plus this."""
    luck_confidence: float = Field(default=0.95, ge=0, lt=1)
    """How sure it must be that rollouts are right more often than luck: one-sided, over the question's own
    rollouts and over those of its pool. At 0 luck is no reason."""
    luck_by_evidence: bool = True
    """Nor is it where, as surely, those answers are right more often than luck whose claims a verifier
    believes: right answers to a hard question are as rare as luck's, but what they claim to see holds. Where
    there is a judge (`sufficiency.judge`), what it concludes from such claims stands for the answers."""
    require_sufficiency: bool = False
    """A trace is rejected where no judge said what the observations alone lead to."""
    min_sufficiency: float = Field(default=0.0, ge=0, le=1)
    """Smallest score of the answer that a judge who sees no frame draws from the thought's observations."""
    min_key_agreement: float = Field(default=0.5, ge=0, le=1)
    """Smallest share of answers given without a written question's key that agree with it."""
    keep_duplicates: bool = False
    """Near-duplicate traces and questions are kept."""
    max_cosine: float = Field(default=1.0, ge=-1, le=1)
    """Largest cosine of the vectors of a clip and of an earlier one, where the recipe embeds clips: lower it,
    and what is kept is more diverse."""
    max_question_cosine: float = Field(default=0.8, ge=-1, le=1)
    """Largest cosine of the vectors of a question and of an earlier one that can be the same in other words,
    where the recipe embeds questions."""
    max_damaged_share: float = Field(default=0.5, ge=0, le=1)
    """Largest share of a clip that may be damaged in the film; no question rests on that part either way."""
    keep_hdr: bool = True
    """What is about films made for HDR screens, whose frames are tone-mapped, is kept."""
    min_pass_rate: float = Field(default=0.0, ge=0, le=1)
    """The lower end of the band of pass rates, over a question's rollouts, that `sft` takes from."""
    max_pass_rate: float = Field(default=1.0, ge=0, le=1)
    """The upper end of that band."""
    extra_rules: tuple[ExtraRule, ...] = Field(default=(), max_length=16)
    """Rules of the recipe's own: a trace for which one holds is not kept in `sft`."""

    rl_tasks: tuple[Task, ...] = tuple(task for task in Task if task is not Task.OPEN_ENDED)
    """These tasks go to `rl`; a program can verify them."""
    rl_min_pass_rate: float = Field(default=0.0, ge=0, le=1)
    """The lower end of the band of pass rates that `rl` takes. Never right and always right are outside,
    whatever the band."""
    rl_max_pass_rate: float = Field(default=1.0, ge=0, le=1)
    """The upper end of that band."""

    max_traces_per_question: int | None = Field(default=2, ge=1)
    """At most so many of a question's rollouts are kept, the best ones."""
    max_traces_per_video: int | None = Field(default=None, ge=1)
    """At most so many traces of a video are kept, the best ones."""
    max_traces_per_task: Mapping[Task, int] = Field(default_factory=dict)
    """At most so many traces of each named task are kept, the best ones; a task that is not named has no
    limit."""
    max_pairs_per_question: int = Field(default=2, ge=0, le=64)
    """At most so many preference pairs of a question go to `dpo`; 0 makes none."""
    max_rl_questions_per_video: int | None = Field(default=None, ge=1)
    """At most so many questions of a video go to `rl`, the best ones."""
    max_rl_questions_per_task: Mapping[Task, int] = Field(default_factory=dict)
    """At most so many questions of each named task go to `rl`, the best ones; a task that is not named has no
    limit."""

    weight_grounding: float = Field(default=1.0, ge=0)
    """The weight of the grounded share in the quality by which quotas choose; ties go to the smaller trace
    id."""
    weight_margin: float = Field(default=0.5, ge=0)
    """The weight of the worst margin in that quality."""
    weight_citations: float = Field(default=0.5, ge=0)
    """The weight of the share of citations near a shown frame in that quality."""
    weight_repetition: float = Field(default=1.0, ge=0)
    """The weight of repetition, which counts against that quality."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, given: Any) -> Any:
        if isinstance(given, str):
            given = {"preset": given}
        if not isinstance(given, Mapping):
            return given
        preset = given.get("preset", "balanced")
        if not isinstance(preset, str):
            return given  # and pydantic says what it may be
        return {"name": preset} | dict(PRESETS.get(preset, {})) | dict(given)

    @field_validator("answer_forms", mode="before")
    @classmethod
    def _all_forms(cls, given: Any) -> Any:
        return tuple(AnswerForm) if given == "all" else given

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        for low, high in BANDS:
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low}={getattr(self, low)} is above {high}={getattr(self, high)}")
        return self


BANDS = (
    ("min_thought_words", "max_thought_words"),
    ("min_pass_rate", "max_pass_rate"),
    ("rl_min_pass_rate", "rl_max_pass_rate"),
)

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "strict": {
        "max_repetition": 0.15,
        "max_foreign_script": 0.02,
        "min_citations": 1,
        "min_cited_share": 0.3,
        "require_grounding": True,
        "min_grounded_share": 1.0,
        "min_judged_share": 1.0,
        "min_worst_margin": 0.01,
        "min_spatial_grounded_share": 1.0,
        "max_lasting_text_share": 0.1,
        "min_key_place_score": 0.3,
        "require_probes": True,
        "max_blind_pass_rate": 0.25,
        "max_speech_pass_rate": 0.25,
        "max_single_pass_rate": 0.5,
        "max_shuffled_pass_rate": 0.5,
        "luck_by_evidence": False,
        "order_tasks": (Task.ORDERING, Task.TEMPORAL_GROUNDING),
        "min_sufficiency": 0.5,
        "min_key_agreement": 0.75,
        "min_graded_score": 0.7,
        "max_damaged_share": 0.1,
        "max_traces_per_question": 1,
    },
    "balanced": {},
    "permissive": {
        "answer_forms": tuple(AnswerForm),
        "min_thought_words": 1,
        "max_repetition": 0.6,
        "max_foreign_script": 0.5,
        "keep_declared_guesses": True,
        "keep_misquotes": True,
        "min_citations_in_clip": 0.5,
        "min_citations_near_frame": 0.0,
        "min_cited_share": 0.0,
        "min_judged_share": 0.0,
        "min_grounded_share": 0.0,
        "min_worst_belief": 0.0,
        "min_observation_belief": 0.0,
        "min_sound_boxes": 0.0,
        "keep_misread_text": True,
        "min_spatial_grounded_share": 0.0,
        "require_evidence": False,
        "min_best_margin": -1.0,
        "max_blind_pass_rate": 1.0,
        "max_speech_pass_rate": 1.0,
        "min_key_agreement": 0.0,
        "max_damaged_share": 1.0,
        "probe_confidence": 0.99,
        "luck_confidence": 0.0,
        "max_traces_per_question": None,
    },
}
"""Preset -> what differs from the defaults."""
