"""The page in headless Chromium: a photograph is counted, cameras are watched, and bad times are said and over."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from headcount.synth import paint_scene
from headcount.video.measurement import AlertEvent
from headcount.video.site import Site

from . import workers
from .conftest import CHROMIUM, WHY_NOT, Served, serving

sync_api = pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright (dev extra)")
pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT), pytest.mark.slow]
expect = sync_api.expect

CONTRASTS = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => [r, g, b].map((v) => linear(v / 255))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const box = element.getBoundingClientRect();
    if (!own || box.width < 2 || !element.checkVisibility({ visibilityProperty: true })) continue;
    const style = getComputedStyle(element);
    const isSvg = element instanceof SVGElement;
    const [a, b] = [light(parse(isSvg ? style.fill : style.color)), light(behind(element))].sort((x, y) => y - x);
    found.push([element.textContent.trim().slice(0, 40), (a + 0.05) / (b + 0.05), parseFloat(style.fontSize)]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens a tab; what goes wrong in its scripts, and what it asks of others than the server, fails the test."""
    contexts: list[Any] = []
    wrong: list[str] = []
    asked: set[str] = set()

    def open_tab(address: str, place: str = "", **settings: Any) -> Any:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **settings})
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
        page.goto(f"{address}{place}")
        expect(page.locator("body")).to_have_attribute("data-ready", "true")
        return page

    yield open_tab
    for context in contexts:
        context.close()
    assert wrong == []
    assert len(asked - {""}) <= 1


