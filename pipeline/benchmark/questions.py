"""A manifest -> every question that it holds, as rows to ask a model, whose frames are fetched when due."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple

from reelproof.pipeline.benchmark.films import CannotBeShown, jpegs_of, length_s, times_of
from reelproof.pipeline.benchmark.settings import USUAL_LABELS, BenchmarkConfig
from reelproof.pipeline.benchmark.speech import speech_of
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.inputs.questions_file import ListedRow, ListProblem
from reelproof.pipeline.inputs.row_file import problem_text
from reelproof.pipeline.inputs.sources import ListedRows, SourceError, find_files, read_manifest
from reelproof.schemas.answers.conclusion import Posed
from reelproof.schemas.answers.scores import gold_fault
from reelproof.schemas.chat import Message, TextPart
from reelproof.schemas.footage import Span
from reelproof.schemas.question import GivenQuestion, ShownPicture, Task
from reelproof.schemas.sample import ChatMessage, ChatPart
from reelproof.schemas.source import SourceFile
from reelproof.schemas.speech import SpeechLine, lines_within
from reelproof.stages.questions.given import task_of
from reelproof.stages.speech.film import thinned
from reelproof.stages.teachers.messages import question_messages
from reelproof.stages.teachers.prompts import DIRECT, ROLLOUT
from reelproof.training.frames import size_px
from reelproof.training.questions import QuestionSet
from reelproof.training.settings.rows import PromptConfig, PromptStyle
from reelproof.training.shards import Example

_TOLD, _TRIED = 5, 8


class BenchmarkQuestion(NamedTuple):
    """One question of a manifest, before a film is opened."""

    question_id: str
    """Hash of what is asked of which video, and how often it was asked before."""
    video: str
    """As the manifest names it."""
    place: str
    """Where the video is to be found, as far as its name tells."""
    task: Task
    given: GivenQuestion
    labels: dict[str, str]


class _Film(NamedTuple):
    url: str
    length_s: float
    size_bytes: int
    lines: tuple[SpeechLine, ...]


class ManifestQuestions(QuestionSet):
    """Every question of a manifest; of its videos, only lengths are known until a row is shown."""

    def __init__(self, cfg: BenchmarkConfig) -> None:
        """Raises SourceError for rows that cannot be used, and for missing videos where these stop it."""
        self._cfg = cfg
        self._listed = read_manifest(cfg.sources)
        self.questions, self.notes = read_questions(cfg, self._listed)
        self.sha256 = _sha256([each.question_id for each in self.questions])
        self.leaves_out_lost = cfg.missing_videos == "left_out"
        self._lost: dict[str, str] = {}
        self._films: dict[str, _Film] = {}
        self._made: dict[PromptStyle, tuple[Example, ...]] = {}
        self._by_id = {each.question_id: each for each in self.questions}
        if not self._is_blind or cfg.speech:
            self._find_films()

    def examples(self, style: PromptStyle) -> Sequence[Example]:
        """Every question, its frames still to come."""
        if style not in self._made:
            self._made[style] = tuple(self._example(each, style) for each in self.questions)
        return self._made[style]

    def shown(self, example: Example) -> Example | None:
        """The row with its frames; None where the video cannot be decoded.

        Raises SourceError where that is to stop the command.
        """
        if example.question_id in self._lost:
            return None
        if not example.images:
            return example
        question = self._by_id[example.question_id]
        times_s = [time_s for time_s in example.frame_times_s if time_s is not None]
        film = self._films[question.place].url
        try:
            return example._replace(images=jpegs_of(film, times_s, self._cfg.frames))
        except CannotBeShown as error:
            self._lose(
                {each.question_id: str(error) for each in self.questions if each.place == question.place}
            )
            return None

    def lost(self, example: Example) -> str:
        """Why its video cannot be shown; empty where it can."""
        return self._lost.get(example.question_id, "")

    def is_lost(self, question: BenchmarkQuestion) -> bool:
        """Whether its video cannot be shown."""
        return question.question_id in self._lost

    def film(self, question: BenchmarkQuestion) -> tuple[str, float]:
        """Where the video of a question that is not lost lies, and how long it is."""
        found = self._films[question.place]
        return found.url, found.length_s

    def frame_sizes(self) -> Collection[tuple[int, int]]:
        """Of the first row that can be shown: films differ, and to open all takes long."""
        for example in self.examples("published")[:_TRIED]:
            shown = self.shown(example)
            if shown is not None:
                return {size_px(jpeg) for jpeg in shown.images}
        return ()

    def prompt(self, style: PromptStyle) -> PromptConfig:
        """As the rows have it: what is asked for, a thought or none, stands in them."""
        return PromptConfig(style="brief" if style == "brief" else "published")

    @property
    def _is_blind(self) -> bool:
        return self._cfg.frames.count == 0 and self._cfg.frames.fps is None

    def _find_films(self) -> None:
        """Lengths of all films, side by side, so that what is damaged is known before anything is asked."""
        rows = [row for row in self._listed.rows if row.question is not None]
        files, gone, _ = find_files(rows, self._cfg.sources, self._listed.url, self._listed.manifest.unit)
        with ThreadPoolExecutor() as pool:
            for place, film in zip(files, pool.map(self._look, files.values()), strict=True):
                if isinstance(film, str):
                    gone[place] = film
                else:
                    self._films[place] = film
        whole = {each.question_id: gone[each.place] for each in self.questions if each.place in gone}
        self._lose(
            whole | {each.question_id: reason for each in self.questions if (reason := self._outside(each))}
        )

    def _outside(self, question: BenchmarkQuestion) -> str:
        """Why the stretch that a question asks about is not in its film; empty where it is."""
        film, start_s = self._films.get(question.place), question.given.start_s or 0.0
        if film is None or self._is_blind or start_s < film.length_s:
            return ""
        return f"{film.url}: it is {film.length_s:.1f} s long, and the question asks about {start_s:g} s on"

    def _look(self, file: SourceFile) -> _Film | str:
        speech = speech_of(file.url, self._cfg.speech) if self._cfg.speech else ()
        try:
            length = 0.0 if self._is_blind else length_s(file.url)
        except CannotBeShown as error:
            return f"{file.url}: {error}"
        return _Film(file.url, length, file.size_bytes, speech)

    def _lose(self, lost: dict[str, str]) -> None:
        """Questions that cannot be shown, and why. Raises SourceError where they are to stop the command."""
        if lost and self._cfg.missing_videos == "stop":
            told = [f"  {reason}" for reason in dict.fromkeys(lost.values())]
            if len(told) > _TOLD:
                told[_TOLD:] = [f"  … and {len(told) - _TOLD} more"]
            raise SourceError(
                f"{self._listed.url}: {len(lost)} of {len(self.questions)} questions cannot be asked, since "
                "their videos are missing or damaged; name the videos' folder (--videos), or say "
                "--set missing_videos=wrong to count them as wrong, --set missing_videos=left_out to leave "
                "them out\n" + "\n".join(told)
            )
        self._lost |= lost

    def _example(self, question: BenchmarkQuestion, style: PromptStyle) -> Example:
        film = self._films.get(question.place, _Film("", 0.0, 0, ()))
        given = question.given
        end_s = min(each for each in (given.end_s, film.length_s or None, 1e9) if each is not None)
        span = Span(start_s=given.start_s or 0.0, end_s=end_s)
        is_shown = film.url and not self._is_blind and question.question_id not in self._lost
        times_s = times_of(span, self._cfg.frames) if is_shown else ()
        posed = Posed(question.task, given.question, given.options)
        lines = lines_within(film.lines, span)
        if self._cfg.speech:
            lines = thinned(lines, self._cfg.speech.max_words)
        frames = [ShownPicture("", time_s) for time_s in times_s]
        asked = DIRECT if style == "direct" else ROLLOUT
        prompt = tuple(map(_as_published, question_messages(asked, posed, span, frames, lines)))
        decides = [
            question.question_id,
            film.size_bytes,
            times_s,
            self._cfg.frames.model_dump(),
            "\n".join(part.text or "" for turn in prompt for part in turn.content),
        ]
        return Example(
            sample_id=_sha256(decides)[:32],
            question_id=question.question_id,
            task=question.task,
            question=given.question,
            options=given.options,
            answer=given.answer,
            tolerance=None,
            clip_start_s=span.start_s,
            clip_end_s=span.end_s,
            video_id="",
            video=question.video,
            frame_times_s=times_s,
            frame_source_times_s=times_s,
            images=(b"",) * len(times_s),
            prompt=prompt,
            completion=None,
            scores={},
            labels=question.labels,
            speech=lines,
        )


def read_questions(
    cfg: BenchmarkConfig, listed: ListedRows
) -> tuple[tuple[BenchmarkQuestion, ...], tuple[str, ...]]:
    """Every question of the rows, in order, and what is worth telling of the others.

    Raises SourceError for rows that cannot be used, unless they are to be left out.
    """
    pairs = list(zip(listed.manifest.rows, listed.rows, strict=True))
    found, problems, seen = [], list(listed.manifest.problems), Counter[str]()
    for named, row in pairs:
        if row.question is None:
            continue
        task = task_of(row.question)
        if fault := gold_fault(task, row.question.answer, row.question.options):
            problems.append(ListProblem(row.number, fault))
            continue
        told = [named.video, row.question.model_dump(mode="json", exclude={"kind", "split", "completion"})]
        identity = _sha256(told)
        seen[identity] += 1
        again = [] if seen[identity] == 1 else [seen[identity]]
        found.append(
            BenchmarkQuestion(
                _sha256([identity, *again])[:32],
                named.video,
                row.video,
                task,
                row.question,
                _labels(row, cfg.by),
            )
        )
    if problems and cfg.sources.on_error == "fail":
        raise SourceError(problem_text(listed.url, listed.manifest.unit, sorted(problems)))
    if not found:
        raise SourceError(
            f"sources.manifest: {listed.url} holds no question; its rows need one with its answer"
        )
    _check_labels(cfg, [row for _, row in pairs])
    notes = [problem_text(listed.url, listed.manifest.unit, sorted(problems))] if problems else []
    return tuple(found), tuple(notes)


def _labels(row: ListedRow, by: Sequence[str]) -> dict[str, str]:
    kind = {"kind": row.question.kind} if row.question else {}
    return kind | {name: row.labels[name] for name in by or USUAL_LABELS if name in row.labels}


def _check_labels(cfg: BenchmarkConfig, rows: Iterable[ListedRow]) -> None:
    there = {name for row in rows for name in row.labels} | {"kind"}
    if unknown := [name for name in cfg.by if name not in there]:
        raise UsageError(
            f"by: no row has {', '.join(unknown)}; the manifest's columns of short texts are "
            f"{', '.join(sorted(there))}"
        )


def _as_published(message: Message) -> ChatMessage:
    parts = (_part(part.text if isinstance(part, TextPart) else None) for part in message.content)
    return ChatMessage(role=message.role, content=tuple(parts))


@lru_cache(maxsize=1 << 16)
def _part(text: str | None) -> ChatPart:
    """One for all frames, and for all that stand at the same time."""
    return ChatPart(type="image" if text is None else "text", text=text)


def _sha256(plain: Any) -> str:
    return hashlib.sha256(json.dumps(plain, ensure_ascii=False).encode()).hexdigest()
