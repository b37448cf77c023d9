"""Who works on what: one at a time, and nobody for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from headcount.label.page.claims import Claims
from headcount.label.page.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "labels.sqlite")
    store.images(["a.png"])
    return store


def test_an_image_is_one_sessions_until_that_runs_out(store: Store, clock: object) -> None:
    claims = Claims(store, lease_s=60, clock=clock)  # type: ignore[arg-type]
    assert claims.holder(1) is None
    assert claims.take(1, "s-ann", "ann").session == "s-ann"
    assert claims.take(1, "s-ben", "ben").person == "ann"
    clock.now += 50  # type: ignore[attr-defined]
    claims.renew(1, "s-ann")
    clock.now += 50  # type: ignore[attr-defined]
    assert claims.take(1, "s-ben", "ben").person == "ann"
    clock.now += 11  # type: ignore[attr-defined]
    assert claims.take(1, "s-ben", "ben").person == "ben"
    after = claims.renew(1, "s-ann")
    assert after is not None
    assert after.person == "ben"


def test_what_has_run_out_is_told_once(store: Store, clock: object) -> None:
    claims = Claims(store, lease_s=60, clock=clock)  # type: ignore[arg-type]
    claims.take(1, "s-ann", "ann")
    assert claims.lapsed() == []
    clock.now += 61  # type: ignore[attr-defined]
    assert claims.lapsed() == [1]
    assert claims.lapsed() == []


def test_the_same_person_may_come_from_another_tab(store: Store) -> None:
    claims = Claims(store)
    claims.take(1, "s-1", "ann")
    assert claims.take(1, "s-2", "ann").session == "s-1"
    assert claims.take(1, "s-2", "ann", over=True).session == "s-2"
    assert claims.take(1, "s-3", "ben", over=True).session == "s-2"


def test_only_ones_own_former_tab_gives_way_unasked(store: Store) -> None:
    claims = Claims(store)
    claims.take(1, "s-1", "ann")
    assert claims.take(1, "s-2", "ann", former="s-0").session == "s-1"
    assert claims.take(1, "s-2", "ben", former="s-1").session == "s-1"
    assert claims.take(1, "s-2", "ann", former="s-1").session == "s-2"


def test_what_is_given_back_is_free(store: Store) -> None:
    claims = Claims(store)
    claims.take(1, "s-1", "ann")
    claims.release(1, "s-2")
    assert claims.take(1, "s-2", "ben").person == "ann"
    claims.release(1, "s-1")
    assert claims.take(1, "s-2", "ben").person == "ben"


def test_claims_outlive_the_server(store: Store) -> None:
    Claims(store).take(1, "s-1", "ann")
    again = Claims(store)
    assert again.take(1, "s-2", "ben").person == "ann"
    again.release(1, "s-1")
    assert Claims(store).take(1, "s-2", "ben").person == "ben"
