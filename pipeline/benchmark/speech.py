"""A video's address -> what is said in it, by the subtitles beside it or by the text track in its file."""

from reelproof.pipeline.disk.files import local_copy, read_file
from reelproof.pipeline.inputs.subtitle_files import subtitles_beside
from reelproof.schemas.speech import SpeechLine
from reelproof.stages.footage.opening import UnusableVideoError
from reelproof.stages.footage.text_tracks import read_text_track
from reelproof.stages.speech.film import SpeechConfig
from reelproof.stages.speech.subtitles import SubtitleError, lines_of_events, parse_subtitles


def speech_of(url: str, cfg: SpeechConfig) -> tuple[SpeechLine, ...]:
    """The film's lines; none where nothing tells them, or nothing that does can be read."""
    if lines := _beside(url, cfg):
        return lines
    try:
        with local_copy(url) as path:
            track = read_text_track(str(path), cfg.language)
    except (UnusableVideoError, OSError):
        return ()
    return lines_of_events(track.events) if track else ()


def _beside(url: str, cfg: SpeechConfig) -> tuple[SpeechLine, ...]:
    found = subtitles_beside(url, cfg.language)
    if found is None:
        return ()
    try:
        return parse_subtitles(read_file(found.url), found.language or cfg.language, cfg.encoding)
    except (SubtitleError, OSError):
        return ()
