"""Picks -> what editors open: a CMX 3600 edit decision list, and chapters as text."""

from collections.abc import Sequence

from reelproof.schemas.highlights import Pick

_LINE = 70
"""Characters of a comment; readers of the format cut longer lines."""


def edit_list(title: str, video: str, picks: Sequence[Pick], fps: float, has_sound: bool) -> str:
    """CMX 3600: an event a pick, times as HH:MM:SS:FF of the film and of the reel, at the film's frame rate.

    Rates that are no whole number (29.97) count whole frames without dropping any, as `FCM` says.
    """
    lines = [f"TITLE: {_plain(title)}", "FCM: NON-DROP FRAME", ""]
    channel = "B" if has_sound else "V"
    record = 0
    for number, each in enumerate(picks, start=1):
        first, end = round(each.start_s * fps), round(each.end_s * fps)
        times = [_timecode(at, fps) for at in (first, end, record, record + end - first)]
        record += end - first
        lines.append(f"{number:03d}  AX       {channel:<5} C        {' '.join(times)}")
        lines.append(f"* FROM CLIP NAME: {_plain(video)}")
        lines.append(f"* COMMENT: {_plain(each.why)[:_LINE]}")
    return "\n".join(lines) + "\n"


def chapter_list(picks: Sequence[Pick]) -> str:
    """A line a pick, as video sites read them: `0:12 Scene 4`."""
    return "".join(f"{told_time(each.reel_start_s)} {_plain(each.title)}\n" for each in picks)


def told_time(seconds: float) -> str:
    """`1:02:03`, or `2:03` where that is all."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def _timecode(frames: int, fps: float) -> str:
    counted = max(1, round(fps))
    seconds, frame = divmod(frames, counted)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frame:02d}"


def _plain(text: str) -> str:
    """On one line."""
    return " ".join(text.split())
