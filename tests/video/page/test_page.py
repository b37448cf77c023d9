"""The page in headless Chromium, used as a person uses it: by mouse, by keys alone, by finger, and after a reload."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from headcount.core.image import RgbImage
from headcount.video.site import CameraSettings, Site, ZoneSettings, read_site
from headcount.video.sitefile import new_file

from ..places import pixels_of
from .conftest import CHROMIUM, WHY_NOT, served

pytest.importorskip("fastapi", reason="the page needs the serve extra")
sync_api = pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright (dev extra)")
pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT), pytest.mark.slow]
expect = sync_api.expect

POINTS = [(-3, 5), (3, 5), (4, 12), (-4, 12), (0, 8)]
CORNERS = [(-2, 6), (2, 6), (2, 10), (-2, 10)]


@pytest.fixture
def address(drawing: Any) -> Iterator[str]:
    with served(drawing) as (where, _):
        yield where


def enter(page: Any, address: str) -> None:
    page.goto(address)
    expect(page.locator("body")).to_have_attribute("data-ready", "true")


def at(page: Any, x: float, y: float) -> tuple[float, float]:
    """Where a place of the picture is on the screen."""
    surface = page.locator("#surface").bounding_box()
    sx, sy = page.evaluate("([x, y]) => page.view.screen(x, y)", [x, y])
    return surface["x"] + sx, surface["y"] + sy


def click(page: Any, metres: tuple[float, float]) -> None:
    """Click where a place of the ground is seen."""
    page.mouse.click(*at(page, *pixels_of(metres)[0]))


def mark_points(page: Any, points: list[tuple[float, float]], wrong: dict[int, str] | None = None) -> None:
    """Click points of the ground and type where they are; ``wrong`` are typed so instead."""
    page.keyboard.press("p")
    for number, point in enumerate(points):
        click(page, point)
        page.keyboard.type((wrong or {}).get(number, f"{point[0]:g}"))
        page.keyboard.press("Enter")
        page.keyboard.type(f"{point[1]:g}")
        page.keyboard.press("Enter")


def draw_zone(page: Any, name: str, corners: list[tuple[float, float]] = CORNERS) -> None:
    page.keyboard.press("z")
    for corner in [*corners, corners[0]]:
        click(page, corner)
    page.keyboard.type(name)
    page.keyboard.press("Enter")


def test_a_camera_is_set_up_by_mouse_and_saved(tab: Callable[..., Any], address: str, drawing: Any) -> None:
    page = tab()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).netloc))
    enter(page, address)
    expect(page.locator("#source")).to_have_text("rtsp://…@camera.example/live")
    mark_points(page, POINTS[:4])
    expect(page.locator("#fit")).to_contain_text("4 points, which always fit exactly: a fifth would check them.")
    mark_points(page, POINTS[4:])
    expect(page.locator("#fit")).to_contain_text("5 points, off by 0.0")
    expect(page.locator("#fit")).to_contain_text("The camera hangs 6")
    expect(page.locator("#point-4 .off")).to_contain_text("0.0")
    assert len(page.evaluate("page.looked.grid")) > 20
    draw_zone(page, "front")
    expect(page.locator("#zones-0 .said")).to_contain_text("m².")
    page.keyboard.press("l")
    for end in ((-2, 11), (2, 11)):
        click(page, end)
    expect(page.locator("#lines-0 .said")).to_have_text("4.0 m long.")
    page.get_by_label("Name of the camera").fill("square west")
    expect(page.locator("#state")).to_have_text("Not saved yet")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#saved-text")).to_contain_text("square west")
    expect(page.locator("#next")).to_have_text("look at it")
    page.get_by_role("button", name="Go on drawing").click()
    expect(page.locator("#state")).to_have_text("Saved")
    site = read_site(drawing.file)
    (camera,) = site.cameras
    assert (site.name, camera.name, camera.source) == ("fair", "square west", "rtsp://me:1234@camera.example/live")
    assert camera.calibration is not None
    assert [point.metres for point in camera.calibration.points] == POINTS
    marked = [point.pixel for point in camera.calibration.points]
    assert np.allclose(marked, pixels_of(POINTS), atol=1.1)
    assert np.allclose(camera.zones[0].polygon, pixels_of(CORNERS), atol=1.1)
    assert camera.zones[0].name == "front"
    assert set(asked) == {urlsplit(address).netloc}
    text = page.evaluate("JSON.stringify(page.about) + document.documentElement.outerHTML")
    assert "1234" not in text


def test_a_wrong_calibration_is_refused_with_words(tab: Callable[..., Any], address: str, drawing: Any) -> None:
    page = tab()
    enter(page, address)
    mark_points(page, [*POINTS, (3, 8.5)], wrong={2: "6"})  # two metres beside
    expect(page.locator("#fit")).to_contain_text("Without point 3 the others fit")
    expect(page.locator("#fit")).to_contain_text("from where the other points put it, over the limit of 0.5 m")
    expect(page.locator("#fit")).to_have_attribute("data-state", "refused")
    expect(page.locator("#point-2")).to_have_class("bad")
    expect(page.locator("#state")).to_have_text("Not ready to be saved")
    page.keyboard.press("Control+s")
    expect(page.locator("#notice-text")).to_contain_text("over the limit of 0.5 m")
    assert not drawing.file.exists()
    page.get_by_label("Point 3, x in metres").fill("4,0")  # a comma, as many type it
    expect(page.locator("#fit")).to_have_attribute("data-state", "good")
    page.get_by_label("Point 1, x in metres").fill("near the door")
    expect(page.locator("#fit")).to_contain_text('Point 1: "near the door" is no number of metres for x')


def test_points_on_one_line_are_told(tab: Callable[..., Any], address: str) -> None:
    page = tab()
    enter(page, address)
    mark_points(page, [(-3, 8), (-1, 8), (1, 8), (3, 8)])
    expect(page.locator("#fit")).to_contain_text("one line")
    assert page.evaluate("page.looked.grid") == []


def test_what_was_drawn_is_there_after_a_reload(tab: Callable[..., Any], address: str) -> None:
    page = tab()
    enter(page, address)
    mark_points(page, POINTS)
    draw_zone(page, "front")
    expect(page.locator("#fit")).to_have_attribute("data-state", "good")
    page.reload()
    expect(page.locator("body")).to_have_attribute("data-ready", "true")
    expect(page.locator("#notice-text")).to_have_text("This is what you drew here before.")
    expect(page.get_by_label("Name of zone 1")).to_have_value("front")
    expect(page.locator("#fit")).to_have_attribute("data-state", "good")
    page.get_by_role("button", name="Begin anew").click()
    expect(page.locator("#zones li")).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(page.locator("#zones li")).to_have_count(1)


def test_all_by_keys_alone(tab: Callable[..., Any], address: str, drawing: Any) -> None:
    page = tab()
    enter(page, address)
    keys = page.keyboard

    def go(x: float, y: float) -> None:
        """Move the cross near a place of the picture."""
        for _ in range(200):
            hand = page.evaluate("page.tools.hand ?? page.view.place(page.view.width / 2, page.view.height / 2)")
            dx, dy = x - hand[0], y - hand[1]
            if abs(dx) < 8 and abs(dy) < 8:
                return
            keys.press(
                ("ArrowRight" if dx > 0 else "ArrowLeft") if abs(dx) >= 8 else "ArrowDown" if dy > 0 else "ArrowUp"
            )
        raise AssertionError

    places = [(200, 300), (760, 300), (760, 500), (200, 500)]
    typed = [("0", "0"), ("5", "0"), ("5", "3"), ("0", "3")]
    for place, (x, y) in zip(places, typed, strict=True):
        go(*place)
        keys.press("Enter")
        keys.type(x)
        keys.press("Enter")
        keys.type(y)
        keys.press("Enter")
    expect(page.locator("#points tbody tr")).to_have_count(4)
    keys.press("z")
    for place in ((300, 350), (600, 350), (600, 450)):
        go(*place)
        keys.press("Enter")
    keys.press("c")
    keys.type("hall")
    keys.press("Enter")
    expect(page.locator("#zones li")).to_have_count(1)
    before = page.evaluate("page.draft.now.zones[0].corners[0]")
    keys.press("Alt+ArrowRight")
    keys.press("Alt+Shift+ArrowDown")
    after = page.evaluate("page.draft.now.zones[0].corners[0]")
    assert after[0] - before[0] == pytest.approx(14 / page.evaluate("page.view.scale"), abs=0.11)
    assert after[1] - before[1] == pytest.approx(
        max(1, page.evaluate("page.view.scale")) / page.evaluate("page.view.scale"), abs=0.11
    )
    keys.press("Control+z")
    keys.press("Control+z")
    assert page.evaluate("page.draft.now.zones[0].corners[0]") == before
    keys.press("Control+y")
    keys.press(".")
    keys.press("?")
    expect(page.locator("#help")).to_be_visible()
    keys.press("Escape")
    for _ in range(3):
        keys.press("Escape")
    keys.press(",")
    keys.press("Delete")
    expect(page.locator("#zones li")).to_have_count(0)  # of three corners, all of it goes
    assert page.evaluate("document.activeElement.id") in ("surface", "")


def test_corners_are_dragged_and_shared_and_arrows_turned(tab: Callable[..., Any], address: str) -> None:
    page = tab()
    enter(page, address)
    draw_zone(page, "one")
    page.keyboard.press("z")
    for corner in [(2, 6), (4, 6), (4, 10), (2, 10), (2, 6)]:
        click(page, corner)
    zones = page.evaluate("page.draft.now.zones.map((zone) => zone.corners)")
    assert zones[1][0] == zones[0][1]  # the corner that is near is taken as it is
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    x, y = at(page, *zones[0][0])
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 30, y + 12, steps=4)
    page.mouse.up()
    moved = page.evaluate("page.draft.now.zones[0].corners[0]")
    scale = page.evaluate("page.view.scale")
    assert np.allclose(np.subtract(moved, zones[0][0]) * scale, (-30, 12), atol=1)
    page.keyboard.press("Control+z")
    assert page.evaluate("page.draft.now.zones[0].corners[0]") == zones[0][0]
    middle = np.mean([zones[0][2], zones[0][3]], axis=0)
    page.mouse.click(*at(page, *middle))  # on an edge: a corner more, which is selected
    corners = page.evaluate("page.draft.now.zones[0].corners")
    assert len(corners) == 5
    assert np.allclose(corners[3], middle, atol=1.1)
    assert page.evaluate("page.tools.selected") == ["zones", 0, 3]
    page.keyboard.press("Delete")
    assert page.evaluate("page.draft.now.zones[0].corners") == zones[0]
    page.keyboard.press("l")
    for end in ((-3, 5), (3, 5)):
        click(page, end)
    ends = page.evaluate("page.draft.now.lines[0].corners")
    page.get_by_role("button", name="Turn the arrow").click()
    assert page.evaluate("page.draft.now.lines[0].corners") == ends[::-1]
    left = page.evaluate("page.view.left")
    page.mouse.move(*at(page, 480, 40))
    page.mouse.wheel(0, -400)
    page.mouse.down()
    page.mouse.move(400, 300, steps=3)
    page.mouse.up()
    assert page.evaluate("page.view.left") != left
    assert page.evaluate("page.draft.now.lines.length") == 1


def test_a_zone_that_crosses_itself_or_is_named_twice_is_told(
    tab: Callable[..., Any], address: str, drawing: Any
) -> None:
    page = tab()
    enter(page, address)
    draw_zone(page, "bow", [(-2, 6), (2, 10), (2, 6), (-2, 10)])
    expect(page.locator("#zones-0 .said")).to_contain_text("crosses")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    for _ in range(2):
        draw_zone(page, "same")
    expect(page.locator("#zones-1 .said")).to_contain_text('two zones of the name "same"')
    page.keyboard.press("Control+s")
    expect(page.locator("#notice-text")).to_contain_text("give each its own")
    assert not drawing.file.exists()


def test_by_finger_on_a_phone(tab: Callable[..., Any], address: str) -> None:
    page = tab(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    enter(page, address)
    for point in POINTS[:4]:
        page.touchscreen.tap(*at(page, *pixels_of(point)[0]))
    expect(page.locator("#points tbody tr")).to_have_count(4)
    assert page.evaluate("document.activeElement.tagName") != "INPUT"  # its keyboard would hide the picture
    for number, (x, y) in enumerate(POINTS[:4], start=1):
        page.get_by_label(f"Point {number}, x in metres").fill(str(x))
        page.get_by_label(f"Point {number}, y in metres").fill(str(y))
    expect(page.locator("#fit")).to_contain_text("4 points")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = page.locator("#panel").bounding_box()
    assert box["y"] < 600  # picture and fields are both in sight


def test_an_existing_site_gets_a_camera_and_an_old_one_is_changed(
    tab: Callable[..., Any], frame: RgbImage, tmp_path: Path
) -> None:
    from headcount.video.page.session import Drawing

    file = tmp_path / "site.yaml"
    mat = ZoneSettings(name="mat", polygon=((100, 400), (300, 400), (300, 500)), alerts=False)
    gate = CameraSettings(name="gate", source="gate.mp4", zones=(mat,), frames_per_second=2.0)
    file.write_text("# kept\n" + new_file(Site(name="fair", cameras=(gate,))), encoding="utf-8")
    added = Drawing(frame, CameraSettings(name="gate", source="b.mp4"), file=file, site=read_site(file))
    with served(added) as (address, done):
        page = tab()
        enter(page, address)
        expect(page.locator("#zones li")).to_have_count(0)
        expect(page.locator("#name-problem")).to_contain_text("has a camera “gate” already")
        page.get_by_label("Name of the camera").fill("roof")
        page.keyboard.press("Enter")
        draw_zone(page, "front")
        page.keyboard.press("Control+s")
        expect(page.locator("#saved-text")).to_contain_text("roof")
        page.get_by_role("button", name="Finish").click()
        expect(page.locator("#ended")).to_be_visible()
        assert done.wait(5)
    changed = Drawing(frame, gate, file=file, site=read_site(file))
    with served(changed) as (address, _):
        page = tab()
        enter(page, address)
        page.get_by_label("Name of zone 1").fill("doormat")
        page.keyboard.press("Control+s")
        expect(page.locator("#saved-text")).to_contain_text("gate")
    site = read_site(file)
    assert [one.name for one in site.cameras] in (["gate", "roof"], ["roof", "gate"])
    gate_now = next(one for one in site.cameras if one.name == "gate")
    assert gate_now.zones[0].name == "doormat"
    assert gate_now.zones[0].alerts is False  # what the page does not show stays
    assert gate_now.frames_per_second == 2.0
    assert "# kept" in file.read_text(encoding="utf-8")


def test_without_the_token_nobody_is_let_in(tab: Callable[..., Any], drawing: Any) -> None:
    with served(drawing, token="abcdefgh12345678") as (address, _):
        page = tab()
        page.goto(address)
        expect(page.locator("body")).to_contain_text("token")
        enter(page, f"{address}enter/abcdefgh12345678")


def test_the_page_says_when_the_server_is_away(tab: Callable[..., Any], drawing: Any) -> None:
    page = tab()
    with served(drawing) as (address, _):
        enter(page, address)
        draw_zone(page, "front")
    page.keyboard.press("p")
    click(page, (0, 5))
    expect(page.locator("#state")).to_have_text("The server cannot be reached: it is asked again.")
    page.keyboard.press("Control+s")
    expect(page.locator("#notice-text")).to_contain_text("what you drew is kept here")
