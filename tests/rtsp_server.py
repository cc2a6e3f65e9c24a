"""A film as a camera's RTSP stream, by GStreamer's server: `python3 rtsp_server.py FILM [PORT]`.

It tells its address. For a Python that has `gi`: Debian's own, where `gir1.2-gst-rtsp-server-1.0` and
`gstreamer1.0-plugins-good` are installed; it ends with 1 where they are not.
"""

import sys

try:
    import gi

    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer
except (ImportError, ValueError) as error:
    sys.exit(str(error))

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[2] if len(sys.argv) > 2 else "0")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    f'( filesrc location="{sys.argv[1]}" ! qtdemux ! h264parse '
    "! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)
server.get_mount_points().add_factory("/camera", factory)
server.attach(None)
print(f"rtsp://127.0.0.1:{server.get_bound_port()}/camera", flush=True)
GLib.MainLoop().run()
