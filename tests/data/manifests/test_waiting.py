"""Real servers of this machine that hang, fail at first, or give no parts of files."""

from __future__ import annotations

import io
import socket
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from headcount.core.errors import InputError
from headcount.data.manifests import addresses, waiting
from headcount.data.manifests.addresses import open_file, read_file
from headcount.data.manifests.waiting import awaited

pytest.importorskip("fsspec", reason="addresses need the batch extra")
pytest.importorskip("aiohttp", reason="addresses of the web need aiohttp")

LARGE = bytes(range(256)) * 2**15
"""Eight MiB: more than is read at once."""


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes calls and never answers."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        yield f"http://127.0.0.1:{door.getsockname()[1]}/a.jpg"


class _Whole(BaseHTTPRequestHandler):
    """Files as simple servers give them: whole, whichever part is asked for; the first two calls fail."""

    failures = 0
    content = LARGE

    def do_HEAD(self) -> None:
        self._begin(200)

    def do_GET(self) -> None:
        if type(self).failures > 0:
            type(self).failures -= 1
            self._begin(503, size=0)
            return
        self._begin(200)
        self.wfile.write(self.content)

    def _begin(self, code: int, size: int | None = None) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(self.content) if size is None else size))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def simple() -> Iterator[str]:
    _Whole.failures, _Whole.content = 0, LARGE
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Whole)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_server_that_never_answers_is_given_up(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "WAIT_S", 0.2)
    with pytest.raises(InputError, match=r"cannot be read \(nothing came for 0 seconds\)"):
        read_file(silent)
    with pytest.raises(InputError, match="nothing came"):
        read_file(silent, offset=512, size=100)


def test_what_is_awaited_says_what_the_call_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def own() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        awaited(own)
    monkeypatch.setattr(waiting, "WAIT_S", 0.01)
    ended = threading.Event()
    with pytest.raises(TimeoutError, match="nothing came"):
        awaited(lambda: ended.wait(60))
    ended.set()


def test_a_large_file_of_a_server_that_gives_no_parts_is_read(simple: str) -> None:
    assert read_file(f"{simple}/a.jpg") == LARGE
    with open_file(f"{simple}/a.mp4", forward=True) as file:
        blocks = list(iter(lambda: file.read(2**20), b""))
    assert b"".join(blocks) == LARGE


def test_of_such_a_server_no_member_of_a_tar_is_taken_for_another(simple: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("0.jpg", "1.jpg"):
            info = tarfile.TarInfo(name)
            info.size = 700
            tar.addfile(info, io.BytesIO(name[:1].encode() * 700))
    _Whole.content = packed.getvalue()
    with pytest.raises(InputError, match="gives whole files and no parts of them"):
        read_file(f"{simple}/a.tar", offset=1536 + 512, size=700)


def test_a_server_that_is_busy_is_asked_again(simple: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "_WAITS_S", (0.01, 0.01))
    _Whole.failures = 2
    assert read_file(f"{simple}/a.jpg") == LARGE
    _Whole.failures = 3
    with pytest.raises(InputError, match="503"):
        read_file(f"{simple}/a.jpg")
    assert _Whole.failures == 0


def test_what_is_not_there_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[float] = []

    def read(place: str, offset: int | None, size: int | None) -> bytes:
        tries.append(time.monotonic())
        raise InputError("gone") from FileNotFoundError()

    monkeypatch.setattr(addresses, "_read", read)
    with pytest.raises(InputError, match="gone"):
        read_file("memory://in/1.jpg")
    assert len(tries) == 1
