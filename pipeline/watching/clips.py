"""A closed event -> its clip, out of its film or out of what was recorded of the stream."""

from collections.abc import Sequence
from pathlib import Path

from reelproof.pipeline.decoder.child import Scanner
from reelproof.pipeline.disk.renaming import temporary_name
from reelproof.pipeline.watching.keeping import CLIPS
from reelproof.pipeline.watching.recorder import Recorder
from reelproof.pipeline.watching.settings import ClipsConfig
from reelproof.schemas.event import CutClip, Event
from reelproof.schemas.footage import Quarantine
from reelproof.schemas.tick import WatchedFilm
from reelproof.stages.footage.cutting import Recording


class Clips:
    """Cuts clips into a folder's `clips`."""

    def __init__(self, folder: Path, cfg: ClipsConfig, recorder: Recorder, scanner: Scanner) -> None:
        """`scanner` cuts them in a child of its own: what cannot be decoded costs a clip, and no watch."""
        self._folder, self._cfg, self._recorder, self._scanner = folder, cfg, recorder, scanner

    def can_cut(self, event: Event) -> bool:
        """Whether a live stream has gone on long enough."""
        return self._recorder.is_recorded(event.end_s + self._cfg.margin_s)

    def cut(self, event: Event, films: Sequence[WatchedFilm]) -> Event:
        """The event with its clip, or with why it has none."""
        found = [film for film in films if film.name == event.video and film.offset_s <= event.end_s]
        start_s, end_s = event.start_s - self._cfg.margin_s, event.end_s + self._cfg.margin_s
        recordings = self._recordings(found[-1], start_s, end_s) if found else []
        if not recordings:
            return event.model_copy(update={"clip_fault": "nothing was recorded of it"})
        start_s = max(start_s, recordings[0].starts_s)
        name = f"{CLIPS}/{event.event_id}.mp4"
        place = self._folder / name
        place.parent.mkdir(exist_ok=True)
        partial = place.with_name(temporary_name())
        try:
            cut = self._scanner.cut(recordings, start_s, end_s, partial, self._cfg.slack_s)
            if isinstance(cut, Quarantine):
                return event.model_copy(update={"clip_fault": cut.detail[:200]})
            partial.replace(place)
        except OSError as error:
            return event.model_copy(update={"clip_fault": str(error)[:200]})
        finally:
            partial.unlink(missing_ok=True)
        clip = CutClip(file=name, start_s=cut.start_s, end_s=cut.end_s, is_copied=cut.is_copied)
        return event.model_copy(update={"clip": clip})

    def _recordings(self, film: WatchedFilm, start_s: float, end_s: float) -> list[Recording]:
        if film.path:
            return [Recording(film.path, film.offset_s)]
        return self._recorder.recordings(start_s, end_s)
