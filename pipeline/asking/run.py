"""What `reelproof ask` was given -> one answer, and where a folder is named its evidence in it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from reelproof.pipeline.asking.ask import ask_film
from reelproof.pipeline.asking.film import AskedFilm
from reelproof.pipeline.asking.known import known_accuracy
from reelproof.pipeline.asking.settings import AskConfig
from reelproof.pipeline.asking.told import SIGNALS, draw_evidence
from reelproof.pipeline.asking.wording import task_asked
from reelproof.pipeline.disk.own_files import ASK, replace_own_files
from reelproof.pipeline.disk.renaming import written_then_renamed
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.settings_text import read_settings
from reelproof.pipeline.teachers.kinds import check_teacher, named_teacher, open_teacher
from reelproof.schemas.answered import Answered
from reelproof.schemas.answers.conclusion import Posed
from reelproof.schemas.counted import counted
from reelproof.schemas.question import Task
from reelproof.stages.teachers.protocol import TeacherNeeds

ANSWER, SHEET = "answer.json", "sheet.png"
_MOST_OPTIONS = 26


class Wanted(NamedTuple):
    """What the command was given."""

    video: Path
    question: str
    options: Sequence[str]
    task: str | None
    """A kind of answer by its name; by default as the question begins."""
    start_s: float
    end_s: float | None
    model: str
    server: str | None


def answer_question(
    wanted: Wanted,
    measured: Path | None,
    config: Path | None,
    overrides: Sequence[str],
    tell: Callable[[str], None],
) -> tuple[Answered, Mapping[str, bytes]]:
    """The answer, and the frames that were shown by their hashes.

    Raises UsageError for what cannot be asked, TeacherUnavailable where nobody answers.
    """
    cfg = read_settings(AskConfig, config, overrides)
    posed = _posed(wanted)
    film = AskedFilm(wanted.video, wanted.start_s, wanted.end_s, cfg)
    known = known_accuracy(wanted.model, posed.task, measured)
    named = named_teacher(wanted.model, wanted.server)
    side_px, tokens = cfg.long_side_px, cfg.votes.max_tokens
    check_teacher(named, TeacherNeeds(cfg.most_frames, side_px, side_px, max_tokens=tokens))
    if wanted.model == "signals":
        tell(SIGNALS)
    if not wanted.task:
        tell(f"taken as {posed.task}; --task takes it as another kind of question")
    with open_teacher(named) as teacher:
        found = ask_film(film, wanted.video.name, posed, teacher, cfg, known, tell)
    return found, film.jpegs


def write_evidence(found: Answered, jpegs: Mapping[str, bytes], out: Path) -> None:
    """All of an answer, and the frames that it cites on a sheet, into a folder of ours."""
    with written_then_renamed(out / ANSWER) as stream:
        stream.write(found.model_dump_json(indent=1).encode() + b"\n")
    with written_then_renamed(out / SHEET) as stream:
        stream.write(draw_evidence(found, jpegs))
    replace_own_files(ASK, Store(str(out)), (), (ANSWER, SHEET))


def _posed(wanted: Wanted) -> Posed:
    if not wanted.question.strip():
        raise UsageError("the question is empty; say what is asked about the film")
    options = tuple(each.strip() for each in wanted.options)
    task = _named(wanted.task) if wanted.task else task_asked(wanted.question, options)
    if any(not each for each in options) or len(set(options)) < len(options):
        raise UsageError(f"--option: each is another answer, and none is empty; got {list(options)}")
    if (task is Task.MULTIPLE_CHOICE) != bool(options) or len(options) == 1 or len(options) > _MOST_OPTIONS:
        raise UsageError(
            f"a question of kind {task} with {counted(len(options), 'option')}; multiple_choice has from 2 "
            f"to {_MOST_OPTIONS} of them (--option), and no other kind has any"
        )
    return Posed(task, " ".join(wanted.question.split()), options)


def _named(task: str) -> Task:
    try:
        return Task(task)
    except ValueError:
        raise UsageError(f"--task: got {task!r}; there are {', '.join(Task)}") from None
