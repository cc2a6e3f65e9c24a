"""Sources -> parts: fixed groups of videos, the unit of work, of caching and of retry.

A part never changes once it is written down. New videos open new parts; so do quarantined ones that are tried
again, and then the later part counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from pydantic import Field

from reelproof.schemas.record import Record
from reelproof.schemas.settings import Settings

TOGETHER = 2
"""A video alone in its part is asked nothing that takes the frames of another."""


class PartsConfig(Settings):
    """How many videos make a part. Changing it changes only parts that are yet to be opened."""

    videos: int = Field(default=8, ge=1, le=10_000)
    """A part holds at most so many videos."""
    megabytes: int = Field(default=256, ge=1)
    """A part is closed when its files together reach this size; about half an hour of 720p."""
    at_least: int = Field(default=16, ge=1, le=10_000)
    """New videos make so many parts, where each gets two of them: few films keep many workers busy. No count
    of the workers themselves, for where a build runs must not decide what comes out of it."""

    def videos_a_part(self, new: int) -> int:
        """How many of so many new videos a part holds."""
        return min(self.videos, max(TOGETHER, new // self.at_least))


class SizedVideo(Record):
    """What planning needs to know of a video."""

    video_id: str
    size_bytes: int


class Part(Record):
    """A fixed group of videos."""

    number: int = Field(ge=0)
    video_ids: tuple[str, ...]

    @cached_property
    def name(self) -> str:
        """`part-00007`"""
        return f"part-{self.number:05d}"

    @property
    def completions(self) -> str:
        """The folder of the log of what models answered for it."""
        return f"completions/{self.name}"


class Plan(Record):
    """All parts of a build, in the order in which they were opened."""

    parts: tuple[Part, ...] = ()
    asked_again: Mapping[int, int] = {}
    """Part number -> how many times the requests of it that had failed were asked again."""

    def owner(self) -> dict[str, int]:
        """video_id -> the number of the last part that holds it: the one that counts."""
        return {video_id: part.number for part in self.parts for video_id in part.video_ids}


def extend_plan(
    plan: Plan, videos: Iterable[SizedVideo], cfg: PartsConfig, again: Sequence[str] = ()
) -> Plan:
    """The plan with new parts for the videos that it does not hold yet, and for those to be tried again."""
    held = set(plan.owner()) - set(again)
    waiting = sorted(
        (video for video in videos if video.video_id not in held), key=lambda video: video.video_id
    )
    parts = list(plan.parts)
    group: list[SizedVideo] = []
    most = cfg.videos_a_part(len(waiting))
    for video in waiting:
        group.append(video)
        full = sum(each.size_bytes for each in group) >= cfg.megabytes * 1_000_000
        if full or len(group) == most:
            parts.append(_part(len(parts), group))
            group = []
    if group:
        parts.append(_part(len(parts), group))
    return plan.model_copy(update={"parts": tuple(parts)})


def ask_again(plan: Plan, parts: Iterable[int]) -> Plan:
    """The plan with one more round for the requests of these parts that had failed."""
    rounds = dict(plan.asked_again)
    for number in parts:
        rounds[number] = rounds.get(number, 0) + 1
    return plan.model_copy(update={"asked_again": rounds})


def _part(number: int, group: Sequence[SizedVideo]) -> Part:
    return Part(number=number, video_ids=tuple(video.video_id for video in group))
