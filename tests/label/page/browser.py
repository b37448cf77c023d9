"""What the tests of the page share: a server in a thread, and what a person sees and does."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headcount.label.page.session import Labelling
from headcount.web.listen import bound_socket

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WHY_NOT = "chromium is not installed here: make services installs it"


@contextmanager
def served(labelling: Labelling, *, token: str = "", host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve a folder, at a free port where none is given; gives the address."""
    import uvicorn

    from headcount.label.page.app import create_app

    listening = bound_socket("127.0.0.1", port)
    config = uvicorn.Config(create_app(labelling, host=host, token=token), log_level="error", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def enter(page: Any, address: str, name: str = "Ann") -> None:
    """Open the page, say who one is, and wait until the first image is shown."""
    from playwright.sync_api import expect

    page.goto(address)
    page.locator("#person").fill(name)
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_have_attribute("data-ready", "true")
    expect(page.locator("#empty")).not_to_have_text("Loading…")


def at(page: Any, x: float, y: float) -> tuple[float, float]:
    """Where a place of the picture is on the screen."""
    surface = page.locator("#surface").bounding_box()
    sx, sy = page.evaluate("([x, y]) => page.view.screen(x, y)", [x, y])
    return surface["x"] + sx, surface["y"] + sy


def click(page: Any, x: float, y: float, **more: Any) -> None:
    """Click a place of the picture."""
    page.mouse.click(*at(page, x, y), **more)


def drag(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag from one place of the picture to another."""
    page.mouse.move(*at(page, *start))
    page.mouse.down()
    page.mouse.move(*at(page, *end), steps=4)
    page.mouse.up()


def saved(page: Any) -> None:
    """Wait until the server has everything."""
    from playwright.sync_api import expect

    expect(page.locator("#saved")).to_have_text("All saved", timeout=15_000)


def leave(page: Any, address: str) -> None:
    """Leave the page for a picture of the same server, which lets the page end in peace, and close the tab.

    A tab that is closed at once the browser ends where it gets no time for half a second, and then it tells nobody.
    """
    page.goto(f"{address}static/icon.svg")
    page.close()


def holds(page: Any, condition: Callable[[], bool], timeout_s: float) -> bool:
    """Whether something comes true within a time; the page's own policy forbids to ask in a string of code."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= end:
            return False
        page.wait_for_timeout(20)
    return True


def wait_for(page: Any, condition: Callable[[], bool], timeout_s: float = 10) -> None:
    """Wait until something holds that no element shows."""
    assert holds(page, condition, timeout_s)


def things(labelling: Labelling, image: int = 1, kind: str = "head") -> list[dict[str, Any]]:
    """What the server has of an image, of one kind."""
    with labelling.store.reading(image) as document:
        return list(document.of_kind(kind).values())


def write_crowd(
    folder: Path, name: str = "crowd.jpg", *, size_wh: tuple[int, int] = (800, 600), count: int = 40
) -> Any:
    """A painted scene as a file; gives the scene."""
    from PIL import Image

    from headcount.synth import paint_scene

    folder.mkdir(exist_ok=True)
    scene = paint_scene(11, size_wh=size_wh, count=count)
    Image.fromarray(scene.pixels()).save(folder / name, quality=90)
    return scene
