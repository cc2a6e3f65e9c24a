"""What was asked cannot be done as asked."""


class UsageError(Exception):
    """What was asked cannot be done as asked: exit code 2. Says what, got and expected, what to do."""
