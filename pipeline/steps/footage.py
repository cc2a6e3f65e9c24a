"""Videos -> footage -> storyboards -> clips: the steps that look at pictures, as functions of one part."""

from collections.abc import Iterator

from reelproof.pipeline.decoder.child import ChildLimits, scan_rows_in_child
from reelproof.pipeline.disk.files import local_copy, stat_file
from reelproof.pipeline.parts.part import PartRun
from reelproof.pipeline.parts.step import PartStep
from reelproof.schemas.footage import Clip, Footage, Quarantine, QuarantineKind, Storyboard
from reelproof.schemas.source import SourceIdentity
from reelproof.stages.footage import clips, scan, storyboard
from reelproof.stages.footage.clips import ClipConfig, VideoView, cut_clips
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.scan import FootageConfig
from reelproof.stages.footage.storyboard import StoryboardConfig, cut_scenes


def scan_videos(run: PartRun, cfg: FootageConfig, limits: ChildLimits) -> Iterator[Footage]:
    """Decode each video once, in a child; what cannot be used goes to the part's quarantine.

    A long film gives several rows, so that no more of it than one is in memory.
    """
    for row in scan_rows_in_child(_local_videos(run), cfg, limits):
        run.videos_decoded = row.place + 1
        if isinstance(row.result, Quarantine):
            run.quarantine.append(row.result)
        else:
            yield row.result


FOOTAGE = PartStep(
    name="footage",
    version=scan.VERSION,
    run=scan_videos,
    sections=("footage", "limits"),
    aside=("limits",),
    makes=Footage,
    rows_at_once=1,
)


def _local_videos(run: PartRun) -> Iterator[LocalVideo]:
    """The part's files on this machine's disk, one at a time; one that has changed is set aside."""
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


STORYBOARDS = PartStep(
    name="storyboards",
    version=storyboard.VERSION,
    run=board_videos,
    sections=("storyboard",),
    makes=Storyboard,
    after=(FOOTAGE,),
)


def clip_videos(run: PartRun, cfg: ClipConfig) -> Iterator[Clip]:
    """Clips from storyboards."""
    boards = run.read("storyboards", Storyboard)
    views = (VideoView.of(footage, board) for footage, board in zip(run.footage(), boards, strict=True))
    return cut_clips(views, cfg)


CLIPS = PartStep(
    name="clips",
    version=clips.VERSION,
    run=clip_videos,
    sections=("clips_to_cut",),
    makes=Clip,
    after=(FOOTAGE, STORYBOARDS),
)
