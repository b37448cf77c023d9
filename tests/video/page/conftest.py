"""A painted square with a known ground, the page around it, and a browser."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from headcount.core.homography import Homography
from headcount.core.image import RgbImage
from headcount.synth import paint_scene
from headcount.video.site import CameraSettings, Site

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WHY_NOT = "chromium is not installed here: make services installs it"
SIZE_WH = (960, 540)
# A camera 6 m high that looks down by 35 degrees: where the ground's corners in metres are seen, worked out by hand.
_FOCAL, _HEIGHT, _DOWN = 800.0, 6.0, np.radians(35)


def pixels_of(metres: Any) -> NDArray[np.float64]:
    """(n, 2) where places of the ground are seen: x to the right, y ahead of the camera's foot."""
    x, y = np.asarray(metres, np.float64).reshape(-1, 2).T
    depth = y * np.cos(_DOWN) + _HEIGHT * np.sin(_DOWN)
    down = _HEIGHT * np.cos(_DOWN) - y * np.sin(_DOWN)
    return np.stack([SIZE_WH[0] / 2 + _FOCAL * x / depth, SIZE_WH[1] / 2 + _FOCAL * down / depth], axis=1)


@pytest.fixture(scope="session")
def frame() -> RgbImage:
    return paint_scene(9, size_wh=SIZE_WH, count=60).pixels()


@pytest.fixture
def drawing(frame: RgbImage, tmp_path: Path) -> Any:
    """Of a new site's file."""
    from headcount.video.page.session import Drawing

    camera = CameraSettings(name="square", source="rtsp://me:1234@camera.example/live")
    return Drawing(frame, camera, file=tmp_path / "site.yaml", name="fair", next_step="look at it")


@contextmanager
def served(drawing: Any, *, token: str = "", port: int = 0) -> Iterator[tuple[str, threading.Event]]:
    """Serve a page at a free port; gives the address, and what is set when somebody finishes."""
    import uvicorn

    from headcount.video.page.app import create_app
    from headcount.web.listen import bound_socket

    done = threading.Event()
    listening = bound_socket("127.0.0.1", port)
    app = create_app(drawing, finish=done.set, token=token)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/", done
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright (dev extra)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens a tab in a browser of its own; what goes wrong in its scripts fails the test."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def open_tab(context: Any = None, **settings: Any) -> Any:
        if context is None:
            context = chromium.new_context(**{"viewport": {"width": 1200, "height": 800}, **settings})
            context.set_default_timeout(15_000)
            contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        return page

    yield open_tab
    for context in contexts:
        context.close()
    assert wrong == []


def square_site(source: str = "square.mp4") -> Site:
    """A site whose file is there already."""
    return Site(name="fair", cameras=(CameraSettings(name="gate", source=source),))


def homography() -> Homography:
    """The exact one of ``pixels_of``."""
    corners = [(-3, 4), (3, 4), (3, 12), (-3, 12)]
    return Homography.fit(pixels_of(corners), corners)
