"""The folder of a watch -> its events as pages, with their clips, frames and verdicts, served or written out.

Text from videos, questions and models is only ever text in them; they load nothing from outside and run no
script.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reelproof.pipeline.inputs.events_folder import WATCH, read_events, read_verdicts
from reelproof.pipeline.report.plain import Page, PlainTemplate, write_pages
from reelproof.schemas.event import UNUSUAL, Choice, Event
from reelproof.schemas.intervals import Interval, wilson
from reelproof.schemas.tick import MEASURES

UNJUDGED = "unjudged"
SHOWN = {"all": "All", UNJUDGED: "Unjudged", **{str(each): each.capitalize() for each in Choice}}
"""Kinds of events, and what a page calls them."""


class EventCard(NamedTuple):
    """An event as a page shows it."""

    event: Event
    verdict: Choice | None
    clip: str
    """Where its clip is; empty where there is none."""
    frames: tuple[str, ...]
    """Where its frames are; empty texts for those that are gone."""

    @property
    def is_unusual(self) -> bool:
        """Whether it answers no question."""
        return self.event.question == UNUSUAL


class EventPages:
    """The pages of one watch, as its folder is now."""

    def __init__(self, folder: Path, token: str = "") -> None:
        """With a `token`, pages take verdicts, and send it along."""
        self.folder, self._token = folder, token
        self._template = PlainTemplate("events", has_forms=bool(token))
        self.content_policy = self._template.content_policy

    shown = SHOWN

    def page(self, shown: str, number: int) -> str:
        """Events, the last first: all, those without a verdict, or those with one."""
        events, verdicts = read_events(self.folder), read_verdicts(self.folder)
        fitting = [each for each in reversed(events) if _fits(shown, verdicts.get(each.event_id))]
        page = Page.of(fitting, shown, number)
        said = {choice: sum(each is choice for each in verdicts.values()) for choice in Choice}
        return self._template.render(
            page=page._replace(entries=[self._card(each, verdicts) for each in page.entries]),
            captions=SHOWN,
            counts={"all": len(events), **said},
            is_served=bool(self._token),
            token=self._token,
            choices=list(Choice),
            measures=MEASURES,
            status=_json(self.folder / "status.json"),
            watch=_json(self.folder / WATCH),
            precision=precision(verdicts),
        )

    def _card(self, event: Event, verdicts: Mapping[str, Choice]) -> EventCard:
        clip = event.clip.file if event.clip and (self.folder / event.clip.file).is_file() else ""
        frames = (f"frames/{each.sha256}.jpg" for each in event.frames)
        there = tuple(frame if (self.folder / frame).is_file() else "" for frame in frames)
        return EventCard(event, verdicts.get(event.event_id), clip, there)


def precision(verdicts: Mapping[str, Choice]) -> Interval | None:
    """Share of the judged events that were right; None where nobody judged one."""
    right = sum(each is Choice.RIGHT for each in verdicts.values())
    wrong = sum(each is Choice.WRONG for each in verdicts.values())
    return wilson(right, right + wrong) if right + wrong else None


def write_events(folder: Path, out: Path, into_used: bool) -> int:
    """The pages, with their clips and frames, in a folder that can be put anywhere. Returns the events."""
    events, pages = read_events(folder), EventPages(folder)
    files = _shown_files(folder, events)
    write_pages(
        out, into_used, folder, files, "events", len(events), lambda number: pages.page("all", number)
    )
    return len(events)


def _shown_files(folder: Path, events: Sequence[Event]) -> list[Path]:
    clips = [folder / each.clip.file for each in events if each.clip]
    frames = [folder / f"frames/{frame.sha256}.jpg" for each in events for frame in each.frames]
    return [path for path in dict.fromkeys((*clips, *frames)) if path.is_file()]


def _fits(shown: str, verdict: Choice | None) -> bool:
    return shown == "all" or (verdict is None if shown == UNJUDGED else verdict == shown)


def _json(path: Path) -> Any:
    """Empty where it is damaged: events are shown all the same."""
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError:
        return {}
