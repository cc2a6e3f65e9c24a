"""What a command names as its SOURCE -> where its pictures come from."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from reelproof.pipeline.decoder.process import CHILD_COMMAND
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.watching.arrivals import Source
from reelproof.pipeline.watching.connections import Connections
from reelproof.pipeline.watching.films import Films
from reelproof.pipeline.watching.recorder import Recorder
from reelproof.schemas.text import without_secrets
from reelproof.stages.footage.live import Stream

SCHEMES = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "srt", "udp", "tcp", "rtp")
_PROTOCOLS = "http,https,httpproxy,tls,tcp,udp,rtp,srtp,rtsp,rtsps,rtmp,rtmps,srt,crypto,data"
_NAME_ONE = "name a file, a folder, a stream, a camera, or - for a pipe"


def open_source(named: str, recorder: Recorder, command: Sequence[str] = CHILD_COMMAND) -> Source:
    """A file, a folder that grows, a stream, a camera or `-`. Live ones are recorded as they come.

    All of them are decoded by a child that is started by `command`.

    Raises UsageError for what is none of these.
    """
    if not named.strip():
        raise UsageError(f"SOURCE is empty; {_NAME_ONE}")
    scheme = named.partition("://")[0]
    if named == "-":
        return _standard_input(recorder, command)
    if "://" in named:
        if scheme not in SCHEMES:
            raise UsageError(
                f"{without_secrets(named)}: a stream begins with {', '.join(SCHEMES)}, got {scheme}"
            )
        options = (("rtsp_transport", "tcp"),) if scheme.startswith("rtsp") else ()
        stream = Stream(_PROTOCOLS, options=options)
        return Connections(named, without_secrets(named), stream, recorder, command)
    path = Path(named)
    if not path.exists():
        raise UsageError(f"{named} does not exist; {_NAME_ONE}")
    if stat.S_ISCHR(path.stat().st_mode):
        return Connections(named, named, Stream("file", format="v4l2"), recorder, command)
    return Films(path, command)


def _standard_input(recorder: Recorder, command: Sequence[str]) -> Source:
    try:
        held = os.dup(0)  # the child's own standard input is where its jobs come from
    except OSError:
        raise UsageError("-: there is no standard input") from None
    stream = Stream("pipe,fd")
    return Connections(f"pipe:{held}", "standard input", stream, recorder, command, passed=(held,))
