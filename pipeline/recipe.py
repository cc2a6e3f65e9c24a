"""A YAML file, or a folder of videos -> a recipe: every setting of a build, checked before anything runs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import Field

from reelproof.pipeline.cluster.local_or_remote import ClusterConfig
from reelproof.pipeline.dataset.card import CardConfig
from reelproof.pipeline.dataset.shards import ShardsConfig
from reelproof.pipeline.decoder.child import ChildLimits
from reelproof.pipeline.inputs.evaluation_sets import DecontaminationConfig
from reelproof.pipeline.inputs.sources import SourcesConfig
from reelproof.pipeline.parts.plan import PartsConfig
from reelproof.pipeline.settings import ChecksConfig, QuestionSources, SharedTeacher
from reelproof.pipeline.settings_text import parse_settings, read_yaml
from reelproof.pipeline.teachers.kinds import SignalsTeacherConfig, TeacherConfig
from reelproof.pipeline.teachers.room import room_for_frames
from reelproof.schemas.footage import ClipKind
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.settings import Settings
from reelproof.stages.answers.claims import ClaimConfig
from reelproof.stages.answers.given_traces import GivenTracesConfig
from reelproof.stages.answers.probes import ProbeConfig
from reelproof.stages.answers.sufficiency import SufficiencyConfig
from reelproof.stages.answers.traces import RolloutConfig
from reelproof.stages.duplicates.near import DuplicateConfig
from reelproof.stages.footage.clips import ClipConfig
from reelproof.stages.footage.scan import FootageConfig
from reelproof.stages.footage.storyboard import StoryboardConfig
from reelproof.stages.splits import SplitsConfig
from reelproof.stages.teachers.protocol import TeacherNeeds

MANIFEST_ENDINGS = frozenset(("jsonl", "json", "csv", "parquet"))


class Recipe(Settings):
    """Every setting of a build. Sections in the order in which the data flows through them."""

    name: str = Field(default="dataset", min_length=1, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """What the dataset is called in its card."""
    sources: SourcesConfig
    max_quarantined_share: float = Field(default=0.5, ge=0, le=1)
    """A build with more of its videos in quarantine ends with exit code 1."""
    parts: PartsConfig = PartsConfig()
    footage: FootageConfig = FootageConfig()
    limits: ChildLimits = ChildLimits()
    storyboard: StoryboardConfig = StoryboardConfig()
    clips: ClipConfig = ClipConfig()
    questions: QuestionSources = QuestionSources()
    given_traces: GivenTracesConfig = GivenTracesConfig()
    teachers: tuple[SharedTeacher, ...] = Field(
        default=(SharedTeacher(teacher=SignalsTeacherConfig()),), min_length=1
    )
    rollouts: RolloutConfig = RolloutConfig()
    probes: ProbeConfig = ProbeConfig()
    verifier: TeacherConfig = SignalsTeacherConfig()
    """Who judges the claims of thoughts."""
    claims: ClaimConfig = ClaimConfig()
    judge: TeacherConfig | None = None
    """Who says whether a thought's observations alone lead to the answer; needs no eyes. None by default."""
    sufficiency: SufficiencyConfig = SufficiencyConfig()
    checks: ChecksConfig = ChecksConfig()
    duplicates: DuplicateConfig = DuplicateConfig()
    contamination: DecontaminationConfig = DecontaminationConfig()
    """Evaluation sets that must not be trained on."""
    splits: SplitsConfig = SplitsConfig()
    policy: PolicyConfig = PolicyConfig()
    shards: ShardsConfig = ShardsConfig()
    card: CardConfig = CardConfig()
    cluster: ClusterConfig = ClusterConfig()

    @property
    def prober(self) -> TeacherConfig:
        """Who is asked questions without their evidence: the first teacher."""
        return self.teachers[0].teacher

    def all_teachers(self) -> tuple[TeacherConfig, ...]:
        """Every model that a build asks, each once."""
        return tuple(dict.fromkeys(role.teacher for role in self._roles()))

    def teacher_needs(self, teacher: TeacherConfig) -> TeacherNeeds:
        """The most that one request can ask of it, in whatever it is asked for."""
        needs = [role.needs for role in self._roles() if role.teacher == teacher]
        return TeacherNeeds(*(max(values) for values in zip(*needs, strict=True)))

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
            room_for_frames(role.teacher, role.needs)
            for role in self._shown_clips(0, 0)
            if not isinstance(role.teacher, SignalsTeacherConfig)
        ]
        known = [room for room in rooms if room is not None and room > usual]
        if not known or len(known) < len(rooms):
            return self.clips
        return self.clips.model_copy(update={"max_long_frames": min(known)})

    def _roles(self) -> Iterator["_Role"]:
        kinds = (ClipKind.SEGMENT, ClipKind.WHOLE)
        budgets = [self.clips_to_cut.frames_of(kind) for kind in kinds]
        keyframes = max(budget.keyframes for budget in budgets)
        yield from self._shown_clips(keyframes, max(budget.timeline for budget in budgets))
        yield _Role(self.verifier, self._needs(self.claims.frames_per_claim, self.claims.max_tokens))
        if self.judge is not None:
            yield _Role(self.judge, self._needs(0, self.sufficiency.max_tokens))

    def _shown_clips(self, keyframes: int, timeline: int) -> Iterator["_Role"]:
        """Who is shown clips of at most so many frames, or questions about them."""
        asked = self.questions.asked
        shown = max(self.questions.given.max_frames, timeline)
        if asked:
            shown = max(shown, keyframes)
            for each in (asked.writer, asked.answerer or asked.writer):
                yield _Role(each, self._needs(keyframes, asked.wanted.max_tokens))
        for shared in self.teachers:
            yield _Role(shared.teacher, self._needs(shown, self.rollouts.max_tokens))
        if self.probes.probes:
            yield _Role(self.prober, self._needs(shown, self.probes.max_tokens))

    def _needs(self, images: int, max_tokens: int) -> TeacherNeeds:
        long_side_px = self.footage.long_side_px  # of a square frame both sides are: none takes more tokens
        return TeacherNeeds(
            images=images,
            image_width_px=long_side_px,
            image_height_px=long_side_px,
            max_tokens=max_tokens,
        )


class _Role(NamedTuple):
    """A model that is asked for something, and what that takes."""

    teacher: TeacherConfig
    needs: TeacherNeeds


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a YAML file, with `section.field=value` overrides applied.

    Raises UsageError naming every wrong field, what it got and what it may be.
    """
    return parse_settings(Recipe, read_yaml(path), _expanded(overrides), where=str(path))


def recipe_for_sources(place: str, overrides: Sequence[str] = ()) -> Recipe:
    """The default recipe for a manifest, known by its ending, or for a folder, a file or a glob of videos."""
    is_manifest = place.rpartition(".")[2].casefold() in MANIFEST_ENDINGS
    sources = {"manifest" if is_manifest else "videos": place}
    settings = {"sources": sources}
    return parse_settings(Recipe, settings, _expanded(overrides), where="the default recipe")


def recipe_of_build(content: bytes, overrides: Sequence[str], where: str) -> Recipe:
    """The recipe that a build wrote down, with overrides applied. Raises UsageError."""
    return parse_settings(Recipe, yaml.safe_load(content), _expanded(overrides), where)


def _expanded(overrides: Sequence[str]) -> list[str]:
    """A preset is a starting point: naming one first drops what the policy was set to."""
    return [each for override in overrides for each in _drop_policy(override)]


def _drop_policy(override: str) -> tuple[str, ...]:
    return ("policy={}", override) if override.startswith("policy.preset=") else (override,)
