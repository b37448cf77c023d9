"""Servers in threads, and what they are asked."""

from __future__ import annotations

import io
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the server needs the serve extra")
pytest.importorskip("prometheus_client", reason="the server needs the serve extra")

import httpx2 as httpx
import uvicorn

from headcount.serve.app import create_app
from headcount.serve.dispatch import Dispatcher
from headcount.serve.history_source import HistorySource
from headcount.serve.limits import Limits
from headcount.serve.live import Live
from headcount.serve.patient import PatientProtocol
from headcount.serve.service import Service
from headcount.serve.supervise import Supervisor
from headcount.serve.work import WorkerSettings
from headcount.video.site import Site
from headcount.web.listen import bound_socket

from . import workers

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WHY_NOT = "chromium is not installed here: make services installs it"


class Served:
    """A server that runs, and a client of it."""

    def __init__(self, service: Service, address: str) -> None:
        self.service, self.address = service, address
        self.client = httpx.Client(base_url=address, timeout=30)

    def count(self, body: bytes | str, **query: Any) -> Any:
        content = body.encode() if isinstance(body, str) else body
        return self.client.post("/api/count", content=content, params=query)


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Serves; by a worker that does as it is told, unless a model is given."""
    with serving() as start:
        yield start


@pytest.fixture(scope="module")
def plain() -> Iterator[Served]:
    """A server of a module's tests that ask nothing of it that another would see."""
    with serving() as start:
        yield start()


@pytest.fixture(scope="module")
def square(site: Site, site_folder: Path) -> Iterator[Served]:
    """As ``plain``, with the cameras of a site."""
    with serving() as start:
        served = start(site=site, folder=site_folder)
        live = served.service.live
        assert live is not None
        end = time.monotonic() + 20
        while live.camera("north").measurement is None or not live.outputs():
            assert time.monotonic() < end
            time.sleep(0.01)
        yield served


@contextmanager
def serving() -> Iterator[Callable[..., Served]]:
    """Gives what starts servers, which end with it."""
    ends: list[Callable[[], object]] = []
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(Path(__file__).parents[2]))  # the processes import this folder's workers
    ends.append(patch.undo)

    def start(
        model: str | None = None,
        *,
        limits: Limits | None = None,
        jobs: Path | None = None,
        roots: tuple[Path, ...] = (),
        token: str = "",
        target: Any = workers.obedient,
        site: Site | None = None,
        folder: Path = Path(),
        watcher: Any = workers.watching,
        database: Any = None,
        patience_s: float = 5,
        silent_s: float = 15,
    ) -> Served:
        limits = limits or Limits(queue=2, deadline_s=20)
        live = None if site is None else Live(site)
        monitor = None
        if live is not None:
            monitor = Supervisor(
                watcher, (site, folder), took=live.take, changed=live.monitor_changed, silent_s=silent_s
            )
        settings = WorkerSettings((model,), threads=1, roots=roots, max_pixels=limits.most_pixels)
        service = Service(settings, limits, jobs=jobs, live=live, monitor=monitor)
        if model is None:
            service.dispatcher = Dispatcher(
                service.queue, settings, target=target, patience_s=patience_s, silent_s=silent_s
            )
        service.start()
        ends.append(service.close)
        if target is not workers.unable:
            service.dispatcher.wait_until_ready()
        history = None if live is None else HistorySource(live, database)
        listening = bound_socket("127.0.0.1", 0)
        app = create_app(service, history=history, token=token)
        config = uvicorn.Config(app, log_level="error", access_log=False, server_header=False, http=PatientProtocol)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()

        def stop() -> None:
            service.stopping()
            server.should_exit = True
            thread.join()
            listening.close()

        ends.append(stop)
        served = Served(service, f"http://127.0.0.1:{listening.getsockname()[1]}/")
        ends.append(served.client.close)
        return served

    try:
        yield start
    finally:
        for end in reversed(ends):
            end()


def jpeg_of(size_wh: tuple[int, int] = (160, 96), seed: int = 5, file_format: str = "PNG") -> bytes:
    """A random picture as a file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, file_format)
    return buffer.getvalue()


@pytest.fixture
def image() -> bytes:
    """A small picture as a PNG."""
    return jpeg_of()


@pytest.fixture(scope="session")
def site() -> Site:
    """Two cameras, one with zones."""
    zone = {"name": "gate", "polygon": [[10, 10], [100, 10], [100, 100]], "drawn": "heads"}
    stairs = {**zone, "name": "stairs", "alerts": False}
    return Site.model_validate(
        {
            "name": "Square",
            "cameras": [
                {"name": "north", "source": "rtsp://admin:hunter22@10.0.0.2/live", "zones": [zone, stairs]},
                {"name": "south", "source": "south.mp4"},
            ],
            "outputs": {"database": None},
        }
    )


@pytest.fixture(scope="session")
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the fake watcher's picture lies."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "frame.jpg").write_bytes(jpeg_of((640, 360), file_format="JPEG"))
    return folder
