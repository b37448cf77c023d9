"""The page in headless Chromium, used as a person uses it: by mouse, by keys, by two at once, and in bad times."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from headcount.core.prediction import Prediction
from headcount.label.page.session import Labelling
from headcount.label.page.store import Store, StoreFullError

from .browser import (
    CHROMIUM,
    WHY_NOT,
    at,
    click,
    drag,
    enter,
    free_port,
    holds,
    leave,
    saved,
    served,
    things,
    wait_for,
    write_crowd,
)

pytest.importorskip("fastapi", reason="the page needs the label extra")
sync_api = pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright (dev extra)")
pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT), pytest.mark.slow]
expect = sync_api.expect


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One painted crowd of 40 people on 800×600."""
    write_crowd(tmp_path / "square")
    return tmp_path / "square"


@pytest.fixture
def open_labelling(folder: Path) -> Iterator[Callable[..., Labelling]]:
    opened: list[Labelling] = []

    def open_them(**settings: Any) -> Labelling:
        opened.append(Labelling(folder, folder / "labels.sqlite", **settings))
        return opened[-1]

    yield open_them
    for each in opened:
        each.close()


@pytest.fixture
def labelling(open_labelling: Callable[..., Labelling]) -> Labelling:
    return open_labelling()


@pytest.fixture
def address(labelling: Labelling) -> Iterator[str]:
    with served(labelling) as where:
        yield where


def test_points_boxes_undo_and_redo(tab: Callable[..., Any], address: str, labelling: Labelling) -> None:
    page = tab()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).netloc))
    enter(page, address)
    for x, y in ((100, 400), (300, 420), (500, 440)):
        click(page, x, y)
    expect(page.locator("#count")).to_have_text("3 heads")
    page.keyboard.press("b")
    drag(page, (90, 385), (112, 413))
    drag(page, (600, 480), (640, 530))
    expect(page.locator("#count")).to_have_text("4 heads")
    saved(page)
    heads = things(labelling)
    assert np.allclose([(head["x"], head["y"]) for head in heads[:3]], [(100, 400), (300, 420), (500, 440)], atol=0.7)
    assert [head.get("made") for head in heads] == ["annotated", None, None, "annotated"]
    boxes = labelling.boxes(1, {}, None)
    assert len(boxes["ids"]) == 2
    sync_api.expect(page.locator("#presets")).to_contain_text("2 boxes drawn; 2 of the heads")
    assert page.evaluate("page.boxes.found.size") == 2
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect(page.locator("#count")).to_have_text("3 heads")
    page.get_by_role("button", name="Redo").click()
    saved(page)
    assert [head.get("made") for head in things(labelling)] == ["annotated", None, None]
    assert set(asked) == {urlsplit(address).netloc}


def test_boxes_follow_a_preset_while_it_is_dragged(tab: Callable[..., Any], address: str) -> None:
    page = tab()
    enter(page, address)
    click(page, 400, 300)
    page.keyboard.press("b")
    drag(page, (100, 100), (120, 130))
    expect(page.locator("#presets")).to_contain_text("1 box drawn")
    page.mouse.move(*at(page, 120, 130))
    page.mouse.down()
    page.mouse.move(*at(page, 160, 190), steps=5)
    reach = "() => { const [box] = page.boxes.found.values(); return box ? Math.round(box[2] - box[0]) : 0; }"
    wait_for(page, lambda: page.evaluate(reach) == 60)
    assert page.evaluate("[...page.labels.things.values()].find((thing) => thing.box).box[2]") < 125
    page.mouse.up()
    saved(page)
    assert page.evaluate(reach) == 60


def test_dragging_selecting_and_deleting(tab: Callable[..., Any], address: str, labelling: Labelling) -> None:
    page = tab()
    enter(page, address)
    for x in (100, 200, 300):
        click(page, x, 300)
    drag(page, (100, 300), (120, 350))
    page.keyboard.press("s")
    drag(page, (180, 250), (320, 340))
    page.keyboard.press("Delete")
    expect(page.locator("#count")).to_have_text("1 head")
    page.keyboard.press("p")
    page.mouse.move(*at(page, 120, 350))
    page.keyboard.press("Delete")
    expect(page.locator("#count")).to_have_text("0 heads")
    page.keyboard.press("Control+z")
    saved(page)
    (head,) = things(labelling)
    assert np.allclose([head["x"], head["y"]], (120, 350), atol=1)


