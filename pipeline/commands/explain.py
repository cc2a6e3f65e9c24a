"""The beginning of an id, a part of a file's name, or a step -> what it names, and its whole story."""

import re
from collections.abc import Callable, Iterator, Mapping

from reelproof.pipeline.commands.step_stories import step_of, tell_step
from reelproof.pipeline.commands.stories import Subject, tell_clip, tell_question, tell_sample, tell_video
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.workplace import FILES, Workplace, read_records
from reelproof.schemas.source import SourceIdentity

SHOWN_MATCHES = 8
_PAIR = re.compile("[0-9a-f]{32}-[0-9a-f]{32}")


def explain(workplace: Workplace, named: str) -> Iterator[str]:
    """The lines of a story. `named` is an id, the beginning of one, a part of a file's name, or a step.

    The id of a pair in `dpo` names both of its traces.

    Raises UsageError where it names nothing, or several things.
    """
    step = step_of(workplace, named)
    if step is not None:
        yield from tell_step(workplace, step)
        return
    for each in named.split("-") if _PAIR.fullmatch(named) else (named,):
        subject = _only(list(find(workplace, each)) or list(find_file(workplace, each)), each)
        yield from _STORIES[subject.kind](workplace, subject)


def find(workplace: Workplace, named: str) -> Iterator[Subject]:
    """Everything that `named` may stand for, part by part."""
    for part in workplace.parts:
        for source in part.sources:
            is_its_file = source.file.name == named or f"/{source.file.url}".endswith(f"/{named}")
            if is_its_file or source.video_id.startswith(named):
                yield Subject("video", source.video_id, part)
        for kind, step, column in _IDS:
            path = workplace.dag.named(step).file(part)
            if workplace.store.exists(path):
                ids = workplace.store.read_table(path, columns=[column])[column].to_pylist()
                yield from (Subject(kind, each, part) for each in ids if each.startswith(named))


def find_file(workplace: Workplace, named: str) -> Iterator[Subject]:
    """Videos one of whose files holds the text in its name, other names of the same bytes among them."""
    files = read_records(workplace.store, FILES, SourceIdentity)
    wanted = {each.video_id for each in files if named.casefold() in each.file.name.casefold()}
    for part in workplace.parts:
        for source in part.sources:
            if source.video_id in wanted:
                yield Subject("video", source.video_id, part)


_STORIES: Mapping[str, Callable[[Workplace, Subject], Iterator[str]]] = {
    "video": tell_video,
    "clip": tell_clip,
    "question": tell_question,
    "sample": tell_sample,
}
_IDS = (
    ("clip", "clips", "clip_id"),
    ("question", "questions", "question_id"),
    ("sample", "traces", "trace_id"),
)


def _only(every: list[Subject], named: str) -> Subject:
    found = list({(each.kind, each.id): each for each in every}.values())  # of a video tried again, the last
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(
            f"nothing here is called {named}; ids of samples are in the dataset's `sample_id` column"
        )
    shown = "\n".join(f"  {each.kind} {each.id}{_where(each)}" for each in found[:SHOWN_MATCHES])
    raise UsageError(f"{named} may be any of {len(found)}; give more of its id or path:\n{shown}")


def _where(subject: Subject) -> str:
    """Of a video, its file: several may have one name."""
    urls = (each.file.url for each in subject.part.sources if each.video_id == subject.id)
    return f": {next(urls)}" if subject.kind == "video" else ""
