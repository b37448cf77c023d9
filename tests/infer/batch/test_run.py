"""Real processes: they are killed, and the table is the same."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from headcount.core.errors import InputError
from headcount.core.notes import Note

pa = pytest.importorskip("pyarrow")

from headcount.data.manifests.entries import Entry  # noqa: E402
from headcount.infer.batch import run as module  # noqa: E402
from headcount.infer.batch.counting import RowCounter  # noqa: E402
from headcount.infer.batch.parts import missing_chunks, results  # noqa: E402
from headcount.infer.batch.plan import Plan, make_plan  # noqa: E402
from headcount.infer.batch.run import BatchRun, ChunkDone, EntryDone, threads_each  # noqa: E402
from headcount.infer.batch.settings import BatchSettings  # noqa: E402
from headcount.infer.batch.store import open_store  # noqa: E402

pytestmark = pytest.mark.slow

DEADLY = """
import os, signal
from headcount.infer.batch import counting, run

def count_chunks(connection, settings, fingerprint):
    look = counting.RowCounter._look
    def deadly(self, step):
        if step.entry.address.endswith("05.jpg"):
            os.kill(os.getpid(), signal.SIGKILL)
        return look(self, step)
    counting.RowCounter._look = deadly
    run._count_chunks(connection, settings, fingerprint)
"""


@pytest.fixture(scope="module")
def whole(counter: RowCounter, entries: list[Entry]) -> pa.Table:
    return counter(pa.table({"number": range(len(entries)), "address": [entry.address for entry in entries]}))


def same_rows(one: pa.Table, other: pa.Table) -> bool:
    return bool(one.drop_columns("seconds").equals(other.drop_columns("seconds")))


@pytest.fixture
def plan(counter: RowCounter, entries: list[Entry], tmp_path: Path) -> Plan:
    return make_plan(open_store(tmp_path / "out"), counter.described, entries, chunk=4)


def processes_of(run: BatchRun) -> list[int]:
    return [process._process.pid or 0 for process in run._processes]


def test_two_processes_and_two_shards_give_the_same_table(
    plan: Plan, settings: BatchSettings, whole: pa.Table, tmp_path: Path
) -> None:
    one = BatchRun(plan, settings, workers=2, shard=1, shards=2)
    events = list(one.run())
    assert [event.chunk.index for event in events if isinstance(event, ChunkDone)] == [1]
    assert sorted(event.number for event in events if isinstance(event, EntryDone)) == [4, 5, 6, 7]
    assert not one.is_complete()
    other = BatchRun(plan, settings, workers=2, shard=0, shards=2)
    assert other.expected() == 8
    list(other.run())
    assert other.is_complete()
    assert same_rows(results(tmp_path / "out").to_table(), whole)
    assert list(other.run()) == []


def test_a_process_that_is_killed_is_replaced(
    plan: Plan, settings: BatchSettings, whole: pa.Table, tmp_path: Path
) -> None:
    run = BatchRun(plan, settings)
    notes, killed = [], False
    for event in run.run():
        if isinstance(event, EntryDone) and not killed:
            os.kill(processes_of(run)[0], signal.SIGKILL)
            killed = True
        notes += [event.text] if isinstance(event, Note) else []
    assert same_rows(results(tmp_path / "out").to_table(), whole)
    assert notes == ["A process that counted part 0 ended (signal 9): another one counts it again."]


def test_an_image_that_kills_every_process_becomes_a_row(
    counter: RowCounter, settings: BatchSettings, entries: list[Entry], whole: pa.Table, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / "deadly_worker.py").write_text(DEADLY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import deadly_worker

    monkeypatch.setattr(module, "_count_chunks", deadly_worker.count_chunks)
    plan = make_plan(open_store(tmp_path / "out"), counter.described, entries[4:7], chunk=4)
    events = list(BatchRun(plan, settings).run())
    sys.modules.pop("deadly_worker")
    rows = results(tmp_path / "out").to_table()
    assert rows["number"].to_pylist() == [0, 1, 2]
    error = rows["error"][1].as_py()
    assert error == "The process that counted it ended 2 times (signal 9): it was killed, or out of memory."
    assert rows["sha256"].take([0, 2]) == whole["sha256"].take([4, 6])
    assert rows["count"][2] == whole["count"][6]
    assert any("in pieces" in event.text for event in events if isinstance(event, Note))


def test_ended_in_the_midst_of_a_chunk_it_goes_on_behind_what_was_counted(
    counter: RowCounter, settings: BatchSettings, entries: list[Entry], whole: pa.Table, tmp_path: Path
) -> None:
    plan = make_plan(open_store(tmp_path / "out"), counter.described, entries, chunk=16)
    events = BatchRun(plan, settings).run()
    for event in events:
        if isinstance(event, EntryDone) and event.number == 2:
            break
    events.close()  # type: ignore[attr-defined]
    assert plan.store.names("unfinished") == {"part-000000.parquet"}
    assert [chunk.index for chunk in missing_chunks(plan)] == [0]
    looked_at = [event.number for event in BatchRun(plan, settings).run() if isinstance(event, EntryDone)]
    assert 0 < len(looked_at) <= 9
    assert looked_at[-1] == 11
    assert same_rows(results(tmp_path / "out").to_table(), whole)
    assert plan.store.names("unfinished") == set()


def test_processes_that_cannot_start_end_the_run(
    plan: Plan, settings: BatchSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stillborn.py").write_text("def count_chunks(*_): raise SystemExit(3)", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import stillborn

    monkeypatch.setattr(module, "_count_chunks", stillborn.count_chunks)
    with pytest.raises(InputError, match=r"cannot start \(exit code 3\)"):
        list(BatchRun(plan, settings).run())
    sys.modules.pop("stillborn")


def test_an_error_of_the_model_is_raised_here(counter: RowCounter, plan: Plan) -> None:
    other: Any = BatchSettings(model="headcount-s", precision="f32")
    with pytest.raises(Exception, match="have the same model, runtime and precision everywhere"):
        list(BatchRun(plan, other).run())


def test_all_processes_together_have_the_threads_that_may_be_used() -> None:
    from headcount.core.threads import thread_limit, usable_cores

    allowed = thread_limit() or usable_cores()
    assert threads_each(1) == allowed
    assert threads_each(2 * allowed) == 1
    assert threads_each(3, threads=1) == 1


def test_wrong_numbers_are_refused(plan: Plan, settings: BatchSettings) -> None:
    with pytest.raises(InputError, match="number of workers"):
        BatchRun(plan, settings, workers=0)
    with pytest.raises(InputError, match="Shard 3 of 2"):
        BatchRun(plan, settings, shard=2, shards=2)
