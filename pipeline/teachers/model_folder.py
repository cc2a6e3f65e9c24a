"""A model's config.json -> what it certainly cannot do of what will be asked; no weights are read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelproof.stages.teachers.protocol import TeacherNeeds, TeacherUnavailable

PROMPT_TOKENS = 16
"""Fewer no prompt takes: its template's marks, an instruction, a question."""
_LANGUAGE_SECTIONS = ("text_config", "llm_config", "language_config")
_ROPE_SECTIONS = ("rope_scaling", "rope_parameters")
_SIGNS_OF_VISION = ("vision", "visual", "image", "img", "vit", "mm_")
_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
"""Some models that see say so nowhere else."""


@dataclass(frozen=True)
class ModelFolder:
    """What a folder says of its model."""

    context_tokens: int | None
    """At most; None where it does not say."""
    architectures: tuple[str, ...]
    reads_text_alone: bool
    """Only where nothing hints at vision."""


def check_model(model: str, needs: TeacherNeeds, context_tokens: int | None = None) -> None:
    """Whether the model may do what is asked; of one that is no folder, only `context_tokens` is known.

    `context_tokens` is what the model was set to, if it was. Raises TeacherUnavailable where the longest
    answer cannot fit beside any prompt, or where frames are to be shown to a model that reads text alone.
    """
    folder = Path(model).expanduser()
    said = read_model_folder(folder) if folder.is_dir() else None
    if said is not None and said.reads_text_alone and needs.images:
        raise TeacherUnavailable(
            f"teacher {model}: requests show up to {needs.images} images, but "
            f"{', '.join(said.architectures)} reads text alone; take a model that sees"
        )
    context = context_tokens or (said.context_tokens if said is not None else None)
    if context is not None and context < needs.max_tokens + PROMPT_TOKENS:
        remedy = "raise max_model_len" if context_tokens else "take a model with a longer context"
        raise TeacherUnavailable(
            f"teacher {model}: its context of {context} tokens does not hold a prompt and an answer of up to "
            f"{needs.max_tokens}; {remedy}, or lower max_tokens"
        )


def read_model_folder(folder: Path) -> ModelFolder:
    """Raises TeacherUnavailable where its config.json is no JSON object."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TeacherUnavailable(
            f"teacher model {folder}: its config.json cannot be read ({error}); copy the model again"
        ) from None
    if not isinstance(config, dict):
        raise TeacherUnavailable(
            f"teacher model {folder}: its config.json holds no JSON object; copy the model again"
        )
    named = config.get("architectures")
    architectures = tuple(map(str, named)) if isinstance(named, list) else ()
    hints = any(sign in key.casefold() for key in _keys(config) for sign in _SIGNS_OF_VISION)
    hints = hints or any((folder / name).is_file() for name in _PROCESSORS)
    writes_text = bool(architectures) and all(each.endswith("ForCausalLM") for each in architectures)
    return ModelFolder(_context_tokens(config), architectures, writes_text and not hints)


def _context_tokens(config: dict[str, Any]) -> int | None:
    """The longest that any part of it for text allows, stretched by what RoPE may be scaled with."""
    inner = (config.get(name) for name in _LANGUAGE_SECTIONS)
    sections = [config, *(section for section in inner if isinstance(section, dict))]
    positions = [section.get("max_position_embeddings") for section in sections]
    known = [count for count in positions if isinstance(count, int) and count > 0]
    return int(max(known) * max(map(_stretch, sections))) if known else None


def _stretch(section: dict[str, Any]) -> float:
    """Servers differ in whether a context is stretched already: the larger counts."""
    ropes = [rope for name in _ROPE_SECTIONS if isinstance(rope := section.get(name), dict)]
    ropes += [inner for rope in ropes for inner in rope.values() if isinstance(inner, dict)]
    factors = [rope.get("factor") for rope in ropes]
    return max([1.0, *(float(factor) for factor in factors if isinstance(factor, int | float))])


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from map(str, value)
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _keys(inner)
