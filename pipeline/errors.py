"""The two ways a command ends badly by no fault of the code: used wrongly, or stopped short of its end."""


class UsageError(Exception):
    """What was asked cannot be done as asked: exit code 2. Says what, got and expected, what to do."""


class BuildFailed(Exception):  # noqa: N818 - says what happened
    """The work stopped short of its end: exit code 1. What was done is kept, and the same command goes on."""
