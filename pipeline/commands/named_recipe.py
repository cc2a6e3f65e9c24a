"""What a command names, a YAML file or a place with videos or a manifest -> a recipe that may be run."""

from pathlib import Path

from reelproof.pipeline.dag import build_dag
from reelproof.pipeline.recipe import Recipe, load_recipe, recipe_for_sources
from reelproof.pipeline.teachers.trust import require_trusted


def named_recipe(named: str, overrides: tuple[str, ...], trusted: bool) -> Recipe:
    """The recipe in a YAML file, or the default one for a place.

    Raises UsageError where it is wrong, or chooses what only a trusted one may.
    """
    read = load_recipe(Path(named), overrides) if is_yaml(named) else recipe_for_sources(named, overrides)
    if not trusted:
        engines = (read.speech.engine,) if read.speech and read.speech.engine else ()
        require_trusted((*build_dag(read).teachers, *engines), overrides, read.cluster.scheduler)
    return read


def is_yaml(named: str) -> bool:
    """Whether it is a file with a recipe."""
    return named.endswith((".yaml", ".yml"))
