"""What the source of a camera means: a file, a folder of frames, a webcam, or an address on the network."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from headcount.core.addresses import without_secrets
from headcount.core.errors import InputError
from headcount.core.files import file_size, is_folder
from headcount.core.image import is_image_name
from headcount.data.media.containers import kind_of_video
from headcount.data.media.folders import list_folder
from headcount.video.outputs.environment import filled

SourceKind = Literal["file", "folder", "webcam", "network"]

SCHEMES = ("rtsp", "rtsps", "http", "https")
_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<authority>[^/?#]*)")
_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_WEBCAM = "webcam:"


@dataclass(frozen=True, slots=True)
class Source:
    """What a source means.

    Attributes:
        kind: which of the four.
        address: what is opened: a path, the webcam's number or name, or the address with all that is secret in it.
        shown: what people may see of it: a path, ``webcam 0``, or host and port of an address.
        host, port: of an address; empty and 0 of others.
    """

    kind: SourceKind
    address: str
    shown: str
    host: str = ""
    port: int = 0

    @property
    def is_local(self) -> bool:
        """Whether it is read from this machine's disk."""
        return self.kind in ("file", "folder")

    def __repr__(self) -> str:
        """Without what is secret in its address."""
        return f"<Source {self.kind}: {self.shown}>"


def read_source(source: str, folder: Path) -> Source:
    """What a source as of ``CameraSettings.source`` means; relative paths are below ``folder``. Nothing is opened.

    Raises:
        InputError: it is an address of a kind that is not read, without a host, or with a port that is none; or the
            environment lacks what it takes from there.

    >>> read_source("rtsp://ann:1234@10.0.0.2/live?token=5", Path("."))
    <Source network: 10.0.0.2:554>
    >>> read_source("webcam:0", Path(".")).shown, read_source("gate.mp4", Path("site")).shown
    ('webcam 0', 'site/gate.mp4')
    """
    text = filled(source.strip(), "source") if "${" in source else source.strip()
    if text.lower().startswith(_WEBCAM):
        name = text[len(_WEBCAM) :].strip()
        if not name:
            raise InputError('The source "webcam:" names no webcam: write its number behind it, as in webcam:0.')
        return Source("webcam", name, f"webcam {name}")
    address = _ADDRESS.match(text)
    if address is None:
        return _on_disk(text, folder)
    scheme = address["scheme"].lower()
    if scheme == "file":
        raise InputError("The source is an address of a file: write the path of the file itself.")
    if scheme not in SCHEMES:
        raise InputError(
            f'The source "{without_secrets(text)}" is of the kind "{scheme}", which is not read: give an address that '
            f"begins with {', '.join(SCHEMES[:-1])} or {SCHEMES[-1]}."
        )
    if "@" not in address["authority"] and re.match(r"[?#][^/]*@", text[address.end() :]):
        raise InputError("The source has a name or password with ? or # in it: write them as %3F and %23.")
    return _on_network(text, scheme, address["authority"])


def _on_disk(text: str, folder: Path) -> Source:
    if not text or "\0" in text:
        raise InputError(f"{text!r} is no path: name a video file, a folder of frames or an address.")
    path = folder / Path(text).expanduser()
    return Source("folder" if is_folder(path) else "file", str(path), path.as_posix())


def _on_network(text: str, scheme: str, authority: str) -> Source:
    place = authority.rpartition("@")[2]
    matched = re.fullmatch(r"(\[[0-9A-Fa-f:.%]+\]|[^:\[\]\s]*)(?::(\d*))?", place)
    host, digits = (matched[1], matched[2] or "") if matched else ("", "")
    if not host or not matched:
        raise InputError(f'The source "{without_secrets(text)}" has no host: write it as {scheme}://HOST/PATH.')
    port = int(digits) if digits and len(digits) < 6 else _PORTS[scheme] if not digits else 0
    if not 0 < port < 2**16:
        raise InputError(
            f'The source "{scheme}://{host}:{digits}/…" has a port that is none: give one from 1 to 65535.'
        )
    return Source("network", text, f"{host}:{port}", host.strip("[]"), port)


def webcam_address(name: str, *, platform: str = sys.platform) -> tuple[str, str]:
    """(what is opened, FFmpeg's format) of a webcam by its number, or its name, on this kind of system.

    Raises:
        InputError: Windows has no webcam of this number.

    >>> webcam_address("0", platform="linux"), webcam_address("/dev/video2", platform="linux")
    (('/dev/video0', 'v4l2'), ('/dev/video2', 'v4l2'))
    >>> webcam_address("1", platform="darwin"), webcam_address("Integrated Camera", platform="win32")
    (('1:none', 'avfoundation'), ('video=Integrated Camera', 'dshow'))
    """
    if platform == "darwin":
        return f"{name}:none", "avfoundation"  # without its microphone
    if platform == "win32":
        return f"video={_windows_name(int(name)) if name.isdecimal() else name}", "dshow"
    return (f"/dev/video{name}" if name.isdecimal() else name), "v4l2"


def _windows_name(number: int) -> str:
    import av.device

    found = [one for one in av.device.enumerate_input_devices("dshow") if "video" in one.media_types]
    if number >= len(found):
        raise InputError(f"There is no webcam {number}: {len(found)} were found.")
    return str(found[number].name)


def refuse_missing(source: Source) -> None:
    """Stop where a file or folder is not there, or is of no use; other sources are not looked at.

    Raises:
        InputError: it says what lies there.
    """
    if source.kind == "folder":
        frames_in(Path(source.address))
    elif source.kind == "file":
        path = Path(source.address)
        if file_size(path) == 0:
            raise InputError(f'"{path}" is empty (0 bytes): copy it again from where it came.')
        if kind_of_video(path) == "playlist":
            raise InputError(f'"{path}" is a list of videos, not a video: name the files that it lists.')


def frames_in(folder: Path) -> list[Path]:
    """The images of a folder of frames, in natural order.

    Raises:
        InputError: it cannot be read, or holds none.
    """
    found = [path for path in list_folder(folder) if is_image_name(path) and not path.name.startswith(".")]
    if not found:
        raise InputError(f'The folder "{folder}" holds no image that can be read.')
    return found
