"""The plan of a batch: what is counted, frozen in an order, and cut into chunks whose results have fixed names.

    OUT/plan.json            the settings, and what of the entries it holds; made once, by whoever is first
    OUT/plan-000001.json     entries that were added later
    OUT/entries/….parquet    the entries
    OUT/parts/part-000012.parquet   the rows of chunk 12

A chunk is so many entries by their place, whoever counts it: no split of the work can count one twice, or none.
"""

from __future__ import annotations

import bisect
import hashlib
import io
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.notes import Note, Skipped
from headcount.core.words import plural
from headcount.data.manifests.addresses import is_address
from headcount.data.manifests.entries import Entry
from headcount.infer.batch.rows import ENTRIES, valid_text
from headcount.infer.batch.settings import fingerprint, what_differs
from headcount.infer.batch.store import Store

FILE_ENTRIES = 2**17
_CHUNK_LEAST, _CHUNK_MOST, _CHUNKS_ABOUT = 16, 1024, 2000
_LISTS_MAX = 10_000
_HELD = pa.schema([*ENTRIES, pa.field("key", pa.binary(16), nullable=False)])
_OURS = {"plan.json", "entries", "parts", "unfinished"}


@dataclass(frozen=True, slots=True)
class Chunk:
    """Entries that are counted together: ``count`` of them from place ``first``."""

    index: int
    first: int
    count: int

    @property
    def name(self) -> str:
        """That of the part with its rows."""
        return f"parts/part-{self.index:06d}.parquet"

    @property
    def unfinished_name(self) -> str:
        """That of the rows of its first entries, where a run was ended in the midst of it."""
        return f"unfinished/part-{self.index:06d}.parquet"


