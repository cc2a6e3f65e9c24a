"""The ways a command ends badly by no fault of the code: used wrongly, or stopped short of its end."""

import errno

from reelproof.schemas.errors import UsageError as UsageError

NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
"""Of an OSError: the disk is full, or a quota, or what one file may hold."""


class BuildFailed(Exception):  # noqa: N818 - says what happened
    """The work stopped short of its end: exit code 1. What was done is kept, and the same command goes on."""


class Damaged(BuildFailed):
    """A file of a build is not as it was written. The next build makes it again, if it is taken away."""

    def __init__(self, place: str, name: str, why: str, *with_it: str) -> None:
        """`name` is the file's in `place`; `with_it` are others that go with it, so that it is made again."""
        super().__init__(place, name, why, *with_it)  # all of them, so that it travels
        self.place, self.name, self.why, self.with_it = place, name, why, with_it

    def __str__(self) -> str:
        """In words."""
        again = f"`reelproof build RECIPE --out {self.place} --check` makes it again"
        return f"{self.place}/{self.name} is damaged: {self.why}; {again}"


class BrokenHere(Exception):  # noqa: N818 - says what happened
    """A step can do its work for no input at all as this machine is set up: the build stops, and says so."""
