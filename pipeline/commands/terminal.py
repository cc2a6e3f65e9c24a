"""What a person at a terminal is shown: file names and models' words are only ever text in it."""

from typing import Any

from rich.console import Console

from reelproof.schemas.text import shown_text


class PlainConsole(Console):
    """A console that takes no text for markup and spells control characters out; styles come as `Text`."""

    def __init__(self, **settings: Any) -> None:
        """`settings` are rich's own."""
        super().__init__(soft_wrap=True, markup=False, highlight=False, emoji=False, **settings)

    def print(self, *objects: Any, **settings: Any) -> None:
        """Print what is given as plain text; settings are those of rich's own `print`."""
        shown = [shown_text(each) if isinstance(each, str) else each for each in objects]
        super().print(*shown, **settings)
