"""Videos -> footage -> storyboards -> clips: the steps that look at pictures, as functions of one part."""

from collections.abc import Iterator
from contextlib import ExitStack

from reelproof.pipeline.decoder.child import Scanner
from reelproof.pipeline.decoder.process import ChildLimits
from reelproof.pipeline.parts.part import PartRun
from reelproof.pipeline.parts.step import Ahead, PartStep
from reelproof.pipeline.steps.spans import SpanFiles, joined_ahead, local_video, scan_ahead, survey_ahead
from reelproof.schemas.footage import PICTURES, Clip, Footage, Quarantine, QuarantineKind, Storyboard
from reelproof.schemas.source import SourceIdentity
from reelproof.schemas.transition import SeenTransition
from reelproof.stages.footage import clips, doubt, scan, storyboard
from reelproof.stages.footage.clips import ClipConfig, VideoView, cut_clips
from reelproof.stages.footage.cuts import CutConfig
from reelproof.stages.footage.doubt import TransitionConfig, see_transitions
from reelproof.stages.footage.scan import FootageConfig, PicturedConfig
from reelproof.stages.footage.storyboard import StoryboardConfig, cut_scenes


def scan_videos(run: PartRun, cfg: FootageConfig, limits: ChildLimits) -> Iterator[Footage]:
    """Decode each video once, in a child; what cannot be used goes to the part's quarantine.

    A long film gives several rows, so that no more of it than one is in memory. Of one that tasks scanned
    ahead, span by span, the rows are those that this gives, too.
    """
    with Scanner(limits) as scanner:
        for source in run.inputs.sources:
            with ExitStack() as stack:
                try:
                    video = stack.enter_context(local_video(source))
                except OSError as error:
                    run.quarantine.append(_changed(source, error))
                    continue
                # What else fails to be read or written is none of the film's fault.
                rows = joined_ahead(run, source, cfg) or scanner.footage(video, cfg, _Counted(run))
                yield from _usable(run, rows, limits)
                run.videos_decoded += 1
    for source in run.inputs.sources:
        SpanFiles.of(run, source, cfg).remove()


def _usable(run: PartRun, rows: Iterator[Footage | Quarantine], limits: ChildLimits) -> Iterator[Footage]:
    """A film's rows, each of which tells how long the whole film is."""
    for row in rows:
        if isinstance(row, Quarantine):
            run.quarantine.append(row)
        elif refused := limits.refused(row.frame_count, row.duration_s):
            run.quarantine.append(_too_large(row, refused))
            return
        else:
            yield row


class _Counted:
    """Counts seconds of film as videos are scanned."""

    def __init__(self, run: PartRun) -> None:
        self._counter = run.counter
        self._before_s, self._of_before_s = self._counter.film_s, self._counter.film_of_s

    def __call__(self, scanned_s: float, of_s: float) -> None:
        self._counter.film_s = self._before_s + scanned_s
        self._counter.film_of_s = self._of_before_s + of_s


def _not_kept(cfg: FootageConfig, _: ChildLimits) -> tuple[str, ...]:
    return () if isinstance(cfg, PicturedConfig) else (PICTURES,)


FOOTAGE = PartStep(
    name="footage",
    heavy=True,
    version=scan.VERSION,
    run=scan_videos,
    sections=("scan", "limits"),
    aside=("limits",),
    makes=Footage,
    leaves_out=_not_kept,
    rows_at_once=1,
    ahead=Ahead(plan=survey_ahead, do=scan_ahead),
)


def _too_large(row: Footage, detail: str) -> Quarantine:
    return Quarantine(
        video_id=row.video.video_id, name=row.video.name, kind=QuarantineKind.TOO_LARGE, detail=detail
    )


def _changed(source: SourceIdentity, error: OSError) -> Quarantine:
    return Quarantine(
        video_id=source.video_id,
        name=source.file.name,
        kind=QuarantineKind.CHANGED,
        detail=f"{error.strerror or error}; build again to take the file as it is now",
    )


def look_at_videos(run: PartRun, cfg: TransitionConfig, cuts: CutConfig) -> Iterator[SeenTransition]:
    """Changes of scene that a network sees where the stored signals leave doubt."""
    from reelproof.stages.footage.transnet import TransNet  # torch takes a while to load

    network = TransNet()
    for footage in run.footage(with_thumbnails=True):
        yield from see_transitions(footage, run.pictures(footage.video.video_id), network, cfg, cuts)


TRANSITIONS = PartStep(
    name="transitions",
    version=doubt.VERSION,
    run=look_at_videos,
    sections=("transitions", "storyboard.cuts"),
    makes=SeenTransition,
    after=(FOOTAGE,),
    extra="transnet",
    heavy=True,
)


def board_videos(run: PartRun, cfg: StoryboardConfig) -> Iterator[Storyboard]:
    """Cuts, scenes and keyframes from the stored signals, and from what a network saw where one looked."""
    footage = run.footage(with_thumbnails=True)
    return cut_scenes(footage, cfg, run.read_made(TRANSITIONS.name, SeenTransition))


STORYBOARDS = PartStep(
    name="storyboards",
    version=storyboard.VERSION,
    run=board_videos,
    sections=("storyboard",),
    makes=Storyboard,
    after=(FOOTAGE,),
    also=(TRANSITIONS,),
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
