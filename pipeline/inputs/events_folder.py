"""The folder of a watch -> rows of a manifest: events that a person judged, with their right answers."""

import json
from pathlib import Path

from reelproof.pipeline.disk.json_lines import read_lines
from reelproof.schemas.answers.truths import lenient_truth
from reelproof.schemas.event import UNUSUAL, Choice, Event, EventVerdict, last_verdicts
from reelproof.schemas.question import Task

EVENTS, VERDICTS, WATCH = "events.jsonl", "verdicts.jsonl", "watch.json"
_MEND = "mend or remove that line"
UNUSUAL_QUESTION = "Does something happen here that is unlike what is seen before and after it?"
"""How `unusual` is asked of whoever learns from events: their clips begin before them, and end after."""


def is_events_folder(place: str) -> bool:
    """Whether a watch keeps its events there."""
    return (Path(place) / WATCH).is_file()


def read_events(folder: Path) -> list[Event]:
    """Every event that was logged, in order; a line that is being written is none yet.

    Raises UsageError for a line that is no event's.
    """
    return list(read_lines(folder / EVENTS, Event, _MEND))


def read_verdicts(folder: Path) -> dict[str, Choice]:
    """event_id -> what a person said of it last. Raises UsageError for a line that is no verdict's."""
    return last_verdicts(list(read_lines(folder / VERDICTS, EventVerdict, _MEND)))


def judged_rows(folder: Path) -> bytes:
    """A row for each event with a clip whose right answer follows from the verdict, as lines of JSON.

    Raises ValueError where there is none.
    """
    verdicts = read_verdicts(folder)
    found = (_row(folder, event, verdicts.get(event.event_id)) for event in read_events(folder))
    rows = [row for row in found if row is not None]
    if not rows:
        raise ValueError(
            "no event in it has a clip and a verdict that tells the right answer; "
            f"`reelproof browse {folder}` takes verdicts"
        )
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def right_answer(event: Event, verdict: Choice | None) -> str | None:
    """What would have been right; None where the verdict does not tell."""
    if verdict not in (Choice.RIGHT, Choice.WRONG):
        return None
    said = "yes" if event.question == UNUSUAL else event.answer
    if verdict is Choice.RIGHT:
        return said
    truth = lenient_truth(said) if event.task is Task.BOOLEAN else None
    return None if truth is None else "no" if truth else "yes"


def _row(folder: Path, event: Event, verdict: Choice | None) -> dict[str, object] | None:
    answer = right_answer(event, verdict)
    clip = event.clip
    if answer is None or clip is None or not (folder / clip.file).is_file():
        return None
    row: dict[str, object] = {
        "video": clip.file,
        "question": UNUSUAL_QUESTION if event.question == UNUSUAL else event.question,
        "answer": answer,
        "task": str(event.task),
        "kind": "watched",
    }
    if event.options:
        row["options"] = list(event.options)
    if event.question != UNUSUAL:
        row["start_s"] = round(max(event.start_s - clip.start_s, 0.0), 3)
        row["end_s"] = round(min(event.end_s, clip.end_s) - clip.start_s, 3)
    return row
