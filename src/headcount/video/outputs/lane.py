"""How one output is handed its records, by threads of its own, so that it holds up nobody."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from headcount.core.addresses import without_secrets
from headcount.core.errors import HeadcountError
from headcount.core.words import plural
from headcount.video.measurement import OutputStatus, Record
from headcount.video.outputs.spool import Spool
from headcount.video.outputs.table import (
    DirectOutput,
    OutputDownError,
    OutputGoneError,
    Picture,
    RefusedRecordError,
    SpooledOutput,
)

MOST_QUEUED = 10_000
"""Records on their way to a thread; at most some kilobytes each."""
MOST_PICTURES = 4
"""Of those that come with a picture: each holds a frame."""
_TICK_S = 0.5
_LONGEST_WAIT_S = 10.0
_BATCH = 200


class Standing:
    """How an output does: what is wrong with it, part by part, and what it lost.

    Args:
        name: of the output.
        tell: told whenever it begins to work or to fail.
    """

    def __init__(self, name: str, tell: Callable[[OutputStatus], None]) -> None:
        self.name, self._tell = name, tell
        self._lock = threading.Lock()
        self._troubles: dict[str, str] = {}
        self._since = datetime.now(UTC)
        self._lost: dict[str, int] = {}
        self.waiting: Callable[[], int] = lambda: 0

    def note(self, part: str, trouble: str) -> None:
        """What is wrong with a part of it now; empty: nothing."""
        with self._lock:
            before = any(self._troubles.values())
            self._troubles[part] = without_secrets(trouble)
            has_changed = before != any(self._troubles.values())
            if has_changed:
                self._since = datetime.now(UTC)
        if has_changed:
            with suppress(Exception):  # whoever listens: records go on
                self._tell(self.status())

    def lose(self, part: str, number: int = 1) -> None:
        """So many more were lost."""
        with self._lock:
            self._lost[part] = self._lost.get(part, 0) + number

    def status(self) -> OutputStatus:
        """How it does now."""
        with self._lock:
            reasons = dict.fromkeys(reason for reason in self._troubles.values() if reason)
            return OutputStatus(
                output=self.name,
                state="failing" if reasons else "working",
                since=self._since,
                reason=" ".join(reasons),
                waiting=self.waiting(),
                lost=sum(self._lost.values()),
            )


class DirectLane:
    """Hands records over as they come, by one thread; those that come too fast are lost, and counted."""

    def __init__(self, output: DirectOutput, standing: Standing, *, pictures: bool, retry_s: float) -> None:
        self.name, self._output, self._standing, self._retry_s = standing.name, output, standing, retry_s
        self._queue = queue.Queue[tuple[Record, Picture | None] | None](MOST_PICTURES if pictures else MOST_QUEUED)
        self._stop = threading.Event()
        self._end = float("inf")
        self._thread = _started(self._run, f"output-{standing.name}")

    def take(self, record: Record, picture: Picture | None) -> None:
        """Never waits."""
        try:
            self._queue.put_nowait((record, picture))
        except queue.Full:
            self._standing.lose("direct")
            self._standing.note("speed", "Records come faster than it takes them, and some are lost.")

    def is_settled(self) -> bool:
        """Whether everything was handed over."""
        return not self._queue.unfinished_tasks

    def stop(self, end: float) -> None:
        """Hand over what waits until a time of the monotonic clock, then end."""
        self._end = end
        self._stop.set()
        _wake(self._queue)

    def join(self) -> None:
        """Wait until it has ended, or its time is over."""
        self._thread.join(max(0.0, self._end - time.monotonic()) + _TICK_S)

    def _run(self) -> None:
        while not (self._stop.is_set() and (self._queue.empty() or time.monotonic() > self._end)):
            try:
                given = self._queue.get(timeout=0.02 if self._stop.is_set() else _TICK_S)
            except queue.Empty:
                self._look()
                continue
            if given is not None:
                self._hand_over(*given)
            self._queue.task_done()
            if self._queue.empty():
                self._standing.note("speed", "")
            self._look()

    def _look(self) -> None:
        self._standing.note("state", getattr(self._output, "trouble", ""))

    def _hand_over(self, record: Record, picture: Picture | None) -> None:
        while True:
            try:
                self._output.take(record, picture)
                self._standing.note("direct", "")
                return
            except OSError as error:
                self._standing.note("direct", f"It cannot be written ({error.strerror or error}): make room for it.")
            except Exception as error:
                self._standing.note("direct", _sentence(error))
                self._standing.lose("direct")
                return
            if self._stop.wait(self._retry_s) and time.monotonic() > self._end:
                self._standing.lose("direct", 1 + self._queue.qsize())
                return
            if self._stop.is_set():
                time.sleep(0.02)


class SpoolLane:
    """Keeps records on the disk by one thread and hands them over by another one, in order, until they are taken."""

    def __init__(self, output: SpooledOutput, standing: Standing, spool: Spool, *, retry_s: float) -> None:
        self._output, self._standing, self._spool, self._retry_s = output, standing, spool, retry_s
        self._queue = queue.Queue[Record | None](MOST_QUEUED)
        self._stop, self._more, self._is_written = threading.Event(), threading.Event(), threading.Event()
        self._batch_size: int = getattr(output, "batch", _BATCH)
        self._is_gone = False
        self._end = float("inf")
        self._lost_by_spool = 0
        standing.waiting = lambda: len(spool) + self._queue.qsize()
        if spool.lost:
            standing.note("spool", f'{plural(spool.lost, "record")} in "{spool.folder}" were damaged and are lost.')
        self._writer = _started(self._write, f"spool-{standing.name}")
        self._deliverer = _started(self._deliver, f"output-{standing.name}")

    def take(self, record: Record, picture: Picture | None = None) -> None:
        """Never waits."""
        try:
            if not self._output.wants(record):
                return
        except Exception as error:  # of another package
            self._standing.lose("wants")
            self._standing.note("wants", _sentence(error))
            return
        if self._is_gone:
            self._standing.lose("gone")
            return
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self._standing.lose("queue")
            self._standing.note("speed", "Records come faster than the disk takes them, and some are lost.")

    def is_settled(self) -> bool:
        """Whether everything is on the disk, or was taken."""
        return not self._queue.unfinished_tasks

    def stop(self, end: float) -> None:
        """Write what came, hand over what can be until a time of the monotonic clock, then end."""
        self._end = end
        self._stop.set()
        _wake(self._queue)
        self._more.set()

    def join(self) -> None:
        """Wait until it has ended; what was not taken stays on the disk."""
        for thread in (self._writer, self._deliverer):
            thread.join(max(0.0, self._end - time.monotonic()) + 2 * _TICK_S)
        self._spool.close()

    def _write(self) -> None:
        while not (self._stop.is_set() and self._queue.empty()):
            given = self._batch()
            trouble = self._spool.trouble
            records = [record for record in given if record is not None]
            if self._is_gone:  # these came before that was known
                self._standing.lose("gone", len(records))
            else:
                self._spool.append(records)
            if self._spool.lost > self._lost_by_spool:
                self._standing.lose("spool", self._spool.lost - self._lost_by_spool)
                self._lost_by_spool = self._spool.lost
            if given or trouble != self._spool.trouble:
                self._standing.note("spool", self._spool.trouble)
            self._more.set()
            for _ in given:
                self._queue.task_done()
            if self._queue.empty():
                self._standing.note("speed", "")
        self._is_written.set()
        self._more.set()

    def _batch(self) -> list[Record | None]:
        """What came, at once; empty where nothing did for a while."""
        found = list[Record | None]()
        with suppress(queue.Empty):
            found.append(self._queue.get(timeout=0.02 if self._stop.is_set() else _TICK_S))
            while len(found) < _BATCH:
                found.append(self._queue.get_nowait())
        return found

    def _deliver(self) -> None:
        wait_s = 0.0
        while not (self._stop.is_set() and self._is_done(wait_s)):
            if wait_s:
                self._stop.wait(min(wait_s, max(0.0, self._end - time.monotonic())))
            try:
                waiting = self._spool.peek(self._batch_size)
                if not waiting:
                    self._standing.note("receiver", "")
                    wait_s = 0.0
                    self._more.wait(_TICK_S)
                    self._more.clear()
                    continue
                self._spool.drop(self._output.deliver(waiting))
                self._standing.note("receiver", "")
                self._standing.note("record", "")
                wait_s = 0.0
            except OutputDownError as error:
                self._spool.drop(0)
                self._standing.note("receiver", error.message)
                wait_s = max(self._retry_s, error.wait_s, min(2 * wait_s, error.most_s))
            except OutputGoneError as error:
                self._give_up(error.message)
                return
            except RefusedRecordError as error:
                self._refuse(error.message)
                wait_s = 0.0
            except Exception as error:  # nobody's promise, or a disk that cannot be read: it may be over next time
                self._spool.drop(0)
                self._standing.note("receiver", _sentence(error))
                wait_s = max(self._retry_s, min(2 * wait_s, _LONGEST_WAIT_S))

    def _is_done(self, wait_s: float) -> bool:
        """Whether nothing can be handed over any more: all was, or the receiver is down, or the time is over."""
        if time.monotonic() > self._end or wait_s:
            return True
        return self._is_written.is_set() and not len(self._spool)

    def _refuse(self, reason: str) -> None:
        waiting = self._spool.peek(1)
        self._spool.set_aside(waiting[0], reason)
        self._spool.drop(1)
        self._standing.note("record", reason)

    def _give_up(self, reason: str) -> None:
        self._is_gone = True
        self._standing.note("receiver", reason)
        while waiting := self._spool.peek(_BATCH):
            self._standing.lose("gone", len(waiting))
            self._spool.drop(len(waiting))


def _wake(waited_for: queue.Queue[Any]) -> None:
    """Let a thread that waits for records look whether it shall end."""
    with suppress(queue.Full):
        waited_for.put_nowait(None)


def _started(run: Callable[[], None], name: str) -> threading.Thread:
    thread = threading.Thread(target=run, name=f"headcount-{name}", daemon=True)
    thread.start()
    return thread


def _sentence(error: Exception) -> str:
    if isinstance(error, HeadcountError):
        return error.message
    return f"It failed ({type(error).__name__}: {error})."
