"""One thread that asks all others whether they hang."""

from __future__ import annotations

import threading
from itertools import pairwise

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
