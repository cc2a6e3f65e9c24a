"""The folder of a training, of votes or of an evaluation -> what the model said, as pages."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.report.plain import Page, PlainTemplate, write_pages
from reelproof.schemas.answers.reading import Reading, read_answer
from reelproof.schemas.evaluation import SCORED, EvaluatedAnswer
from reelproof.schemas.record import Record
from reelproof.schemas.rollout import Rollout, RolloutGroup

ROLLOUTS = "rollouts.jsonl"
SHOWN = {"all": "All", "right": "All right", "mixed": "Some right", "wrong": "None right"}
"""Kinds of questions, and what a page calls them."""
R = TypeVar("R", bound=Record)


class Said(NamedTuple):
    """A completion as a page shows it."""

    rollout: Rollout
    reading: Reading


class Card(NamedTuple):
    """A question as a page shows it."""

    group: RolloutGroup
    style: str
    """How it was asked; empty in training."""

    @property
    def said(self) -> list[Said]:
        """What was said, the best first."""
        ranked = sorted(self.group.rollouts, key=lambda each: -each.reward)
        return [Said(each, read_answer(each.text, self.style)) for each in ranked]

    @property
    def has_advantages(self) -> bool:
        """Whether any was learned from; an evaluation's are not."""
        return any(each.advantage is not None for each in self.group.rollouts)

    @property
    def kind(self) -> str:
        """Whether all of it is right, some or none."""
        rights = [each.right >= 1 for each in self.group.rollouts]
        return "right" if all(rights) else "mixed" if any(rights) else "wrong"


def is_rollouts_folder(place: str) -> bool:
    """Whether a run logged there what its model said."""
    return any((Path(place) / name).is_file() for name in (ROLLOUTS, SCORED))


class RolloutPages:
    """The pages of one run, as its folder is now."""

    def __init__(self, folder: Path, is_served: bool = True) -> None:
        self.folder, self.is_served = folder, is_served
        self._template = PlainTemplate("rollouts")
        self.content_policy = self._template.content_policy

    shown = SHOWN

    def cards(self, shown: str) -> list[Card]:
        """Those of a kind: of training the last step first. Raises UsageError for a line that is none."""
        found = [Card(each, "") for each in _records(self.folder / ROLLOUTS, RolloutGroup)]
        if (self.folder / ROLLOUTS).is_file():
            found.reverse()
        found += [_evaluated(each) for each in _records(self.folder / SCORED, EvaluatedAnswer)]
        return [each for each in found if shown in ("all", each.kind)]

    def page(self, shown: str, number: int) -> str:
        """A page of these, counted from 1."""
        return self._template.render(
            name=self.folder.resolve().name,
            page=Page.of(self.cards(shown), shown, number),
            captions=SHOWN,
            counts={},
            is_served=self.is_served,
            frame=self._frame,
        )

    def _frame(self, sha256: str) -> str:
        """Where a frame is; empty where it is not kept."""
        name = f"frames/{sha256}.jpg"
        there = (self.folder / name).is_file()
        return f"{'/' if self.is_served else ''}{name}" if there else ""


def write_rollouts(folder: Path, out: Path, into_used: bool) -> int:
    """The pages, with their frames, in a folder that can be put anywhere. Returns the questions."""
    pages = RolloutPages(folder, is_served=False)
    cards = pages.cards("all")
    frames = {folder / f"frames/{each.sha256}.jpg" for card in cards for each in card.group.frames}
    files = sorted(each for each in frames if each.is_file())
    write_pages(
        out, into_used, folder, files, "rollouts", len(cards), lambda number: pages.page("all", number)
    )
    return len(cards)


def _records(file: Path, kind: type[R]) -> Iterator[R]:
    """A log's lines; one that is being written is none yet."""
    if not file.is_file():
        return
    *lines, _ = file.read_text(encoding="utf-8").split("\n")
    try:
        yield from map(kind.model_validate_json, lines)
    except ValidationError:
        raise UsageError(f"{file} is not as a run of ours writes it; run that again") from None


def _evaluated(answer: EvaluatedAnswer) -> Card:
    measured = {name: getattr(answer, name) for name in ("lenient", "agreement", "evidence")}
    rollout = Rollout(
        text=answer.completion,
        reward=answer.strict,
        right=answer.strict,
        components={name: value for name, value in measured.items() if value is not None},
    )
    asked = answer.model_dump(include={"question_id", "question", "options", "answer", "video"})
    return Card(RolloutGroup(step=0, **asked, rollouts=(rollout,)), answer.style)
