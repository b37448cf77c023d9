"""A painted square with a known ground, the page around it, and a browser."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from headcount.core.image import RgbImage
from headcount.synth import paint_scene
from headcount.video.site import CameraSettings

from ..places import SIZE_WH

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WHY_NOT = "chromium is not installed here: make services installs it"


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
