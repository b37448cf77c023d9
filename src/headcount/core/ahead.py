"""Work on a stream of items by other threads, its results in the order of the items."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS = 2


def in_order(
    items: Iterable[Item], work: Callable[[Item], Result], *, ahead: Callable[[], int] = lambda: THREADS
) -> Iterator[tuple[Item, Future[Result]]]:
    """Each item with what came of it, in order; what ``work`` raises is raised by the future's ``result()``.

    While the caller has one, the next ``ahead()`` are worked on, by two threads. It is asked before each item is taken;
    0 works on one at a time, taken after the caller is done with the one before. ``items`` are taken by the caller's
    own thread. Where the caller stops early, what has not begun is not done.

    >>> [(item, done.result()) for item, done in in_order("abc", str.upper)]
    [('a', 'A'), ('b', 'B'), ('c', 'C')]
    """
    coming: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="ahead") as pool:
        try:
            for item in items:
                coming.append((item, pool.submit(work, item)))
                while len(coming) > ahead():
                    yield coming.popleft()
            while coming:
                yield coming.popleft()
        finally:
            for _, one in coming:
                one.cancel()
