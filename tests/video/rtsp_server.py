"""A real RTSP server, GStreamer's, in a process of its own: ``python3 rtsp_server.py PORT FILM.mp4 [USER PASSWORD]``.

``--check`` alone ends with 0 where all that it needs is there.

It serves an H.264 film at ``/live``, to each client from its beginning, on this machine alone, and prints ``ready``
when it does. It needs Debian's gir1.2-gst-rtsp-server-1.0, python3-gi and the plug-ins, which ``make services``
installs; so it is run by the system's Python, and knows nothing of headcount.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def main(port: str, film: str, *login: str) -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f'( filesrc location="{film}" ! qtdemux ! rtph264pay name=pay0 pt=96 config-interval=1 )')
    if login:
        _ask_for(server, factory, *login)
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    print("ready", flush=True)
    GLib.MainLoop().run()


def _ask_for(
    server: "GstRtspServer.RTSPServer", factory: "GstRtspServer.RTSPMediaFactory", user: str, word: str
) -> None:
    auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, word), token)
    server.set_auth(auth)
    factory.add_role_from_structure(
        Gst.Structure.new_from_string("user,media.factory.access=true,media.factory.construct=true")
    )


def has_all() -> bool:
    """Whether the plug-ins are there."""
    Gst.init(None)
    return all(map(Gst.ElementFactory.find, ("filesrc", "qtdemux", "rtph264pay")))


if sys.argv[1:] == ["--check"]:
    sys.exit(0 if has_all() else 1)
main(*sys.argv[1:])
