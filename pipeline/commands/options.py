"""Options and arguments that several commands share."""

import math
from pathlib import Path
from typing import Any

import click


class Seconds(click.FloatRange):
    """A time or a length: a number in a range, and so not `nan`, which is in none."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Raises BadParameter for what is no such number."""
        seconds = float(super().convert(value, param, ctx))
        if math.isnan(seconds):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return seconds


OVERRIDES = click.option(
    "--set", "overrides", multiple=True, metavar="A.B=C", help="Override a setting; may be repeated."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print what run.json holds on standard output.")
BUILD_DIR = click.argument("build_dir", metavar="DIR")
DATASET_DIR = click.argument("build_dir", metavar="DIR", type=click.Path(path_type=Path))
ANSWERER = click.option(
    "--model",
    default="signals",
    show_default=True,
    help="A run's folder, a model's, a name on the Hub, a server's address, or `signals`.",
)
SERVER = click.option(
    "--server",
    metavar="URL",
    help="The server that serves --model; an address as --model is that of a server of one model.",
)
VIDEOS = click.option(
    "--videos", metavar="FOLDER", help="Where a manifest's videos are; by default beside it."
)
TRUST_RECIPE = click.option(
    "--trust-recipe",
    is_flag=True,
    help="Let the recipe choose programs, a scheduler, and which secret of the environment a server gets.",
)
INTO_USED = click.option(
    "--into-used",
    is_flag=True,
    help="Write also where others' files lie; those stay, save files of the very names that are written.",
)
