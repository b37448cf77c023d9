"""How the labelling page keeps up: panning over thousands of heads, folders of many images, a hundred megapixels.

    python -m benchmarks.labelling_page
serves painted and plain pictures on this machine, opens the page in headless Chromium (1280×800, no graphics card) and
prints: frames a second, and the time between two frames, while a picture of 4000×3000 with 5,000 boxed heads is panned
for five seconds at three zooms; the time from starting on a folder of 10,000 images until the first of them is shown;
the same of one picture of 10,000×10,000, with the memory that its pixels take in the page.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from headcount.label.page.exchange import things_of
from headcount.label.page.session import Labelling
from headcount.label.page.store import Stroke
from headcount.synth import paint_scene
from headcount.web.listen import bound_socket

HEADS, SIZE_WH = 5000, (4000, 3000)
PAN_S = 5
PAN = """async (seconds) => {
  const view = page.view, frames = [];
  let last = null, n = 0;
  const began = performance.now();
  await new Promise((done) => {
    const tick = (t) => {
      if (last !== null) frames.push(t - last);
      last = t;
      view.pan(10 * (n % 120 < 60 ? 1 : -1), 6 * (n % 90 < 45 ? 1 : -1));
      n += 1;
      if (performance.now() - began < seconds * 1000) requestAnimationFrame(tick); else done();
    };
    requestAnimationFrame(tick);
  });
  return frames;
}"""


def main() -> None:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sys.exit("Error: playwright is not installed: it comes with the dev extra.")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("Error: chromium is not installed: make services installs it.")
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(60_000)
        _pan(page, Path(place) / "crowd")
        _many(page, Path(place) / "many")
        _huge(page, Path(place) / "huge")
        browser.close()


def _pan(page: Any, folder: Path) -> None:
    folder.mkdir()
    scene = paint_scene(5, size_wh=SIZE_WH, count=HEADS)
    Image.fromarray(scene.pixels()).save(folder / "crowd.jpg", quality=90)
    labelling = Labelling(folder, folder / "labels.sqlite")
    labelling.store.write(1, [Stroke("heads0000", "do", things_of(scene))], person="painter", size_wh=SIZE_WH)
    with _served(labelling) as address:
        _enter(page, address)
        print(f"panning {PAN_S} s over {HEADS:,} boxed heads on {SIZE_WH[0]}×{SIZE_WH[1]}")
        print(f"{'zoom':>8}{'frames/s':>10}{'median ms':>11}{'95 % ms':>9}{'over 20 ms':>12}")
        for zoom in (None, 0.5, 1.0):
            page.evaluate("(zoom) => zoom ? page.view.centre(2000, 1500, zoom) : page.view.fit()", zoom)
            _settled(page)
            frames = np.array(page.evaluate(PAN, PAN_S))
            shown = f"{page.evaluate('page.view.scale'):.2f}"
            print(
                f"{shown:>8}{1000 / frames.mean():>10.1f}{np.median(frames):>11.1f}{np.percentile(frames, 95):>9.1f}"
                f"{(frames > 20).sum():>8} of {len(frames)}"
            )


def _many(page: Any, folder: Path) -> None:
    folder.mkdir()
    Image.fromarray(paint_scene(1, size_wh=(640, 480), count=20).pixels()).save(folder / "00000.jpg")
    content = (folder / "00000.jpg").read_bytes()
    for number in range(1, 10_000):
        (folder / f"{number:05}.jpg").write_bytes(content)
    took_s = _opened(page, folder)
    print(f"\n10,000 images: the first is shown after {took_s:.1f} s")


def _huge(page: Any, folder: Path) -> None:
    folder.mkdir()
    small = paint_scene(2, size_wh=(1000, 1000), count=200).pixels()
    Image.fromarray(small).resize((10_000, 10_000)).save(folder / "huge.jpg", quality=85)
    took_s = _opened(page, folder)
    held = "[...page.tiles.held.values()].reduce((sum, one) => sum + 4 * one.width * one.height, 0)"
    print(f"100 megapixels: shown after {took_s:.1f} s, {page.evaluate(held) / 2**20:.0f} MB of tiles in the page")


def _opened(page: Any, folder: Path) -> float:
    """Seconds from starting on a folder until its first image is seen."""
    page.goto("about:blank")
    began = time.perf_counter()
    with _served(Labelling(folder, folder / "labels.sqlite")) as address:
        _enter(page, address)
        _settled(page)
        return time.perf_counter() - began


def _enter(page: Any, address: str) -> None:
    page.goto(address)
    page.locator("#person").fill("Ann")
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-ready]")


def _settled(page: Any) -> None:
    """Wait until the tiles in view are there; the page's policy lets no condition be given as code."""
    whole = "page.view.image && page.tiles.isWhole(page.view.seen(), page.tiles.level(page.view.scale))"
    while not page.evaluate(whole):
        page.wait_for_timeout(10)


@contextmanager
def _served(labelling: Labelling) -> Iterator[str]:
    import uvicorn

    from headcount.label.page.app import create_app

    listening = bound_socket("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(labelling), log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
        labelling.close()


if __name__ == "__main__":
    main()
