"""A YAML file, or a folder of videos -> a recipe: every setting of a build, checked before anything runs."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, create_model, field_validator, model_validator

from reelproof.pipeline.cluster.settings import ClusterConfig
from reelproof.pipeline.dataset.card import CardConfig
from reelproof.pipeline.dataset.shards import ShardsConfig
from reelproof.pipeline.decoder.process import ChildLimits
from reelproof.pipeline.inputs.dataset_rows import is_manifest
from reelproof.pipeline.inputs.evaluation_sets import DecontaminationConfig
from reelproof.pipeline.inputs.question_sources import QuestionSources
from reelproof.pipeline.inputs.sources import SourcesConfig
from reelproof.pipeline.parts.plan import PartsConfig
from reelproof.pipeline.settings_text import parse_settings, parse_yaml, read_yaml
from reelproof.pipeline.teachers.encoders import EmbeddingRole
from reelproof.pipeline.teachers.kinds import SignalsTeacherConfig, TeacherConfig, takes_sound
from reelproof.pipeline.teachers.room import room_for_frames
from reelproof.pipeline.teachers.verifiers import VerifierConfig, models_of, reads_text
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.settings import Settings
from reelproof.stages.answers.given_traces import GivenTracesConfig
from reelproof.stages.answers.known_claims import CalibrationConfig
from reelproof.stages.answers.probes import ProbeConfig
from reelproof.stages.answers.put_claims import ClaimConfig
from reelproof.stages.answers.sufficiency import SufficiencyConfig
from reelproof.stages.answers.traces import AdaptiveRolloutConfig
from reelproof.stages.checks.registry import CHECKS
from reelproof.stages.duplicates.near import DuplicateConfig
from reelproof.stages.footage.clips import ClipConfig
from reelproof.stages.footage.doubt import TransitionConfig
from reelproof.stages.footage.scan import FootageConfig, PicturedConfig
from reelproof.stages.footage.storyboard import StoryboardConfig
from reelproof.stages.policy import checked_policy
from reelproof.stages.speech.film import SpeechRole
from reelproof.stages.splits import SplitsConfig
from reelproof.stages.teachers.protocol import TeacherNeeds
from reelproof.stages.written.read import WrittenConfig


class SharedTeacher(Settings):
    """A teacher, and how many of the rollouts it gives relative to the others."""

    teacher: TeacherConfig
    """This model answers questions."""
    share: float = Field(default=1.0, gt=0)
    """It answers so much of them, in proportion to the shares of the others."""


class ProbeRole(ProbeConfig):
    """Who is asked questions without their evidence, and how."""

    teacher: TeacherConfig | None = None
    """By default the first of `teachers` that is not `signals`, or else that."""


class ClaimRole(ClaimConfig):
    """Who judges the claims of thoughts, and how."""

    verifier: VerifierConfig | None = None
    """By default the first of `teachers` that is not `signals`, or else that. A list is a panel: a claim
    goes to one after the other until one knows, and first to `text` where it quotes what is written."""


class SufficiencyRole(SufficiencyConfig):
    """Who says whether a thought's observations alone lead to the answer, and how; it needs no eyes."""

    judge: TeacherConfig
    """This model answers from the observations alone."""


_CHECK_FIELDS: dict[str, Any] = {check.name: (check.config, check.config()) for check in CHECKS}

ChecksConfig: type[Settings] = create_model(
    "ChecksConfig", __base__=Settings, __doc__="How each check measures.", **_CHECK_FIELDS
)
"""One section for each check of the registry, called as the check is."""


