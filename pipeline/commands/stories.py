"""A video, clip, question or sample -> its story in lines: frames, claims, every score, every rule."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple, TypeVar

from reelproof.pipeline.commands.alike_stories import tell_alike
from reelproof.pipeline.commands.contact_sheet import draw_contact_sheet
from reelproof.pipeline.commands.verdict_stories import tell_question_verdict, tell_trace_verdict
from reelproof.pipeline.disk.sealed import open_parquet
from reelproof.pipeline.disk.store import DiskFull
from reelproof.pipeline.parts.part import PartInputs, PartRun
from reelproof.pipeline.workplace import FILES, Workplace, read_records
from reelproof.schemas.chat import ImagePart, Message
from reelproof.schemas.clip_quality import ClipQuality
from reelproof.schemas.counted import counted
from reelproof.schemas.edited import PLAIN, EditedQuestion
from reelproof.schemas.footage import Clip, Footage, Span, Storyboard, joined, uncovered
from reelproof.schemas.frame_names import frame_names
from reelproof.schemas.question import Question
from reelproof.schemas.record import Record
from reelproof.schemas.source import SourceIdentity
from reelproof.schemas.speech import ClipSpeech, FilmSpeech, SpeechLine, shown_lines
from reelproof.schemas.tables import from_table
from reelproof.schemas.trace import Claim, Trace
from reelproof.stages.teachers.messages import rollout_messages
from reelproof.stages.teachers.prompts import ROLLOUTS

R = TypeVar("R", bound=Record)

SHOWN_SCENES = 6
REQUEST_LINES = 40
FRAMES_A_LINE = 4


class Subject(NamedTuple):
    """Something that an id names."""

    kind: str
    """`video`, `clip`, `question` or `sample`."""
    id: str
    part: PartInputs


def _run(workplace: Workplace, part: PartInputs) -> PartRun:
    return PartRun(workplace.store, part, {step.name: step.file(part) for step in workplace.dag.steps})


def tell_video(workplace: Workplace, subject: Subject) -> Iterator[str]:
    """A file, its scenes and its clips; draws its contact sheet."""
    source = next(each for each in subject.part.sources if each.video_id == subject.id)
    yield f"video {subject.id}"
    yield f"  file {source.file.url}, {source.file.size_bytes:,} bytes, licence {source.file.license}"
    for other in read_records(workplace.store, FILES, SourceIdentity):
        if other.video_id == subject.id and other.file.url != source.file.url:
            yield f"  the same bytes: {other.file.url}, licence {other.file.license}"
    yield f"  in {subject.part.name}"
    for each in workplace.quarantined_in(subject.part):
        if each.video_id == subject.id:
            yield f"  in quarantine: {each.kind}: {each.detail}"
            return
    run = _run(workplace, subject.part)
    board = next((each for each in run.read("storyboards", Storyboard) if each.video_id == subject.id), None)
    footage = _footage_of(run, subject.id)
    if footage is None or board is None:
        yield "  not scanned yet: build again"
        return
    yield from _tell_footage(footage, board)
    yield from _tell_speech(run, subject.id)
    clips = [each for each in run.read("clips", Clip) if each.video_id == subject.id]
    questions = [each for each in run.read("questions", Question) if each.video_id == subject.id]
    for clip in clips:
        mine = [each for each in questions if each.clip_id == clip.clip_id]
        yield f"  clip {clip.clip_id}: {clip.kind}, {_span(clip)}, {counted(len(mine), 'question')}"
    for gap in uncovered(footage.duration_s, [Span(start_s=c.start_s, end_s=c.end_s) for c in clips]):
        yield f"  in no clip: [{gap.start_s:.2f}, {gap.end_s:.2f}) s"
    path = f"report/contact-{subject.id[:16]}.png"
    try:
        workplace.store.write_bytes(path, draw_contact_sheet(footage, board))
    except (OSError, DiskFull) as error:  # the build may be on a disk that is only read
        yield f"  no contact sheet: {getattr(error, 'strerror', None) or error}"
    else:
        yield f"  contact sheet: {workplace.store.path(path)}"


def _footage_of(run: PartRun, video_id: str) -> Footage | None:
    """One video's footage, with its JPEG bytes."""
    rows: list[Footage] = []
    with open_parquet(run.store, run.above["footage"]) as parquet:
        for group in range(parquet.num_row_groups):
            every = from_table(parquet.read_row_group(group), Footage)
            rows += [each for each in every if each.video.video_id == video_id]
    return joined(rows) if rows else None


