"""`reelproof watch`: a film, a folder, a stream or a camera in; events with their evidence out."""

import signal
import threading
from functools import partial
from pathlib import Path

import click

from reelproof.pipeline.commands.options import ANSWERER, OVERRIDES, SERVER
from reelproof.pipeline.commands.run_options import Explained
from reelproof.schemas.text import shown_text


@click.command(cls=Explained, settings="reelproof.pipeline.watching.settings:WatchConfig")
@click.argument("source")
@ANSWERER
@SERVER
@click.option(
    "--watch",
    "settings",
    type=click.Path(path_type=Path),
    metavar="YAML",
    help="What is watched for: a file of settings, as they are listed below.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The events' folder.")
@OVERRIDES
@click.option(
    "--json", "as_json", is_flag=True, help="Print each event as it is logged, a line of JSON each."
)
def watch(
    source: str,
    model: str,
    server: str | None,
    settings: Path | None,
    out: Path,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Watch a film, a folder or a stream, and log what happens.

    SOURCE is a file, a folder that grows, an RTSP or HTTP stream, a camera's device, or - for standard input.
    Without questions it tells what is unlike what the camera showed before. The same command goes on where it
    was stopped; `reelproof browse OUT` shows the events and takes verdicts.
    """
    from reelproof.pipeline.watching.run import Asked, Say, watch_source

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    asked = Asked(source, model, server, settings, overrides)
    summary = watch_source(asked, out, as_json, Say(click.echo, partial(click.echo, err=True)), stop)
    click.echo(shown_text(summary), err=True)