@pytest.fixture(scope="module")
def counting() -> Iterator[Served]:
    """A server that counts by the model that is shipped."""
    with serving() as start:
        yield start("headcount-s")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A painted crowd as a photograph."""
    path = tmp_path_factory.mktemp("crowd") / "crowd.jpg"
    Image.fromarray(paint_scene(11, size_wh=(800, 600), count=40).pixels()).save(path, quality=90)
    return path


def test_a_photograph_is_chosen_counted_shown_and_zoomed(
    counting: Served, tab: Callable[..., Any], crowd: Path
) -> None:
    served = counting
    page = tab(served.address)
    expect(page.locator("#connection")).to_have_text("Connected")
    expect(page.get_by_role("link", name="Cameras")).to_be_hidden()
    page.locator("#file").set_input_files(crowd)
    counted = served.count(crowd.read_bytes()).json()
    expect(page.locator("#people")).to_have_text(str(counted["people"]))
    expect(page.locator("#range")).to_contain_text("with a chance of 90 %")
    expect(page.locator("#said")).to_contain_text(f"{counted['people']} people, between")
    low, high = counted["interval"]
    range_words = f"between {math.floor(low)} and {math.ceil(high)} with a chance of 90\u00a0%"
    label = f"crowd.jpg: {counted['people']} people, {range_words}"
    expect(page.locator("#picture")).to_have_attribute("aria-label", label)
    assert page.evaluate("page.photo.viewer.found.points_xy.length") == len(counted["points_xy"])
    red = """() => { page.photo.viewer.paintNow(); const c = page.photo.viewer.canvas;
      const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data; let n = 0;
      for (let i = 0; i < d.length; i += 4) if (d[i] > 230 && d[i + 1] < 80 && d[i + 2] < 120 && d[i + 2] > 50) n += 1;
      return n; }"""
    dots = page.evaluate(red)
    assert dots > 20 * len(counted["points_xy"])
    page.get_by_role("radio", name="Nothing").check()
    assert page.evaluate(red) < dots / 5
    page.get_by_role("radio", name="Boxes").check()
    assert page.evaluate(red) > 20 * len(counted["points_xy"])
    page.get_by_role("radio", name="Heat").check()
    page.locator("#picture").focus()
    fitted = page.evaluate("page.photo.viewer.scale")
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert page.evaluate("page.photo.viewer.scale") == pytest.approx(2.25 * fitted)
    before = page.evaluate("page.photo.viewer.x")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("page.photo.viewer.x") == pytest.approx(before - 60)
    page.get_by_role("button", name="Fit").click()
    assert page.evaluate("page.photo.viewer.scale") == pytest.approx(fitted)
    page.get_by_text("The model and its terms").click()
    expect(page.locator("#terms")).to_contain_text("research use")
    expect(page.locator("#facts")).to_contain_text("800×600 pixels")


DROP = """async ([name, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type: "image/jpeg" }));
  const event = (kind) => new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event("dragover"));
  document.body.dispatchEvent(event("drop"));
}"""


def test_one_is_dropped_and_what_cannot_be_counted_is_said(
    counting: Served, tab: Callable[..., Any], crowd: Path, tmp_path: Path
) -> None:
    import base64

    served = counting
    page = tab(served.address)
    page.evaluate(DROP, ["dropped.jpg", base64.b64encode(crowd.read_bytes()).decode()])
    expect(page.locator("#result")).to_be_visible()
    assert page.locator("#picture").get_attribute("aria-label").startswith("dropped.jpg: ")
    (tmp_path / "letter.jpg").write_text("Dear all,", encoding="utf-8")
    page.locator("#file").set_input_files(tmp_path / "letter.jpg")
    expect(page.get_by_role("alert")).to_contain_text("is not an image that can be read")
    page.evaluate("page.about = page.photo.about = { ...page.photo.about, most_bytes: 1000 }")
    page.locator("#file").set_input_files(crowd)
    expect(page.get_by_role("alert")).to_contain_text("but this server takes 1,000: shrink it.")


def test_cameras_are_shown_live_with_zones_levels_and_what_is_wrong(square: Served, tab: Callable[..., Any]) -> None:
    served = square
    page = tab(served.address)
    north, south = (page.get_by_role("article", name=f"Camera {name}") for name in ("north", "south"))
    expect(north.locator(".pill")).to_have_text("online")
    expect(north.locator(".count")).to_contain_text("people")
    expect(north.locator("tbody tr").first).to_contain_text("gate")
    expect(north.locator(".level").first).to_have_text("level 1 of 3")
    expect(north.locator("polygon")).to_have_class("l1")
    assert north.locator("img").evaluate("(img) => img.naturalWidth") == 640
    expect(south.locator(".pill")).to_contain_text("offline since")
    expect(south).to_contain_text("No picture yet")
    strip = page.get_by_role("region", name="What is wrong")
    expect(strip).to_contain_text("Camera south is offline since")
    expect(strip).to_contain_text("12 records wait on the disk.")
    number = north.locator(".count span").first
    expect(number).not_to_have_text(number.inner_text())
    page.get_by_label("Over the pictures").select_option("heat")
    hot = "() => page.cameras.tiles.get('north').picture.canvas.getContext('2d').getImageData(30, 150, 1, 1).data[3]"
    assert page.evaluate(hot) > 100


def test_a_camera_has_charts_with_tables_and_exports(square: Served, tab: Callable[..., Any]) -> None:
    served = square
    page = tab(served.address)
    page.get_by_role("link", name="north").click()
    expect(page.get_by_role("heading", name="north")).to_be_visible()
    chart = page.get_by_role("img", name="People in view, last hour. From")
    expect(chart).to_be_visible()
    page.locator("#hour").get_by_text("The numbers").click()
    expect(page.locator("#hour table tbody tr").first).to_be_visible()
    page.locator("#series").select_option("density/gate")
    expect(page.get_by_role("img", name="People per m² in gate, last day. From 2.2")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export the last hour (CSV)").click()
    assert download.value.suggested_filename == "north.csv"
    assert download.value.path().read_text(encoding="utf-8").startswith("at,camera,")
    page.get_by_role("link", name="All cameras").click()
    expect(page.get_by_role("heading", name="Cameras")).to_be_visible()


def test_alerts_are_told_acknowledged_and_cleared(
    serve: Callable[..., Served], tab: Callable[..., Any], site: Site, site_folder: Path
) -> None:
    served = serve(site=site, folder=site_folder)
    page = tab(served.address)
    expect(page.locator("#open-alerts")).to_have_text("1")
    expect(page).to_have_title("(1) Square – headcount")
    live = served.service.live
    assert live is not None
    event = AlertEvent(
        id="breach2", camera="north", zone="stairs", measure="density", level=3, threshold=5, state="raised",
        at=workers.AT, value=5.4, peak=5.4,
    )  # fmt: skip
    live.take_record(event)
    expect(page.locator("#alarm")).to_have_text("Alert: stairs, camera north: 5.4 per m², level 3")
    page.get_by_role("link", name="Alerts, 2 open").click()
    page.get_by_label("Your name").fill("Ann")
    page.get_by_label("Your name").press("Tab")
    page.get_by_role("button", name="Acknowledge the alert of stairs, camera north").press("Enter")
    expect(page.locator("li[data-id=breach2]")).to_contain_text("Acknowledged by Ann")
    assert live.alerts()[0].acknowledged_by == "Ann"
    live.take_record(event.model_copy(update={"state": "cleared", "peak": 6.1, "reason": "It fell below 4.2."}))
    expect(page.locator("#alarm")).to_contain_text("Over: stairs")
    expect(page.locator("li[data-id=breach2]")).to_contain_text("at most 6.1")
    expect(page.locator("#open-alerts")).to_have_text("1")
    # Names are text, whatever they look like.
    name = "<img src=x onerror=window.hit=1>"
    live.take_record(event.model_copy(update={"id": "breach3", "camera": name, "zone": name}))
    expect(page.locator("li[data-id=breach3]")).to_contain_text(f"{name}, camera {name}")
    expect(page.locator("#alarm")).to_contain_text(name)
    assert page.evaluate("[window.hit, document.querySelectorAll('img[src=x]').length]") == [None, 0]


def test_a_connection_that_is_gone_is_said_and_taken_up_again(square: Served, tab: Callable[..., Any]) -> None:
    served = square
    page = tab(served.address)
    expect(page.locator("#connection")).to_have_text("Connected")
    page.context.set_offline(True)
    live = served.service.live
    assert live is not None
    for listener in list(live._listeners):
        listener.close()
    strip = page.get_by_role("region", name="What is wrong")
    expect(strip).to_contain_text("The connection to the server is gone")
    expect(page.locator("#connection")).to_have_text("No connection")
    page.context.set_offline(False)
    expect(page.locator("#connection")).to_have_text("Connected")
    expect(strip).not_to_contain_text("The connection to the server is gone")
    expect(page.get_by_role("article", name="Camera north").locator(".pill")).to_have_text("online")


def test_a_full_server_is_waited_for(serve: Callable[..., Served], tab: Callable[..., Any], crowd: Path) -> None:
    from headcount.serve.limits import Limits

    served = serve(limits=Limits(queue=0, deadline_s=20))
    page = tab(served.address)
    busy = threading.Thread(target=lambda: served.count("sleep 2"))
    busy.start()
    page.wait_for_timeout(300)
    page.locator("#file").set_input_files(crowd)
    expect(page.locator("#busy-text")).to_have_text("All places are taken, waiting…")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#busy")).to_be_hidden()
    busy.join()


def test_all_views_are_readable_and_fit(square: Served, tab: Callable[..., Any]) -> None:
    served = square
    for scheme, size_wh in (("dark", (1280, 800)), ("light", (1280, 800)), ("dark", (390, 844)), ("light", (390, 844))):
        look_at_all_views(tab, served, scheme, size_wh)


def look_at_all_views(tab: Callable[..., Any], served: Served, scheme: str, size_wh: tuple[int, int]) -> None:
    page = tab(served.address, color_scheme=scheme, viewport={"width": size_wh[0], "height": size_wh[1]})
    expect(page.get_by_role("article", name="Camera north").locator("polygon")).to_have_class("l1")
    for place in ("#cameras", "#photo", "#camera/north", "#alerts"):
        page.goto(served.address + place)
        page.wait_for_timeout(150)
        found = page.evaluate(CONTRASTS)
        assert len(found) > 8
        assert [each for each in found if each[1] < 4.5] == [], place
        assert [each for each in found if each[2] < 14] == [], place
        assert page.evaluate("document.documentElement.scrollWidth") <= size_wh[0], place
    dark = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(dark)
    page.locator("#theme").click()
    assert page.evaluate(dark) != before
    page.reload()
    assert page.evaluate(dark) != before


def test_everything_is_reached_by_keys_and_seen_there(square: Served, tab: Callable[..., Any]) -> None:
    served = square
    page = tab(served.address)
    expect(page.get_by_role("article", name="Camera north").locator(".pill")).to_have_text("online")
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        told = page.evaluate(
            "() => [document.activeElement.tagName, document.activeElement.textContent.trim().slice(0, 14), "
            "getComputedStyle(document.activeElement).outlineStyle]"
        )
        assert told[2] != "none", told
        reached.append(told[1])
    assert reached[:4] == ["To the content", "Photograph", "Cameras", "Alerts 1"]
    assert {"north", "south"} <= set(reached)
    for role, name in (("navigation", "Views"), ("main", None), ("banner", None), ("region", "What is wrong")):
        expect(page.get_by_role(role, **({"name": name} if name else {})).first).to_be_visible()
    assert page.locator("h1:visible").count() == 1
    unnamed = """() => [...document.querySelectorAll("button, a, input:not([type=file]), select, canvas[role]")]
      .filter((each) => each.checkVisibility())
      .filter((each) => !(each.textContent.trim() || each.getAttribute("aria-label") || each.labels?.length))
      .map((each) => each.outerHTML)"""
    for place in ("#cameras", "#photo", "#camera/north", "#alerts", "#camera/%"):
        page.goto(served.address + place)
        assert page.evaluate(unnamed) == []
