"""README, ARCHITECTURE and the command line hold to each other: a name in one is a name in the other."""

import re
import shlex
from pathlib import Path

import click
import pytest

from reelproof.pipeline.asking.settings import AskConfig
from reelproof.pipeline.benchmark.settings import BenchmarkConfig
from reelproof.pipeline.cli import cli
from reelproof.pipeline.columns_reference import explain_columns
from reelproof.pipeline.commands.run_options import Explained
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.highlights.settings import HighlightsConfig
from reelproof.pipeline.recipe import Recipe, load_recipe
from reelproof.pipeline.settings_reference import settings_of
from reelproof.pipeline.settings_text import parse_settings, read_yaml
from reelproof.pipeline.watching.settings import WatchConfig
from reelproof.schemas.install import EXTRAS, IN_CHECKOUT, OF_WHEEL
from reelproof.training.settings.rl import RlConfig
from reelproof.training.settings.runs import DpoConfig, SftConfig
from tests.dag_picture import PICTURE, draw
from tests.reference_page import FILE, reference_page

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
RECIPES = sorted((ROOT / "pipeline/recipes").glob("*.yaml"))


def commands(group: click.Group, above: tuple[str, ...] = ()) -> dict[tuple[str, ...], click.Command]:
    """("train", "sft") -> the command, for every command that does something."""
    found: dict[tuple[str, ...], click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, (*above, name))
        else:
            found[(*above, name)] = command
    return found


APPLIED = (AskConfig, HighlightsConfig, WatchConfig)
PAGES = sorted((ROOT / "pipeline/recipes").glob("*.md"))
"""One a job, beside the recipes."""


def shown_lines(text: str = README) -> list[str]:
    """Every `reelproof …` in a text."""
    return sorted(set(re.findall(r"(?:^|`|which )reelproof\)? ([^`#\n>]+)", text, re.MULTILINE)))


def test_list_of_commands_says_each_in_one_whole_line():
    for group in (cli, cli.commands["train"]):
        with click.Context(group, terminal_width=80) as context:
            listed = group.get_help(context).partition("Commands:\n")[2].splitlines()
        assert len(listed) == len(group.commands)
        assert not [line for line in listed if line.endswith("...")]


@pytest.mark.parametrize(
    "words", [words for words in commands(cli) if isinstance(commands(cli)[words], Explained)]
)
def test_help_names_options_that_there_are(words):
    command = commands(cli)[words]
    told = command.get_help(click.Context(command))
    assert set(re.findall(r"for --set and (--\w+)", told)) <= {
        name for each in command.params for name in each.opts
    }
    assert "for --set and --" in told


def test_reference_page_is_what_the_code_says():
    """`make reference` writes it anew."""
    assert FILE.read_text() == reference_page()


def test_columns_and_reasons_are_told_by_name():
    assert explain_columns(["lucky"]) == "reason lucky\n    its right answers are no more than luck gives"
    of_rl = explain_columns(["rl"])
    assert "frame_sha256: list of string; in sft, rl, dpo, rejected\n    SHA-256 of" in of_rl
    assert "chosen_teacher" not in of_rl
    assert explain_columns(["pool_weight"]).startswith("pool_weight: double; in no config: rules use it")
    with pytest.raises(UsageError, match="no config, column or reason luckily"):
        explain_columns(["luckily"])


def test_readme_names_every_page():
    assert [page.name for page in PAGES if f"pipeline/recipes/{page.name}" not in README] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_recipes_in_pages_are_valid(page, tmp_path):
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)):
        (tmp_path / f"{number}.yaml").write_text(block)
        if block.startswith("# watch.yaml"):
            assert parse_settings(
                WatchConfig, read_yaml(tmp_path / f"{number}.yaml"), (), page.name
            ).questions
        else:
            assert load_recipe(tmp_path / f"{number}.yaml").name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_in_pages_exist(page):
    known = {
        each.path
        for model in (
            Recipe,
            AskConfig,
            BenchmarkConfig,
            SftConfig,
            DpoConfig,
            HighlightsConfig,
            RlConfig,
            WatchConfig,
        )
        for each in settings_of(model)
    }
    named = re.findall(r"--set (?!policy\.preset)([\w.]+)=", page.read_text())
    assert [name for name in named if name not in known] == []


def test_readme_shows_every_command():
    shown = [shlex.split(line) for line in shown_lines()]
    missing = [
        words for words in commands(cli) if not any(tuple(line[: len(words)]) == words for line in shown)
    ]
    assert missing == []


@pytest.mark.parametrize(
    "line", [line for text in (README, *map(Path.read_text, PAGES)) for line in shown_lines(text)]
)
def test_command_line_in_readme_is_one(line):
    words = shlex.split(line)
    known = commands(cli)
    name = next(name for name in (tuple(words[:2]), tuple(words[:1])) if name in known)
    context = known[name].make_context(" ".join(name), words[len(name) :], resilient_parsing=False)
    assert context.params


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md"])
def test_paths_in_documents_exist(document):
    text = (ROOT / document).read_text()
    paths = re.findall(r"`((?:pipeline|stages|schemas|training|tests|data_cards)/[\w./-]*)`", text)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_architecture_names_every_room_and_draws_the_steps_of_the_code():
    rooms = [folder.name for folder in (ROOT / "pipeline").iterdir() if (folder / "__init__.py").exists()]
    assert [name for name in rooms if f"`pipeline/{name}/`" not in ARCHITECTURE] == []
    assert PICTURE.findall(ARCHITECTURE) == [draw()], "`make picture` draws it anew"


def test_readme_lists_every_recipe():
    assert [path.name for path in RECIPES if f"`{path.name}`" not in README] == []


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_recipe_that_we_ship_is_valid(path):
    assert load_recipe(path).name


def test_extras_in_readme_are_in_pyproject():
    import tomllib

    named = re.search(r"\(extras: ([^)]+)\)", README)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"`(\w+)`", named[1])) <= set(extras)


def test_what_installs_an_extra_is_said_in_one_place_and_names_no_index():
    """A name on an index could be anybody's."""
    for line in (IN_CHECKOUT, OF_WHEEL):
        assert line.format(extra="server") in README
    texts = [
        path for name in ("pipeline", "stages", "schemas", "training") for path in (ROOT / name).rglob("*.py")
    ]
    told = re.compile(r"pip install '?reelproof\b(?!-\*)")
    assert [str(path) for path in (*texts, ROOT / "README.md") if told.search(path.read_text())] == []


def test_extras_bring_what_they_are_said_to_bring():
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for extra, packages in EXTRAS.items():
        named = {re.split(r"[\[<>=~!]", line)[0].lower().replace("-", "_") for line in extras.get(extra, ())}
        brought = named | ({"aiohttp"} if "openai" in named else set())
        assert extra == "core" or set(packages) <= brought, extra


@pytest.mark.parametrize("target", ["demo", "test", "check", "mutants", "bench"])
def test_make_targets_in_readme_exist(target):
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
