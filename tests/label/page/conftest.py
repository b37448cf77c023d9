"""A small folder of images, and a labelling server's parts around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headcount.label.page.session import Labelling

from .browser import CHROMIUM


class Clock:
    """Seconds that go forward when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images of 160×120 and one that is none."""
    folder = tmp_path / "hall"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    for name in ("a.png", "b.png"):
        Image.fromarray(noise).save(folder / name)
    (folder / "c.jpg").write_text("no image at all", encoding="utf-8")
    return folder


@pytest.fixture
def open_labelling(folder: Path, clock: Clock) -> Iterator[Callable[..., Labelling]]:
    """Opens the folder's labels; what is still open at the end is closed."""
    opened: list[Labelling] = []

    def open_them(**settings: object) -> Labelling:
        labelling = Labelling(folder, folder / "labels.sqlite", clock=clock, **settings)  # type: ignore[arg-type]
        opened.append(labelling)
        return labelling

    yield open_them
    for each in opened:
        each.close()


@pytest.fixture
def labelling(open_labelling: Callable[..., Labelling]) -> Labelling:
    return open_labelling()


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
            context = chromium.new_context(**{"viewport": {"width": 1000, "height": 700}, **settings})
            context.set_default_timeout(15_000)
            contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        return page

    yield open_tab
    for context in contexts:
        context.close()
    assert wrong == []
