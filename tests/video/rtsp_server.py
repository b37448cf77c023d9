"""A real RTSP server, GStreamer's, in a process of its own: ``python3 rtsp_server.py PORT FILM.mp4 [USER PASSWORD]``.

``--check`` alone ends with 0 where all that it needs is there.

It serves an H.264 film at ``/live``, to each client from its beginning, on this machine alone, and prints ``ready``
when it does. It needs Debian's gir1.2-gst-rtsp-server-1.0, python3-gi and the plug-ins, which ``make services``
installs; so it is run by the system's Python, and knows nothing of headcount.
"""

import sys
from typing import Any


def modules() -> tuple[Any, Any, Any]:
    """GLib, Gst and GstRtspServer: of the system's Python, so that only a run of this file imports them."""
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer

    Gst.init(None)
    return GLib, Gst, GstRtspServer


def main(port: str, film: str, *login: str) -> None:
    glib, gst, rtsp = modules()
    server = rtsp.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = rtsp.RTSPMediaFactory()
    factory.set_launch(f'( filesrc location="{film}" ! qtdemux ! rtph264pay name=pay0 pt=96 config-interval=1 )')
    if login:
        _ask_for(gst, rtsp, server, factory, *login)
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    print("ready", flush=True)
    glib.MainLoop().run()


def _ask_for(gst: Any, rtsp: Any, server: Any, factory: Any, user: str, word: str) -> None:
    auth, token = rtsp.RTSPAuth(), rtsp.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth.add_basic(rtsp.RTSPAuth.make_basic(user, word), token)
    server.set_auth(auth)
    factory.add_role_from_structure(
        gst.Structure.new_from_string("user,media.factory.access=true,media.factory.construct=true")
    )


def has_all() -> bool:
    """Whether the plug-ins are there."""
    _, gst, _ = modules()
    return all(map(gst.ElementFactory.find, ("filesrc", "qtdemux", "rtph264pay")))


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if has_all() else 1)
    main(*sys.argv[1:])
