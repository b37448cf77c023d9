"""The spool: in order, nothing lost, nothing twice, whatever happens to the disk or the process."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.video.outputs import spool as spool_module
from headcount.video.outputs.spool import Spool

from .records import alert, measured


def frames(spool: Spool, most: int = 1000) -> list[int]:
    return [waiting.record.frame for waiting in spool.peek(most)]  # type: ignore[union-attr]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "spool")
    yield made
    made.close()


def test_nothing_waits_at_first(spool: Spool) -> None:
    assert (len(spool), spool.peek(10), spool.trouble) == (0, [], "")


def test_records_come_back_as_they_were_and_in_order(spool: Spool) -> None:
    given = [measured(0), alert(), measured(1)]
    spool.append(given)
    assert [waiting.record for waiting in spool.peek(10)] == given
    assert [waiting.id for waiting in spool.peek(10)] == [f"{spool.run}-{number}" for number in (1, 2, 3)]
    spool.drop(2)
    assert [waiting.record for waiting in spool.peek(10)] == given[2:]
    spool.drop(1)
    assert (len(spool), spool.peek(10)) == (0, [])


def test_what_waits_is_there_for_the_next_run_under_the_same_ids(tmp_path: Path) -> None:
    first = Spool(tmp_path)
    first.append([measured(n) for n in range(5)])
    first.peek(2)
    first.drop(2)
    ids = [waiting.id for waiting in first.peek(10)]
    first.close()
    again = Spool(tmp_path)
    again.append([measured(9)])
    assert frames(again) == [2, 3, 4, 9]
    assert [waiting.id for waiting in again.peek(3)] == ids
    assert again.run != first.run
    assert again.peek(4)[3].id == f"{again.run}-1"
    again.close()


def test_files_are_deleted_once_all_of_them_was_taken(tmp_path: Path) -> None:
    spool = Spool(tmp_path, file_megabytes=0.01)
    for number in range(40):
        spool.append([measured(number)])
    assert len(list(tmp_path.glob("*.records"))) > 3
    taken = []
    while batch := frames(spool, 7):
        taken += batch
        spool.drop(len(batch))
    assert taken == list(range(40))
    assert len(list(tmp_path.glob("*.records"))) <= 1
    spool.close()
    assert list(tmp_path.glob("*.records")) == []


def test_a_line_that_a_crash_cut_off_is_passed_over_and_the_rest_is_not(tmp_path: Path) -> None:
    first = Spool(tmp_path)
    first.append([measured(0), measured(1)])
    first.close()
    (file,) = tmp_path.glob("*.records")
    with file.open("ab") as stream:
        stream.write(file.read_bytes()[:70])
    again = Spool(tmp_path)
    again.append([measured(2)])
    assert (frames(again), again.lost) == ([0, 1, 2], 0)
    again.close()


def test_a_damaged_line_is_counted_as_lost(tmp_path: Path) -> None:
    first = Spool(tmp_path)
    first.append([measured(number) for number in range(3)])
    first.close()
    (file,) = tmp_path.glob("*.records")
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + lines[1].replace(b"north", b"nirth") + lines[2])
    again = Spool(tmp_path)
    assert (frames(again), again.lost) == ([0, 2], 1)
    again.close()


def test_a_lost_position_hands_over_again_rather_than_not(tmp_path: Path) -> None:
    first = Spool(tmp_path)
    first.append([measured(number) for number in range(3)])
    first.peek(1)
    first.drop(1)
    first.close()
    (tmp_path / "position").write_text("0000000001 00000000000000000900 12345678\n")
    again = Spool(tmp_path)
    assert frames(again) == [0, 1, 2]
    again.close()


def test_two_runs_do_not_share_a_spool(spool: Spool) -> None:
    with pytest.raises(InputError, match="is being written by another run"):
        Spool(spool.folder)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        Spool(tmp_path / "file" / "spool")


def test_a_full_spool_says_so_keeps_the_oldest_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path, most_megabytes=0.01, file_megabytes=0.002, most_in_memory=3)
    for number in range(30):
        spool.append([measured(number)])
    assert "holds 0.01 MB of records that wait, as many as it may" in spool.trouble
    kept = frames(spool)
    assert kept == list(range(len(kept)))
    assert spool.lost == 30 - len(kept) > 0
    spool.drop(len(kept))
    spool.append([measured(100)])
    assert (frames(spool), spool.trouble) == ([100], "")
    spool.close()


def test_a_full_disk_keeps_records_in_memory_and_hands_them_over_from_there(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.append([measured(0)])
    real = os.write

    def half_a_write(descriptor: int, data: bytes) -> int:
        if len(data) > 100:
            return real(descriptor, data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spool_module.os, "write", half_a_write)
    spool.append([measured(1), measured(2)])
    assert "takes no more records (No space left on device)" in spool.trouble
    assert (frames(spool), len(spool)) == ([0, 1, 2], 3)
    spool.drop(2)  # one of the disk, one of memory
    assert frames(spool) == [2]
    spool.drop(0)
    monkeypatch.undo()
    spool.append([measured(3)])
    assert (frames(spool), spool.trouble, spool.lost) == ([2, 3], "", 0)


def test_a_disk_that_has_room_again_is_noticed_without_a_record(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spool, "_write", full)
    monkeypatch.setattr(Path, "write_bytes", full)
    spool.append([measured(0)])
    assert frames(spool) == [0]
    spool.drop(1)  # taken from memory
    spool.flush()
    assert "No space left on device" in spool.trouble
    monkeypatch.undo()
    spool.flush()
    assert (spool.trouble, len(spool)) == ("", 0)
    assert not (spool.folder / "try").exists()


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    mounted = tmp_path / "small"
    mounted.mkdir()
    asked = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mounted)]
    if shutil.which("mount") is None or subprocess.run(asked, check=False, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        spool = Spool(mounted / "spool", file_megabytes=0.01)
        for number in range(60):
            spool.append([measured(number)])
        assert "No space left on device" in spool.trouble
        first = frames(spool, 30)
        spool.drop(30)  # what was taken gives room again
        spool.flush()
        assert spool.trouble == ""
        assert (first + frames(spool), spool.lost) == (list(range(60)), 0)
        spool.close()
        again = Spool(mounted / "spool")
        assert frames(again) == list(range(30, 60))
        again.close()
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


def test_records_in_memory_stay_in_order_while_they_are_handed_over(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_write", lambda data: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    spool.append([measured(0), measured(1)])
    assert frames(spool, 1) == [0]
    monkeypatch.undo()
    spool.append([measured(2)])  # now the disk would take them, but the first is on its way
    spool.drop(1)
    spool.append([measured(3)])
    assert frames(spool) == [1, 2, 3]


def test_a_refused_record_is_kept_for_people(spool: Spool) -> None:
    spool.append([measured(7)])
    spool.set_aside(spool.peek(1)[0], "The database refuses it.")
    text = (spool.folder / "refused.txt").read_text(encoding="utf-8")
    assert text.startswith("The database refuses it.\n{")
    assert spool.lost == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.integers(1, 5), st.sampled_from(["take", "take none", "restart", "crash"])), max_size=30))
def test_whatever_happens_each_record_is_handed_over_once_and_in_order(steps: list[int | str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder), file_megabytes=0.005)
        added, taken = 0, list[int]()
        for step in [*steps, "restart", *["take"] * 60]:
            if isinstance(step, int):
                spool.append([measured(number) for number in range(added, added + step)])
                added += step
            elif step == "restart":
                spool.close()
                spool = Spool(Path(folder), file_megabytes=0.005)
            elif step == "crash":
                spool._open.close()  # the lock alone, as the system does
                spool = Spool(Path(folder), file_megabytes=0.005)
            else:
                batch = frames(spool, 3)
                taken += batch if step == "take" else []
                spool.drop(len(batch) if step == "take" else 0)
            assert len(spool) == added - len(taken)
        assert taken == list(range(added))
        spool.close()


def test_a_disk_that_cannot_be_read_for_a_moment_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path, file_megabytes=0.001)
    for number in range(6):
        spool.append([measured(number)])
    first, *others = sorted(path.name for path in tmp_path.glob("*.records"))
    assert others
    real = Path.open

    def refuse(path: Path, *args: object, **more: object) -> object:
        if path.name == first:
            raise OSError(errno.EMFILE, "Too many open files")
        return real(path, *args, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        spool.peek(10)
    spool.drop(0)
    monkeypatch.undo()
    assert frames(spool) == list(range(6))
    spool.close()


def test_files_that_somebody_deletes_are_counted_and_what_comes_after_that_is_kept(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append([measured(number) for number in range(5)])
    shutil.rmtree(tmp_path / "spool")
    spool.append([measured(5), measured(6)])
    assert spool.trouble == ""
    assert frames(spool) == [5, 6]
    assert (spool.lost, len(spool)) == (5, 2)
    spool.drop(2)
    assert (len(spool), spool.peek(10)) == (0, [])
    spool.close()
