"""A row and its film -> the row with more frames of its clip, where it shows frames as the film does."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

from reelproof.schemas.sample import ChatMessage, ChatPart
from reelproof.schemas.speech import frames_before
from reelproof.training.batches import is_label
from reelproof.training.shards import Example


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
        and all(before < after for before, after in pairwise(times_s))
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
    times_s = tuple(round(example.clip_start_s + (place + 0.5) * share_s, 1) for place in range(count))
    images = films.frames(example, times_s)
    if images is None:
        return None
    before, turn, after = turns
    said = list(zip(frames_before(example.speech, times_s), example.speech, strict=True))
    shown: list[ChatPart] = []
    for place, time_s in enumerate(times_s):
        shown += [ChatPart(type="text", text=line.told) for before, line in said if before == place]
        shown += [ChatPart(type="text", text=f"[{time_s:.1f} s]"), ChatPart(type="image", text=None)]
    shown += [ChatPart(type="text", text=line.told) for before, line in said if before == count]
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
    parts, told = turns[0].content, {line.told for line in example.speech}
    shown = [
        place
        for place, part in enumerate(parts)
        if part.type == "image" or is_label(part.text) or part.text in told
    ]
    wanted = 2 * len(example.images) + len(example.speech)
    if len(shown) != wanted or shown[-1] - shown[0] + 1 != wanted:
        return None
    return parts[: shown[0]], turns[0], parts[shown[-1] + 1 :]
