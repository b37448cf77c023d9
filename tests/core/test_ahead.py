"""Work ahead: in order, no further ahead than asked, and nothing begun for a caller who has left."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headcount.core.ahead import THREADS, in_order


@given(st.lists(st.integers()), st.integers(0, 5))
def test_results_come_in_the_order_of_the_items(items: list[int], ahead: int) -> None:
    found = [(item, done.result()) for item, done in in_order(items, lambda item: item + 1, ahead=lambda: ahead)]
    assert found == [(item, item + 1) for item in items]


@pytest.mark.parametrize("ahead", [0, 1, 4])
def test_no_more_items_are_taken_than_asked_for(ahead: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    for item, done in in_order(items(), str, ahead=lambda: ahead):
        assert done.result() == str(item)
        assert len(taken) <= item + 1 + ahead


def test_what_fails_is_raised_with_its_item_and_the_rest_goes_on() -> None:
    results = []
    for item, done in in_order([2, 0, 4], lambda item: 8 // item):
        try:
            results.append(done.result())
        except ZeroDivisionError:
            results.append(item)
    assert results == [4, 0, 2]


def test_what_has_not_begun_is_not_done_once_the_caller_leaves() -> None:
    go_on, begun = threading.Event(), []

    def work(item: int) -> int:
        begun.append(item)
        go_on.wait(20)
        return item

    results = in_order(range(9), work, ahead=lambda: 8)
    assert next(results)[0] == 0
    threading.Timer(0.3, go_on.set).start()  # leaving waits for what has begun
    results.close()
    assert len(begun) <= THREADS