def _tell_footage(footage: Footage, board: Storyboard) -> Iterator[str]:
    video = footage.video
    yield (
        f"  {video.codec}, {video.width}x{video.height}, {video.fps:.2f} fps, "
        f"declared {video.duration_s:.2f} s, "
        f"decoded {footage.duration_s:.2f} s, {counted(footage.frame_count, 'frame')} looked at, "
        f"{len(footage.candidates)} kept as JPEG"
    )
    if footage.salvage:
        yield f"  salvaged: {footage.salvage}"
    for lost in footage.damaged:
        yield f"  damaged: [{lost.start_s:.2f}, {lost.end_s:.2f}) s"
    for scene in board.scenes:
        times = [
            f"{each.time_s:.1f}" for each in board.keyframes if scene.start_s <= each.time_s < scene.end_s
        ]
        yield (
            f"  scene [{scene.start_s:.2f}, {scene.end_s:.2f}) s, {scene.cut_kind} {scene.cut_score:.2f}, "
            f"keyframes at {', '.join(times) or 'none'} s"
        )


def tell_clip(workplace: Workplace, subject: Subject) -> Iterator[str]:
    """A clip, what it looks like, its questions, and what shows nearly the same."""
    run = _run(workplace, subject.part)
    clip = next(each for each in run.read("clips", Clip) if each.clip_id == subject.id)
    yield f"clip {clip.clip_id}: {clip.kind}, {_span(clip)} of video {clip.video_id}"
    yield f"  {_scenes(clip)}"
    evenly = counted(len(clip.timeline), "frame")
    yield f"  {counted(len(clip.keyframes), 'keyframe')}, {evenly} evenly spaced"
    yield from _tell_quality(run, clip)
    for question in run.read("questions", Question):
        if question.clip_id == clip.clip_id:
            yield f"  question {question.question_id}: {question.kind}: {question.text}"
    yield from tell_alike(workplace, subject.part, clip)


def _tell_quality(run: PartRun, clip: Clip) -> Iterator[str]:
    for each in _left(run, "clip_quality", ClipQuality):
        if each.clip_id == clip.clip_id:
            measured = each.model_dump(exclude={"clip_id"})
            yield f"  {', '.join(f'{name} {value}' for name, value in measured.items())}"


def tell_question(workplace: Workplace, subject: Subject) -> Iterator[str]:
    """A question, and so its row in `rl`: where it is from, what it shows, what was answered and decided."""
    run = _run(workplace, subject.part)
    question = next(each for each in run.read("questions", Question) if each.question_id == subject.id)
    clip = next(each for each in run.read("clips", Clip) if each.clip_id == question.clip_id)
    yield from _origin_lines(subject, clip)
    yield from _question_lines(question, _edits(run, question))
    for trace in run.read("traces", Trace):
        if trace.question_id == question.question_id:
            yield f"  sample {trace.trace_id}: said {trace.answer!r}"
    yield from tell_question_verdict(workplace, subject.part, question.question_id)


def _origin_lines(subject: Subject, clip: Clip) -> Iterator[str]:
    source = next((each for each in subject.part.sources if each.video_id == clip.video_id), None)
    yield f"video {clip.video_id}: {source.file.url if source else 'no longer among the sources'}"
    yield f"clip {clip.clip_id}: {_span(clip)}, {_scenes(clip)}"


def _edits(run: PartRun, question: Question) -> tuple[str, ...]:
    """What was done to each frame of a question about edited ones; nothing of any other question."""
    made = (each.edits for each in _left(run, "edited", EditedQuestion) if each.question == question)
    return next(made, ())


def _question_lines(question: Question, edits: tuple[str, ...]) -> Iterator[str]:
    yield f"question {question.question_id}: {question.source} {question.kind}, {question.task}"
    yield f"  {question.text}"
    for letter, option in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", question.options, strict=False):
        yield f"    {letter}. {option}"
    yield f"  gold: {question.answer}" + (
        f" ± {question.tolerance}" if question.tolerance is not None else ""
    )
    names = frame_names([each.shown_s for each in question.frames])
    for label, (shown, edit) in zip(names, zip_longest(question.frames, edits), strict=True):
        elsewhere = (
            "" if shown.frame.video_id == question.video_id else f" of video {shown.frame.video_id[:16]}"
        )
        yield f"  {label} is {shown.frame.sha256} from {shown.frame.time_s:.3f} s{elsewhere}{_made(edit)}"


def _made(edit: str | None) -> str:
    """Of a frame that is not the footage's own, how it was made of that."""
    if edit is None:
        return ""
    return ", encoded anew" if edit == PLAIN else f", {edit} and encoded anew"


