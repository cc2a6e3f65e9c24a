"""A recipe's sources -> a workplace: which videos there are, in which parts, and what was asked of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import Damaged
from reelproof.pipeline.inputs.distinct import distinct_videos, told_licenses
from reelproof.pipeline.inputs.identities import identify
from reelproof.pipeline.inputs.sources import SourceList, given_rows
from reelproof.pipeline.inputs.subtitle_files import find_subtitles
from reelproof.pipeline.parts.plan import Part, Plan, SizedVideo, ask_again, extend_plan
from reelproof.pipeline.recipe import Recipe
from reelproof.pipeline.teachers.completions import CompletionLog
from reelproof.pipeline.workplace import FILES, LOST, SUBTITLES, Workplace, read_plan, read_records
from reelproof.schemas.counted import counted
from reelproof.schemas.footage import Quarantine
from reelproof.schemas.question import GivenRow
from reelproof.schemas.record import Record
from reelproof.schemas.source import SourceIdentity, SubtitleFile
from reelproof.schemas.tables import to_table

R = TypeVar("R", bound=Record)

Say = Callable[[str], None]


class Again(NamedTuple):
    """What came to nothing before, and is to be tried once more."""

    quarantined: bool = False
    failed: bool = False
    """Requests to teachers that ended in a failure; only parts that hold some are gone through again."""


class Ingested(NamedTuple):
    """A workplace, and what its next build has to know of the sources."""

    workplace: Workplace
    files: tuple[SourceIdentity, ...]
    """Every file that was read, several names of one video among them."""
    lost: tuple[Quarantine, ...]
    """Files that could not be read."""


def ingest(store: Store, recipe: Recipe, listed: SourceList, again: Again, say: Say) -> Ingested:
    """Look at the files that were listed and plan the parts; nothing is written."""
    known = _known(store, FILES, SourceIdentity)
    identities = identify(listed.files, known)
    sources = tuple(distinct_videos(identities.found, known))
    plan = read_plan(store) or Plan()
    given = tuple(given_rows(listed.questions, identities.found))
    before = Workplace(store, recipe, plan, sources, given)
    lost = set(before.unaccounted())
    if again.quarantined:
        lost |= {each.video_id for each in before.quarantined()}
    sized = [SizedVideo(video_id=each.video_id, size_bytes=each.file.size_bytes) for each in sources]
    grown = extend_plan(plan, sized, recipe.parts, sorted(lost))
    if again.failed:
        failed = _parts_with_failures(store, plan)
        say(f"failed requests are asked again in {len(failed)} part(s)")
        grown = ask_again(grown, failed)
    for line in (*listed.notes, *_replaced(known, identities.found), *told_licenses(identities.found)):
        say(line)
    subtitles = subtitles_beside(store, recipe, sources)
    doubles = len(identities.found) - len(sources)
    new = len(grown.owner().keys() - plan.owner().keys())
    say(_counted(len(sources), new, given, doubles, listed.skipped))
    if subtitles:
        say(f"subtitles: beside {len(subtitles)} of the videos")
    workplace = Workplace(store, recipe, grown, sources, given, subtitles=subtitles)
    return Ingested(workplace, identities.found, identities.lost)


def save_ingested(ingested: Ingested) -> None:
    """Write down what is known of the sources, the recipe, and, last, the plan."""
    store = ingested.workplace.store
    store.write_table(FILES, to_table(ingested.files, SourceIdentity))
    store.write_table(LOST, to_table(ingested.lost, Quarantine))
    ingested.workplace.save()


def subtitles_beside(
    store: Store, recipe: Recipe, sources: Sequence[SourceIdentity]
) -> tuple[SubtitleFile, ...]:
    """Those beside the videos, where the recipe wants to know what is said."""
    if recipe.speech is None:
        return ()
    known = _known(store, SUBTITLES, SubtitleFile)
    return tuple(find_subtitles(sources, recipe.speech.language, known))


def _known(store: Store, path: str, record: type[R]) -> list[R]:
    """What the last build knew of files; nothing where that is damaged: all are read anew."""
    try:
        return read_records(store, path, record)
    except Damaged:
        return []


def _parts_with_failures(store: Store, plan: Plan) -> list[int]:
    def fails(part: Part) -> bool:
        return CompletionLog(store.fs, store.path(part.completions)).holds_failures()

    found = side_by_side(store, fails, plan.parts)
    return [part.number for part, fails in zip(plan.parts, found, strict=True) if fails]


def _replaced(known: list[SourceIdentity], found: tuple[SourceIdentity, ...]) -> list[str]:
    before = {each.file.url: each.video_id for each in known}
    return [
        f"{each.file.url} was replaced since the last build: another video now, and the old one's rows go"
        for each in found
        if before.get(each.file.url, each.video_id) != each.video_id
    ]


def _counted(
    videos: int, new: int, given: Sequence[GivenRow], doubles: int, skipped: Mapping[str, int]
) -> str:
    traces = sum(each.completion is not None for each in given)
    asked = [f", {counted(len(given), 'question')}"] if given else []
    asked += [f", {traces} of them with a trace"] if traces else []
    others = [f"{counted(doubles, 'more name')} of the same bytes"] if doubles else []
    others += [f"{count} skipped: {reason.replace('_', ' ')}" for reason, count in skipped.items() if count]
    told = f"sources: {counted(videos, 'video')}, {new} of them new{''.join(asked)}"
    return told + (f" ({'; '.join(others)})" if others else "")
