"""One thread that asks all others whether they hang."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import pytest

from headcount.video.sources.watchdog import Watchdog


def test_checks_are_called_when_they_are_due_and_no_thread_is_left() -> None:
    dog, times, enough = Watchdog(), list[float](), threading.Event()

    def check(now: float) -> float:
        times.append(now)
        if len(times) == 3:
            enough.set()
        return now + 0.02

    dog.watch(check)
    assert enough.wait(10)
    dog.leave(check)
    called = len(times)
    assert not any(thread.name == "camera watchdog" and thread is dog._thread for thread in threading.enumerate())
    assert all(later - earlier >= 0.02 for earlier, later in pairwise(times))
    again = threading.Event()

    def other(now: float) -> float:
        again.set()
        return now + 60

    dog.watch(other)  # it begins anew after all had left
    assert again.wait(10)
    dog.leave(other)
    assert len(times) == called


def test_a_check_that_is_far_off_does_not_hold_up_another() -> None:
    dog, called = Watchdog(), threading.Event()
    far, near = (lambda now: now + 600), (lambda now: called.set() or now + 600)
    dog.watch(far)
    dog.watch(near)
    assert called.wait(10)
    dog.leave(far)
    dog.leave(near)


def test_a_check_that_fails_ends_no_other(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("headcount.video.sources.watchdog._AGAIN_S", 0.01)
    dog, failed, called = Watchdog(), list[float](), threading.Event()

    def fails(now: float) -> float:
        failed.append(now)
        raise RuntimeError("can't start new thread")

    def other(now: float) -> float:
        if len(failed) > 1:
            called.set()
        return now + 0.01

    dog.watch(fails)
    dog.watch(other)
    assert called.wait(10)
    dog.leave(fails)
    dog.leave(other)
    assert "can't start new thread" in caplog.text


def test_the_last_to_leave_waits_for_no_thread_that_goes_on_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headcount.video.sources.watchdog._END_S", 60)
    dog, asked, let_go, left = Watchdog(), threading.Event(), threading.Event(), threading.Event()

    def slow(now: float) -> float:
        asked.set()
        let_go.wait(10)
        return now + 60

    def leaves() -> None:
        dog.leave(slow)
        left.set()

    dog.watch(slow)
    assert asked.wait(10)
    leaving = threading.Thread(target=leaves)
    leaving.start()
    while dog._due:
        time.sleep(0.001)
    dog.watch(later := lambda now: now + 60)
    let_go.set()
    assert left.wait(10)
    leaving.join(10)
    dog.leave(later)
