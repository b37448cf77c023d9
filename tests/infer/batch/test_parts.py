"""Parts of a table: whole, or counted again; any split of the work gives the same rows."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from headcount.core.errors import InputError

pa = pytest.importorskip("pyarrow")

from headcount.data.manifests.entries import Entry  # noqa: E402
from headcount.infer.batch.counting import RowCounter  # noqa: E402
from headcount.infer.batch.parts import (  # noqa: E402
    missing_chunks,
    read_part,
    read_unfinished,
    results,
    summary,
    write_part,
    write_unfinished,
)
from headcount.infer.batch.plan import Plan, make_plan  # noqa: E402
from headcount.infer.batch.rows import ROWS  # noqa: E402
from headcount.infer.batch.store import DiskStore, open_store  # noqa: E402


@pytest.fixture(scope="module")
def whole(counter: RowCounter, entries: list[Entry]) -> pa.Table:
    """All rows, counted at once by nobody but this process."""
    table = pa.table({"number": range(len(entries)), "address": [entry.address for entry in entries]})
    return counter(table)


def same_rows(one: pa.Table, other: pa.Table) -> bool:
    return bool(one.drop_columns("seconds").equals(other.drop_columns("seconds")))


def plan_in(folder: Path | str, counter: RowCounter, entries: list[Entry], chunk: int = 4) -> Plan:
    return make_plan(open_store(folder), counter.described, entries, chunk=chunk)


@hypothesis_settings(max_examples=15)
@given(
    chunk=st.sampled_from([1, 2, 4, 8]), shards=st.integers(1, 5), seed=st.integers(0, 2**32),
    later=st.integers(0, 6), stops=st.lists(st.integers(0, 3), max_size=3),
)  # fmt: skip
def test_any_split_ended_anywhere_and_gone_on_with_gives_the_same_table(
    counter: RowCounter, entries: list[Entry], whole: pa.Table, chunk: int, shards: int, seed: int, later: int,
    stops: list[int],
) -> None:  # fmt: skip
    order = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        for stop in [*stops, None]:
            known = entries[: len(entries) - (later if stop is not None else 0)]
            plan = plan_in(f"{folder}/out", counter, known, chunk)
            work = [one for shard in range(shards) for one in missing_chunks(plan, shard=shard, shards=shards)]
            order.shuffle(work)
            for one in work[:stop]:
                rows = whole.slice(one.first, one.count).combine_chunks()
                write_part(plan.store, one, rows)
                if order.random() < 0.3:
                    write_part(plan.store, one, rows)  # another run counted the same
        assert not list(missing_chunks(plan))
        assert same_rows(results(f"{folder}/out").to_table(), whole)


def test_rows_counted_by_chunks_are_those_counted_at_once(
    counter: RowCounter, entries: list[Entry], whole: pa.Table, tmp_path: Path
) -> None:
    plan = plan_in(tmp_path / "out", counter, entries)
    for chunk in reversed(list(plan.chunks())):
        write_part(plan.store, chunk, counter(plan.entries(chunk)))
    assert same_rows(results(tmp_path / "out").to_table(), whole)
    found = summary(plan)
    counts = [round(count) for count in whole["count"].to_pylist() if count is not None]
    assert (found.images, found.frames, found.errors) == (10, 0, 2)
    assert abs(found.people - sum(counts)) <= len(counts)


def test_a_half_written_or_flipped_part_is_found(
    counter: RowCounter, entries: list[Entry], whole: pa.Table, tmp_path: Path
) -> None:
    plan = plan_in(tmp_path / "out", counter, entries)
    chunk = plan.chunk(1)
    rows = whole.slice(chunk.first, chunk.count).combine_chunks()
    write_part(plan.store, chunk, rows)
    path = tmp_path / "out" / chunk.name
    good = path.read_bytes()
    draw = random.Random(0)
    damaged = [good[: draw.randrange(len(good))] for _ in range(40)]
    for at in draw.sample(range(len(good)), 300):
        flipped = bytearray(good)
        flipped[at] ^= 1 << draw.randrange(8)
        damaged.append(bytes(flipped))
    let_through = 0
    for data in damaged:
        path.write_bytes(data)
        found = read_part(plan.store, chunk, plan.fingerprint)
        if found is not None:
            let_through += 1
            assert found.equals(rows), "a damaged part was taken for a good one"
    assert let_through < len(damaged) / 2
    path.write_bytes(good[: len(good) // 2])
    assert chunk in list(missing_chunks(plan))


def test_another_chunks_or_another_models_part_is_counted_again(
    counter: RowCounter, entries: list[Entry], whole: pa.Table, tmp_path: Path
) -> None:
    plan = plan_in(tmp_path / "out", counter, entries)
    one, other = plan.chunk(0), plan.chunk(1)
    rows = whole.slice(one.first, one.count).combine_chunks()
    write_part(plan.store, one, rows)
    (tmp_path / "out" / other.name).write_bytes((tmp_path / "out" / one.name).read_bytes())
    assert read_part(plan.store, other, plan.fingerprint) is None
    assert read_part(plan.store, one, "another") is None
    with pytest.raises(ValueError, match="not the rows of chunk 1"):
        write_part(plan.store, other, rows)


def test_a_damaged_part_of_another_shard_is_told_in_a_sentence(
    counter: RowCounter, entries: list[Entry], whole: pa.Table, tmp_path: Path
) -> None:
    plan = plan_in(tmp_path / "out", counter, entries)
    for chunk in plan.chunks():
        write_part(plan.store, chunk, whole.slice(chunk.first, chunk.count).combine_chunks())
    path = tmp_path / "out" / plan.chunk(1).name
    for data in (path.read_bytes()[:100], b""):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"is damaged .* start what counted it again") as caught:
            summary(plan)
        assert "\n" not in str(caught.value)


def test_the_beginning_of_a_chunk_is_kept_and_gone_on_with(
    counter: RowCounter, entries: list[Entry], whole: pa.Table, tmp_path: Path
) -> None:
    plan = plan_in(tmp_path / "out", counter, entries)
    chunk = plan.chunk(1)
    assert len(read_unfinished(plan.store, chunk, plan.fingerprint)) == 0
    write_unfinished(plan.store, chunk, whole.slice(chunk.first, 2).combine_chunks())
    assert read_unfinished(plan.store, chunk, plan.fingerprint)["number"].to_pylist() == [4, 5]
    assert len(read_unfinished(plan.store, plan.chunk(0), plan.fingerprint)) == 0
    write_part(plan.store, chunk, whole.slice(chunk.first, chunk.count).combine_chunks())
    assert plan.store.names("unfinished") == set()


def test_results_of_a_batch_that_has_none_yet(counter: RowCounter, entries: list[Entry], tmp_path: Path) -> None:
    plan_in(tmp_path / "out", counter, entries)
    assert results(tmp_path / "out").to_table().schema == ROWS
    with pytest.raises(InputError, match="There is no batch in"):
        results(tmp_path / "none")


def test_a_full_disk_leaves_no_part(
    counter: RowCounter, entries: list[Entry], whole: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    plan = plan_in(tmp_path / "out", counter, entries)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    chunk = plan.chunk(0)
    with pytest.raises(InputError, match="No space left on device"):
        write_part(plan.store, chunk, whole.slice(0, chunk.count).combine_chunks())
    assert not list((tmp_path / "out" / "parts").iterdir())
    assert isinstance(plan.store, DiskStore)
