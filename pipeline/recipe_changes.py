"""A recipe and a build that is there already -> the recipe as it goes on with it, and what changed since."""

from collections.abc import Iterator, Mapping
from typing import Any

from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.recipe import Recipe, settings_of_build
from reelproof.schemas.policy import PolicyConfig

RECIPE = "recipe.yaml"
RECIPE_COPY = ".reelproof/recipe.yaml"
"""What a `refilter` decided stands nowhere else: it is there twice."""
NOT_WORK = ("cluster", "limits", "parts", "max_quarantined_share")
"""Sections of the recipe that no step's result depends on."""


def going_on(store: Store, recipe: Recipe) -> Recipe:
    """The recipe with its paths absolute, and with the policy that the build has, unless it names one itself.

    So a `refilter` stays in force until a recipe or `--set` says otherwise.
    """
    recipe = recipe.model_copy(update={"sources": recipe.sources.from_anywhere()})
    held = _held(store).get("policy")
    if held is None or "policy" in recipe.model_fields_set:
        return recipe
    try:
        return recipe.model_copy(update={"policy": PolicyConfig.model_validate(held)})
    except ValueError:  # of another version
        return recipe


def changed_settings(store: Store, recipe: Recipe) -> Iterator[str]:
    """`section.field: old -> new` of every setting in which the folder's build differs from the recipe."""
    before = dict(_leaves(_held(store)))
    if not before:
        return
    now = dict(_leaves(recipe.model_dump(mode="json")))
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name) and not name.startswith(NOT_WORK):
            yield f"{name}: {before.get(name)} -> {now.get(name)}"


def _held(store: Store) -> Mapping[str, Any]:
    """The recipe that the build wrote down, or its copy where that is damaged; empty before the first."""
    for name in (RECIPE, RECIPE_COPY):
        try:
            return settings_of_build(store.read_bytes(name), name)
        except (FileNotFoundError, NotADirectoryError, UsageError):
            continue
    return {}


def _leaves(settings: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    items: Iterator[tuple[Any, Any]] | None = None
    if isinstance(settings, Mapping):
        items = iter(settings.items())
    elif isinstance(settings, list) and any(isinstance(each, (Mapping, list)) for each in settings):
        items = iter(enumerate(settings))
    if items is None:
        yield name, settings
        return
    for key, value in items:
        yield from _leaves(value, f"{name}.{key}" if name else str(key))
