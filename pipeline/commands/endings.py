"""What ended a command -> one message and the exit code; what nobody expected keeps its traceback."""

import sys

import click

from reelproof.pipeline.errors import NO_ROOM, BuildFailed, UsageError
from reelproof.schemas.install import told_missing
from reelproof.schemas.text import shown_text

UNFINISHED, USAGE, INTERRUPTED = 1, 2, 130
_OF_A_NAME = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError)
"""Errors of a path that was named, and not of the disk."""
_OF_A_FILE = (FileExistsError, NotADirectoryError)
"""Those of a file where a folder should be."""


def tell_ending(error: BaseException) -> int | None:
    """Say what happened, on standard error. Returns the exit code; None for what nobody expected."""
    match error:
        case click.Abort() | KeyboardInterrupt():
            sys.unraisablehook = lambda _: None  # Dask closes at exit what it had not opened yet, and says so
            return _tell("stopped; what is done is kept, and the same command goes on", INTERRUPTED)
        case click.ClickException():
            error.show()
            return USAGE
        case UsageError():
            return _tell(str(error), USAGE)
        case BuildFailed():
            return _tell(str(error), UNFINISHED)
        case OSError() if error.errno in NO_ROOM:
            place = f"at {error.filename}" if error.filename else "where its results go"
            return _tell(
                f"{error.strerror} {place}: make room, or name another --out; "
                "what is done is kept, and the same command goes on",
                UNFINISHED,
            )
        case OSError() if error.filename and error.strerror:
            code = USAGE if isinstance(error, _OF_A_NAME) else UNFINISHED
            remedy = "; a file is in the way: name a folder" if isinstance(error, _OF_A_FILE) else ""
            return _tell(f"{error.filename}: {error.strerror}{remedy}", code)
        case ModuleNotFoundError() if told := told_missing(error):
            return _tell(told, USAGE)
    return None


def _tell(text: str, code: int) -> int:
    click.echo(f"reelproof: {shown_text(text)}", err=True)
    return code
