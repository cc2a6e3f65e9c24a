"""A row -> the same with other frames: fewer of its own, or more of its clip where its film is at hand.

What stands before a frame, its time or its place, comes and goes with it.
"""

import io
import itertools
import re
from collections.abc import Sequence
from typing import Protocol

from PIL import Image

from reelproof.schemas.answers.citing import cited_spans
from reelproof.schemas.frame_names import frame_names
from reelproof.schemas.sample import ChatMessage, ChatPart
from reelproof.schemas.speech import SPEECH_NOTE, frames_before
from reelproof.schemas.thinning import thinned_to_ends
from reelproof.training.shards import Example

_LABEL = re.compile(r"\[\d+(?:\.\d+)? s\]|Frame \d+")


def size_px(jpeg: bytes) -> tuple[int, int]:
    """(width, height). Rows that are read without their frames hold empty ones, which count as alike."""
    return Image.open(io.BytesIO(jpeg)).size if jpeg else (0, 0)


def is_label(text: str | None) -> bool:
    """Whether it is what stands before a frame: its time or its place."""
    return _LABEL.fullmatch(text or "") is not None


def is_shown(part: ChatPart, example: Example) -> bool:
    """Whether it is a frame, what stands before one, or what is said."""
    return part.type == "image" or is_label(part.text) or part.text in {line.told for line in example.speech}


def limit_frames(example: Example, most: int | None) -> Example:
    """Keep at most so many frames, evenly spread; a dropped frame takes its label along."""
    if most is None or len(example.images) <= most:
        return example
    return keep_frames(example, thinned_to_ends(range(len(example.images)), most))


def keep_frames(example: Example, places: Sequence[int]) -> Example:
    """The same row with only the frames at `places`."""
    kept, seen = set(places), itertools.count()
    turns = []
    for turn in example.prompt:
        parts: list[ChatPart] = []
        for part in turn.content:
            if part.type != "image" or next(seen) in kept:
                parts.append(part)
            elif parts and is_label(parts[-1].text):
                parts.pop()
        turns.append(turn.model_copy(update={"content": tuple(parts)}))
    images = tuple(image for place, image in enumerate(example.images) if place in kept)
    return example._replace(prompt=tuple(turns), images=images)


def without_speech(example: Example) -> Example:
    """The same row as who hears nothing sees it: without the lines among its frames."""
    told = {line.told for line in example.speech}
    turns = []
    for turn in example.prompt:
        parts = (
            part.model_copy(update={"text": part.text.removeprefix(SPEECH_NOTE)}) if part.text else part
            for part in turn.content
            if part.text not in told
        )
        turns.append(turn.model_copy(update={"content": tuple(parts)}))
    return example._replace(prompt=tuple(turns), speech=())


def frame_labels(example: Example) -> list[str]:
    """The text right before each image: `[12.4 s]` or `Frame 1`; empty where there is none."""
    labels, before = [], ""
    for turn in example.prompt:
        for part in turn.content:
            if part.type == "image":
                labels.append(before if is_label(before) else "")
            before = part.text or ""
    return labels


def label_times(example: Example) -> list[float]:
    """The times that its frames are shown under, in seconds."""
    return [span.start_s for label in frame_labels(example) for span in cited_spans(label)]


class Films(Protocol):
    """Where films are found again."""

    def frames(self, example: Example, times_s: Sequence[float]) -> list[bytes] | None:
        """JPEGs of the row's film, as large as the row's, one a time; None where the film is not there."""
        ...


def shows_its_film(example: Example) -> bool:
    """Whether the row shows frames of its own clip alone, in the film's order and under the film's times.

    Frames that were shuffled or edited, that another film lent or that go by their places are the question
    itself.
    """
    times_s = [each for each in example.frame_source_times_s if each is not None]
    return (
        bool(times_s)
        and tuple(times_s) == example.frame_times_s
        and all(before < after for before, after in itertools.pairwise(times_s))
        and all(example.clip_start_s <= each < example.clip_end_s for each in times_s)
    )


def with_frames(example: Example, count: int, films: Films) -> Example | None:
    """The row with `count` frames, each of the middle of its share of the clip.

    None where the row does not show its film, or the film is not there.
    """
    turns = _apart(example) if shows_its_film(example) else None
    if turns is None:
        return None
    share_s = (example.clip_end_s - example.clip_start_s) / count
    decimals = 1 if share_s > 0.1 else 3
    times_s = tuple(round(example.clip_start_s + (place + 0.5) * share_s, decimals) for place in range(count))
    images = films.frames(example, times_s)
    if images is None:
        return None
    before, turn, after = turns
    said = list(zip(frames_before(example.speech, times_s), example.speech, strict=True))
    names, shown = frame_names(times_s), list[ChatPart]()
    for place in range(count + 1):
        shown += [ChatPart(type="text", text=line.told) for before, line in said if before == place]
        if place < count:
            shown += [ChatPart(type="text", text=names[place]), ChatPart(type="image", text=None)]
    shown_turn = turn.model_copy(update={"content": (*before, *shown, *after)})
    prompt = tuple(shown_turn if each is turn else each for each in example.prompt)
    return example._replace(
        prompt=prompt, images=tuple(images), frame_times_s=times_s, frame_source_times_s=times_s
    )


def _apart(example: Example) -> tuple[Sequence[ChatPart], ChatMessage, Sequence[ChatPart]] | None:
    """What comes before the frames, with their labels and what is said, their turn, and what comes after.

    None where something else comes in between, or frames are in several turns.
    """
    turns = [turn for turn in example.prompt if any(part.type == "image" for part in turn.content)]
    if len(turns) != 1:
        return None
    parts = turns[0].content
    shown = [place for place, part in enumerate(parts) if is_shown(part, example)]
    wanted = 2 * len(example.images) + len(example.speech)
    if len(shown) != wanted or shown[-1] - shown[0] + 1 != wanted:
        return None
    return parts[: shown[0]], turns[0], parts[shown[-1] + 1 :]
