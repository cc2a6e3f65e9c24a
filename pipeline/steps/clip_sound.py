"""Videos -> the sound of each of their clips, where a teacher listens."""

from collections import ChainMap
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from reelproof.pipeline.decoder.child import Scanner
from reelproof.pipeline.decoder.process import ChildLimits
from reelproof.pipeline.parts.part import PartRun
from reelproof.pipeline.parts.step import PartStep
from reelproof.pipeline.steps.footage import CLIPS, FOOTAGE
from reelproof.pipeline.steps.spans import local_video
from reelproof.schemas.footage import Clip, Quarantine
from reelproof.schemas.question import Question
from reelproof.schemas.source import SourceIdentity
from reelproof.schemas.speech import ClipSound, shows_clip
from reelproof.stages.footage import clip_sound
from reelproof.stages.footage.clip_sound import cut_sound


class Sounds(NamedTuple):
    """The sound of a part's clips."""

    by_clip: Mapping[str, ClipSound]

    def of_question(self, question: Question) -> str | None:
        """sha256 of what its clip sounds like, where it shows the clip as it is."""
        sound = self.by_clip.get(question.clip_id)
        return sound.sha256 if sound and shows_clip(question) else None

    def beside(self, frames: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """sha256 -> bytes of frames and of sounds."""
        mp3 = {each.sha256: each.mp3 for each in self.by_clip.values()}
        return ChainMap(mp3, frames) if mp3 else frames  # type: ignore[arg-type]  # it is only read


def sounds_of(run: PartRun) -> Sounds:
    """What the step left; nothing where no teacher listens."""
    return Sounds({each.clip_id: each for each in run.read_made("clip_sound", ClipSound)})


def cut_sounds(run: PartRun, most_s: float, limits: ChildLimits) -> Iterator[ClipSound]:
    """The sound of each clip that is short enough to be handed over."""
    clips: dict[str, list[Clip]] = {}
    for clip in run.read("clips", Clip):
        clips.setdefault(clip.video_id, []).append(clip)
    with Scanner(limits) as scanner:
        for source in run.inputs.sources:
            if source.video_id in clips:
                yield from _of_film(source, clips[source.video_id], scanner, most_s)


def _of_film(
    source: SourceIdentity, clips: list[Clip], scanner: Scanner, most_s: float
) -> Iterator[ClipSound]:
    with TemporaryDirectory(prefix="reelproof-sound-") as folder, local_video(source) as video:
        target = Path(folder) / "sound"
        sound = scanner.sound(video, target)
        if sound is None or isinstance(sound, Quarantine) or not sound.samples:
            return
        yield from cut_sound(clips, np.fromfile(target, dtype="<i2"), sound.start_s, most_s)


CLIP_SOUND = PartStep(
    name="clip_sound",
    version=clip_sound.VERSION,
    heavy=True,
    run=cut_sounds,
    sections=("longest_sound_s", "limits"),
    aside=("limits",),
    makes=ClipSound,
    rows_at_once=8,
    after=(FOOTAGE, CLIPS),
)
