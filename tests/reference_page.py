"""Commands, columns, reasons and settings -> data_cards/reference.md. `make reference` writes it anew."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from reelproof.pipeline.cli import cli
from reelproof.pipeline.columns_reference import published_columns
from reelproof.pipeline.dataset.columns import measured_over_all
from reelproof.pipeline.recipe import Recipe
from reelproof.pipeline.settings_reference import Setting, settings_of
from reelproof.schemas.policy import PolicyConfig
from reelproof.stages.policy import meanings
from reelproof.stages.questions.computed_kinds import MAKERS
from reelproof.stages.questions.edited_kinds import EDIT_MAKERS

FILE = Path(__file__).parent.parent / "data_cards/reference.md"


def reference_page() -> str:
    """All of it, in Markdown."""
    lines = ["# Reference", "", "Written by `make reference` from what the code says of itself."]
    lines += ["", "## Commands", "", *_commands(cli, "reelproof")]
    lines += ["", "## Columns", "", "Of a dataset's configs; its features say what nested values hold."]
    lines += ["What a step measures is there where the recipe has that step."]
    lines += ["", "| column | configs | type | what it holds |", "|---|---|---|---|"]
    lines += [
        f"| `{name}` | {', '.join(configs)} | {column.kind} | {_cell(column.says)} |"
        for name, (column, configs) in published_columns().items()
    ]
    lines += [
        "",
        "What only all parts together can tell is in no config, or shards would be written anew as a",
    ]
    lines += ["set grows; rules use it, and `reelproof explain` tells it.", ""]
    lines += ["| measurement | type | what it is |", "|---|---|---|"]
    lines += [f"| `{each.name}` | {each.kind} | {_cell(each.says)} |" for each in measured_over_all()]
    lines += ["", "## Reasons", "", "Why a row is not kept, in the policy's order."]
    lines += ["", "| reason | what it says of a row |", "|---|---|"]
    lines += [f"| `{name}` | {says} |" for name, says in meanings(PolicyConfig()).items()]
    lines += ["", "## Computed questions", "", "Kinds of `questions.computed`; those that are not usual are"]
    lines += ["asked where a recipe names them.", "", "| kind | what is asked | usual | claims it can test |"]
    lines += ["|---|---|---|---|"]
    lines += [
        f"| `{name}` | {maker.asks} | {'yes' if maker.usual else 'no'} | {', '.join(maker.calibrates)} |"
        for name, maker in MAKERS.items()
    ]
    lines += ["", "Kinds of `questions.edited`, whose frames are made anew.", ""]
    lines += ["| kind | what is asked | claims it can test |", "|---|---|---|"]
    lines += [
        f"| `{name}` | {maker.asks} | {', '.join(maker.calibrates)} |" for name, maker in EDIT_MAKERS.items()
    ]
    lines += ["", "## Settings", "", "Of a recipe; `--set PATH=VALUE` overrides one."]
    lines += ["", "| setting | what it may be | default | what it does |", "|---|---|---|---|"]
    lines += [
        f"| `{each.path}` | {_cell(each.kind)} | {_cell(_default(each))} | {_cell(each.caption)} |"
        for each in settings_of(Recipe)
    ]
    return "\n".join(lines) + "\n"


def _commands(command: click.Command, name: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        for inner in sorted(command.commands):
            yield from _commands(command.commands[inner], f"{name} {inner}")
        return
    context = click.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    yield from (f"### `{name} {usage}`", "", " ".join((command.help or "").split()), "")
    options = [each.get_help_record(context) for each in command.params if isinstance(each, click.Option)]
    yield from (f"* `{option}`: {' '.join(says.split())}" for option, says in filter(None, options))
    yield ""


def _default(setting: Setting) -> str:
    """The same on every machine."""
    return "this Python" if setting.default == json.dumps(sys.executable) else setting.default


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    FILE.write_text(reference_page())
