"""The two ways a command ends badly by no fault of the code: it was used wrongly, or what it needs is not there."""


class UsageError(Exception):
    """What was asked cannot be done as asked: exit code 2. The message says what, got/expected, what to do."""


class BuildFailed(Exception):
    """The work stopped short of its end: exit code 1. What was done is kept; the same command goes on from there."""
