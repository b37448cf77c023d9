"""The page in headless Chromium where something is in the way: another folder's server, a locked database, a file that
is away. No stroke is lost, and none lands where it was not meant."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from headcount.label.page.session import Labelling

from .browser import CHROMIUM, WHY_NOT, click, enter, free_port, saved, served, things, wait_for, write_crowd

pytest.importorskip("fastapi", reason="the page needs the label extra")
sync_api = pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright (dev extra)")
pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT), pytest.mark.slow]
expect = sync_api.expect


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Labelling]]:
    """Opens the labels of a folder below ``tmp_path``, in which one painted crowd is made where it has none."""
    all_of_them: list[Labelling] = []

    def open_one(name: str, **settings: Any) -> Labelling:
        folder = tmp_path / name
        if not folder.exists():
            write_crowd(folder)
        all_of_them.append(Labelling(folder, folder / "labels.sqlite", **settings))
        return all_of_them[-1]

    yield open_one
    for each in all_of_them:
        each.close()


def test_strokes_of_one_folder_never_reach_another_at_the_same_address(
    tab: Callable[..., Any], opened: Callable[..., Labelling]
) -> None:
    one, other, port = opened("one"), opened("other"), free_port()
    page = tab()
    with served(one, port=port) as where:
        enter(page, where)
        click(page, 100, 300)
        saved(page)
    click(page, 300, 300)
    expect(page.locator("#saved")).to_have_text("Not saved: 1 wait here")
    with served(other, port=port):
        expect(page.locator("#notices")).to_contain_text("Another folder is served here now: load the page again.")
        expect(page.locator("#notices")).to_contain_text("until their own folder is served at this address again")
        click(page, 500, 300)
        expect(page.locator("#saved")).to_have_text("Not saved: 2 wait here")
        page.wait_for_timeout(3000)  # the list and the image are asked for meanwhile
        expect(page.locator(".notice:visible", has_text="Another folder")).to_have_count(1)
        assert things(other) == []
        page.reload()
        expect(page.locator("body")).to_have_attribute("data-ready", "true")
        saved(page)
        assert things(other) == []
    with served(one, port=port) as where:
        page.goto(where)
        expect(page.locator("#count")).to_have_text("3 heads")
        saved(page)
    assert len(things(one)) == 3


def test_a_locked_database_costs_no_stroke(
    tab: Callable[..., Any], opened: Callable[..., Labelling], monkeypatch: pytest.MonkeyPatch
) -> None:
    labelling = opened("one")
    labelling.store._base.execute("PRAGMA busy_timeout=50")
    with served(labelling) as where:
        page = tab()
        enter(page, where)
        other = sqlite3.connect(labelling.store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        click(page, 100, 300)
        expect(page.locator("#notices")).to_contain_text("database is locked")
        expect(page.locator("#saved")).to_have_text("Not saved: 1 wait here")
        other.execute("ROLLBACK")
        other.close()
        saved(page)
        assert len(things(labelling)) == 1


def test_an_image_that_is_away_holds_up_its_own_strokes_alone(
    tab: Callable[..., Any], opened: Callable[..., Labelling], tmp_path: Path
) -> None:
    port = free_port()
    write_crowd(tmp_path / "one", "a.jpg")
    write_crowd(tmp_path / "one", "b.jpg")
    first = opened("one")
    page = tab()
    with served(first, port=port) as where:
        enter(page, where)
    click(page, 100, 300)
    click(page, 200, 300)
    expect(page.locator("#saved")).to_have_text("Not saved: 2 wait here")
    first.close()
    (tmp_path / "one" / "a.jpg").rename(tmp_path / "a.jpg")
    without = opened("one")
    with served(without, port=port):
        expect(page.locator("#notices")).to_contain_text("There is no image 1 in this folder")
        # Those of another image are not kept waiting.
        head = "{ t: 'head', x: 5, y: 5 }"
        page.evaluate(
            f"() => page.outbox.put({{ id: 2 }}, 'Ann', {{ id: 'elsewhere', kind: 'do', changes: {{ h: {head} }} }})"
        )
        expect(page.locator("#saved")).to_have_text("Not saved: 2 wait here")
        expect(page.locator("#saved")).to_have_text("Not saved: 2 wait here")
        assert len(things(without, 2)) == 1
    without.close()
    (tmp_path / "one" / "a.jpg").write_text("not yet copied whole", encoding="utf-8")
    cut = opened("one")
    with served(cut, port=port):
        expect(page.locator("#notices")).to_contain_text("a.jpg")
        expect(page.locator("#saved")).to_have_text("Not saved: 2 wait here")
        (tmp_path / "a.jpg").replace(tmp_path / "one" / "a.jpg")
        saved(page)
        assert len(things(cut, 1)) == 2


def test_nothing_waits_after_a_refusal_and_each_is_said(
    tab: Callable[..., Any], opened: Callable[..., Labelling]
) -> None:
    labelling, port = opened("one"), free_port()
    page = tab()
    with served(labelling, port=port) as where:
        enter(page, where)
    wrong = "() => page.labels.do({ [`wrong${page.outbox.number}`]: { t: 'head', x: -5, y: 1 } })"
    page.evaluate(wrong)
    expect(page.locator("#saved")).to_have_text("Not saved: 1 wait here")
    with served(labelling, port=port):
        saved(page)
        refused = page.locator("#notice-refused")
        expect(refused).to_contain_text("A stroke was not taken in: (-5, 1)")
        expect(page.locator("#notice-stuck")).to_have_count(0)
        refused.get_by_role("button", name="Close").click()
        expect(refused).to_be_hidden()
        page.evaluate("() => page.notices.say('refused', document.querySelector('#notice-refused span').textContent)")
        expect(refused).to_be_visible()


def test_a_list_that_cannot_be_read_is_said_until_it_can(
    tab: Callable[..., Any], opened: Callable[..., Labelling]
) -> None:
    labelling = opened("one")
    with served(labelling) as where:
        page = tab()
        enter(page, where)
        answer = {"status": 503, "json": {"detail": "The list is away."}}
        page.route("**/api/images?since=*", lambda route: route.fulfill(**answer))
        expect(page.locator("#notices")).to_contain_text("The list is away.")
        page.unroute("**/api/images?since=*")
        expect(page.locator("#notices")).not_to_contain_text("The list is away.")


def test_a_picture_that_is_replaced_is_opened_anew_and_said(
    tab: Callable[..., Any], opened: Callable[..., Labelling], tmp_path: Path
) -> None:
    labelling = opened("one", lease_s=2)
    with served(labelling) as where:
        page = tab()
        enter(page, where)
        click(page, 300, 300)
        saved(page)
        page.evaluate("() => clearTimeout(page.holding.watching)")  # a stroke comes before the page has looked
        write_crowd(tmp_path / "one", size_wh=(640, 480))
        click(page, 500, 300)
        expect(page.locator("#notices")).to_contain_text("This picture's file was replaced")
        expect(page.locator("#notices")).to_contain_text("1 stroke of yours")
        assert page.evaluate("page.view.image.size") == [640, 480]
        expect(page.locator("#count")).to_have_text("1 head")
        page.locator("#notice-replaced").get_by_role("button", name="Close").click()
        # And by itself where nothing is drawn.
        write_crowd(tmp_path / "one", size_wh=(1500, 1200))
        expect(page.locator("#notice-replaced")).to_be_visible()
        assert page.evaluate("page.view.image.size") == [1500, 1200]
        # Nor are tiles of one mixed with those of the other.
        page.evaluate("() => clearTimeout(page.holding.watching)")
        write_crowd(tmp_path / "one", size_wh=(700, 600))
        page.keyboard.press("1")  # asks for finer tiles than came before
        wait_for(page, lambda: page.evaluate("page.view.image?.size") == [700, 600])
        assert len(things(labelling)) == 1


def test_a_file_that_is_being_copied_is_shown_once_it_is_whole(
    tab: Callable[..., Any], opened: Callable[..., Labelling], tmp_path: Path
) -> None:
    write_crowd(tmp_path / "one", size_wh=(1500, 1200))
    path = tmp_path / "one" / "crowd.jpg"
    with served(opened("one")) as where:
        page = tab()
        enter(page, where)
        path.rename(tmp_path / "whole.jpg")
        path.touch()
        page.keyboard.press("1")  # asks for tiles
        expect(page.locator("#empty")).to_contain_text("is empty")
        (tmp_path / "whole.jpg").replace(path)
        expect(page.locator("#empty")).to_have_text("", timeout=5000)
        assert page.evaluate("page.view.image.size") == [1500, 1200]
        click(page, 300, 300)
        saved(page)


def test_new_images_come_into_the_list_when_the_server_is_started_anew(
    tab: Callable[..., Any], opened: Callable[..., Labelling], tmp_path: Path
) -> None:
    port, first = free_port(), opened("one")
    page = tab()
    with served(first, port=port) as where:
        enter(page, where)
        for number in range(3):  # versions of the list go on
            click(page, 100 + 50 * number, 300)
        saved(page)
    first.close()
    write_crowd(tmp_path / "one", "a first one.jpg")
    with served(opened("one"), port=port):
        expect(page.locator(".item")).to_have_count(2)
        expect(page.locator(".item").first).to_contain_text("a first one.jpg")
        expect(page.locator(".item").nth(1)).to_contain_text("3 heads")


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names of files are text there")
def test_an_image_whose_name_is_no_text_is_shown_with_its_reason(
    tab: Callable[..., Any], opened: Callable[..., Labelling], tmp_path: Path
) -> None:
    write_crowd(tmp_path / "one", os.fsdecode(b"odd\xff.jpg"))
    write_crowd(tmp_path / "one")
    with served(opened("one")) as where:
        page = tab()
        enter(page, where)
        page.locator(".item").nth(1).click()
        expect(page.locator("#title")).to_have_text("odd\\xff.jpg")
        expect(page.locator("#empty")).to_have_text("Its name is no UTF-8: rename the file.")
        page.locator(".item").first.click()
        expect(page.locator("#title")).to_have_text("crowd.jpg")
        click(page, 300, 300)
        saved(page)
