"""Videos -> what is said in them, and in each of their clips: the steps that read subtitles and listen."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from reelproof.pipeline.decoder.child import Scanner
from reelproof.pipeline.decoder.process import ChildLimits
from reelproof.pipeline.disk.files import read_file
from reelproof.pipeline.parts.part import PartRun
from reelproof.pipeline.parts.step import PartStep
from reelproof.pipeline.steps.footage import CLIPS, FOOTAGE
from reelproof.pipeline.steps.spans import local_video
from reelproof.pipeline.teachers.listener import Listener
from reelproof.schemas.footage import Clip, Quarantine
from reelproof.schemas.source import SourceIdentity, SubtitleFile
from reelproof.schemas.speech import ClipSpeech, FilmSpeech, SpeechOrigin
from reelproof.stages.speech import film
from reelproof.stages.speech.film import SpeechConfig, SpeechRole, clip_speech
from reelproof.stages.speech.listening import cut_pieces, lines_heard
from reelproof.stages.speech.subtitles import (
    SubtitleError,
    lines_of_events,
    parse_subtitles,
    without_repeats,
)


def read_speech(run: PartRun, cfg: SpeechRole, limits: ChildLimits, _heard: object) -> Iterator[FilmSpeech]:
    """What is said in each video: by the subtitles beside it, else its text track, else an engine."""
    listener = Listener(run, cfg.engine, cfg.language) if cfg.engine else None
    beside = {each.video_id: each for each in run.inputs.subtitles}
    usable = {each.video.video_id for each in run.footage()}
    with Scanner(limits) as scanner:
        for source in run.inputs.sources:
            if source.video_id in usable:
                found = _from_subtitles(beside[source.video_id], cfg) if source.video_id in beside else None
                if found is None or not found.lines:
                    found = _from_track(source, cfg, scanner, found)
                if listener and not found.lines:
                    found = _from_engine(source, listener, scanner, found)
                yield found


def _from_subtitles(subtitles: SubtitleFile, cfg: SpeechConfig) -> FilmSpeech:
    """Raises OSError where the file is no longer what it was as the build began."""
    name, language = subtitles.file.name, subtitles.language
    content = read_file(subtitles.file.url)
    if hashlib.sha256(content).hexdigest() != subtitles.sha256:
        raise OSError(f"{subtitles.file.url} has changed since the build began; build again")
    try:
        lines, problem = parse_subtitles(content, language or cfg.language, cfg.encoding), None
    except SubtitleError as error:
        lines, problem = (), f"{name}: {error}"
    return FilmSpeech(
        video_id=subtitles.video_id,
        origin=SpeechOrigin.SUBTITLES if problem is None else None,
        name=name,
        language=language or cfg.language,
        lines=lines,
        problem=problem,
    )


def _from_track(
    source: SourceIdentity, cfg: SpeechRole, scanner: Scanner, before: FilmSpeech | None
) -> FilmSpeech:
    """What the text track says; `before` is what subtitles gave, where there were some."""
    nothing = before or FilmSpeech(video_id=source.video_id, origin=None, name="", language=None, lines=())
    with local_video(source) as video:
        track = scanner.text_track(video, cfg.language)
    if isinstance(track, Quarantine):
        return nothing.model_copy(update={"problem": nothing.problem or track.detail})
    lines = lines_of_events(track.events) if track else ()
    if track is None or not lines:
        return nothing
    return FilmSpeech(
        video_id=source.video_id,
        origin=SpeechOrigin.TRACK,
        name=track.name,
        language=track.language,
        lines=lines,
        problem=nothing.problem,
    )


def _from_engine(
    source: SourceIdentity, listener: Listener, scanner: Scanner, before: FilmSpeech
) -> FilmSpeech:
    """What an engine hears; `before` is what nothing else told."""
    with TemporaryDirectory(prefix="reelproof-sound-") as folder, local_video(source) as video:
        target = Path(folder) / "sound"
        sound = scanner.sound(video, target)
        if isinstance(sound, Quarantine):
            return before.model_copy(update={"problem": before.problem or sound.detail})
        if sound is None or not sound.samples:
            return before
        samples = np.memmap(target, dtype="<i2", mode="r")
        pieces = list(cut_pieces(samples))
        lines = lines_heard(pieces, listener.hear(samples, pieces), sound.start_s)
        del samples  # before its file goes
    return FilmSpeech(
        video_id=source.video_id,
        origin=SpeechOrigin.ENGINE,
        name=listener.model,
        language=before.language,
        lines=tuple(without_repeats(lines)),
        problem=before.problem,
    )


SPEECH = PartStep(
    name="speech",
    version=film.VERSION,
    heavy=True,
    run=read_speech,
    sections=("speech", "limits", "speech.heard"),
    aside=("speech", "limits"),
    makes=FilmSpeech,
    rows_at_once=1,
    after=(FOOTAGE,),
    rests_on_subtitles=True,
)


def say_in_clips(run: PartRun, max_words: int) -> Iterator[ClipSpeech]:
    """What is said in each clip."""
    return clip_speech(run.read("clips", Clip), run.read("speech", FilmSpeech), max_words)


CLIP_SPEECH = PartStep(
    name="clip_speech",
    version=film.VERSION,
    run=say_in_clips,
    sections=("speech.max_words",),
    makes=ClipSpeech,
    after=(CLIPS, SPEECH),
    prompts=("SPOKEN",),
)
