"""Requests to the server and to the labelling page that no browser of theirs sends."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.attacks.give import lay_common
from tests.attacks.make import ESCAPES, FILES, MARK, SCRIPT

Server = Literal["serve", "label"]
LINE = b"\r\n"
MOST_SENT = 256 * 2**20
"""What a body without end is cut off at, should a server take it all."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request with something of a stranger's in it.

    Attributes:
        name: what is tried.
        head: the request line and headers, without Host; where there is a Host among them, that one is sent.
        body: what follows; None: pieces of a body without end, until the server closes.
        status: the answers that there may be; 0: the connection is closed without one.
        says: a pattern that the answer has.
        to: the server.
    """

    name: str
    head: bytes
    body: bytes | None
    status: tuple[int, ...]
    says: str = ""
    to: Server = "serve"


def _get(path: bytes) -> bytes:
    return b"GET " + path + b" HTTP/1.1"


def _post(path: bytes, *headers: bytes) -> bytes:
    return LINE.join([b"POST " + path + b" HTTP/1.1", *headers])


def sized(path: bytes, body: bytes, *headers: bytes) -> tuple[bytes, bytes]:
    """The head and body of a POST."""
    return _post(path, b"Content-Length: %d" % len(body), *headers), body


def _form(name: bytes, content: bytes, path: bytes = b"/api/count") -> tuple[bytes, bytes]:
    part = b'--xx\r\nContent-Disposition: form-data; name="image"; filename="' + name + b'"\r\n\r\n' + content + b"\r\n"
    return sized(path, part + b"--xx--\r\n", b"Content-Type: multipart/form-data; boundary=xx")


_JSON = b"Content-Type: application/json"
_UP = (
    b"/../../../../etc/passwd",
    b"/static/../../../../etc/passwd",
    b"/static/..%2f..%2f..%2f..%2fetc%2fpasswd",
    b"/static/%2e%2e/app.py",
    b"/static/..%5c..%5capp.py",
    b"//etc/passwd",
    b"/static//etc/passwd",
    b"/static/%00",
    b"/static/%2fetc%2fpasswd",
    b"/static/..%c0%af..%c0%afetc/passwd",
    b"/api/jobs/..%2f..%2f..%2fetc%2fpasswd/results",
    b"/api/cameras/..%2f..%2fetc%2fpasswd/picture",
    b"file:///etc/passwd",
    b"http://127.0.0.1:9/",
    b"/" + b"a" * 20_000,
)
_UP_LABEL = (
    b"/../../etc/passwd",
    b"/static/..%2f..%2fapp.py",
    b"/api/images/..%2f..%2fetc%2fpasswd",
    b"/api/images/1/tiles/0/..%2f..%2f0/0",
    b"/api/images/-1",
    b"/api/images/99999999999999999999",
    b"/api/images/1/tiles/-1/-1/-1",
)
_HOSTS = (
    b"evil.example",
    b"127.0.0.1.evil.example",
    b"localhost.evil.example",
    b"",
    b"[::ffff:8.8.8.8]",
    b"evil.example:80",
    SCRIPT.encode(),
)
_REFUSED = (0, 400, 401, 403, 404, 405, 411, 413, 414, 421, 422, 431, 501)
_PICTURES = (
    "huge.png",
    "just-below.png",
    "huge.tif",
    "huge.webp",
    "huge.gif",
    "scans.jpg",
    "trap.pkl",
    "trap.npy",
    "trap.npz",
    "trap-zip.pth",
    "drawing.svg",
    "bomb.npz",
    "playlist.m3u8",
    "concat.mp4",
)
_SOUND = ("text-bomb.png", "icc-bomb.png", "itxt-bomb.png", "pixels-bomb.png", "chunks.png", "words.jpg")
_NAMES = (
    b"../../../evil.png",
    b"/etc/evil.png",
    b"C:\\evil.png",
    b"..",
    b"a\\..\\b.png",
    ESCAPES.replace("\r", "").encode() + b".png",
    SCRIPT.replace('"', "").encode() + b".png",
    b"=1+1.png",
    b"a" * 5000 + b".png",
    b"$(mkdir " + MARK.encode() + b").png",
)


def _requests() -> Iterator[Request]:
    for path in _UP:
        yield Request(f"a path that leads out, {path[:60].decode()}", _get(path), b"", _REFUSED)
    for path in _UP_LABEL:
        yield Request(f"a path that leads out of the page, {path[:60].decode()}", _get(path), b"", _REFUSED, to="label")
    servers: tuple[Server, ...] = ("serve", "label")
    for to in servers:
        about = b"/api/about" if to == "serve" else b"/api/folder"
        for host in _HOSTS:
            head = _get(about) + LINE + b"Host: " + host
            yield Request(f"another host, {to}, {host.decode()!r}", head, b"", (0, 400, 403), to=to)
        for header in (b"Origin: http://evil.example", b"Origin: null", b"Sec-Fetch-Site: cross-site"):
            yield Request(f"another site, {to}, {header.decode()}", _get(about) + LINE + header, b"", (403,), to=to)
        many = b"".join(LINE + b"X-%d: a" % number for number in range(20_000))
        yield Request(f"headers without number, {to}", _get(about) + many, b"", (0, 400, 413, 431), to=to)
        yield Request(
            f"a header of a megabyte, {to}", _get(about) + LINE + b"X: " + b"a" * 2**20, b"", (0, 400, 413, 431), to=to
        )
        place = b"/api/count" if to == "serve" else b"/api/images/1/strokes"
        for length in (b"999999999999", b"-1", b"1e9", b"99999999999999999999999"):
            yield Request(
                f"a length of {length.decode()}, {to}", _post(place, b"Content-Length: " + length), b"", _REFUSED, to=to
            )
        yield Request(
            f"two lengths, {to}", _post(place, b"Content-Length: 4", b"Content-Length: 40"), b"aaaa", _REFUSED, to=to
        )
        yield Request(
            f"a length and pieces, {to}",
            _post(place, b"Content-Length: 4", b"Transfer-Encoding: chunked"),
            b"0\r\n\r\n",
            _REFUSED,
            to=to,
        )
        yield Request(
            f"a body without end, {to}", _post(place, b"Transfer-Encoding: chunked"), None, (0, 400, 413, 422), to=to
        )
        yield Request(f"no HTTP, {to}", b"\x16\x03\x01\x02\x00\x01\x00" + bytes(99), b"", (0, 400), to=to)
    for content in (
        b'{"path": NaN}',
        b'{"path": "' + b"a" * 60_000 + b'"}',
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"path": "\\u0000"}',
        b'{"path": "../../../../etc"}',
        b'{"path": "/etc/passwd"}',
        b'{"path": "file:///etc/passwd"}',
        b'{"path": "rtsp://127.0.0.1:9/"}',
        b'{"path": ' + b"9" * 50_000 + b"}",
        b"\xff\xfe",
    ):
        head, body = sized(b"/api/jobs", content, _JSON)
        yield Request(f"JSON of a job, {content[:40]!r}", head, body, (400, 403, 413, 422))
    for content in (
        b"[" * 60_000,
        b'{"session": NaN, "strokes": [{"id": "aaaaaaaaaa", "changes": {"1": {"t": "head", "x": 1e999}}}]}',
        json.dumps(
            {
                "session": "annannann",
                "person": SCRIPT,
                "strokes": [{"id": "strokeaaxx", "changes": {"a": {"t": "head", "x": "NaN", "y": {}}}}],
            }
        ).encode(),
    ):
        head, body = sized(b"/api/images/1/strokes", content, _JSON)
        yield Request(f"JSON of a stroke, {content[:40]!r}", head, body, (400, 409, 413, 422), to="label")
    part = b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    head, body = sized(b"/api/count", part * 100_000 + b"--xx--\r\n", b"Content-Type: multipart/form-data; boundary=xx")
    yield Request("a form of 100,000 parts", head, body, (0, 400, 413))
    head, body = _form(b"a.png\r\nX-Own: 1", b"x")
    yield Request("a line end in a file's name", head, body, (400, 415, 422))
    for file in _PICTURES:
        head, body = sized(b"/api/count", (FILES / file).read_bytes())
        yield Request(f"an upload, {file}", head, body, (400, 413, 415, 422))
    for file in _SOUND:
        head, body = sized(b"/api/count", (FILES / file).read_bytes())
        yield Request(f"an upload with a bomb beside sound pixels, {file}", head, body, (200,), '"count"')
    for name in _NAMES:
        for path in (b"/api/count", b"/api/jobs"):
            head, body = _form(name, (FILES / "image.png").read_bytes(), path)
            yield Request(f"an upload's name, {name[:40]!r} to {path.decode()}", head, body, (200, 202, 400, 422))


REQUESTS: tuple[Request, ...] = tuple(_requests())


@contextmanager
def servers(folder: Path, model: Path) -> Iterator[dict[Server, int]]:
    """Both servers, each with its port; they end with the block."""
    inside = folder / "a" / "b"
    inside.mkdir(parents=True)
    lay_common(inside, model)
    main = "from headcount.cli.main import main; main()"
    commands: dict[Server, list[str]] = {
        "serve": ["serve", "--model", "tiny.onnx", "--threads", "1", "--allow", "."],
        "label": ["label", "open", ".", "--no-browser", "--model", "tiny.onnx"],
    }
    started: list[subprocess.Popen[str]] = []
    ports: dict[Server, int] = {}
    try:
        for name, command in commands.items():
            # What they say at a request goes nowhere: a pipe that nobody reads would stop them.
            process = subprocess.Popen(
                [sys.executable, "-c", main, *command, "--port", str(_free_port())],
                cwd=inside,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            started.append(process)
            assert process.stdout is not None
            for line in process.stdout:
                if found := re.search(r"http://[^:]+:(\d+)", line):
                    ports[name] = int(found[1])
                    break
        yield ports
    finally:
        for process in started:
            process.terminate()
            try:
                process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wrong(request: Request, ports: dict[Server, int], folder: Path) -> list[str]:
    """Send a request; a sentence for each thing that went otherwise than it must."""
    port = ports[request.to]
    found = []
    answer = ask(request, port)
    status = int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0
    if status not in request.status:
        found.append(f"the answer is {status}: {answer[:300]!r}")
    text = answer.decode("utf-8", "replace")
    if "Traceback" in text or "root:" in text or status >= 500:
        found.append(f"the answer tells too much: {text[:300]!r}")
    if "\r\nx-own:" in text.lower() or (SCRIPT in text and "text/html" in text):
        found.append(f"the answer holds what was sent: {text[:300]!r}")
    if request.says and not re.search(request.says, text):
        found.append(f"{request.says!r} is not said: {text[:300]!r}")
    if list(folder.rglob(MARK)) or [path for path in folder.iterdir() if path.name != "a"]:
        found.append("a file was made where none may be")
    place = b"/healthz" if request.to == "serve" else b"/api/folder"
    sound = ask(Request("it goes on", _get(place), b"", (200,)), port)
    if not sound.startswith(b"HTTP/1.1 200"):
        found.append(f"the server does not go on: {sound[:100]!r}")
    return [f"{request.name}: {each}" for each in found]


def slow(port: int, *, connections: int = 40, within_s: float = 90) -> list[str]:
    """Keep connections busy with bodies, and headers, of a byte now and then; what is wrong with what comes of it.

    Others are answered meanwhile, and the server ends each of them.
    """
    bodies, _ = sized(b"/api/count", bytes(10**6))
    heads = [bodies + LINE + b"Host: 127.0.0.1:%d" % port + LINE + LINE, _get(b"/healthz") + LINE + b"X-Own: "]
    found = []
    with ExitStack() as stack:
        waiting = []
        for number in range(connections):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            connection.sendall(heads[number % len(heads)])
            waiting.append(connection)
        head, body = sized(b"/api/count", (FILES / "image.png").read_bytes())
        for request in (Request("of others", head, body, (200,)), Request("of others", _get(b"/healthz"), b"", (200,))):
            if not (answer := ask(request, port, seconds=20)).startswith(b"HTTP/1.1 200"):
                found.append(f"others are not answered while {connections} slow bodies come: {answer[:100]!r}")
        end = time.monotonic() + within_s
        while waiting and time.monotonic() < end:
            waiting = [connection for connection in waiting if _takes_a_byte_more(connection)]
            time.sleep(1)
    if waiting:
        found.append(f"{len(waiting)} of {connections} connections are still there after {within_s:g} s of a byte each")
    return found


def _takes_a_byte_more(connection: socket.socket) -> bool:
    """Send one; whether the other end has neither answered nor closed."""
    try:
        connection.sendall(b"a")
        connection.settimeout(0.01)
        connection.recv(1)
    except TimeoutError:
        return True
    except OSError:
        return False
    return False


def ask(request: Request, port: int, seconds: float = 60) -> bytes:
    """The answer to a request on a connection of its own; empty where it is closed without one."""
    host = b"" if b"\r\nHost:" in request.head else LINE + b"Host: 127.0.0.1:%d" % port
    head = request.head + host + LINE + b"Connection: close" + LINE + LINE
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection, suppress(ConnectionError):
        with suppress(ConnectionError, TimeoutError):
            connection.sendall(head)
            for piece in _pieces() if request.body is None else [request.body]:
                connection.sendall(piece)
        return _all_of(connection.recv)
    return b""


def _pieces() -> Iterator[bytes]:
    piece = b"%x\r\n" % 2**20 + bytes(2**20) + b"\r\n"
    for _ in range(MOST_SENT // 2**20):
        yield piece


def _all_of(receive: Callable[[int], bytes]) -> bytes:
    found = b""
    with suppress(ConnectionError, TimeoutError):
        while len(found) < 2**22 and (piece := receive(65_536)):
            found += piece
    return found
