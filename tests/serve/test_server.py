"""The server as it is started: the command, real processes, signals in the midst of requests, a real site."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError, ModelError
from headcount.serve.server import serve
from headcount.serve.work import WorkerSettings
from headcount.video.site import read_site

from .conftest import jpeg_of
from .test_count import in_background, wait_for

pytestmark = pytest.mark.slow
MAIN = "from headcount.cli.main import main; main()"


@pytest.fixture
def start(tiny_model: str) -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """Starts ``headcount serve`` on the tiny model; gives the process and the address that it printed."""
    started: list[subprocess.Popen[str]] = []

    def begin(*options: str) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-c", MAIN, "serve", "--model", tiny_model, "--threads", "1", *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), process.communicate()[1]
        return process, address

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def children_of(process: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return [child for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc, which this system lacks")
def test_the_command_serves_survives_a_killed_worker_and_answers_what_it_accepted_when_stopped(
    start: Callable[..., tuple[subprocess.Popen[str], str]],
) -> None:
    process, address = start("--queue", "50")
    image = jpeg_of((2000, 1500), file_format="JPEG")

    def count() -> int:
        status: int = httpx.post(f"{address}api/count", content=image, timeout=60).status_code
        return status

    assert count() == 200
    (worker,) = children_of(process.pid)
    os.kill(worker, signal.SIGKILL)
    began = time.monotonic()
    assert count() == 200
    assert time.monotonic() - began < 30  # the benchmark says how long it takes
    (worker,) = children_of(process.pid)
    os.kill(worker, signal.SIGSTOP)  # so that all five are accepted before the first is answered
    running = [in_background(count) for _ in range(5)]
    metrics = f"{address}metrics"
    wait_for(lambda: "headcount_server_waiting 4.0" in httpx.get(metrics).text)
    process.send_signal(signal.SIGTERM)
    os.kill(worker, signal.SIGCONT)
    for thread, answers in running:
        thread.join()
        assert answers == [200]
    process.wait(30)  # its port may be another server's by now


def test_a_second_ctrl_c_is_not_needed_and_open_pages_hold_nothing_up(
    start: Callable[..., tuple[subprocess.Popen[str], str]], tmp_path: Path
) -> None:
    write_site(tmp_path)
    process, address = start("--site", str(tmp_path / "site.yaml"))
    with httpx.stream("GET", f"{address}api/live", timeout=60) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: now"
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert process.wait(20) == 0
        assert time.monotonic() - began < 20
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def write_site(folder: Path, model: str = "") -> None:
    """A site of a folder of frames and a camera that is not there."""
    (folder / "frames").mkdir()
    for number in range(3):
        Image.fromarray(np.full((120, 160, 3), 60 * number, np.uint8)).save(folder / "frames" / f"{number}.png")
    lines = [
        "name: Square",
        *([f"model: {model}"] if model else []),
        "cameras:",
        "- {name: north, source: frames, folder_fps: 5, loop: true, frames_per_second: 5,",
        "   zones: [{name: gate, polygon: [[10, 10], [100, 10], [100, 100]]}]}",
        "- {name: south, source: 'rtsp://admin:hunter22@127.0.0.1:9/live'}",
    ]
    (folder / "site.yaml").write_text("\n".join(lines), encoding="utf-8")


def test_a_real_site_is_watched_shown_and_kept(tiny_model: str, tmp_path: Path) -> None:
    write_site(tmp_path, tiny_model)
    site = read_site(tmp_path / "site.yaml")
    found: dict[str, Any] = {}
    stopped = threading.Event()

    def look(address: str) -> None:
        client = httpx.Client(base_url=address, timeout=20)

        def camera(name: str) -> dict[str, Any]:
            told: dict[str, Any] = client.get(f"/api/cameras/{name}").json()
            return told

        try:
            wait_for(lambda: camera("north")["measurement"] is not None and camera("south")["status"]["reason"] != "")
            found["north"], found["south"] = camera("north"), camera("south")
            picture = client.get("/api/cameras/north/picture")
            found["picture"] = picture.status_code, picture.headers["content-type"]
            found["marks"] = client.get("/api/cameras/north/marks").json()
            wait_for(lambda: len(client.get("/api/cameras/north/history.csv").text.splitlines()) > 3)
            found["history"] = client.get("/api/cameras/north/history").json()["points"]
        finally:
            stopped.set()

    # What uvicorn does with signals it does in the main thread alone.
    def ready(address: str) -> None:
        threading.Thread(target=lambda: (look(address), os.kill(os.getpid(), signal.SIGINT))).start()

    settings = WorkerSettings((tiny_model,), threads=1)
    with pytest.raises(KeyboardInterrupt):
        serve(settings, site=site, folder=tmp_path, ready=ready)
    assert stopped.is_set()
    assert found["north"]["status"]["state"] == "online"
    assert found["north"]["measurement"]["zones"][0]["name"] == "gate"
    assert "hunter22" not in str(found)
    assert found["south"]["status"]["state"] == "offline"
    assert found["picture"] == (200, "image/jpeg")
    (zone,) = found["marks"]["zones"]
    corners = [[10 / 160, 10 / 120], [100 / 160, 10 / 120], [100 / 160, 100 / 120]]
    assert np.allclose(sorted(zone["polygon"]), corners, atol=0.01)
    assert np.array(found["marks"]["heat"]).shape == (15, 20)
    assert found["history"]
    assert (tmp_path / "headcount-watch.sqlite").exists()


def test_what_is_wrong_is_said_before_anything_is_served(tiny_model: str, tmp_path: Path) -> None:
    settings = WorkerSettings((tiny_model,), threads=1)
    with pytest.raises(ModelError, match="headcount-x"):
        serve(WorkerSettings(("headcount-x",)))
    with pytest.raises(InputError, match="can be reached from other machines"):
        serve(settings, host="0.0.0.0")
    with pytest.raises(InputError, match=r'no folder ".*gone"'):
        serve(WorkerSettings((tiny_model,), roots=(tmp_path / "gone",)))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="is free"):
            serve(settings, port=taken.getsockname()[1])
    write_site(tmp_path, tiny_model)
    text = (tmp_path / "site.yaml").read_text(encoding="utf-8")
    (tmp_path / "site.yaml").write_text(text.replace("source: frames", "source: gone.mp4"), encoding="utf-8")
    with pytest.raises(InputError, match=r"gone\.mp4"):
        serve(settings, site=read_site(tmp_path / "site.yaml"), folder=tmp_path)


def test_the_command_says_what_is_wrong_in_a_sentence(
    run_cli: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, _, err = run_cli("serve", "--site", tmp_path / "gone.yaml")
    assert (code, err.count("\n")) == (2, 1)
    assert "gone.yaml" in err
    code, _, err = run_cli("serve", "--token", "short")
    assert (code, "8 to 128 letters and digits" in err) == (2, True)
    code, out, _ = run_cli("serve", "--help")
    assert code == 0
    assert "--queue" in out


def test_headers_that_never_come_end_the_connection(serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headcount.serve.patient.HEADERS_WITHIN_S", 0.3)
    served = serve()
    port = int(served.address.rpartition(":")[2].rstrip("/"))
    for sent in (b"", b"GET / HTTP/1.1\r\nHost: "):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as one:
            one.sendall(sent)
            assert one.recv(100) == b""
    assert served.count("hello").status_code == 200
