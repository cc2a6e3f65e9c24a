"""The `reelproof` command: what the user typed -> a call of one plain function; errors -> one message and an exit code."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

EXIT_DONE, EXIT_UNFINISHED, EXIT_USAGE = 0, 1, 2

OVERRIDES = click.option(
    "--set", "overrides", multiple=True, metavar="A.B=C", help="Override a setting of the recipe; may be repeated."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print what run.json holds on standard output.")
BUILD_DIR = click.argument("build_dir", metavar="DIR")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="reelproof")
def cli() -> None:
    """Video reasoning data you can prove: raw videos in, curated chain-of-thought shards and trained models out."""


@cli.command()
@click.argument("recipe")
@click.option("--out", required=True, metavar="DIR", help="Where the build goes: a folder, or an fsspec URL.")
@OVERRIDES
@click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler; by default this machine's cores.")
@click.option("--workers", type=click.IntRange(1), help="Worker processes on this machine; by default one a core.")
@click.option("--retry-quarantined", is_flag=True, help="Try quarantined videos again.")
@click.option("--dry-run", is_flag=True, help="Say what would run, why, and what it would cost; run nothing.")
@JSON
def build(recipe: str, out: str, **options: Any) -> int:
    """Build a dataset from RECIPE: a YAML file, or a folder, glob or manifest of videos.

    Run it again after any change: only what the change calls for is done.
    """
    from pipeline.build import BuildOptions, run_build

    return run_build(recipe, out, BuildOptions(**options))


@cli.command()
@BUILD_DIR
@OVERRIDES
@JSON
def refilter(build_dir: str, overrides: tuple[str, ...], as_json: bool) -> int:
    """Decide anew which rows are kept, from the scores that DIR holds: no decoding, no teacher."""
    from pipeline.build import run_refilter

    return run_refilter(build_dir, overrides, as_json)


def main() -> None:
    """Entry point of the `reelproof` command."""
    from pipeline.errors import BuildFailed, UsageError

    try:
        sys.exit(cli(standalone_mode=False) or EXIT_DONE)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_USAGE)
    except UsageError as error:
        click.echo(f"reelproof: {error}", err=True)
        sys.exit(EXIT_USAGE)
    except BuildFailed as error:
        click.echo(f"reelproof: {error}", err=True)
        sys.exit(EXIT_UNFINISHED)
