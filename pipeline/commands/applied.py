"""`reelproof highlights`, `ask` and `look`: a film in; its reel, an answer with its evidence, or frames."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reelproof.pipeline.commands.options import ANSWERER, INTO_USED, OVERRIDES, SERVER, Seconds
from reelproof.pipeline.commands.run_options import CONFIG, Explained
from reelproof.schemas.text import shown_text

if TYPE_CHECKING:
    from reelproof.stages.footage.random_access import Reader

FROM = click.option("--from", "start_s", type=Seconds(0), default=0.0, help="Seconds; by default 0.")
TO = click.option("--to", "end_s", type=Seconds(0), help="Seconds; by default the film's end.")


@click.command(cls=Explained, settings="reelproof.pipeline.highlights.settings:HighlightsConfig")
@click.argument("video", type=click.Path(path_type=Path))
@click.option(
    "--seconds",
    type=Seconds(1, 86_400),
    default=60.0,
    show_default=True,
    help="The longest that the reel may be.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A folder for the reel.")
@click.option(
    "--model",
    help="Who says what one would show: a run's folder, a model's, a name on the Hub, a server's address. "
    "By default nobody: scenes are scored by their frames' signals alone.",
)
@SERVER
@INTO_USED
@CONFIG
@OVERRIDES
@click.option("--json", "as_json", is_flag=True, help="Print what highlights.json holds.")
def highlights(
    video: Path,
    seconds: float,
    out: Path,
    model: str | None,
    server: str | None,
    into_used: bool,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Cut the best of VIDEO into a reel of --seconds.

    It is cut on the borders of scenes. Leaves in --out: reel.mp4 with chapters and sound, chapters.txt,
    reel.edl and reel.otio for editors, sheet.png, and in highlights.md and highlights.json why each scene is
    in.
    """
    from reelproof.pipeline.highlights.run import make_highlights, told
    from reelproof.pipeline.highlights.settings import HighlightsConfig
    from reelproof.pipeline.settings_text import read_settings
    from reelproof.pipeline.teachers.kinds import check_teacher, named_teacher, open_teacher
    from reelproof.stages.teachers.protocol import TeacherNeeds

    cfg = read_settings(HighlightsConfig, config, overrides)
    say = partial(click.echo, err=True)
    if model == "signals":
        say("signals measures frames and has no opinion of them: scenes are scored by that alone")
        model = None
    if server and not model:
        raise click.UsageError("--server serves --model; name that as well")
    with ExitStack() as stack:
        asked = None
        if model:
            named = named_teacher(model, server)
            side_px, tokens = cfg.footage.long_side_px, cfg.votes.max_tokens
            check_teacher(named, TeacherNeeds(cfg.frames, side_px, side_px, max_tokens=tokens))
            asked = stack.enter_context(open_teacher(named))
        found = make_highlights(video, seconds, out, cfg, asked, say, into_used)
    click.echo(found.model_dump_json(indent=1) if as_json else shown_text(told(found)))
    say(shown_text(f"{out / 'reel.mp4'}"))


@click.command(cls=Explained, settings="reelproof.pipeline.asking.settings:AskConfig")
@click.argument("video", type=click.Path(path_type=Path))
@click.argument("question")
@ANSWERER
@SERVER
@click.option("--option", "options", multiple=True, help="One of several answers to choose from; repeat it.")
@click.option(
    "--task",
    metavar="KIND",
    help="What answer is wanted: numerical, boolean, open_ended, …; by default as the question begins.",
)
@FROM
@TO
@click.option(
    "--measured",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="The --out of an evaluation of this model; by default one that lies beside its run.",
)
@click.option("--out", type=click.Path(path_type=Path), help="A folder for answer.json and sheet.png.")
@INTO_USED
@CONFIG
@OVERRIDES
@click.option("--json", "as_json", is_flag=True, help="Print what answer.json holds.")
def ask(
    video: Path,
    question: str,
    model: str,
    server: str | None,
    options: tuple[str, ...],
    task: str | None,
    start_s: float,
    end_s: float | None,
    measured: Path | None,
    out: Path | None,
    into_used: bool,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Ask a model a QUESTION about VIDEO.

    One answer comes, with its thought, votes, cited frames and cost.

    Few frames are shown first, and then more of those stretches that its thought cites, until the votes agree
    and stay so. What the thought claims is held to the frames that it cites. The answer says how often the
    model was measured to be right on such questions, or `untested`.
    """
    from reelproof.pipeline.asking.run import Wanted, answer_question, write_evidence
    from reelproof.pipeline.asking.told import told
    from reelproof.pipeline.disk.own_files import ASK, own_files
    from reelproof.pipeline.disk.store import Store

    wanted = Wanted(video, question, options, task, start_s, end_s, model, server)
    if out is not None:
        own_files(ASK, Store(str(out)), into_used)  # before anything is paid for
    found, jpegs = answer_question(wanted, measured, config, overrides, partial(click.echo, err=True))
    for line in [found.model_dump_json(indent=1)] if as_json else map(shown_text, told(found)):
        click.echo(line)
    if out is not None:
        write_evidence(found, jpegs, out)
    if not as_json:
        click.echo(shown_text(f"frames: {out / 'sheet.png'}") if out else "frames: --out FOLDER draws them")


@click.command()
@click.argument("video", type=click.Path(path_type=Path))
@FROM
@TO
@click.option("--frames", "count", type=click.IntRange(1, 4096), default=16, help="By default 16.")
@click.option(
    "--box", help="LEFT,TOP,RIGHT,BOTTOM as shares of width and height: that part of each, at full size."
)
@click.option("--long-side", type=click.IntRange(16), help="Shrink to so many pixels.")
@click.option(
    "--reader",
    type=click.Choice(["exact", "decord"]),
    default="exact",
    help="`exact` is the scan's pixels; `decord` differs from them at edges of colours.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A folder for the JPEGs.")
def look(
    video: Path,
    start_s: float,
    end_s: float | None,
    count: int,
    box: str | None,
    long_side: int | None,
    reader: "Reader",
    out: Path,
) -> None:
    """Fetch frames of VIDEO that no build kept.

    More of a stretch, or a part of the picture as filmed.
    """
    from reelproof.pipeline.commands.look import Wanted, write_frames

    for path in write_frames(video, Wanted(start_s, end_s, count, box, long_side, reader), out):
        click.echo(shown_text(str(path)))
