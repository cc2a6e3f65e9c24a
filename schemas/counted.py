"""A number and a noun -> how people say both: `1 video`, `1,234 videos`."""


def counted(count: int, noun: str) -> str:
    """The noun's plural is made with an s; of several words the last is counted."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
