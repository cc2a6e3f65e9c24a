"""An environment variable -> the key of a server, which no message quotes."""

import os
from dataclasses import dataclass, field
from typing import Self

from reelproof.schemas.errors import UsageError

NO_KEY = "none"
"""What is sent where the environment holds no key."""


@dataclass(frozen=True)
class ServerKey:
    """The key that an environment variable holds."""

    variable: str
    value: str = field(repr=False)
    """As it is sent; `none` where there is none."""

    @classmethod
    def read(cls, variable: str) -> Self:
        """Without blanks around it. Raises UsageError for what no request's header can carry."""
        key = os.environ.get(variable, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise UsageError(
                f"the environment variable {variable} holds characters that no key has; "
                f"set {variable} to the key alone"
            )
        return cls(variable, key or NO_KEY)

    def refused(self) -> str:
        """What a server wants that answers with HTTP 401, whose own message may hold a part of the key."""
        state = "holds none" if self.value == NO_KEY else "holds another"
        return (
            f"wants a valid key (HTTP 401) and the environment variable {self.variable} {state}; "
            f"set {self.variable}"
        )

    def hidden_in(self, text: str) -> str:
        """A server's message without it, no longer than 500 characters."""
        text = text if self.value == NO_KEY else text.replace(self.value, "…")
        return text if len(text) <= 500 else text[:499] + "…"
