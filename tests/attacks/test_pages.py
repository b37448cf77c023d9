"""Names that are scripts, on every page, in a real browser: they are shown as text, and run nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the pages need the serve extra")
pytest.importorskip("playwright", reason="the pages are tested with playwright (dev extra)")

from playwright import sync_api
from tests.label.page import browser
from tests.serve.conftest import jpeg_of, serving
from tests.video.page import conftest as drawn

from headcount.label.page.session import Labelling
from headcount.synth import paint_scene
from headcount.video.page.session import Drawing
from headcount.video.site import CameraSettings, Site, ZoneSettings

pytestmark = [pytest.mark.skipif(browser.CHROMIUM is None, reason=browser.WHY_NOT), pytest.mark.slow]
expect = sync_api.expect
EVIL = "<img src=x onerror=window.hit=1>"
_RAN = "[window.hit, document.querySelectorAll('img[src=x]').length]"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser.CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1200, "height": 800})
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


def has_run(page: Any) -> bool:
    """Whether a name has become a part of the page, or a part of it was run."""
    page.wait_for_timeout(200)  # a picture that is not there takes a moment to say so
    return bool(page.evaluate(_RAN) != [None, 0])


def test_a_script_in_a_page_would_be_seen(page: Any) -> None:
    page.set_content(EVIL)
    assert has_run(page)


def test_on_the_page_of_labels(page: Any, tmp_path: Path) -> None:
    name = f"{EVIL}.png"
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / name)
    labelling = Labelling(tmp_path, tmp_path / "labels.sqlite")
    try:
        with browser.served(labelling) as address:
            browser.enter(page, address, name=EVIL)
            expect(page.locator("body")).to_contain_text(name)
            assert not has_run(page)
            browser.leave(page, address)
    finally:
        labelling.close()


def test_on_the_page_that_zones_are_drawn_on(page: Any, tmp_path: Path) -> None:
    zone = ZoneSettings.model_validate({"name": EVIL, "polygon": [[10, 10], [100, 10], [100, 100]], "drawn": "heads"})
    camera = CameraSettings(name=EVIL, source="queue.avi", zones=(zone,))
    site = Site(name=EVIL, cameras=(camera,))
    frame = paint_scene(9, size_wh=(320, 240), count=4).pixels()
    with drawn.served(Drawing(frame, camera, file=tmp_path / "site.yaml", site=site, next_step=EVIL)) as (address, _):
        page.goto(address)
        expect(page.locator("body")).to_have_attribute("data-ready", "true")
        texts = page.evaluate("document.body.innerText + [...document.querySelectorAll('input')].map(i => i.value)")
        assert EVIL in texts
        assert not has_run(page)


def test_on_the_page_of_a_site_that_is_watched(page: Any, tmp_path: Path) -> None:
    cameras = [{"name": EVIL, "source": "a.avi"}, {"name": f"2 {EVIL}", "source": "b.avi"}]
    site = Site.model_validate({"name": EVIL, "cameras": cameras, "outputs": {"database": None}})
    (tmp_path / "frame.jpg").write_bytes(jpeg_of((320, 180), file_format="JPEG"))
    with serving() as start:
        served = start(site=site, folder=tmp_path)
        live = served.service.live
        end = time.monotonic() + 30
        while live is None or live.camera(EVIL).measurement is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        page.goto(served.address)
        expect(page.locator("body")).to_contain_text(f"2 {EVIL}")
        expect(page.get_by_role("article").first).to_contain_text(EVIL)
        assert not has_run(page)
        page.goto("about:blank")