class Recipe(Settings):
    """Every setting of a build. Sections in the order in which the data flows through them."""

    moved: ClassVar[Mapping[str, str]] = {
        "verifier": "claims.verifier",
        "judge": "sufficiency.judge",
        "questions.asked.min_agreement": "policy.min_key_agreement",
        "policy.require_every_claim": "policy.min_judged_share",
    }
    """What a setting was called once -> what it is called now."""
    gone: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "duplicates.trace_run_words": (3,),
        "duplicates.question_run_words": (2,),
        "policy.strict_answers": (True, False),
        "policy.require_well_formed": (True,),
        "checks.difficulty.strict": (True,),
        "checks.luck.strict": (True,),
    }
    """What could be set once, and was written down by builds -> values with which they go on as they were."""
    became: ClassVar[Mapping[str, Mapping[Any, tuple[str, Any]]]] = {
        "policy.require_every_claim": {True: ("min_judged_share", 1.0), False: ("min_judged_share", 0.0)},
    }
    """The same of what is set otherwise now -> for each value the setting and the value in its place."""

    name: str = Field(default="dataset", min_length=1, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """The card calls the dataset by this name, which holds letters, digits, `.`, `_` and `-` alone."""
    sources: SourcesConfig
    max_quarantined_share: float = Field(default=0.5, ge=0, le=1)
    """A build with more of its videos in quarantine ends with exit code 1."""
    parts: PartsConfig = PartsConfig()
    footage: FootageConfig = FootageConfig()
    limits: ChildLimits = ChildLimits()
    transitions: TransitionConfig | None = None
    """A network, TransNet V2, looks for changes of scene where the signals leave doubt (extra `transnet`):
    footage then holds a small picture of each frame. By default none looks."""
    storyboard: StoryboardConfig = StoryboardConfig()
    clips: ClipConfig = ClipConfig()
    text: WrittenConfig | None = None
    """What is written in frames is read, with RapidOCR (extra `ocr`); by default nothing is."""
    embedding: EmbeddingRole | None = None
    """Clips have a vector each, of what their keyframes show (extra `embed`), by which they are compared; by
    default none has."""
    speech: SpeechRole | None = None
    """What is said in the videos is read, shown between the frames, and held against what thoughts quote; by
    default nobody listens."""
    questions: QuestionSources = QuestionSources()
    given_traces: GivenTracesConfig = GivenTracesConfig()
    teachers: tuple[SharedTeacher, ...] = Field(
        default=(SharedTeacher(teacher=SignalsTeacherConfig()),), min_length=1
    )
    """These models share the rollouts; by default the embedded one makes them all."""
    rollouts: AdaptiveRolloutConfig = AdaptiveRolloutConfig()
    probes: ProbeRole = ProbeRole()
    claims: ClaimRole = ClaimRole()
    calibration: CalibrationConfig | None = None
    """Verifiers are put claims whose truth is known: a belief becomes a probability, and verdicts of one that
    cannot tell true from false become unknown. By default beliefs are as they come."""
    sufficiency: SufficiencyRole | None = None
    """A judge says what the observations of a thought lead to; by default nobody does."""
    checks: ChecksConfig = ChecksConfig()
    duplicates: DuplicateConfig = DuplicateConfig()
    contamination: DecontaminationConfig = DecontaminationConfig()
    """These evaluation sets must not be trained on."""
    splits: SplitsConfig = SplitsConfig()
    policy: PolicyConfig = PolicyConfig()
    shards: ShardsConfig = ShardsConfig()
    card: CardConfig = CardConfig()
    cluster: ClusterConfig = ClusterConfig()

    @field_validator("policy")
    @classmethod
    def _can_be_decided(cls, policy: PolicyConfig) -> PolicyConfig:
        return checked_policy(policy)

    @model_validator(mode="after")
    def _reads_what_it_judges_by(self) -> Self:
        if reads_text(self.verifier) and self.text is None:
            raise ValueError("claims.verifier names `text`, and no text is read; say `text: {}` as well")
        return self

    @property
    def scan(self) -> FootageConfig:
        """How films are scanned: where a network is to look at their frames, these are kept in small."""
        return PicturedConfig(**dict(self.footage)) if self.transitions else self.footage

    @property
    def longest_sound_s(self) -> float | None:
        """Longer clips are handed over without their sound; None where no teacher listens."""
        return 600.0 if any(takes_sound(each.teacher) for each in self.teachers) else None

    @property
    def prober(self) -> TeacherConfig:
        """Who is asked questions without their evidence: the one named, else the first teacher with eyes of
        its own.

        `signals` beside others is probed only where it is named: what it cannot answer blind says nothing.
        """
        return self.probes.teacher or self._first_with_eyes

    @property
    def verifier(self) -> VerifierConfig:
        """Who judges claims: those named, else the first teacher with eyes of its own.

        `signals` beside others judges only where it is named: it cannot tell most of what a model claims.
        """
        return self.claims.verifier or self._first_with_eyes

    @property
    def verifiers(self) -> tuple[TeacherConfig, ...]:
        """The models among those who judge claims, in turn."""
        return models_of(self.verifier)

    @property
    def _first_with_eyes(self) -> TeacherConfig:
        every = [each.teacher for each in self.teachers]
        others = [each for each in every if not isinstance(each, SignalsTeacherConfig)]
        return (others or every)[0]

    @property
    def clips_to_cut(self) -> ClipConfig:
        """`clips`, with the frames of chapters and whole films that every teacher has room for.

        Reads the config of a model that is a folder. Where a teacher's context is not known, or holds no more
        than a segment shows, all clips have the same budgets.
        """
        if self.clips.max_long_frames is not None:
            return self.clips
        usual = max(self.clips.max_timeline, self.clips.max_keyframes)
        rooms = [
            room_for_frames(teacher, self.needs(0, max_tokens))
            for teacher, max_tokens in self._who_sees_clips()
            if not isinstance(teacher, SignalsTeacherConfig)
        ]
        known = [room for room in rooms if room is not None and room > usual]
        if not known or len(known) < len(rooms):
            return self.clips
        return self.clips.model_copy(update={"max_long_frames": min(known)})

    def _who_sees_clips(self) -> Iterator[tuple[TeacherConfig, int]]:
        """Who is shown clips, or questions about them, and how many tokens it may answer."""
        asked = self.questions.asked
        if asked:
            yield asked.writer, asked.wanted.max_tokens
            yield asked.answers_again, asked.wanted.max_tokens
        yield from ((each.teacher, self.rollouts.max_tokens) for each in self.teachers)
        if self.probes.probes:
            yield self.prober, self.probes.max_tokens

    def needs(self, images: int, max_tokens: int) -> TeacherNeeds:
        """The most that a request with so many images takes."""
        long_side_px = self.footage.long_side_px  # of a square frame both sides are: none takes more tokens
        return TeacherNeeds(
            images=images,
            image_width_px=long_side_px,
            image_height_px=long_side_px,
            prompt_characters=2000 + (self.speech.most_characters if self.speech else 0),
            max_tokens=max_tokens,
        )


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a YAML file, with `section.field=value` overrides applied.

    Raises UsageError naming every wrong field, what it got and what it may be.
    """
    return parse_settings(Recipe, read_yaml(path), _expanded(overrides), where=str(path))


def recipe_for_sources(place: str, overrides: Sequence[str] = ()) -> Recipe:
    """The default recipe for a manifest, known by its ending, or for a folder, a file or a glob of videos."""
    sources = {"manifest" if is_manifest(place) else "videos": place}
    settings = {"sources": sources}
    return parse_settings(Recipe, settings, _expanded(overrides), where="the default recipe")


def recipe_of_build(content: bytes, overrides: Sequence[str], where: str) -> Recipe:
    """The recipe that a build wrote down, with overrides applied. Raises UsageError."""
    return parse_settings(Recipe, settings_of_build(content, where), _expanded(overrides), where)


def settings_of_build(content: bytes, where: str) -> dict[str, Any]:
    """What a build wrote down, in today's settings, where it goes on as it was. Raises UsageError."""
    written = parse_yaml(content, where)
    for path, values in {**Recipe.gone, **Recipe.became}.items():
        *sections, name = path.split(".")
        below: Any = written
        for section in sections:
            below = below.get(section) if isinstance(below, dict) else None
        if isinstance(below, dict) and below.get(name) in values:
            value = below.pop(name)
            if path in Recipe.became:
                below.setdefault(*Recipe.became[path][value])
    return written


def _expanded(overrides: Sequence[str]) -> list[str]:
    """A preset is a starting point: naming one first drops what the policy was set to."""
    return [each for override in overrides for each in _drop_policy(override)]


def _drop_policy(override: str) -> tuple[str, ...]:
    return ("policy={}", override) if override.startswith("policy.preset=") else (override,)
