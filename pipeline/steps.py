"""Each step of the DAG as a function of one part: what a stage reads from the files above, and what it yields."""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from pipeline.child import ChildLimits, scan_in_child
from pipeline.files import local_copy, stat_file
from pipeline.part import PartRun
from schemas.footage import Clip, Footage, Quarantine, QuarantineKind, Storyboard
from schemas.source import SourceIdentity
from stages.clips import ClipConfig, VideoView, cut_clips
from stages.decode import LocalVideo
from stages.footage import FootageConfig
from stages.storyboard import StoryboardConfig, cut_scenes


class ScanSettings(BaseModel):
    """How videos are scanned, and what a scan may take."""

    model_config = ConfigDict(frozen=True)

    footage: FootageConfig
    limits: ChildLimits


def scan_videos(run: PartRun, settings: ScanSettings) -> Iterator[Footage]:
    """Decode each video once, in a child; what cannot be used goes to the part's quarantine."""
    for result in scan_in_child(_local_videos(run), settings.footage, settings.limits):
        run.videos_decoded += 1
        if isinstance(result, Quarantine):
            run.quarantine.append(result)
        else:
            yield result


def _local_videos(run: PartRun) -> Iterator[LocalVideo]:
    """The part's files on this machine's disk, one at a time; a file that changed since it was read is set aside."""
    for source in run.inputs.sources:
        try:
            if source.file.version and stat_file(source.file.url, source.file.license) != source.file:
                raise OSError("its bytes are no longer those that were read when the build began")
            with local_copy(source.file.url) as path:
                yield _local_video(source, str(path))
        except OSError as error:
            run.quarantine.append(_changed(source, error))


def _local_video(source: SourceIdentity, path: str) -> LocalVideo:
    file = source.file
    return LocalVideo(path, source.video_id, file.name, file.size_bytes, file.license)


def _changed(source: SourceIdentity, error: OSError) -> Quarantine:
    return Quarantine(
        video_id=source.video_id,
        name=source.file.name,
        kind=QuarantineKind.CHANGED,
        detail=f"{error.strerror or error}; build again to take the file as it is now",
    )


def board_videos(run: PartRun, cfg: StoryboardConfig) -> Iterator[Storyboard]:
    """Cuts, scenes and keyframes from the stored signals."""
    return cut_scenes(run.footage(), cfg)


def clip_videos(run: PartRun, cfg: ClipConfig) -> Iterator[Clip]:
    """Clips from storyboards."""
    return cut_clips(_views(run), cfg)


def _views(run: PartRun) -> Iterator[VideoView]:
    boards = run.read("storyboards", Storyboard)
    return (VideoView.of(footage, board) for footage, board in zip(run.footage(), boards, strict=True))
