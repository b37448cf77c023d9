"""A run of a batch by several processes on this machine: chunks in, parts out, whatever becomes of a process.

A process that dies is replaced and its chunk counted again; one that dies again and again on the same chunk is given
ever smaller pieces of it, until the image that kills it is alone, and becomes a row with an error.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from time import monotonic
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from headcount.core.errors import HeadcountError, InputError
from headcount.core.notes import Note
from headcount.core.threads import thread_limit, usable_cores
from headcount.core.words import whole_people
from headcount.infer.batch.parts import (
    missing_chunks,
    read_part,
    read_unfinished,
    write_part,
    write_unfinished,
)
from headcount.infer.batch.plan import Chunk, Plan
from headcount.infer.batch.rows import ROWS, Row, rows_table
from headcount.infer.batch.settings import BatchSettings

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

_DEATHS_MAX = 3
_BORN_DEAD_MAX = 3
_GRACE_S = 30.0
_TELL_S = 2.0
"""So often a process hands over the rows it has: what dies with it is no more than that."""
_KEEP_S = 60.0
"""So often the rows of a chunk that is not done are kept in the folder."""


@dataclass(frozen=True, slots=True)
class ChunkDone:
    """A chunk of which all rows are written."""

    chunk: Chunk
    counted: int
    errors: int
    people: int


@dataclass(frozen=True, slots=True)
class EntryDone:
    """An image or video that was looked at; its rows are written with those of its chunk."""

    number: int
    error: str | None


BatchEvent = ChunkDone | EntryDone | Note


@dataclass(slots=True)
class _Work:
    """Entries of one chunk that one process has in hand.

    ``deaths``: how many processes died of them since the last that was counted; ``is_piece``: of a chunk that was split
    since they did.
    """

    chunk: Chunk
    first: int
    count: int
    deaths: int = 0
    is_piece: bool = False

    def taken(self, count: int) -> None:
        """So many of the first ones are done."""
        self.first, self.count = self.first + count, self.count - count
        self.deaths = 0


@dataclass(slots=True)
class _Open:
    """A chunk being counted: the rows of its pieces that are done, by where they begin."""

    chunk: Chunk
    pieces: dict[int, tuple[int, pa.Table]] = field(default_factory=dict)
    kept_at: float = field(default_factory=monotonic)

    def take(self, work: _Work, count: int, rows: pa.Table) -> None:
        """The rows of the first ``count`` entries of some work."""
        if count:
            self.pieces[work.first] = count, rows
            work.taken(count)

    def whole(self) -> pa.Table | None:
        """All its rows, where no piece is missing."""
        if sum(count for count, _ in self.pieces.values()) < self.chunk.count:
            return None
        return pa.concat_tables([self.pieces[first][1] for first in sorted(self.pieces)]).combine_chunks()

    def beginning(self) -> pa.Table:
        """The rows from its beginning to the first piece that is missing."""
        place, tables = self.chunk.first, []
        while place in self.pieces:
            count, rows = self.pieces[place]
            tables.append(rows)
            place += count
        return pa.concat_tables(tables) if tables else ROWS.empty_table()


class BatchRun:
    """Counts what is missing of a plan, or of one shard of it.

    Args:
        plan: what is counted, and where the rows go.
        settings: what it is counted with; the plan was made for it.
        workers: how many processes count.
        shard: which chunks this run does, from 0 …
        shards: … of so many runs.

    Raises:
        InputError: there are fewer than one worker or shard, or no such shard.
    """

    def __init__(
        self, plan: Plan, settings: BatchSettings, *, workers: int = 1, shard: int = 0, shards: int = 1
    ) -> None:
        if workers < 1:
            raise InputError(f"The number of workers must be a whole number from 1, but {workers} was given.")
        if not 0 <= shard < shards:
            raise InputError(f"Shard {shard + 1} of {shards} was asked for: count them from 1 to their number.")
        self.plan, self.shard, self.shards = plan, shard, shards
        self.workers = workers
        self.settings = replace(settings.resolved(), threads=threads_each(workers, settings.threads))
        self._open: dict[int, _Open] = {}
        self._waiting: deque[_Work] = deque()
        self._processes: list[_Process] = []
        self._born_dead = 0
        self._chunks: Iterator[Chunk] = iter(())

    def run(self) -> Iterator[BatchEvent]:
        """Count all that is missing; what was counted of a chunk is kept where it is ended in the midst of one.

        Raises:
            InputError: rows cannot be written, or the model cannot be opened.
            KeyboardInterrupt: it came; what was counted until then is kept.
        """
        self._chunks = missing_chunks(self.plan, shard=self.shard, shards=self.shards)
        try:
            self._fill()
            while self._processes:
                yield from self._step()
                self._fill()
        finally:
            self._end()

    def expected(self) -> int:
        """How many entries are missing in this run's chunks; parts are not looked into."""
        return sum(
            chunk.count for chunk in missing_chunks(self.plan, shard=self.shard, shards=self.shards, check=False)
        )

    def is_complete(self) -> bool:
        """Whether the rows of all chunks are there, those of other shards too."""
        return next(missing_chunks(self.plan, check=False), None) is None

    def _fill(self) -> None:
        """Give work to every process that has none, and start those that are missing."""
        for process in [one for one in self._processes if one.work is None]:
            work = self._next()
            if work is None:
                self._processes.remove(process)
                process.end()
            else:
                process.give(work, self._entries(work))
        while len(self._processes) < self.workers and (work := self._next()) is not None:
            process = _Process(self.settings, self.plan.fingerprint)
            self._processes.append(process)
            process.give(work, self._entries(work))

    def _next(self) -> _Work | None:
        if self._waiting:
            return self._waiting.popleft()
        for chunk in self._chunks:
            if read_part(self.plan.store, chunk, self.plan.fingerprint) is not None:
                continue  # another run wrote it meanwhile
            opened = self._open[chunk.index] = _Open(chunk)
            kept = read_unfinished(self.plan.store, chunk, self.plan.fingerprint)
            number = len(kept["number"].unique())
            if number:
                opened.pieces[chunk.first] = number, kept
            return _Work(chunk, chunk.first + number, chunk.count - number)
        return None

    def _entries(self, work: _Work) -> pa.Table:
        return self.plan.entries(work.chunk).slice(work.first - work.chunk.first, work.count)

    def _step(self) -> Iterator[BatchEvent]:
        """Wait until a process says something or dies."""
        by_connection = {process.connection: process for process in self._processes}
        for connection in wait(list(by_connection)):
            process = by_connection[connection]  # type: ignore[index]
            try:
                message = process.connection.recv()
            except (EOFError, OSError):
                yield from self._died(process)
                continue
            yield from self._told(process, message)

    def _told(self, process: _Process, message: tuple[str, Any]) -> Iterator[BatchEvent]:
        kind, content = message
        if kind == "ready":
            process.is_ready, self._born_dead = True, 0
        elif kind == "entry":
            yield EntryDone(*content)
        elif kind == "rows":
            work = process.work
            assert work is not None
            yield from self._done(work, *_rows_of(content))
            if not work.count:
                process.work = None
        elif kind == "error":
            raise content

    def _done(self, work: _Work, count: int, rows: pa.Table) -> Iterator[BatchEvent]:
        """Take over the rows of the first ``count`` entries of some work."""
        opened = self._open[work.chunk.index]
        opened.take(work, count, rows)
        whole = opened.whole()
        if whole is not None:
            write_part(self.plan.store, work.chunk, whole)
            del self._open[work.chunk.index]
            errors = whole.num_rows - whole["error"].null_count
            people = sum(map(whole_people, filter(None, whole["count"].to_pylist())))
            yield ChunkDone(work.chunk, whole.num_rows - errors, errors, people)
        elif monotonic() - opened.kept_at > _KEEP_S:
            opened.kept_at = monotonic()
            write_unfinished(self.plan.store, opened.chunk, opened.beginning())

    def _died(self, process: _Process) -> Iterator[BatchEvent]:
        """Have another process do its work; in pieces, where it is not the first one to die of it."""
        self._processes.remove(process)
        how, work = process.end(), process.work
        if not process.is_ready:
            self._born_dead += 1
            if self._born_dead >= _BORN_DEAD_MAX:
                raise InputError(f"The processes that count cannot start ({how}): have fewer, or look for the reason.")
        if work is None:
            return
        work.deaths += process.is_ready
        name = f"part {work.chunk.index}"
        if work.deaths < (_DEATHS_MAX - work.is_piece if work.count == 1 or not work.is_piece else 1):
            self._waiting.appendleft(work)
            yield Note(f"A process that counted {name} ended ({how}): another one counts it again.")
        elif work.count > 1:
            half = work.count // 2
            self._waiting.appendleft(_Work(work.chunk, work.first + half, work.count - half, is_piece=True))
            self._waiting.appendleft(_Work(work.chunk, work.first, half, is_piece=True))
            yield Note(f"Processes that counted {name} ended again and again ({how}): it is counted in pieces.")
        else:
            error = f"The process that counted it ended {work.deaths} times ({how}): it was killed, or out of memory."
            yield EntryDone(work.first, error)
            yield from self._done(work, 1, self._given_up(work, error))

    def _given_up(self, work: _Work, error: str) -> pa.Table:
        entry = self._entries(work).to_pylist()[0]
        row = Row(work.first, entry["address"], entry["member"] or "", error=error)
        described = self.plan.described
        return rows_table([row], model=described["model"], fingerprint=self.plan.fingerprint, points=True, boxes=True)

    def _end(self) -> None:
        """End the processes at their next image, and keep what they counted of their chunks."""
        until = monotonic() + _GRACE_S
        try:
            for process in self._processes:
                process.stop()
            for process in self._processes:
                for count, rows in process.last_rows(until):
                    if process.work is not None:
                        self._open[process.work.chunk.index].take(process.work, count, rows)
            for opened in self._open.values():
                write_unfinished(self.plan.store, opened.chunk, opened.beginning())
        finally:
            for process in self._processes:
                process.end(kill=True)
            self._processes.clear()


