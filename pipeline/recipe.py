"""A YAML file, or a folder of videos -> a recipe: every setting of a build, checked before anything runs."""

import difflib
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.child import ChildLimits
from pipeline.cluster import ClusterConfig
from pipeline.errors import UsageError
from pipeline.plan import PartsConfig
from pipeline.settings import ChecksConfig, QuestionSources, SharedTeacher
from pipeline.shards import ShardsConfig
from pipeline.sources import SourcesConfig
from pipeline.teachers import SignalsTeacherConfig, TeacherConfig
from schemas.policy import PolicyConfig
from stages.claims import ClaimConfig
from stages.clips import ClipConfig
from stages.duplicates import DuplicateConfig
from stages.footage import FootageConfig
from stages.given_traces import GivenTracesConfig
from stages.probes import ProbeConfig
from stages.splits import SplitsConfig
from stages.storyboard import StoryboardConfig
from stages.teacher import TeacherNeeds
from stages.traces import RolloutConfig

MANIFEST_ENDINGS = frozenset(("jsonl", "json", "csv", "parquet"))


class Recipe(BaseModel):
    """Every setting of a build. Sections in the order in which the data flows through them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
    checks: ChecksConfig = ChecksConfig()
    duplicates: DuplicateConfig = DuplicateConfig()
    splits: SplitsConfig = SplitsConfig()
    policy: PolicyConfig = PolicyConfig()
    shards: ShardsConfig = ShardsConfig()
    cluster: ClusterConfig = ClusterConfig()

    @property
    def prober(self) -> TeacherConfig:
        """Who is asked questions without their evidence: the first teacher."""
        return self.teachers[0].teacher

    def all_teachers(self) -> tuple[TeacherConfig, ...]:
        """Every model that a build asks, each once."""
        asked = self.questions.asked
        writers = (asked.writer, asked.answerer) if asked else ()
        named = (*writers, *(each.teacher for each in self.teachers), self.verifier)
        return tuple(dict.fromkeys(each for each in named if each is not None))

    def teacher_needs(self) -> TeacherNeeds:
        """The most that one request can ask of them."""
        return TeacherNeeds(
            images=max(self.questions.given.max_frames, self.clips.max_timeline),
            image_width_px=self.footage.long_side_px,
            image_height_px=self.footage.long_side_px * 9 // 16,
            max_tokens=self.rollouts.max_tokens,
        )


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a YAML file, with `section.field=value` overrides applied.

    Raises UsageError naming every wrong field, what it got and what it may be.
    """
    return parse_recipe(_read_yaml(path), overrides, where=str(path))


def recipe_for_sources(place: str, overrides: Sequence[str] = ()) -> Recipe:
    """The default recipe for a manifest, known by its ending, or for a folder, a file or a glob of videos."""
    is_manifest = place.rpartition(".")[2].casefold() in MANIFEST_ENDINGS
    sources = {"manifest" if is_manifest else "videos": place}
    return parse_recipe({"sources": sources}, overrides, where="the default recipe")


def parse_recipe(settings: Mapping[str, Any], overrides: Sequence[str] = (), where: str = "recipe") -> Recipe:
    """Settings as YAML gives them -> a recipe. Raises UsageError, as `load_recipe` does."""
    merged = dict(settings)
    for override in overrides:
        _apply(merged, override)
    try:
        return Recipe.model_validate(merged)
    except ValidationError as error:
        lines = "\n".join(f"  {line}" for line in _explained(error))
        raise UsageError(f"{where} cannot be used:\n{lines}") from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"recipe {path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"recipe {path} is not YAML: {error}") from None
    if not isinstance(settings, dict):
        raise UsageError(
            f"recipe {path}: expected sections such as `sources:`, got {type(settings).__name__}"
        )
    return settings


def _apply(settings: dict[str, Any], override: str) -> None:
    """Set `a.b.c=value` in nested dicts, the value read as YAML; `teachers.0.model=…` reaches into a list."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UsageError(f"--set {override}: expected section.field=value, such as policy.preset=strict")
    if key == "policy.preset":  # a preset is a starting point: what was set before it goes
        settings["policy"] = {}
    *folders, last = key.split(".")
    place: Any = settings
    for folder in folders:
        place = _step_into(place, folder, override)
    value = yaml.safe_load(text)
    if isinstance(place, list):
        place[_index(place, last, override)] = value
    else:
        place[last] = value


def _step_into(place: Any, folder: str, override: str) -> Any:
    if isinstance(place, list):
        return place[_index(place, folder, override)]
    below = place.get(folder)
    if below is None:
        below = place[folder] = {}
    if not isinstance(below, (dict, list)):
        raise UsageError(f"--set {override}: {folder} is {below!r}, which has no fields")
    return below


def _index(place: list[Any], text: str, override: str) -> int:
    if not text.isdigit() or int(text) >= len(place):
        raise UsageError(f"--set {override}: {text} is no place in a list of {len(place)}")
    return int(text)


def _explained(error: ValidationError) -> list[str]:
    return [_explain(each) for each in error.errors(include_url=False)]


def _explain(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"]) or "recipe"
    got = repr(error["input"])
    got = got if len(got) <= 60 else got[:57] + "…"
    if error["type"] == "extra_forbidden":
        return f"{field}: there is no such field{_may_be(error['loc'])}"
    if error["type"] == "missing":
        return f"{field}: missing"
    return f"{field}: got {got}; {error['msg'].removeprefix('Value error, ')}"


def _may_be(loc: tuple[int | str, ...]) -> str:
    """The fields that the section of an unknown field does have, the nearest name first."""
    section = _section(loc[:-1])
    if section is None:
        return ""
    names = list(section.model_fields)
    near = difflib.get_close_matches(str(loc[-1]), names, n=1)
    guess = f" (did you mean {near[0]}?)" if near else ""
    return f"{guess}; it may be one of: {', '.join(names)}"


def _section(loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    section: type[BaseModel] = Recipe
    for part in loc:
        if isinstance(part, str) and part in section.model_fields:
            models = _types_in(section.model_fields[part].annotation)
            if len(models) != 1:
                return None
            section = models[0]
    return section


def _types_in(annotation: Any) -> list[type[BaseModel]]:
    """The models named in an annotation such as `X | None` or `tuple[X, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for each in typing.get_args(annotation) for model in _types_in(each)]