def test_all_by_keys_alone(tab: Callable[..., Any], address: str, labelling: Labelling) -> None:
    page = tab()
    enter(page, address)
    keys = page.keyboard
    for key in ("ArrowRight", "Enter", "ArrowRight", "ArrowRight", "ArrowRight", "Enter"):
        keys.press(key)
    expect(page.locator("#count")).to_have_text("2 heads")
    keys.press("b")
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "Enter", "ArrowRight", "ArrowRight", "ArrowDown", "Enter"):
        keys.press(key)
    expect(page.locator("#presets")).to_contain_text("1 box drawn")
    keys.press("Alt+ArrowRight")
    keys.press("g")
    for key in ("Enter", "ArrowLeft", "ArrowLeft", "ArrowLeft", "Enter", "ArrowDown", "ArrowDown", "Enter", "Enter"):
        keys.press(key)
    saved(page)
    assert len(things(labelling, kind="area")) == 1
    box = next(head["box"] for head in things(labelling) if "box" in head)
    scale = page.evaluate("page.view.scale")
    assert abs((box[2] - box[0]) - (28 / scale + 1)) < 0.05
    keys.press("Shift+D")
    keys.press("Control+z")
    keys.press("Shift+D")
    saved(page)
    assert len(things(labelling, kind="done")) == 1
    # A head is gone to, picked up, moved and put down.
    before = [head["x"] for head in things(labelling)]
    for key in ("s", "h", "Enter", "ArrowRight", "ArrowRight", "Enter"):
        keys.press(key)
    saved(page)
    moved = [
        (one, two) for one, two in zip(before, [head["x"] for head in things(labelling)], strict=True) if one != two
    ]
    assert len(moved) == 1
    assert abs(moved[0][1] - moved[0][0] - 28 / scale) < 0.05
    # From the picture to a button and back, and the list of keys.
    keys.press("Tab")
    assert page.evaluate("document.activeElement.closest('#panel') !== null")
    keys.press("Shift+Tab")
    assert page.evaluate("document.activeElement.id") == "surface"
    keys.press("?")
    expect(page.locator("#help")).to_be_visible()
    keys.press("Escape")
    keys.press("l")
    expect(page.locator("#list-side")).to_be_hidden()


def test_marks_lie_exactly_on_their_pixels(
    tab: Callable[..., Any], open_labelling: Callable[..., Labelling], folder: Path
) -> None:
    for path in folder.iterdir():
        path.unlink()
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[121, 137] = 255
    Image.fromarray(pixels).save(folder / "marker.png")
    labelling = open_labelling()
    with served(labelling) as where:
        page = tab()
        enter(page, where)
        for scale in (1, 2.5, 8, 31.7):
            page.evaluate("(scale) => page.view.centre(140.3, 118.9, scale)", scale)
            page.wait_for_timeout(250)  # the tiles of this zoom
            bright = centre_of(page, lambda rgb: rgb.min(axis=2) > 60)
            click_at = (round(bright[0]), round(bright[1]))
            page.mouse.click(*click_at)
            saved(page)
            (head,) = things(labelling)
            # Mice point at whole pixels of the screen, and the marker's rim lies between two at odd zooms.
            assert abs(head["x"] - 137.5) <= 1 / scale + 0.01
            assert abs(head["y"] - 121.5) <= 1 / scale + 0.01
            page.keyboard.press("Delete")
            page.evaluate("() => page.labels.do({ exact: { t: 'head', x: 137.5, y: 121.5 } })")
            page.mouse.move(5, 5)
            page.wait_for_timeout(100)
            mark = centre_of(page, lambda rgb: (rgb[..., 2] > 150) & (rgb[..., 0] < 130))  # its ring, in its blue
            assert np.abs(np.subtract(mark, bright)).max() <= 1.0
            page.evaluate("() => page.labels.do({ exact: null })")
            saved(page)


def centre_of(page: Any, where: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float]:
    """The middle, on the page, of what a condition holds for on the stage."""
    box = page.locator("#stage").bounding_box()
    inner = {"x": box["x"] + 60, "y": box["y"] + 60, "width": box["width"] - 120, "height": box["height"] - 120}
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot(clip=inner))).convert("RGB")).astype(int)
    y, x = np.nonzero(where(shot))
    assert len(x)
    left, top = np.floor(inner["x"]), np.floor(inner["y"])
    return left + (x.min() + x.max() + 1) / 2, top + (y.min() + y.max() + 1) / 2


