"""`reelproof audit`: anyone's dataset or benchmark in, a card of what is wrong with it out."""

import tempfile
from contextlib import ExitStack

import click

from reelproof.pipeline.commands.options import OVERRIDES, SERVER, TRUST_RECIPE, VIDEOS
from reelproof.schemas.text import shown_text


@click.command()
@click.argument("source")
@click.option("--out", metavar="DIR", help="A new or an empty folder for card, plots and row lists.")
@VIDEOS
@click.option("--text-only", is_flag=True, help="Look for no video.")
@click.option("--model", help="Who answers without frames: a model folder, or a name on --server.")
@SERVER
@click.option(
    "--against", multiple=True, metavar="NAME=FILE", help="A set that must not be held; may be repeated."
)
@click.option("--fix", is_flag=True, help="Write the rows without a fault, and as many at random, to DIR.")
@click.option("--keep", multiple=True, metavar="KIND", help="With --fix: a fault that drops no row.")
@OVERRIDES
@TRUST_RECIPE
@click.option("--json", "as_json", is_flag=True, help="Print what audit.json holds on standard output.")
def audit(
    source: str,
    out: str | None,
    videos: str | None,
    text_only: bool,
    model: str | None,
    server: str | None,
    against: tuple[str, ...],
    fix: bool,
    keep: tuple[str, ...],
    overrides: tuple[str, ...],
    trust_recipe: bool,
    as_json: bool,
) -> None:
    """Say what is wrong with questions, answers and thoughts.

    SOURCE has them in any shape that `build` reads, or is a recipe that names them; with their videos or
    without. Nothing of SOURCE is changed. With --out, the same command goes on where it was.
    """
    from reelproof.pipeline.audit.audit import Asked, Named, audit_source, overrides_of
    from reelproof.pipeline.audit.report import tell_report
    from reelproof.pipeline.commands.named_recipe import is_yaml, named_recipe
    from reelproof.pipeline.commands.terminal import PlainConsole
    from reelproof.pipeline.errors import UsageError
    from reelproof.pipeline.teachers.kinds import named_teacher

    if server and not model:
        raise UsageError("--server says where a model is; name it with --model")
    if out is None and (fix or model):
        raise UsageError(f"name --out DIR, which keeps what {'--fix writes' if fix else 'the model answers'}")
    asks = named_teacher(model, server) if model else None
    said = overrides_of(Named(videos, asks, against), in_recipe=is_yaml(source))
    recipe = named_recipe(source, (*said, *overrides), trust_recipe)
    with ExitStack() as stack:
        place = out or stack.enter_context(tempfile.TemporaryDirectory(prefix="reelproof-audit-"))
        asked = Asked(looks=not text_only, fix=fix, keep=keep)
        report = audit_source(recipe, place, asked, PlainConsole(stderr=True))
    if as_json:
        click.echo(report.model_dump_json(indent=2))
        return
    for line in tell_report(report):
        click.echo(shown_text(line))
    click.echo(
        f"card: {out}/README.md" if out else "--out DIR keeps card, plots and the rows of each kind", err=True
    )
