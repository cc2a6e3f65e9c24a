"""A path -> an open file, the stream that is the film, and what decodes it."""

from pathlib import Path
from typing import Any, NamedTuple

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from reelproof.schemas.footage import QuarantineKind
from reelproof.stages.footage.bitstream import is_cut_off
from reelproof.stages.footage.lengths import format_names
from reelproof.stages.footage.live import Stream
from reelproof.stages.footage.packets import short

# Playlists and the like would make one "video" read other files.
_INDIRECT_FORMATS = {"hls", "dash", "concat", "image2", "lavfi", "sdp", "rtsp", "ffmetadata", "tty"}
_DECODERS_OF_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
# Before 19, PyAV refuses a file whose metadata is not UTF-8, unless it is told not to.
_OPEN_HOW: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


class UnusableVideoError(Exception):
    """A file that yields no frames: `kind` for the count, the message for a person."""

    def __init__(self, kind: QuarantineKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class Look(NamedTuple):
    """What a first look at a video says about showing its frames."""

    coded_aspect: float
    """Width of a pixel by its height."""
    pixel_aspect: float
    """The same after rotation."""
    first_stamp: int | None
    """Of the first frame, in ticks of the stream; null where nothing can be sought by it."""
    is_plain: bool
    """Every packet is a frame shown as it is (no edit list, no fields), and there is an index to seek by."""


def open_container(path: str, live: Stream | None = None) -> InputContainer:
    """An open file on this disk, or a live stream. Raises UnusableVideoError for what FFmpeg cannot open."""
    how: dict[str, Any] = {"options": {"protocol_whitelist": "file"}} if live is None else live.opened()
    try:
        with av.logging.Capture():  # probing tells of a cut-off beginning, as decoding will
            container: InputContainer = av.open(path, **how, **_OPEN_HOW)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        if Path(path).exists() and is_cut_off(path):
            detail = f"the file ends before its index, nothing can be decoded ({short(error)})"
            raise UnusableVideoError(QuarantineKind.TRUNCATED, detail) from error
        why = "the file is empty (0 bytes)" if _is_empty(path) else short(error)
        detail = f"not a video FFmpeg can open: {why}"
        raise UnusableVideoError(QuarantineKind.UNREADABLE, detail) from error
    if live is None and _INDIRECT_FORMATS & format_names(container):
        container.close()
        raise UnusableVideoError(QuarantineKind.UNREADABLE, f"a {container.format.name} file, not a video")
    return container


def _is_empty(path: str) -> bool:
    return Path(path).is_file() and not Path(path).stat().st_size


def pick_stream(container: InputContainer) -> VideoStream:
    """The stream that is the film. Raises UnusableVideoError where there is none."""
    attached = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & attached]
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "none"
        detail = f"no video stream; streams in the file: {kinds}"
        raise UnusableVideoError(QuarantineKind.NO_VIDEO_STREAM, detail)
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    if stream.codec_context is None:
        raise UnusableVideoError(QuarantineKind.UNREADABLE, "no decoder for the video stream's codec")
    return stream


def codec_name(stream: VideoStream) -> str:
    """As FFmpeg calls it, whatever decodes it: `h264`."""
    return str(stream.codec_context.codec.canonical_name)


def decoder_of(stream: VideoStream, codec: str) -> VideoCodecContext:
    """The stream's own, or one that gives the transparency that VP8 and VP9 carry beside the picture."""
    has_alpha = any(key.lower() == "alpha_mode" and value == "1" for key, value in stream.metadata.items())
    if has_alpha and codec in _DECODERS_OF_ALPHA:
        decoder = av.CodecContext.create(_DECODERS_OF_ALPHA[codec], "r")
        if isinstance(decoder, VideoCodecContext):
            return decoder
    return stream.codec_context


def decoded(packet: Any) -> list[Any]:
    """Its frames; none of one that is damaged."""
    try:
        return list(packet.decode())
    except av.error.FFmpegError:
        return []