def start_server(folder: Path, port: int) -> subprocess.Popen[str]:
    code = "from headcount.cli.main import main; main()"
    command = [sys.executable, "-c", code, "label", "open", str(folder), "--no-browser", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("http://127.0.0.1")
    return process


def test_neither_a_killed_server_nor_a_closed_tab_loses_a_stroke(tab: Callable[..., Any], folder: Path) -> None:
    port = free_port()
    server = start_server(folder, port)
    try:
        page = tab()
        enter(page, f"http://127.0.0.1:{port}/")
        spots = [(60 + 55 * (n % 12), 150 + 100 * (n // 12)) for n in range(40)]
        for number, spot in enumerate(spots[:30]):
            click(page, *spot)
            if number == 15:
                os.kill(server.pid, signal.SIGKILL)  # strokes are under way
                server.wait()
        expect(page.locator("#count")).to_have_text("30 heads")
        expect(page.locator("#saved")).to_contain_text("Not saved")
        expect(page.locator("#notices")).to_contain_text("sent again by themselves")
        context = page.context
        page.close()  # with strokes that no server has
        server = start_server(folder, port)
        page = tab(context)
        page.goto(f"http://127.0.0.1:{port}/")
        expect(page.locator("#count")).to_have_text("30 heads")
        saved(page)
        # And a server that is killed under an open tab: it goes on by itself.
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        for spot in spots[30:]:
            click(page, *spot)
        server = start_server(folder, port)
        saved(page)
        expect(page.locator("#count")).to_have_text("40 heads")
    finally:
        server.kill()
        server.wait()
    assert len(Store(folder / "headcount-labels.sqlite").document(1).things) == 40


def test_two_at_once_never_overwrite_each_other(
    tab: Callable[..., Any], open_labelling: Callable[..., Labelling], clock: Any
) -> None:
    labelling = open_labelling(clock=clock, lease_s=2)  # the page looks four times as often as that
    with served(labelling) as where:
        ann, ben = tab(), tab()
        enter(ann, where, "Ann")
        click(ann, 100, 300)
        saved(ann)
        enter(ben, where, "Ben")
        expect(ben.locator("#notices")).to_contain_text("Ann works on this image: you look on.")
        expect(ben.locator("#count")).to_have_text("1 head")
        click(ben, 300, 300)
        expect(ben.locator("#count")).to_have_text("1 head")
        # Ann is away from the network; her claim runs out, and Ben takes the image over.
        ann.context.set_offline(True)
        click(ann, 500, 300)
        expect(ann.locator("#saved")).to_contain_text("Not saved: 1")
        clock.now += 3
        ben.get_by_role("button", name="Take over").click()
        expect(ben.get_by_role("button", name="Suggest heads")).to_be_enabled()
        click(ben, 300, 300)
        saved(ben)
        ann.context.set_offline(False)
        saved(ann)
        expect(ann.locator("#notices")).to_contain_text("Ben has taken this image over")
        expect(ann.locator("#notices")).to_contain_text("1 stroke of yours came too late")
        expect(ann.locator("#count")).to_have_text("2 heads")
        assert sorted(round(head["x"], -1) for head in things(labelling)) == [100, 300]
        # Ben goes; Ann gets the image back, and takes in what she had drawn.
        leave(ben, where)
        ann.get_by_role("button", name="Take over").click()
        ann.get_by_role("button", name="Take them in").click()
        expect(ann.locator("#count")).to_have_text("3 heads")
        assert sorted(round(head["x"], -1) for head in things(labelling)) == [100, 300, 500]


def test_one_person_in_two_tabs_works_in_one_of_them(
    tab: Callable[..., Any], open_labelling: Callable[..., Labelling]
) -> None:
    labelling = open_labelling(lease_s=2)
    with served(labelling) as where:
        first = tab()
        enter(first, where)
        click(first, 100, 300)
        saved(first)
        first.reload()
        expect(first.locator("#count")).to_have_text("1 head")
        click(first, 200, 300)
        expect(first.locator("#count")).to_have_text("2 heads")
        second = tab(first.context)
        second.goto(where)
        expect(second.locator("#notices")).to_contain_text("You have this image open in another tab")
        second.get_by_role("button", name="Take over").click()
        expect(second.get_by_role("button", name="Suggest heads")).to_be_enabled()
        click(second, 300, 300)
        saved(second)
        expect(first.locator("#notices")).to_contain_text("You have this image open in another tab")
        click(first, 400, 300)
        expect(first.locator("#count")).to_have_text("3 heads")  # it shows what the other does, and draws nothing
        assert len(things(labelling)) == 3


def test_who_has_the_same_name_takes_nothing_unasked(
    tab: Callable[..., Any], folder: Path, open_labelling: Callable[..., Labelling]
) -> None:
    write_crowd(folder, "second.jpg")
    labelling = open_labelling()
    with served(labelling) as where:
        one, other = tab(), tab()
        enter(one, where)
        expect(one.locator("#title")).to_have_text("crowd.jpg")
        enter(other, f"{where}#image=1")
        expect(other.locator("#notices")).to_contain_text("You have this image open in another tab")
        other.get_by_role("button", name="Take over").click()
        expect(other.get_by_role("button", name="Suggest heads")).to_be_enabled()
        # The first opens it again, whose own session this browser still knows as the holder.
        one.evaluate("() => page.open(1)")
        expect(one.locator("#notices")).to_contain_text("You have this image open in another tab")
        expect(one.get_by_role("button", name="Suggest heads")).to_be_disabled()
        # What is given back is remembered no more.
        held = "() => Object.keys(localStorage).filter((key) => key.startsWith('headcount-held:')).length"
        assert other.evaluate(held) == 1
        with other.expect_request("**/images/1/release"):
            other.keyboard.press("PageDown")
        expect(other.locator("#title")).to_have_text("second.jpg")
        assert other.evaluate(held) == 1


def test_a_name_is_what_was_submitted(tab: Callable[..., Any], address: str, labelling: Labelling) -> None:
    page = tab()
    page.goto(address)
    page.locator("#person").fill("Nobody")
    page.keyboard.press("Escape")
    expect(page.locator("#who")).to_be_visible()  # it is asked again: strokes need a name
    page.locator("#person").fill("Ann")
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_have_attribute("data-ready", "true")
    page.locator("#name").click()
    page.locator("#person").fill("Ben")
    page.keyboard.press("Escape")
    expect(page.locator("#who")).to_be_hidden()
    expect(page.locator("#name")).to_have_text("Ann")
    page.locator("#name").click()
    page.locator("#person").fill("Ben")
    page.get_by_role("button", name="Begin").click()
    expect(page.locator("#name")).to_have_text("Ben")
    wait_for(page, lambda: labelling.claims.holder(1).person == "Ben")


def test_undo_takes_a_corner_back_while_a_region_is_clicked(
    tab: Callable[..., Any], address: str, labelling: Labelling
) -> None:
    page = tab()
    enter(page, address)
    click(page, 100, 300)
    page.keyboard.press("g")
    for x, y in ((200, 200), (400, 200), (700, 500), (400, 400)):
        click(page, x, y)
    page.keyboard.press("Control+z")
    page.get_by_role("button", name="Undo").click()
    click(page, 400, 500)
    page.keyboard.press("Enter")
    saved(page)
    assert len(things(labelling)) == 1
    (area,) = things(labelling, kind="area")
    assert np.allclose(area["rings"], [[(200, 200), (400, 200), (400, 500)]], atol=1)


def test_each_gets_an_image_of_their_own(tab: Callable[..., Any], folder: Path, labelling: Labelling) -> None:
    labelling.close()
    write_crowd(folder, "second.jpg")
    both = Labelling(folder, folder / "labels.sqlite")
    try:
        with served(both) as where:
            ann, ben = tab(), tab()
            enter(ann, where, "Ann")
            enter(ben, where, "Ben")
            expect(ann.locator("#title")).to_have_text("crowd.jpg")
            expect(ben.locator("#title")).to_have_text("second.jpg")
            expect(ben.locator(".item").first).to_contain_text("Ann")
            # Who closes the tab gives the image back, as does who goes on. A tab that gets no time for half a second
            # is ended by the browser before it can tell: then Ben is back, has his image, and closes once more.
            click(ann, 100, 300)
            ben.close()
            for _ in range(9):
                if holds(ann, lambda: not both.claims.holder(2).is_active, 3):
                    break
                ben = tab(ben.context)
                ben.goto(where)
                expect(ben.get_by_role("button", name="Suggest heads")).to_be_enabled()
                ben.close()
            wait_for(ann, lambda: not both.claims.holder(2).is_active)
            ann.keyboard.press("PageDown")
            expect(ann.locator("#title")).to_have_text("second.jpg")
            expect(ann.locator(".item").first).to_contain_text("1 head")
            expect(ann.locator(".item").first).not_to_contain_text("yours")
            expect(ann.locator(".item").nth(1)).to_contain_text("yours")
            # So does who goes on before the image is there.
            with ann.expect_request("**/images/1/release"):
                ann.evaluate("() => { page.open(1); page.open(2); }")
            wait_for(ann, lambda: [both.claims.holder(image).is_active for image in (1, 2)] == [False, True])
    finally:
        both.close()


def test_what_takes_an_image_and_what_gives_it_back_never_overtake_each_other(
    tab: Callable[..., Any], folder: Path, open_labelling: Callable[..., Labelling], clock: Any
) -> None:
    write_crowd(folder, "second.jpg")
    labelling = open_labelling(clock=clock, lease_s=2)  # the page renews each half second, and no claim runs out
    with served(labelling) as where:
        page = tab()
        enter(page, where)
        # Gone on and come back while what gives it back is still under way: the image is held.
        held: list[Any] = []
        page.route("**/images/1/release", lambda route: held.append(route))
        page.evaluate("() => { page.open(2); }")
        expect(page.locator("#title")).to_have_text("second.jpg")
        wait_for(page, lambda: len(held) == 1)
        page.evaluate("() => { page.open(1); }")
        page.wait_for_timeout(200)  # for a claim that does not wait
        with page.expect_response("**/images/1/release"):
            held[0].continue_()
        expect(page.locator("#title")).to_have_text("crowd.jpg")
        expect(page.get_by_role("button", name="Suggest heads")).to_be_enabled()
        assert labelling.claims.holder(1).is_active
        # Gone on while its claim is being renewed: nobody holds it.
        page.unroute("**/images/1/release")
        renewed: list[Any] = []
        page.route("**/images/1/claim", lambda route: renewed.append(route))
        wait_for(page, lambda: len(renewed) == 1)
        page.evaluate("() => { page.open(2); }")
        expect(page.locator("#title")).to_have_text("second.jpg")
        page.wait_for_timeout(200)
        with page.expect_response("**/images/1/claim"):
            renewed[0].continue_()
        wait_for(page, lambda: not labelling.claims.holder(1).is_active)


def test_a_slow_connection_shows_strokes_at_once(tab: Callable[..., Any], address: str, labelling: Labelling) -> None:
    page = tab()
    enter(page, address)
    slow = page.context.new_cdp_session(page)
    limits = {"offline": False, "latency": 300, "downloadThroughput": 20_000, "uploadThroughput": 20_000}
    slow.send("Network.emulateNetworkConditions", limits)
    for n in range(8):
        click(page, 100 + 60 * n, 300)
    page.keyboard.press("Control+z")
    expect(page.locator("#count")).to_have_text("7 heads", timeout=400)
    expect(page.locator("#saved")).not_to_have_text("All saved")
    saved(page)
    assert len(things(labelling)) == 7


def test_a_full_disk_is_said_and_nothing_is_lost(
    tab: Callable[..., Any], address: str, labelling: Labelling, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tab()
    enter(page, address)
    click(page, 100, 300)
    saved(page)
    real = labelling.store.write

    def full(*_: object, **__: object) -> None:
        raise StoreFullError("The disk takes no more: make room.")

    monkeypatch.setattr(labelling.store, "write", full)
    click(page, 200, 300)
    expect(page.locator("#notices")).to_contain_text("The disk takes no more: make room.")
    expect(page.locator("#saved")).to_have_text("Not saved: 1 wait here")
    monkeypatch.setattr(labelling.store, "write", real)
    saved(page)
    assert len(things(labelling)) == 2


def test_a_stroke_that_the_server_refuses_does_not_hold_up_the_others(
    tab: Callable[..., Any], address: str, labelling: Labelling
) -> None:
    page = tab()
    enter(page, address)
    page.evaluate("() => page.labels.do({ wrong: { t: 'head', x: -5, y: 1 } })")
    click(page, 200, 300)
    expect(page.locator("#notices")).to_contain_text("A stroke was not taken in: (-5, 1)")
    saved(page)
    expect(page.locator("#count")).to_have_text("1 head")
    assert len(things(labelling)) == 1


def test_whatever_is_pressed_the_page_shows_what_the_server_has(
    tab: Callable[..., Any], address: str, labelling: Labelling
) -> None:
    seen = [(100 + 90 * n, 120 + 60 * (n % 3)) for n in range(7)]
    labelling.assistant._counter = Model(seen)  # type: ignore[assignment]
    page = tab()
    enter(page, address)
    draw = np.random.default_rng(8)
    keys = ["p", "b", "s", "g", "a", "y", "n", "Shift+Y", ".", ",", "0", "+", "-", "k", "d", "j", "h", "u", "u"]
    keys += ["Delete", "Enter", "Escape", "Control+z", "Control+y", "Control+a", "Shift+D", "ArrowLeft", "ArrowDown"]
    keys += ["Shift+ArrowUp", "Alt+ArrowRight", "Control+ArrowUp", "Shift+Enter", "Backspace"]
    for _ in range(150):
        x, y, x2, y2 = draw.uniform((230, 60, 230, 60), (720, 620, 720, 620))
        match draw.integers(5):
            case 0:
                page.mouse.click(x, y)
            case 1:
                page.mouse.move(x, y)
                page.mouse.down()
                page.mouse.move(x2, y2, steps=2)
                page.mouse.up()
            case _:
                page.keyboard.press(str(draw.choice(keys)))
    saved(page)

    def is_same() -> bool:
        with labelling.store.reading(1) as document:
            shown = page.evaluate("() => [Object.fromEntries(page.labels.things), page.labels.can]")
            return bool(shown == [document.things, list(document.can("Ann"))])

    wait_for(page, is_same, 3)  # suggestions may just have come


class Model:
    """Sees heads where it is told."""

    def __init__(self, points: list[tuple[float, float]]) -> None:
        self._points = np.array(points, float)

    def count(self, source: object) -> Prediction:
        boxes = np.concatenate([self._points - 10, self._points + 10], axis=1)
        scores = np.linspace(0.9, 0.5, len(boxes))
        return Prediction(
            float(len(boxes)), (800, 600), self._points, "heads", scores=scores, boxes_xyxy=boxes, model="told"
        )


def test_suggestions_are_accepted_and_rejected(tab: Callable[..., Any], address: str, labelling: Labelling) -> None:
    labelling.assistant._counter = Model([(100, 50), (200, 50), (300, 50), (100, 300), (200, 300), (500, 500)])  # type: ignore[assignment]
    page = tab()
    enter(page, address)
    click(page, 303, 52)
    page.get_by_role("button", name="Suggest heads").click()
    expect(page.locator("#job")).to_have_text("told suggests 5 heads.")  # one is labelled already
    page.keyboard.press(".")
    page.keyboard.press("y")  # (100, 50), and on to (200, 50)
    page.keyboard.press("n")
    expect(page.locator("#suggested")).to_have_text("3 suggestions")
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    drag(page, (60, 250), (250, 350))
    page.keyboard.press("y")
    expect(page.locator("#suggested")).to_have_text("1 suggestion")
    page.keyboard.press("Control+z")
    expect(page.locator("#suggested")).to_have_text("3 suggestions")
    page.keyboard.press("Shift+Y")
    expect(page.locator("#count")).to_have_text("5 heads")
    saved(page)
    assert sorted(head.get("made", "") for head in things(labelling)) == ["", *["pseudo"] * 4]
    assert things(labelling, kind="suggestion") == []


def test_regions_and_blocks(tab: Callable[..., Any], folder: Path, open_labelling: Callable[..., Labelling]) -> None:
    for path in folder.iterdir():
        path.unlink()
    Image.new("RGB", (4100, 900), (60, 80, 60)).save(folder / "wide.png")
    labelling = open_labelling()
    with served(labelling) as where:
        page = tab()
        enter(page, where)
        page.keyboard.press("g")
        for corner in ((500, 200), (2000, 200), (2000, 700), (500, 700), (500, 200)):
            click(page, *corner)
        for corner in ((3000, 200), (3500, 200), (3500, 600)):
            click(page, *corner)
        page.mouse.move(*at(page, 3200, 800))
        page.keyboard.press("Enter")
        page.keyboard.press("j")
        page.keyboard.press("d")
        page.keyboard.press("j")
        page.keyboard.press("d")
        expect(page.locator("#blocks")).to_have_text("2 of 4 blocks done")
        expect(page.locator(".item").first).to_contain_text("2 of 4 blocks")
        saved(page)
        area, triangle = things(labelling, kind="area")
        assert len(triangle["rings"][0]) == 3
        assert np.allclose(area["rings"][0], [(500, 200), (2000, 200), (2000, 700), (500, 700)], atol=4)
        with labelling.store.reading(1) as document:
            assert set(document.of_kind("block")) == {"block:0:0", "block:1:0"}


def test_what_cannot_be_read_is_listed_with_its_reason(
    tab: Callable[..., Any], folder: Path, open_labelling: Callable[..., Labelling]
) -> None:
    (folder / "a-torn.jpg").write_bytes((folder / "crowd.jpg").read_bytes()[:3000])
    (folder / "b-note.png").write_text("no image", encoding="utf-8")
    labelling = open_labelling()
    with served(labelling) as where:
        page = tab()
        enter(page, where)
        expect(page.locator("#empty")).to_contain_text("is damaged or cut short")
        expect(page.locator(".item").first).to_contain_text("damaged", timeout=10_000)
        expect(page.locator(".item").nth(1)).to_contain_text("is not an image")
        page.keyboard.press("PageDown")
        expect(page.locator("#title")).to_have_text("crowd.jpg")
        click(page, 100, 300)
        saved(page)


def test_a_hundred_megapixels_come_in_tiles(
    tab: Callable[..., Any], folder: Path, open_labelling: Callable[..., Labelling]
) -> None:
    for path in folder.iterdir():
        path.unlink()
    rows = np.linspace(0, 255, 10_000).astype(np.uint8)
    Image.fromarray(np.broadcast_to(rows[:, None], (10_000, 10_000))).save(folder / "huge.jpg", quality=80)
    labelling = open_labelling()
    with served(labelling) as where:
        page = tab()
        got: list[int] = []
        page.on("response", lambda answer: "/tiles/" in answer.url and got.append(len(answer.body())))
        enter(page, where)
        wait_for(page, lambda: page.evaluate("page.tiles.held.size > 4"), 30)
        for place in ((9000, 9000), (5000, 1000), (300, 9700)):
            page.evaluate("([x, y]) => page.view.centre(x, y, 1)", place)
            wait_for(page, lambda: page.evaluate("page.tiles.isWhole(page.view.seen(), 0)"))
            click(page, *place)
        saved(page)
        assert page.evaluate("page.tiles.held.size") <= 96
        assert max(got) < 600_000
        assert np.allclose(
            [[h["x"], h["y"]] for h in things(labelling)], [(9000, 9000), (5000, 1000), (300, 9700)], atol=1
        )


def test_ten_thousand_images_open_in_two_seconds(tab: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    Image.new("RGB", (32, 24)).save(folder / "00000.jpg")
    for number in range(1, 10_000):
        os.link(folder / "00000.jpg", folder / f"{number:05}.jpg")
    took_s = []
    # Other work on the machine makes it slower, never faster.
    while not took_s or (min(took_s) > 2 and len(took_s) < 4):
        page = tab()
        page.goto("about:blank")
        began = time.perf_counter()
        labelling = Labelling(folder, tmp_path / f"labels-{len(took_s)}.sqlite")
        try:
            with served(labelling) as where:
                page.goto(where)
                page.locator("#person").fill("Ann")
                page.keyboard.press("Enter")
                page.locator("#progress", has_text="0 of 10,000 done").wait_for()  # expect looks twice a second at most
                page.locator("#title", has_text="00000.jpg").wait_for()
                took_s.append(time.perf_counter() - began)
                assert page.locator(".item").count() < 60
                page.locator("#list").focus()
                page.keyboard.press("End")
                page.keyboard.press("Enter")
                expect(page.locator("#title")).to_have_text("09999.jpg")
        finally:
            labelling.close()
    assert min(took_s) < 2


def test_panning_over_five_thousand_heads_keeps_up(
    tab: Callable[..., Any], folder: Path, open_labelling: Callable[..., Labelling]
) -> None:
    for path in folder.iterdir():
        path.unlink()
    draw = np.random.default_rng(3)
    Image.fromarray(draw.integers(0, 255, (3000, 4000, 3), np.uint8)).save(folder / "large.jpg", quality=70)
    labelling = open_labelling()
    places = draw.uniform((20, 20), (3980, 2980), (5000, 2)).round(2)
    heads = {
        f"h{n}": {"t": "head", "x": x, "y": y, "box": [x - 9, y - 9, x + 9, y + 9], "made": "annotated"}
        for n, (x, y) in enumerate(places.tolist())
    }
    labelling.store.write(1, [_stroke(heads)], person="import", size_wh=(4000, 3000))
    with served(labelling) as where:
        page = tab()
        enter(page, where)
        expect(page.locator("#count")).to_have_text("5,000 heads")
        page.evaluate("page.view.centre(2000, 1500, 0.5)")
        wait_for(page, lambda: page.evaluate("page.tiles.isWhole(page.view.seen(200), 1)"), 20)
        own_ms, frame_ms = page.evaluate(PAN)
        # The script's part of a frame, which other work on the machine does not change much; the whole of it has
        # 16.7 ms at 60 a second, measured by benchmarks.labelling.
        assert np.median(own_ms) < 4
        assert np.percentile(own_ms, 90) < 12
        assert np.median(frame_ms) < 25


def test_what_is_panned_is_what_is_drawn_at_once(tab: Callable[..., Any], address: str, labelling: Labelling) -> None:
    places = np.random.default_rng(4).uniform((10, 10), (790, 590), (300, 2)).round(2).tolist()
    heads = {
        f"h{n}": {"t": "head", "x": x, "y": y, "box": [x - 9, y - 9, x + 9, y + 9], "made": "annotated"}
        for n, (x, y) in enumerate(places)
    }
    labelling.store.write(1, [_stroke(heads)], person="import", size_wh=(800, 600))
    page = tab()
    enter(page, address)
    page.evaluate("page.view.centre(500, 350, 2.3)")
    page.wait_for_timeout(300)
    x, y = at(page, 500, 350)
    page.mouse.move(x, y)
    page.mouse.down(button="right")
    for step in range(1, 40):
        page.mouse.move(x + 4 * step, y + 3 * step)
    page.mouse.up(button="right")
    page.mouse.move(2, 2)
    page.wait_for_timeout(300)
    panned = page.screenshot()
    page.evaluate("page.view.redraw()")
    page.wait_for_timeout(200)
    anew = page.screenshot()
    one, other = (np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int) for shot in (panned, anew))
    assert (np.abs(one - other).max(axis=2) > 40).sum() == 0


PAN = """async () => {
  const view = page.view, own = [], frames = [];
  const render = view.render.bind(view);
  view.render = () => { const t = performance.now(); render(); own.push(performance.now() - t); };
  let last = null, n = 0;
  await new Promise((done) => {
    const tick = (t) => {
      if (last !== null) frames.push(t - last);
      last = t;
      view.pan(10 * (n % 80 < 40 ? 1 : -1), 6 * (n % 60 < 30 ? 1 : -1));
      n += 1;
      if (n < 120) requestAnimationFrame(tick); else done();
    };
    requestAnimationFrame(tick);
  });
  delete view.render;
  return [own, frames];
}"""


def _stroke(changes: dict[str, Any]) -> Any:
    from headcount.label.page.store import Stroke

    return Stroke("stroke0000000", "do", changes)


def test_at_200_percent_and_in_a_small_window_nothing_is_cut_off(tab: Callable[..., Any], address: str) -> None:
    # A window of 1280×800 at 200 % is 640×400 to the page, each pixel twice as fine.
    page = tab(viewport={"width": 640, "height": 400}, device_scale_factor=2)
    enter(page, address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
    for opener, side in (("Tools", "#panel"), ("Images", "#list-side")):
        page.get_by_role("button", name=opener).first.click()
        expect(page.locator(side)).to_be_visible()
        for button in page.locator(f"{side} button:visible").all():
            button.scroll_into_view_if_needed()
            box = button.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 640
        assert page.evaluate(
            "(side) => document.querySelector(side).scrollWidth <= document.querySelector(side).clientWidth", side
        )
    page.keyboard.press("l")
    click(page, 200, 300)
    expect(page.locator("#count")).to_have_text("1 head")


def test_a_token_lets_in_who_has_the_link(tab: Callable[..., Any], labelling: Labelling) -> None:
    with served(labelling, token="opensesame42", host="0.0.0.0") as where:
        page = tab()
        assert page.goto(where).status == 401
        enter(page, f"{where}enter/opensesame42")
        click(page, 100, 300)
        saved(page)
