"""A film and a budget of seconds -> its reel, chapters, edit lists, a sheet of its frames, and why."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from reelproof.pipeline.commands.contact_sheet import Tile, draw_frames
from reelproof.pipeline.decoder.child import scan_in_child
from reelproof.pipeline.disk.files import stat_file, video_id_of
from reelproof.pipeline.disk.own_files import HIGHLIGHTS, listed_files, own_files, replace_own_files
from reelproof.pipeline.disk.renaming import temporary_name, written_then_renamed
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.highlights.edit_lists import chapter_list, edit_list, told_time
from reelproof.pipeline.highlights.opinions import with_opinions
from reelproof.pipeline.highlights.picks import pick_moments, picks_of
from reelproof.pipeline.highlights.settings import HighlightsConfig
from reelproof.schemas.counted import counted
from reelproof.schemas.footage import Footage, Quarantine, Span, Storyboard
from reelproof.schemas.highlights import Highlights, Moment, Pick
from reelproof.schemas.install import installing
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.joining import Chapter, Joined, join_spans
from reelproof.stages.footage.opening import UnusableVideoError
from reelproof.stages.footage.random_access import frames_at
from reelproof.stages.footage.storyboard import cut_scenes
from reelproof.stages.highlights.scoring import find_moments
from reelproof.stages.teachers.protocol import Teacher

REEL, FOUND, TOLD, CHAPTERS, EDL, OTIO, SHEET = (
    *("reel.mp4", "highlights.json", "highlights.md", "chapters.txt", "reel.edl", "reel.otio"),
    "sheet.png",
)
_USUAL_FPS = 25.0
_TILE_PX = 640


class Scanned(NamedTuple):
    """A film as it was looked at."""

    footage: Footage
    board: Storyboard


def make_highlights(
    video: Path,
    seconds: float,
    out: Path,
    cfg: HighlightsConfig,
    teacher: Teacher | None,
    tell: Callable[[str], None],
    into_used: bool = False,
) -> Highlights:
    """Leaves all of it in a folder.

    Raises UsageError for a film of which nothing can be shown, and for a folder that holds something of
    others, unless `into_used`.
    """
    folder = Store(str(out))
    listed_files(HIGHLIGHTS, folder, into_used)
    scanned = scan(video, cfg)
    footage = scanned.footage
    moments = find_moments(footage, scanned.board, seconds, cfg.score)
    tell(
        f"{footage.duration_s:.1f} s, {counted(len(scanned.board.scenes), 'scene')}, "
        f"{counted(len(moments), 'moment')}"
    )
    if teacher is not None:
        moments = with_opinions(moments, footage, teacher, cfg, tell)
    picks = picks_of(moments, pick_moments(moments, seconds, cfg.score))
    if not picks:
        raise UsageError(f"{video}: {_why_nothing(moments, seconds)}")
    before = own_files(HIGHLIGHTS, folder, into_used)
    joined = _write_reel(video, picks, out)
    found = Highlights(
        video=footage.video.name,
        video_id=footage.video.video_id,
        duration_s=footage.duration_s,
        asked_s=seconds,
        reel_s=round(joined.length_s, 3),
        has_sound=joined.has_sound,
        model=teacher.model if teacher else None,
        damaged_s=round(sum(span.end_s - span.start_s for span in footage.damaged), 3),
        picks=picks,
        moments=tuple(moments),
    )
    written = {REEL, *_write_beside(found, video, footage, out, tell)}
    replace_own_files(HIGHLIGHTS, folder, before, written)
    return found


def scan(video: Path, cfg: HighlightsConfig) -> Scanned:
    """Signals, frames and scenes, as a build has them. Raises UsageError where it cannot be decoded."""
    try:
        file = stat_file(str(video), "unknown")
        video_id = video_id_of(video)
    except OSError as error:
        raise UsageError(f"{video}: {error.strerror or error}") from None
    source = LocalVideo(str(video), video_id, video.name, file.size_bytes)
    (footage,) = scan_in_child([source], cfg.footage, cfg.limits)
    if isinstance(footage, Quarantine):
        raise UsageError(f"{video}: {footage.kind}: {footage.detail}")
    (board,) = cut_scenes([footage], cfg.storyboards)
    return Scanned(footage, board)


def _why_nothing(moments: list[Moment], seconds: float) -> str:
    shown = [each for each in moments if each.score > 0]
    if not shown:
        return "nothing can be seen in any of its scenes: they are black, white, of one colour or damaged"
    shortest = min(each.length_s for each in shown)
    return f"its shortest scene has {shortest:.2f} s, more than the {seconds:g} s asked for; ask for more"


def _write_reel(video: Path, picks: tuple[Pick, ...], out: Path) -> Joined:
    chapters = [Chapter(Span(start_s=each.start_s, end_s=each.end_s), each.title) for each in picks]
    partial = out / temporary_name()
    try:
        joined = join_spans(str(video), chapters, str(partial))
        partial.replace(out / REEL)
    except UnusableVideoError as error:
        raise UsageError(f"{video}: {error}") from None
    finally:
        partial.unlink(missing_ok=True)
    return joined


def _write_beside(
    found: Highlights, video: Path, footage: Footage, out: Path, tell: Callable[[str], None]
) -> tuple[str, ...]:
    """The names of what was written."""
    fps = footage.video.fps or _USUAL_FPS
    texts = {
        FOUND: found.model_dump_json(indent=1) + "\n",
        TOLD: told(found),
        CHAPTERS: chapter_list(found.picks),
        EDL: edit_list(f"{video.stem} highlights", video.name, found.picks, fps, found.has_sound),
    }
    if find_spec("opentimelineio"):
        from reelproof.pipeline.highlights.otio import timeline_json

        texts[OTIO] = timeline_json(found, video, fps)
    else:
        tell(f"no {OTIO} without OpenTimelineIO: {installing('edit')} brings it")
    for name, text in texts.items():
        with written_then_renamed(out / name) as stream:
            stream.write(text.encode())
    with written_then_renamed(out / SHEET) as stream:
        stream.write(_sheet(found, video))
    return (*texts, SHEET)


def told(found: Highlights) -> str:
    """A page for people: what is in, where from, and why."""
    lines = [
        f"# {found.video}: {found.reel_s:.1f} s of {found.duration_s:.1f} s",
        "",
        f"Asked for {found.asked_s:g} s at most; {_scored_by(found)}",
        "",
        "| in the reel | in the film | what | why |",
        "|---|---|---|---|",
    ]
    for each in found.picks:
        where = f"{each.start_s:.2f}–{each.end_s:.2f} s"
        cells = (told_time(each.reel_start_s), where, each.title, each.why)
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _scored_by(found: Highlights) -> str:
    damaged = f" {found.damaged_s:.2f} s are damaged and left out." if found.damaged_s else ""
    by = f"scored by signals and by {found.model}" if found.model else "scored by signals alone, by no model"
    return f"{by}.{damaged}"


def _sheet(found: Highlights, video: Path) -> bytes:
    """The frame in the middle of each pick's best moment."""
    best = [max((found.moments[at] for at in each.moments), key=lambda m: m.score) for each in found.picks]
    times_s = [(each.start_s + each.end_s) / 2 for each in best]
    tiles = [
        Tile(Image.fromarray(image), f"{told_time(each.reel_start_s)}   {time_s:.2f} s   {moment.score:.2f}")
        for each, moment, time_s, image in zip(
            found.picks, best, times_s, frames_at(str(video), times_s, _TILE_PX), strict=True
        )
    ]
    facts = f"{found.reel_s:.1f} s of {found.duration_s:.1f} s  ·  {_scored_by(found)}"
    return draw_frames(f"{found.video}: highlights", [facts], tiles)
