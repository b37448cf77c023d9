"""Addresses on the network and cameras: told from files, and never shown with what is secret in them."""

from __future__ import annotations

import os
import re
from pathlib import Path

# A path that was an address has one slash less.
_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+):/{1,2}(?P<rest>\S*)", re.IGNORECASE)
_USER = re.compile(r"\b([a-z][a-z0-9+.-]+:/{1,2})[^\s\"]*@", re.IGNORECASE)
_QUERY = re.compile(r"\b([a-z][a-z0-9+.-]+:/{1,2}[^\s\"?#]*[?#])[^\s\"]+", re.IGNORECASE)
_CAMERA = re.compile(r"\d{1,2}|/dev/video\d+|/dev/v4l/.+")
_HOMES = re.compile(r"(?<![\w.~-])(/home/|/Users/|[A-Za-z]:[\\/]Users[\\/])[^/\\\s\"',]+")
_STREAMS = frozenset({"rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "tcp", "srt", "mms", "mmsh", "hls", "rist"})


def without_secrets(text: str) -> str:
    """A text whose addresses have lost their names, passwords and tokens.

    >>> without_secrets('There is no file "rtsp://admin:1234@10.0.0.2/live".')
    'There is no file "rtsp://…@10.0.0.2/live".'
    >>> without_secrets("https://host/a.jpg?token=1234")
    'https://host/a.jpg?…'
    """
    if ":/" not in text:
        return text
    return _QUERY.sub(r"\1…", _USER.sub(r"\1…@", text))


def no_file(name: str) -> str | None:
    """Why a name is an address or a camera and no file, and what to do; None where it may be a file's.

    >>> no_file("photo.jpg"), no_file("C:/photo.jpg")
    (None, None)
    """
    if _CAMERA.fullmatch(name):
        return (
            f'"{name}" is a camera, and only files are counted: record it first '
            "(ffmpeg -f v4l2 -i /dev/video0 -t 60 recording.mkv), then count the recording."
        )
    address = _ADDRESS.fullmatch(name)
    if address is None:
        return None
    scheme, rest = address["scheme"].lower(), address["rest"]
    host = rest.rpartition("@")[2].lstrip("/").partition("/")[0].partition("?")[0]
    if scheme == "file":
        return f'"{name}" is an address: write the path of the file itself.'
    shown = f"{scheme}://{host}/…" if host else f"{scheme}://…"
    record = "record it first (ffmpeg -i ADDRESS -t 60 -c copy recording.mkv), then count the recording"
    if scheme in _STREAMS:
        return f'"{shown}" is an address of a stream, and only files are counted: {record}.'
    return (
        f'"{shown}" is an address on the network, and only files are counted: download it first; of a stream, {record}.'
    )


def without_home(text: str) -> str:
    """A text whose paths have lost the home folder: this user's, and others' where people usually have theirs.

    >>> without_home('There is no file "/home/anna/photo.jpg".')
    'There is no file "~/photo.jpg".'
    """
    for home in {str(Path.home()), os.path.realpath(Path.home())}:
        if len(Path(home).parts) > 1:  # of a service it may be the root
            text = re.sub(rf"(?<![\w.~-]){re.escape(home)}(?![\w.-])", "~", text)
    return _HOMES.sub("~", text)
