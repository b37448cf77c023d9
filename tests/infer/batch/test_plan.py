"""The plan: made once, added to, and refused where it is another's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from headcount.core.errors import InputError
from headcount.core.notes import Note, Skipped

pa = pytest.importorskip("pyarrow")

from headcount.data.manifests.entries import Entry  # noqa: E402
from headcount.infer.batch import plan as module  # noqa: E402
from headcount.infer.batch.plan import Plan, make_plan, read_plan  # noqa: E402
from headcount.infer.batch.store import DiskStore, Store  # noqa: E402

DESCRIBED = {"model": "headcount-n", "every_s": 1.0}


def named(*names: str | int) -> list[Entry | Note | Skipped]:
    return [Entry(f"/photos/{name}.jpg") for name in names]


def all_entries(plan: Plan) -> list[str]:
    tables = [plan.entries(chunk) for chunk in plan.chunks()]
    rows = [row for table in tables for row in table.to_pylist()]
    assert [row["number"] for row in rows] == list(range(plan.entries_count))
    return [Path(row["address"]).stem for row in rows]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return DiskStore(tmp_path / "out")


def test_chunks_hold_every_entry_once_in_its_order(store: Store) -> None:
    plan = make_plan(store, DESCRIBED, named(*range(70)), chunk=16)
    assert [chunk.count for chunk in plan.chunks()] == [16, 16, 16, 16, 6]
    assert all_entries(plan) == [str(number) for number in range(70)]
    assert [chunk.name for chunk in plan.chunks()][-1] == "parts/part-000004.parquet"
    shards = [chunk.index for shard in range(3) for chunk in plan.chunks(shard=shard, shards=3)]
    assert sorted(shards) == list(range(5))


def test_a_plan_is_read_again_as_it_was_made(store: Store) -> None:
    made = make_plan(store, DESCRIBED, named(*range(40)))
    again = read_plan(store)
    assert again is not None
    assert (again.lists, again.fingerprint) == (made.lists, made.fingerprint)
    assert all_entries(make_plan(store, DESCRIBED, named(*range(40)))) == all_entries(made)


def test_new_entries_are_added_behind_and_told(store: Store) -> None:
    make_plan(store, DESCRIBED, named(*range(20)), chunk=16)
    plan = make_plan(store, DESCRIBED, named("a", *range(20), "b"), chunk=16)
    assert all_entries(plan) == [*map(str, range(20)), "a", "b"]
    assert [chunk.count for chunk in plan.chunks()] == [16, 4, 2]
    assert [note.text for note in plan.notes] == ["2 new of the sources are added to the plan."]
    assert all_entries(make_plan(store, DESCRIBED, named("b"))) == [*map(str, range(20)), "a", "b"]


def test_what_is_named_twice_is_counted_once(store: Store, tmp_path: Path) -> None:
    (tmp_path / "real.jpg").touch()
    (tmp_path / "link.jpg").symlink_to(tmp_path / "real.jpg")
    twice = [Entry(str(tmp_path / "real.jpg")), *named(1, 2, 1), Entry(str(tmp_path / "link.jpg"))]
    plan = make_plan(store, DESCRIBED, twice)
    assert all_entries(plan) == ["real", "1", "2"]
    assert plan.notes == [Note("2 files named more than once: each is counted once.")]
    members = [Entry("/a.tar", "1.jpg"), Entry("/a.tar", "2.jpg")]
    assert make_plan(store, DESCRIBED, members).entries_count == 5


def test_more_entries_than_a_file_holds(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_ENTRIES", 32)
    first = make_plan(store, DESCRIBED, named(*range(80), 3, 79), chunk=16)
    assert len(first.lists[0].files) == 3
    plan = make_plan(store, DESCRIBED, named(*range(70, 150)), chunk=16)
    assert all_entries(plan) == [str(number) for number in range(150)]
    used = {name for held in plan.lists for name in held.files}
    assert {f"entries/{name}" for name in store.names("entries")} == used


def test_of_several_machines_one_makes_it_and_the_others_take_it(tmp_path: Path) -> None:
    plans: list[Plan] = []
    gate = threading.Barrier(6)

    def make(number: int) -> None:
        gate.wait()
        plans.append(make_plan(DiskStore(tmp_path / "out"), DESCRIBED, named(*range(30), f"own-{number}"), chunk=16))

    threads = [threading.Thread(target=make, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(plans) == 6
    store = DiskStore(tmp_path / "out")
    found = read_plan(store)
    assert found is not None
    assert sorted(all_entries(found)) == sorted([*map(str, range(30)), *(f"own-{number}" for number in range(6))])
    assert {f"entries/{name}" for name in store.names("entries")} == {n for held in found.lists for n in held.files}


def test_other_settings_are_refused_and_the_difference_is_said(store: Store) -> None:
    make_plan(store, DESCRIBED, named(1))
    with pytest.raises(InputError, match="the model was headcount-n and is headcount-s"):
        make_plan(store, {**DESCRIBED, "model": "headcount-s"}, named(1))
    with pytest.raises(InputError, match=r"the time between frames was 1\.0 and is 2\.0"):
        make_plan(store, {**DESCRIBED, "every_s": 2.0}, named(1))


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(InputError, match=r'holds something else \("photo\.jpg"\)'):
        make_plan(DiskStore(tmp_path), DESCRIBED, named(1))
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]
    with pytest.raises(InputError, match="is a file where a folder was expected"):
        DiskStore(tmp_path / "photo.jpg")


def test_nothing_to_count_leaves_nothing_behind(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such thing"):
        make_plan(store, DESCRIBED, [Skipped("a", InputError("There is no such thing."))])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", ["plan.json", "entries"])
@pytest.mark.parametrize("how", ["cut", "flipped"])
def test_a_damaged_plan_is_refused(store: Store, tmp_path: Path, name: str, how: str) -> None:
    make_plan(store, DESCRIBED, named(*range(40)))
    path = tmp_path / "out" / name
    path = next(path.iterdir()) if path.is_dir() else path
    data = bytearray(path.read_bytes())
    if how == "cut":
        del data[len(data) // 2 :]
    else:
        at = data.index(b"headcount-n") if name == "plan.json" else len(data) // 3
        data[at] ^= 4
    path.write_bytes(data)
    with pytest.raises(InputError, match="is damaged or missing"):
        all_entries(make_plan(store, DESCRIBED, named(*range(40))))


def test_a_plan_of_another_version_is_refused(store: Store, tmp_path: Path) -> None:
    make_plan(store, DESCRIBED, named(1))
    path = tmp_path / "out" / "plan.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "format": 2}), encoding="utf-8")
    with pytest.raises(InputError, match="another version of headcount"):
        read_plan(store)


def test_what_dead_processes_left_half_written_is_cleared(store: Store, tmp_path: Path) -> None:
    make_plan(store, DESCRIBED, named(1))
    parts = tmp_path / "out" / "parts"
    parts.mkdir()
    from headcount.infer.batch.store import _host

    host = _host()
    dead, alive = parts / f".a.{host}.{2**22 + 1}-0.partial", parts / f".a.{host}.{os.getpid()}-0.partial"
    new, old = parts / ".a.elsewhere.7-0.partial", parts / ".a.elsewhere.7-1.partial"
    for path in (dead, alive, new, old):
        path.touch()
    os.utime(old, (0, time.time() - 2 * 86_400))
    make_plan(store, DESCRIBED, named(1))
    assert [path.exists() for path in (dead, alive, new, old)] == [False, True, True, False]


def test_a_run_that_is_killed_while_the_plan_is_made_leaves_no_plan_and_the_next_one_makes_it(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from headcount.data.manifests.entries import Entry\n"
        "from headcount.infer.batch import plan\n"
        "from headcount.infer.batch.store import DiskStore\n"
        "plan.FILE_ENTRIES = 32\n"
        "def entries():\n"
        "    for number in range(100):\n"
        "        if number == 70: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        yield Entry(f'/photos/{number}.jpg')\n"
        "plan.make_plan(DiskStore(Path(sys.argv[1])), {}, entries())\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=False, timeout=120)
    store = DiskStore(tmp_path / "out")
    left = store.names("entries")
    assert (read_plan(store), len(left)) == (None, 2)
    assert all_entries(make_plan(store, DESCRIBED, named(*range(100)))) == list(map(str, range(100)))
    assert left < store.names("entries"), "they may be somebody's who makes a plan just now"
    for name in store.names("entries"):
        os.utime(tmp_path / "out" / "entries" / name, (0, time.time() - 2 * 86_400))
    assert all_entries(make_plan(store, DESCRIBED, named(*range(100)))) == list(map(str, range(100)))
    assert not left & store.names("entries")


def test_a_file_is_there_whole_or_not_at_all(store: Store, tmp_path: Path) -> None:
    assert store.put_new("a/b.json", b"one")
    assert not store.put_new("a/b.json", b"two")
    assert store.read("a/b.json") == b"one"
    store.put("a/b.json", b"three")
    assert (store.read("a/b.json"), store.names("a"), store.read("no")) == (b"three", {"b.json"}, None)
    assert [path.name for path in (tmp_path / "out" / "a").iterdir()] == ["b.json"]
