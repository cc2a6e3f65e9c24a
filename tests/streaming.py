"""A film served on loopback as a live stream is: packets one after the other, and then nothing more."""

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

import av


def as_stream(film: Path, path: Path) -> Path:
    """The film's packets in an MPEG transport stream."""
    with av.open(str(film)) as source, av.open(str(path), "w", format="mpegts") as out:
        stream = source.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                out.mux(packet)
    return path


@contextmanager
def streamed(path: Path, times: int = 1) -> Iterator[str]:
    """The address of a server that sends the file's bytes so often, each time to a connection of its own."""
    left = [times]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if left[0] < 1:
                self.send_error(404)
                return
            left[0] -= 1
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            self.end_headers()
            self.wfile.write(path.read_bytes())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/camera.ts"
        server.shutdown()


class Paced:
    """What a real camera does: each packet is sent when it is due, or so many times as soon."""

    def __init__(self, film: Path, speed: float = 1.0, first: int = 0) -> None:
        """Packets before the `first` were sent before anybody was connected."""
        self.film, self._speed, self._first = film, speed, first
        self.began_at = 0.0
        """When the first packet was sent."""

    def send(self, to: object) -> None:
        with av.open(str(self.film)) as source, av.open(to, "w", format="mpegts") as out:
            stream = source.streams.video[0]
            copy = out.add_stream_from_template(stream)
            self.began_at = time.time()
            first = None
            packets = (packet for packet in source.demux(stream) if packet.dts is not None)
            for packet in islice(packets, self._first, None):
                due_s = float(packet.dts * packet.time_base) / self._speed
                first = due_s if first is None else first
                time.sleep(max(self.began_at + due_s - first - time.time(), 0))
                packet.stream = copy
                out.mux(packet)


@contextmanager
def paced(film: Path, speed: float = 1.0, first: int = 0) -> Iterator[tuple[str, Paced]]:
    """The address of a server that sends a film as fast as it plays, and how that goes; see Paced."""
    sender = Paced(film, speed, first)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError, av.error.FFmpegError):
                sender.send(self.wfile)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/camera.ts", sender
        server.shutdown()
