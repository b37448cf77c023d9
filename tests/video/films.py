"""Small films, and servers of them on this machine: RTSP by GStreamer, MJPEG and HLS over HTTP."""

from __future__ import annotations

import http.server
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from headcount.core.image import RgbImage

SIZE_WH = (160, 96)
BLOCK_PX = 16
BITS = SIZE_WH[0] // BLOCK_PX
RTSP_SERVER = Path(__file__).with_name("rtsp_server.py")
SYSTEM_PYTHON = "/usr/bin/python3"


def picture(number: int) -> RgbImage:
    """A frame that says its number: a block for each bit, under a strip of its own colour."""
    image = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    for bit in range(BITS):
        image[16:, bit * BLOCK_PX : (bit + 1) * BLOCK_PX] = 230 if number >> bit & 1 else 20
    image[:16] = (200, 30, 30)
    return image


def said(image: RgbImage) -> int:
    """The number that a frame says."""
    centres = image[56, BLOCK_PX // 2 :: BLOCK_PX, 0]
    return sum(1 << bit for bit, value in enumerate(centres) if value > 128)


def write_film(
    path: Path, *, frames: int, fps: int = 10, gop: int = 5, form: str | None = None, **options: str
) -> Path:
    """An H.264 film whose frames say their numbers."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w", format=form, options=options) as file:
        stream = file.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "g": str(gop), "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = *SIZE_WH, "yuv420p"
        for number in range(frames):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
        file.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes of 10 frames a second, 160×96."""
    return write_film(tmp_path_factory.mktemp("film") / "film.mp4", frames=1200)


@pytest.fixture(scope="session")
def short_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of 10 frames a second, 160×96."""
    return write_film(tmp_path_factory.mktemp("film") / "short.mp4", frames=20)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def has_rtsp_server() -> bool:
    """Whether the system's Python finds GStreamer's RTSP server."""
    if shutil.which(SYSTEM_PYTHON) is None:
        return False
    return subprocess.run([SYSTEM_PYTHON, RTSP_SERVER, "--check"], capture_output=True, check=False).returncode == 0


class RtspServer:
    """GStreamer's RTSP server of a film, in its own process."""

    def __init__(self, film: Path, *login: str) -> None:
        self.port, self._film, self._login = free_port(), film, login
        self.process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def address(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/live"

    def start(self) -> None:
        command = [SYSTEM_PYTHON, str(RTSP_SERVER), str(self.port), str(self._film), *self._login]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process = None


@pytest.fixture
def rtsp(film: Path) -> Iterator[Callable[..., RtspServer]]:
    """Starts RTSP servers of the film; ``rtsp(user, password)`` one that asks for them."""
    if not has_rtsp_server():
        pytest.skip("GStreamer's RTSP server is not installed: make services installs it")
    started: list[RtspServer] = []

    def start(*login: str) -> RtspServer:
        started.append(RtspServer(film, *login))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@contextmanager
def serving(handler: type[http.server.BaseHTTPRequestHandler] | Callable[..., Any]) -> Iterator[int]:
    """An HTTP server on this machine; gives its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)  # type: ignore[arg-type]
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Mjpeg(http.server.BaseHTTPRequestHandler):
    """``/live`` is MJPEG at 20 frames a second for 30 s at most; ``/picture.jpg`` one picture."""

    def do_GET(self) -> None:
        if self.path == "/live":
            self._live()
        elif self.path == "/picture.jpg":
            self._send("image/jpeg", self._jpeg(0))
        elif self.path == "/page":
            self._send("text/html", b"<html><body>camera</body></html>" * 100)
        elif self.path == "/secret":
            self.send_error(401)
        else:
            self.send_error(404)

    def _jpeg(self, number: int) -> bytes:
        return cv2.imencode(".jpg", np.ascontiguousarray(picture(number)[:, :, ::-1]))[1].tobytes()

    def _send(self, kind: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _live(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            for number in range(600):
                content = self._jpeg(number)
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
                self.wfile.write(head.encode() + content + b"\r\n")
                time.sleep(0.05)
        except OSError:
            return  # whoever watched is gone

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def mjpeg() -> Iterator[int]:
    """The port of a server as of ``Mjpeg``."""
    with serving(Mjpeg) as port:
        yield port


@contextmanager
def mute() -> Iterator[int]:
    """A port at which connections are taken, and nothing is ever said: a camera that hangs."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield one.getsockname()[1]