@contextmanager
def _signals_held() -> Iterator[None]:
    """What asks to stop waits, and a process that is started meanwhile never gets it: the run says when to stop."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def threads_each(workers: int, threads: int | None = None) -> int:
    """How many threads each process may compute with, where all together have ``threads``, or what may be used."""
    return max(1, (thread_limit(threads) or usable_cores()) // workers)


class _Process:
    """One process that counts, and the line to it."""

    def __init__(self, settings: BatchSettings, fingerprint: str) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.work: _Work | None = None
        self.is_ready = False
        self._process: SpawnProcess = context.Process(target=_count_chunks, args=(theirs, settings, fingerprint))
        with _signals_held():
            self._process.start()
        theirs.close()

    def give(self, work: _Work, entries: pa.Table) -> None:
        self.work = work
        self._send(_bytes_of(entries))

    def stop(self) -> None:
        self._send(None)

    def _send(self, message: bytes | None) -> None:
        with suppress(OSError):  # it is dead, which is seen when it is listened to
            self.connection.send(message)

    def last_rows(self, until: float) -> Iterator[tuple[int, pa.Table]]:
        """What it has of its work after ``stop``, as far as it says so in time."""
        with suppress(EOFError, OSError):
            while self.connection.poll(max(0.0, until - monotonic())):
                kind, content = self.connection.recv()
                if kind == "rows":
                    yield _rows_of(content)
                elif kind == "stopped":
                    return

    def end(self, *, kill: bool = False) -> str:
        """End it; returns how it ended."""
        self.connection.close()
        if not kill:
            self._process.join(_GRACE_S)
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        code = self._process.exitcode or 0
        self._process.close()
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _count_chunks(connection: Connection, settings: BatchSettings, fingerprint: str) -> None:
    """What a process does: count what it is given until the line is closed.

    Signals of a terminal or a scheduler reach the whole group: the run itself says when to stop.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    from headcount.infer.batch.counting import RowCounter

    try:
        try:
            counter = RowCounter(settings, fingerprint)
            connection.send(("ready", None))
            while (message := connection.recv()) is not None:
                _count_piece(connection, counter, _table_of(message))
            connection.send(("stopped", None))
        except (HeadcountError, OSError) as error:
            connection.send(("error", error))
    except (EOFError, OSError):  # the run is gone, or done with it
        pass


def _count_piece(connection: Connection, counter: Any, entries: pa.Table) -> None:
    rows: list[Row] = []
    count, told_at = 0, monotonic()

    def tell() -> None:
        nonlocal rows, count, told_at
        connection.send(("rows", (count, _bytes_of(counter.table(rows)))))
        rows, count, told_at = [], 0, monotonic()

    # Nothing but the word to stop comes before all rows are there, or the end of who would say it.
    for number, of_it in counter.each(entries, connection.poll):
        rows += of_it
        count += 1
        error = next((row.error for row in of_it if row.error is not None), None)
        connection.send(("entry", (number, error)))
        if monotonic() - told_at > _TELL_S and number < entries["number"][-1].as_py():
            tell()
    tell()


def _rows_of(content: tuple[int, bytes]) -> tuple[int, pa.Table]:
    return content[0], _table_of(content[1])


def _bytes_of(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def _table_of(data: bytes) -> pa.Table:
    return pa.ipc.open_stream(data).read_all()
