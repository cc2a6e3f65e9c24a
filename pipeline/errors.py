"""The ways a command ends badly by no fault of the code: used wrongly, or stopped short of its end."""

from reelproof.schemas.errors import UsageError as UsageError


class BuildFailed(Exception):  # noqa: N818 - says what happened
    """The work stopped short of its end: exit code 1. What was done is kept, and the same command goes on."""


class BrokenHere(Exception):  # noqa: N818 - says what happened
    """A step can do its work for no input at all as this machine is set up: the build stops, and says so."""
