"""Columns of a manifest that nothing reads -> those that look as if they mattered, and what to say."""

import re
from collections.abc import Collection

from reelproof.pipeline.inputs.questions_file import VideoList

_MEANINGS = {
    "question": "question questions query prompt problem instruction",
    "options": "options option choices choice candidates candidate distractors",
    "answer": "answer answers label labels gt truth target solution response output gold",
    "completion": "cot chain rationale reasoning thought thoughts thinking explanation process completion "
    "conversations conversation messages dialog dialogue",
}
_ABOUT = {"id", "ids", "idx", "index", "type", "types", "category", "categories", "level", "count", "num"}
_ABOUT |= {"number", "source", "length", "key"}
"""Words of columns that tell of a question or an answer, and hold none."""


def meaning(column: str) -> str | None:
    """Which of our columns one that is not understood looks like; None where it looks like none of them."""
    said = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column).casefold())
    if _ABOUT.intersection(said):
        return None
    return next((ours for ours, words in _MEANINGS.items() if {*words.split()}.intersection(said)), None)


def told_unread(manifest: VideoList, ignored: Collection[str]) -> str | None:
    """What would be lost and the settings that change it; None where that is nothing, or in `ignored`."""
    lost = {name: ours for name in manifest.ignored if (ours := meaning(name)) and name not in ignored}
    if not lost:
        return None
    looks = "; ".join(f"the column `{name}` looks like `{ours}`" for name, ours in lost.items())
    named = ", ".join(f"{ours}: {name}" for name, ours in lost.items())
    shapes, columns = ", ".join(manifest.shapes), ", ".join(manifest.understood)
    return (
        f"{looks}, and would be left out\n"
        f"  read as: {shapes or 'nothing known'}, with {columns or 'no column'}\n"
        f"  to use it, say `sources.columns: {{{named}}}`\n"
        f"  to leave it out, say `sources.ignore_columns: [{', '.join(lost)}]`"
    )