def tell_sample(workplace: Workplace, subject: Subject) -> Iterator[str]:
    """A trace with all that it rests on, all that was measured of it, and what was decided."""
    run = _run(workplace, subject.part)
    trace = next(each for each in run.read("traces", Trace) if each.trace_id == subject.id)
    question = next(each for each in run.read("questions", Question) if each.question_id == trace.question_id)
    clip = next(each for each in run.read("clips", Clip) if each.clip_id == trace.clip_id)
    yield f"sample {trace.trace_id}: rollout {trace.sample_index} of {trace.model}, prompt {trace.prompt_id}"
    yield from _origin_lines(subject, clip)
    yield from _question_lines(question, _edits(run, question))
    yield from _request_lines(trace, clip, question, _lines_shown(run, question))
    yield f"thought: {trace.thought}"
    yield f"answer: {trace.answer!r} (finish: {trace.finish_reason}, {trace.completion_tokens} tokens)"
    for claim in run.read("claims", Claim):
        if claim.trace_id == trace.trace_id:
            others = f"the cited frames, {_belief(claim.control_score)} with others"
            frames = others if claim.cited else "all frames"
            yield f"claim: {claim.text!r}: {_belief(claim.cited_score)} with {frames} ({claim.verifier})"
            for place in claim.places:
                yield (
                    f"  {place.label} at {place.box[:4]}: {place.fault or 'sound'} box, "
                    f"{_belief(place.belief)} in it, "
                    f"{_belief(place.control_belief)} in that of another frame, "
                    f"{_belief(place.elsewhere_belief)} in another one"
                )
    yield from tell_trace_verdict(workplace, subject.part, trace)


def _lines_shown(run: PartRun, question: Question) -> tuple[SpeechLine, ...]:
    """What is said, as the question shows it."""
    held = {each.clip_id: each.lines for each in _left(run, "clip_speech", ClipSpeech)}
    return shown_lines(question, held.get(question.clip_id, ()))


def _left(run: PartRun, step: str, record: type[R]) -> Iterator[R]:
    """What a step left for the part; nothing where the recipe has no such step, or it is not that far."""
    is_left = step in run.above and run.store.exists(run.above[step])
    return run.read(step, record) if is_left else iter(())


def _tell_speech(run: PartRun, video_id: str) -> Iterator[str]:
    for film in _left(run, "speech", FilmSpeech):
        if film.video_id == video_id:
            known = (
                f"{counted(len(film.lines), 'line')}, by {film.origin}: {film.name}"
                if film.origin
                else "not known"
            )
            yield f"  what is said: {known}{f' ({film.language})' if film.language else ''}"
            if film.problem:
                yield f"  could not be read: {film.problem}"


def _request_lines(
    trace: Trace, clip: Clip, question: Question, said: tuple[SpeechLine, ...]
) -> Iterator[str]:
    """The messages that the teacher was sent; a frame stands as the time that it is from."""
    prompt = next((each for each in ROLLOUTS if each.prompt_id == trace.prompt_id), None)
    if prompt is None:
        yield f"request: not known (prompt {trace.prompt_id})"
        return
    lines: list[str] = []
    for message in rollout_messages(clip, question, question.frames, said, prompt):
        lines += [f"{message.role}:", *_message_lines(message, question)]
    yield f"request (prompt {trace.prompt_id}):"
    yield from (f"  {line}" for line in lines[:REQUEST_LINES])
    if len(lines) > REQUEST_LINES:
        yield f"  … and {len(lines) - REQUEST_LINES} more lines"


def _message_lines(message: Message, question: Question) -> Iterator[str]:
    """Texts line by line; frames, each after the label that was sent before it, many to a line."""
    times = iter([shown.frame.time_s for shown in question.frames])
    frames: list[str] = []
    for part, following in zip_longest(message.content, message.content[1:]):
        if isinstance(part, ImagePart):
            frames[-1] += f" <frame at {next(times):.3f} s>"
        elif isinstance(following, ImagePart):
            frames.append(part.text)
        else:
            for first in range(0, len(frames), FRAMES_A_LINE):
                yield ", ".join(frames[first : first + FRAMES_A_LINE])
            frames = []
            yield from part.text.splitlines()


def _scenes(clip: Clip) -> str:
    spans = [f"[{each.start_s:.2f}, {each.end_s:.2f}) s" for each in clip.scenes[:SHOWN_SCENES]]
    more = len(clip.scenes) - len(spans)
    return f"{counted(len(clip.scenes), 'scene')}: {', '.join(spans)}" + (
        f", … and {more} more" if more else ""
    )


def _span(clip: Clip) -> str:
    return f"[{clip.start_s:.2f}, {clip.end_s:.2f}) s"


def _belief(score: float | None) -> str:
    return "unknown" if score is None else f"believed {score:.2f}"
