"""Picks -> an OpenTimelineIO file: the one module that needs the extra `edit`."""

from pathlib import Path

import opentimelineio as otio

from reelproof.schemas.highlights import Highlights


def timeline_json(found: Highlights, video: Path, fps: float) -> str:
    """A timeline of the film's own stretches, on tracks of pictures and sound, each with its reason."""
    timeline = otio.schema.Timeline(name=f"{video.stem} highlights")
    kinds = [otio.schema.TrackKind.Video] + [otio.schema.TrackKind.Audio] * found.has_sound
    for kind in kinds:
        track = otio.schema.Track(name=kind, kind=kind)
        for each in found.picks:
            media = otio.schema.ExternalReference(
                target_url=video.resolve().as_uri(), available_range=_range(0.0, found.duration_s, fps)
            )
            clip = otio.schema.Clip(
                name=each.title, media_reference=media, source_range=_range(each.start_s, each.end_s, fps)
            )
            clip.metadata["reelproof"] = {"why": each.why, "video_sha256": found.video_id}
            track.append(clip)
        timeline.tracks.append(track)
    return str(otio.adapters.write_to_string(timeline, "otio_json"))


def _range(start_s: float, end_s: float, fps: float) -> "otio.opentime.TimeRange":
    first, end = round(start_s * fps), round(end_s * fps)
    return otio.opentime.TimeRange(
        otio.opentime.RationalTime(first, fps), otio.opentime.RationalTime(end - first, fps)
    )
