"""The database: what was acknowledged is there after any end of the process, once."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.label.page.document import Document
from headcount.label.page.store import Store, StoreError, StoreFullError, Stroke


def head(x: float = 1.0) -> dict[str, Any]:
    return {"t": "head", "x": x, "y": 2.0}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "labels.sqlite"


def test_strokes_are_there_again(path: Path) -> None:
    store = Store(path)
    (row,) = store.images(["a.png"])
    store.write(row.id, [Stroke("s1", "do", {"h": head()}), Stroke("s2", "do", {"d": {"t": "done"}})], person="ann")
    store.close()
    again = Store(path)
    assert again.document(row.id).things == {"h": head(), "d": {"t": "done"}}
    (row,) = again.images(["a.png"])
    assert (row.heads, row.done, row.strokes) == (1, True, 1)


def test_images_keep_their_ids_and_labels_while_they_are_gone(path: Path) -> None:
    store = Store(path)
    first, second = store.images(["a.png", "b.png"])
    store.write(first.id, [Stroke("s1", "do", {"h": head()})], person="ann")
    assert store.images(["b.png"]) == [second]
    assert [row.name for row in store.labelled()] == ["a.png"]
    assert [row.id for row in store.images(["c.png", "a.png"])] == [3, first.id]


def test_a_stroke_sent_twice_counts_once(path: Path) -> None:
    store = Store(path)
    (row,) = store.images(["a.png"])
    store.write(row.id, [Stroke("s1", "do", {"h": head()})], person="ann")
    store.write(row.id, [Stroke("u1", "undo")], person="ann")
    (receipt,) = store.write(row.id, [Stroke("s1", "do", {"h": head()})], person="ann")
    assert receipt.seq == 1
    assert store.document(row.id).things == {}
    store.write(row.id, [Stroke("u1", "undo"), Stroke("u1", "undo")], person="ann")
    assert store.document(row.id).can("ann") == (0, 1)


def test_refused_strokes_are_kept_and_can_be_taken_in_later(path: Path) -> None:
    store = Store(path)
    (row,) = store.images(["a.png"])
    (receipt,) = store.write(row.id, [Stroke("s1", "do", {"h": head()})], person="ann", refused="Ben has it.")
    assert (receipt.refused, receipt.changes) == ("Ben has it.", {})
    assert store.document(row.id).things == {}
    assert store.refused(row.id, "ann") == ["s1"]
    assert store.refused(row.id, "ben") == []
    store.write(row.id, store.late_strokes(row.id, "ann"), person="ann")
    assert store.document(row.id).things == {"h": head()}
    assert store.refused(row.id, "ann") == []


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        ([], ""),
        (["a", "undo"], ""),
        (["a", "b", "undo"], "a"),
        (["a", "b", "undo", "redo"], "ab"),
        (["a", "undo", "b", "redo"], "b"),
        (["undo", "redo", "a"], "a"),  # of a stroke that was taken in before: it stays as it is
        (["undo", "a", "undo", "undo", "redo", "redo"], "a"),
    ],
)
def test_what_was_taken_back_is_not_taken_in_later(path: Path, steps: list[Any], left: str) -> None:
    store = Store(path)
    (row,) = store.images(["a.png"])
    store.write(row.id, [Stroke("s", "do", {"first": head()})], person="ann")
    for number, step in enumerate(steps):
        stroke = Stroke(f"s{number}", step) if len(step) > 1 else Stroke(f"s{number}", "do", {step: head()})
        store.write(row.id, [stroke], person="ann", refused="Ben has it.")
    store.write(row.id, [Stroke("other", "do", {"o": head()})], person="ben", refused="Ann has it.")
    assert len(store.refused(row.id, "ann")) == len(left)
    store.write(row.id, store.late_strokes(row.id, "ann"), person="ann")
    assert set(store.document(row.id).things) == {"first", *left}
    assert store.refused(row.id, "ann") == []


def test_a_full_disk_keeps_what_was_saved_and_says_so(path: Path) -> None:
    store = Store(path)
    (row,) = store.images(["a.png"])
    store.write(row.id, [Stroke("s1", "do", {"h": head()})], person="ann")
    pages = store._base.execute("PRAGMA page_count").fetchone()[0]
    store._base.execute(f"PRAGMA max_page_count={pages}")
    many = {f"h{number}": head(float(number)) for number in range(5000)}
    with pytest.raises(StoreFullError, match="The disk takes no more"):
        store.write(row.id, [Stroke("s2", "do", many)], person="ann")
    assert store.document(row.id).things == {"h": head()}
    store._base.execute(f"PRAGMA max_page_count={pages * 100}")
    store.write(row.id, [Stroke("s2", "do", many)], person="ann")
    assert len(store.document(row.id).things) == 5001


def test_presets_are_shared_within_a_folder_and_size(path: Path) -> None:
    store = Store(path)
    rows = store.images(["in/a.png", "in/b.png", "out/c.png", "in/d.png"])
    boxes = [[0.0, 0.0, 4.0, float(4 + row.id)] for row in rows]
    for row, box, size in zip(rows, boxes, [(9, 9), (9, 9), (9, 9), (8, 9)], strict=True):
        thing = {**head(), "box": box, "made": "annotated"}
        guessed = {**head(), "box": [1.0, 1.0, 2.0, 2.0], "made": "pseudo"}
        store.write(row.id, [Stroke(f"s{row.id}", "do", {"h": thing, "g": guessed})], person="ann", size_wh=size)
    assert store.presets_of_folder(rows[0].id) == boxes[:2]
    assert store.presets_of_folder(rows[0].id, but_itself=True) == boxes[1:2]


def test_other_files_are_refused(path: Path, tmp_path: Path) -> None:
    path.write_text("no database, " * 100, encoding="utf-8")
    with pytest.raises(InputError, match="no database of labels"):
        Store(path)
    other = tmp_path / "other.sqlite"
    base = sqlite3.connect(other)
    base.execute("CREATE TABLE x (y)")
    base.commit()
    base.close()
    with pytest.raises(InputError, match="none of labels"):
        Store(other)
    with pytest.raises(InputError, match="cannot be read or written"):
        Store(tmp_path / "nowhere" / "x.sqlite")
    Store(tmp_path / "later.sqlite")._base.execute("PRAGMA user_version=99")
    with pytest.raises(InputError, match="later headcount"):
        Store(tmp_path / "later.sqlite")


def _written(path: Path) -> None:
    store = Store(path)
    rows = store.images(["a.png", "b.png"])
    for number in range(20):
        stroke = Stroke(f"s{number}", "do", {f"h{number}": head(1000.25 + number)})
        store.write(rows[number % 2].id, [stroke], person="ann")
    store.close()


def test_a_flipped_bit_is_told(path: Path) -> None:
    _written(path)
    whole = path.read_bytes()
    for wanted, other in ((b"1007.25", b"1007.35"), (b'"h7"', b'"h5"'), (b"a.png", b"c.png")):
        assert wanted in whole
        path.write_bytes(whole.replace(wanted, other))
        with pytest.raises(StoreError, match=r'"[^"]*labels.sqlite" is damaged'):  # noqa: PT012  (where it is read)
            store = Store(path, read_only=True)
            for row in store.labelled():
                store.document(row.id)


def test_a_database_from_before_the_sums_gets_them(path: Path) -> None:
    _written(path)
    base = sqlite3.connect(path)
    base.executescript(
        "ALTER TABLE stroke DROP COLUMN sum; ALTER TABLE image DROP COLUMN sum; PRAGMA user_version = 1;"
    )
    base.close()
    old = Store(path, read_only=True)
    things = old.document(old.labelled()[1].id).things
    old.close()
    new = Store(path)
    (row,) = new.images(["b.png"])
    new.write(row.id, [Stroke("last", "do", {"h99": head()})], person="ann")
    new.close()
    again = Store(path)
    assert again.document(row.id).things == {**things, "h99": head()}
    assert (again.row(row.id).heads, again.row(row.id).strokes) == (11, 11)


def test_what_is_read_only_is_read_while_another_writes(path: Path) -> None:
    store = Store(path)
    (row,) = store.images(["a.png"])
    store.write(row.id, [Stroke("s1", "do", {"h": head()})], person="ann")
    reader = Store(path, read_only=True)
    assert reader.document(row.id).things == {"h": head()}
    with pytest.raises(StoreError, match="readonly"):
        reader.write(row.id, [Stroke("s2", "do", {"g": head()})], person="ann")
    store.write(row.id, [Stroke("s2", "do", {"g": head()})], person="ann")
    assert set(Store(path, read_only=True).document(row.id).things) == {"h", "g"}
    path.with_name("empty.sqlite").touch()
    with pytest.raises(InputError, match="none of labels"):
        Store(path.with_name("empty.sqlite"), read_only=True)


STEP = st.tuples(
    st.sampled_from(["ann", "ben"]),
    st.one_of(
        st.just("undo"),
        st.just("redo"),
        st.just("kill"),
        st.dictionaries(
            st.sampled_from("abc"), st.one_of(st.none(), st.integers(0, 3).map(lambda x: head(float(x)))), min_size=1
        ),
    ),
)


@settings(max_examples=40)
@given(steps=st.lists(STEP, max_size=25))
def test_any_strokes_read_again_come_to_the_same(steps: list[tuple[str, Any]], tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("any") / "labels.sqlite"
    store = Store(path)
    (row,) = store.images(["a.png"])
    model = Document()
    for number, (person, step) in enumerate(steps):
        if step == "kill":
            store._base.close()  # nothing is written at the end: all was there before
            store = Store(path)
        elif isinstance(step, dict):
            (receipt,) = store.write(row.id, [Stroke(f"s{number}", "do", step)], person=person)
            assert receipt.changes == model.apply("do", person, step)
        else:
            (receipt,) = store.write(row.id, [Stroke(f"s{number}", step)], person=person)
            assert receipt.changes == model.apply(step, person)
        for reader in (store, Store(path)):
            document = reader.document(row.id)
            assert document.things == model.things
            assert [document.can(each) for each in ("ann", "ben")] == [model.can(each) for each in ("ann", "ben")]
        heads = model.numbers["head"]
        assert store.row(row.id).heads == heads


def test_a_killed_process_loses_no_acknowledged_stroke(path: Path) -> None:
    code = f"""
        from pathlib import Path
        from headcount.label.page.store import Store, Stroke
        store = Store(Path({str(path)!r}))
        (row,) = store.images(["a.png"])
        number = 0
        while True:
            number += 1
            changes = {{f"h{{number}}": {{"t": "head", "x": 1.0, "y": 2.0}}}}
            store.write(row.id, [Stroke(f"s{{number}}", "do", changes)], person="ann")
            print(number, flush=True)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = 0
    while acknowledged < 50:
        acknowledged = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    acknowledged = max([acknowledged, *(int(line) for line in process.stdout.read().split("\n")[:-1] if line)])
    process.wait()
    things = Store(path, read_only=True).document(1).things
    assert acknowledged <= len(things) <= acknowledged + 1
    things = Store(path).document(1).things
    assert acknowledged <= len(things) <= acknowledged + 1