@dataclass(frozen=True, slots=True)
class _List:
    """A stretch of entries: where it begins, how long it is and its chunks are, and the files that hold it."""

    first: int
    count: int
    chunk: int
    files: tuple[str, ...]

    @property
    def chunks(self) -> int:
        return -(-self.count // self.chunk)


@dataclass(slots=True)
class Plan:
    """The plan in a folder.

    Attributes:
        store: the folder.
        described: what rows are counted with; see ``BatchSettings.described``.
        notes: what was to be known when it was made or added to.
        skipped: sources, and lines of them, of which nothing could be taken.
    """

    store: Store
    described: Mapping[str, Any]
    lists: tuple[_List, ...]
    notes: list[Note | Skipped] = field(default_factory=list)
    _held: tuple[str, pa.Table] | None = None

    @property
    def fingerprint(self) -> str:
        """That of all rows."""
        return fingerprint(self.described)

    @property
    def entries_count(self) -> int:
        """How many entries there are."""
        return sum(each.count for each in self.lists)

    @property
    def chunks_count(self) -> int:
        """How many chunks there are."""
        return sum(each.chunks for each in self.lists)

    def chunk(self, index: int) -> Chunk:
        """A chunk by its number, from 0.

        Raises:
            IndexError: there is none.
        """
        before = 0
        for each in self.lists:
            if 0 <= index - before < each.chunks:
                start = (index - before) * each.chunk
                return Chunk(index, each.first + start, min(each.chunk, each.count - start))
            before += each.chunks
        raise IndexError(index)

    def chunks(self, *, shard: int = 0, shards: int = 1) -> Iterator[Chunk]:
        """The chunks of one shard of so many, from 0: those whose number, divided by ``shards``, leaves ``shard``."""
        for index in range(shard, self.chunks_count, shards):
            yield self.chunk(index)

    def entries(self, chunk: Chunk) -> pa.Table:
        """The entries of a chunk, of the schema ``ENTRIES``.

        Raises:
            InputError: the file that holds them is missing or damaged.
        """
        firsts = [each.first for each in self.lists]
        held = self.lists[bisect.bisect_right(firsts, chunk.first) - 1]
        at, start = divmod(chunk.first - held.first, FILE_ENTRIES)
        table = self._table(held.files[at]).slice(start, chunk.count).select(ENTRIES.names)
        numbers = table["number"].to_numpy()
        if not np.array_equal(numbers, np.arange(chunk.first, chunk.first + chunk.count)):
            raise _damaged(self.store, held.files[at])
        return table

    def _table(self, name: str) -> pa.Table:
        if self._held is None or self._held[0] != name:
            self._held = name, _read_entries(self.store, name)
        return self._held[1]

    def keys(self) -> NDArray[np.uint64]:
        """(n, 2) uint64: what tells the entries apart."""
        found = [_keys_of(_read_entries(self.store, name)) for each in self.lists for name in each.files]
        return np.concatenate([np.zeros((0, 2), np.uint64), *found])


def make_plan(
    store: Store, described: Mapping[str, Any], entries: Iterable[Entry | Note | Skipped], *, chunk: int | None = None
) -> Plan:
    """The plan in a folder, made of these entries where there is none; else with those added that are new.

    Of several machines that do this at once one makes it, and the others take what it made. Of entries that lead to the
    same file (and member) one is taken. ``chunk``: how many entries one has; None: by how many there are.

    Raises:
        InputError: the folder holds something else or a damaged plan, rows there are counted with something else, or
            there is nothing to count.
    """
    store.clear()
    plan = read_plan(store)
    if plan is not None:
        refuse_others(plan, described)
    _forget_unnamed(store, plan)
    told: list[Note | Skipped] = []
    writer = _EntriesWriter(store)
    try:
        for each in entries:
            if isinstance(each, Entry):
                writer.add(each)
            else:
                told.append(each)
        writer.flush()
        for _ in range(_LISTS_MAX):
            plan = _joined(store, described, writer, told, plan, chunk)
            if plan is not None:
                plan.notes = told
                return plan
            plan = read_plan(store)  # another machine was first
            if plan is not None:
                refuse_others(plan, described)
    finally:
        writer.discard()
    raise InputError(f'The plan in "{store.place}" is changed by too many machines at once: start fewer.')


def read_plan(store: Store) -> Plan | None:
    """The plan in a folder; None where there is none yet.

    Raises:
        InputError: the folder holds something else, or the plan is damaged.
    """
    data = store.read("plan.json")
    if data is None:
        others = {name for name in store.names() if name not in _OURS}
        if others:
            raise InputError(
                f'"{store.place}" holds something else ("{min(others)[:80]}"): name a folder that is new or empty.'
            )
        return None
    first = _parsed(store, "plan.json", data)
    lists = [_list_of(store, "plan.json", first)]
    for number in range(1, _LISTS_MAX):
        data = store.read(_plan_name(number))
        if data is None:
            break
        lists.append(_list_of(store, _plan_name(number), _parsed(store, _plan_name(number), data)))
    if fingerprint(first["settings"]) != first.get("fingerprint"):
        raise _damaged(store, "plan.json")
    return Plan(store, first["settings"], tuple(lists))


def _forget_unnamed(store: Store, plan: Plan | None) -> None:
    """Delete entries of writers that were killed before a plan named them; younger ones may be somebody's just now."""
    named = {name for each in (() if plan is None else plan.lists) for name in each.files}
    for name in sorted(store.old_names("entries")):
        if f"entries/{name}" not in named:
            store.remove(f"entries/{name}")


def refuse_others(plan: Plan, described: Mapping[str, Any]) -> None:
    """Stop where the rows of a plan are counted with something else.

    Raises:
        InputError: they are; it says what differs.
    """
    differing = what_differs(plan.described, described)
    if differing:
        raise InputError(
            f'"{plan.store.place}" was begun with other settings ({differing}): go on with the same, or write to '
            "another folder."
        )


def _joined(
    store: Store, described: Mapping[str, Any], writer: _EntriesWriter, told: list[Note | Skipped], plan: Plan | None,
    chunk: int | None,
) -> Plan | None:  # fmt: skip
    """The plan with what is new in it; None where another machine has just changed it."""
    held = () if plan is None else plan.lists
    before = plan.keys() if plan is not None else np.zeros((0, 2), np.uint64)
    is_new = _firsts(before, writer.keys())
    repeats = writer.repeats()
    if plan is None and repeats and not _tells(told, "named more than once"):
        told.append(Note(f"{plural(repeats, 'file')} named more than once: each is counted once."))
    added = int(is_new.sum())
    if plan is not None and not added:
        return plan
    if not added:
        skipped = next((each for each in told if isinstance(each, Skipped)), None)
        raise skipped.error if skipped is not None else InputError("None of the sources can be counted.")
    first = sum(each.count for each in held)
    files = writer.finish(is_new, first)
    size = chunk or _chunk_size(added)
    content: dict[str, Any] = {"format": 1, "first": first, "entries": added, "chunk": size, "files": files}
    if plan is None:
        content = {"made_by": "headcount", **content, "fingerprint": fingerprint(described), "settings": described}
    name = "plan.json" if plan is None else _plan_name(len(held))
    content["sha256"] = _digest(content)
    if not store.put_new(name, (json.dumps(content, indent=2) + "\n").encode()):
        return None
    writer.keep(files)
    if plan is not None:
        told.append(Note(f"{added:,} new of the sources {'is' if added == 1 else 'are'} added to the plan."))
    return Plan(store, described if plan is None else plan.described, (*held, _List(first, added, size, tuple(files))))


def _tells(told: Sequence[Note | Skipped], words: str) -> bool:
    return any(words in each.text for each in told)


def _plan_name(number: int) -> str:
    return f"plan-{number:06d}.json"


def _chunk_size(entries: int) -> int:
    """A power of two, so that a chunk never lies in two files of entries."""
    return min(_CHUNK_MOST, max(_CHUNK_LEAST, 1 << (entries // _CHUNKS_ABOUT).bit_length()))


def _parsed(store: Store, name: str, data: bytes) -> dict[str, Any]:
    try:
        content = json.loads(data)
        if content["format"] == 1 and content.pop("sha256") != _digest(content):
            raise _damaged(store, name)
        if content["format"] == 1 and (name != "plan.json" or isinstance(content["settings"], dict)):
            return dict(content)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(store, name) from error
    raise InputError(f'"{store.place}/{name}" was written by another version of headcount: go on with that one.')


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _list_of(store: Store, name: str, content: Mapping[str, Any]) -> _List:
    try:
        first, count, chunk = (int(content[key]) for key in ("first", "entries", "chunk"))
        held = _List(first, count, chunk, tuple(map(str, content["files"])))
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(store, name) from error
    if held.chunk < 1 or FILE_ENTRIES % held.chunk or len(held.files) != -(-held.count // FILE_ENTRIES):
        raise _damaged(store, name)
    return held


def _damaged(store: Store, name: str) -> InputError:
    return InputError(
        f'"{store.place}/{name}" is damaged or missing: delete the folder and count anew, or write to another one.'
    )


def _read_entries(store: Store, name: str) -> pa.Table:
    data = store.read(name)
    try:
        if data is None:
            raise _damaged(store, name)
        return pq.read_table(io.BytesIO(data), schema=_HELD, page_checksum_verification=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(store, name) from error


def _keys_of(table: pa.Table) -> NDArray[np.uint64]:
    joined = b"".join(table["key"].to_pylist())
    return np.frombuffer(joined, np.uint64).reshape(-1, 2)


def _firsts(before: NDArray[np.uint64], keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """(n,) bool: which of the keys are neither among those before nor a repeat of one further up."""
    joined = np.concatenate([before, keys])
    order = np.lexsort((joined[:, 1], joined[:, 0]))  # stable: of the same, the first comes first
    ordered = joined[order]
    first = np.ones(len(joined), bool)
    first[order[1:]] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return first[len(before) :]


class _EntriesWriter:
    """Entries on their way into the folder: files under names that no plan knows, until one names them."""

    def __init__(self, store: Store) -> None:
        self._store, self._token = store, secrets.token_hex(6)
        self._waiting: list[tuple[Entry, bytes]] = []
        self._files: list[str] = []
        self._keys: list[bytes] = []
        self._finished: list[str] = []
        self._rounds = 0

    def add(self, entry: Entry) -> None:
        self._waiting.append((entry, _key_of(entry)))
        if len(self._waiting) == FILE_ENTRIES:
            self.flush()

    def flush(self) -> None:
        if not self._waiting:
            return
        entries = [entry for entry, _ in self._waiting]
        first = sum(len(keys) for keys in self._keys) // 16
        table = pa.table(
            {
                "number": pa.array(range(first, first + len(entries)), pa.int64()),
                "address": [valid_text(entry.address) for entry in entries],
                "member": [valid_text(entry.member) or None for entry in entries],
                "offset": pa.array([entry.offset for entry in entries], pa.int64()),
                "size": pa.array([entry.size for entry in entries], pa.int64()),
                "key": pa.array([key for _, key in self._waiting], pa.binary(16)),
            },
            schema=_HELD,
        )
        self._files.append(self._put(f"entries/{self._token}-{len(self._files):04d}.parquet", table))
        self._keys.append(b"".join(key for _, key in self._waiting))
        self._waiting.clear()

    def _put(self, name: str, table: pa.Table) -> str:
        data = io.BytesIO()
        pq.write_table(table, data, compression="zstd", write_page_checksum=True)
        self._store.put(name, data.getvalue())
        return name

    def keys(self) -> NDArray[np.uint64]:
        return np.frombuffer(b"".join(self._keys), np.uint64).reshape(-1, 2)

    def repeats(self) -> int:
        keys = self.keys()
        return len(keys) - int(_firsts(np.zeros((0, 2), np.uint64), keys).sum())

    def finish(self, is_taken: NDArray[np.bool_], first: int) -> list[str]:
        """The files of the entries that are taken, numbered from ``first``: those there are, where all are."""
        if is_taken.all() and first == 0:
            return list(self._files)
        self._rounds += 1
        for name in self._finished:
            self._store.remove(name)
        self._finished, held, at, number = [], list[pa.Table](), 0, first
        for name in [*self._files, ""]:
            if name:
                table = _read_entries(self._store, name)
                held.append(table.filter(pa.array(is_taken[at : at + len(table)])))
                at += len(table)
            joined = pa.concat_tables(held) if held else None
            while joined is not None and len(joined) and (len(joined) >= FILE_ENTRIES or not name):
                number = self._finish_one(joined.slice(0, FILE_ENTRIES), number)
                joined = joined.slice(FILE_ENTRIES)
            held = [joined] if joined is not None else []
        return list(self._finished)

    def _finish_one(self, table: pa.Table, number: int) -> int:
        numbers = pa.array(range(number, number + len(table)), pa.int64())
        table = table.set_column(0, _HELD.field("number"), numbers)
        name = f"entries/{self._token}-{self._rounds}-{len(self._finished):04d}.parquet"
        self._finished.append(self._put(name, table))
        return number + len(table)

    def keep(self, files: Sequence[str]) -> None:
        """A plan names these now."""
        self._files = [name for name in self._files if name not in files]
        self._finished = [name for name in self._finished if name not in files]

    def discard(self) -> None:
        """Delete what no plan names."""
        for name in (*self._files, *self._finished):
            self._store.remove(name)


def _key_of(entry: Entry) -> bytes:
    """What tells an entry from others: where its file lies, behind links, and the member in it."""
    place = entry.address if is_address(entry.address) else os.path.realpath(entry.address)
    text = f"{place}\0{entry.member}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
