"""The parts of a batch's table: written whole, checked when they are met again, and read as one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from headcount.core.errors import InputError
from headcount.core.words import whole_people
from headcount.infer.batch.plan import Chunk, Plan, read_plan
from headcount.infer.batch.rows import ROWS
from headcount.infer.batch.store import Store, open_store


def part_bytes(rows: pa.Table) -> bytes:
    """Rows as a Parquet file, with a checksum for each of its pages."""
    data = io.BytesIO()
    pq.write_table(rows, data, compression="zstd", write_page_checksum=True)
    return data.getvalue()


def write_part(store: Store, chunk: Chunk, rows: pa.Table) -> None:
    """Write the rows of a chunk whole; whoever does it, and how often, the part is the same.

    Raises:
        InputError: it cannot be written.
        ValueError: they are not the rows of this chunk.
    """
    if rows.schema != ROWS or not _is_whole(rows, chunk):
        raise ValueError(f"these are not the rows of chunk {chunk.index}")
    store.put(chunk.name, part_bytes(rows))
    store.remove(chunk.unfinished_name)


def read_part(store: Store, chunk: Chunk, fingerprint: str) -> pa.Table | None:
    """The rows of a chunk; None where there are none yet, or their part is half-written, damaged or another's.

    Raises:
        InputError: the folder cannot be read.
    """
    rows = _rows_in(store.read(chunk.name), fingerprint)
    return rows if rows is not None and _is_whole(rows, chunk) else None


def write_unfinished(store: Store, chunk: Chunk, rows: pa.Table) -> None:
    """Keep the rows of a chunk's first entries, for who goes on with it.

    Raises:
        InputError: it cannot be written.
    """
    if len(rows):
        store.put(chunk.unfinished_name, part_bytes(rows))


def read_unfinished(store: Store, chunk: Chunk, fingerprint: str) -> pa.Table:
    """The rows of a chunk's first entries, where somebody kept them; else none.

    Raises:
        InputError: the folder cannot be read.
    """
    rows = _rows_in(store.read(chunk.unfinished_name), fingerprint)
    if rows is None:
        return ROWS.empty_table()
    numbers = np.unique(rows["number"].to_numpy())
    begins = np.array_equal(numbers, np.arange(chunk.first, chunk.first + len(numbers)))
    return rows if begins and len(numbers) <= chunk.count else ROWS.empty_table()


def missing_chunks(plan: Plan, *, shard: int = 0, shards: int = 1, check: bool = True) -> Iterator[Chunk]:
    """The chunks of a shard whose rows are not there; with ``check`` also those whose part is damaged.

    Raises:
        InputError: the folder cannot be read.
    """
    there = plan.store.names("parts")
    for chunk in plan.chunks(shard=shard, shards=shards):
        is_there = chunk.name.rpartition("/")[2] in there
        if not is_there or (check and read_part(plan.store, chunk, plan.fingerprint) is None):
            yield chunk


def results(output: str | Path) -> Any:
    """All rows in a batch's folder, as one ``pyarrow.dataset.Dataset`` in the order of the manifest.

    Parts that are not there yet are left out. ``results(OUT).to_table()`` holds all of them in memory, and
    ``to_batches()`` gives them one after the other.

    Raises:
        InputError: the folder holds no batch, or cannot be read.
    """
    import pyarrow.dataset

    store = open_store(output)
    plan = read_plan(store)
    if plan is None:
        raise InputError(f'There is no batch in "{store.place}": name the folder that one was written to.')
    there = store.names("parts")
    folder, file_system = store.parquet_source()
    names = [f"{folder}/{chunk.name}" for chunk in plan.chunks() if chunk.name.rpartition("/")[2] in there]
    if not names:
        return pyarrow.dataset.dataset(ROWS.empty_table())
    checked = pyarrow.dataset.ParquetFragmentScanOptions(page_checksum_verification=True)
    kind = pyarrow.dataset.ParquetFileFormat(default_fragment_scan_options=checked)
    return pyarrow.dataset.dataset(names, schema=ROWS, format=kind, filesystem=file_system)


@dataclass(frozen=True, slots=True)
class Summary:
    """What is in the table: images and frames that were counted, rows with an error, and people in the images.

    ``most`` is the largest count of an image or frame, and ``most_name`` which that is.
    """

    images: int = 0
    frames: int = 0
    errors: int = 0
    people: int = 0
    most: int = 0
    most_name: str = ""


def summary(plan: Plan) -> Summary:
    """What is in the table until now; frames of a video show the same people again, so theirs are not added up.

    Raises:
        InputError: the folder cannot be read, or a part is damaged, as one of another shard may be.
    """
    images = frames = errors = people = most = 0
    most_name = ""
    for row in _told_rows(plan):
        if row["count"] is None:
            errors += 1
            continue
        number = whole_people(row["count"])
        if row["frame"] is None:
            images, people = images + 1, people + number
        else:
            frames += 1
        if number >= most:
            most, most_name = number, row["member"] or row["address"]
    return Summary(images, frames, errors, people, most, most_name)


def _told_rows(plan: Plan) -> Iterator[dict[str, Any]]:
    try:
        for batch in results(plan.store.place).to_batches(columns=["address", "member", "frame", "count"]):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f'A part in "{plan.store.place}/parts" is damaged ({str(error)[:200]}): start what counted it again, which '
            "counts it anew."
        ) from error


def _rows_in(data: bytes | None, fingerprint: str) -> pa.Table | None:
    if data is None:
        return None
    try:
        rows = pq.read_table(io.BytesIO(data), page_checksum_verification=True)
        rows.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, MemoryError):
        return None
    if rows.schema != ROWS or any(found != fingerprint for found in rows["fingerprint"].unique().to_pylist()):
        return None
    return rows


def _is_whole(rows: pa.Table, chunk: Chunk) -> bool:
    """Whether these are rows of all entries of the chunk and no others, in their order."""
    numbers = rows["number"].to_numpy()
    wanted = np.arange(chunk.first, chunk.first + chunk.count)
    return bool((np.diff(numbers) >= 0).all()) and np.array_equal(np.unique(numbers), wanted)
