"""What is held is held against every other run; a dead one is no obstacle."""

import fcntl
import os
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest

from headcount.core import locks
from headcount.core.errors import InputError
from headcount.core.locks import held, lock_of

_HOLDS = """
import sys, time
from pathlib import Path
from headcount.core.locks import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["file", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "out.csv"
    if request.param == "folder":
        path.mkdir()
    return path


def test_a_second_holder_is_told_who_the_first_is(place: Path) -> None:
    with (
        held(place),
        pytest.raises(InputError, match=rf"written by another run \(process {os.getpid()} on .*since "),
        held(place),
    ):
        pass


def test_it_is_free_again_and_leaves_nothing(place: Path, tmp_path: Path) -> None:
    for _ in range(2):
        with held(place):
            assert lock_of(place).exists()
    assert [path.name for path in tmp_path.rglob("*")] == [place.name] * place.exists()


def test_another_process_holds_it_until_it_dies(place: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLDS, str(place)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(InputError, match=f"process {process.pid} "), held(place):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert lock_of(place).exists()
    with held(place):
        pass
    assert not lock_of(place).exists()


def test_two_names_of_one_file_are_one(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "out.csv")
    with held(tmp_path / "out.csv"), pytest.raises(InputError), held(tmp_path / "link.csv"):
        pass


def test_names_too_long_for_a_longer_one_stay_apart(tmp_path: Path) -> None:
    with held(tmp_path / ("人" * 80 + "a.csv")), held(tmp_path / ("人" * 80 + "b.csv")):
        pass


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"), held(tmp_path / "none" / "out.csv"):
        pass


def test_a_file_system_without_locks_is_no_obstacle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with held(tmp_path / "out.csv"):
        pass


def test_what_another_user_left_is_no_obstacle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path, real = tmp_path / "out.csv", os.open
    lock_of(path).touch()

    def closed(name: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied")
        return real(name, flags, mode)

    monkeypatch.setattr(os, "open", closed)
    with held(path), pytest.raises(InputError, match="another run"), held(path):
        pass


def test_windows_locks_a_byte_behind_the_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its call, on a byte at the position of the file, made here of the whole file's lock."""
    places: list[int] = []

    def locking(descriptor: int, mode: int, number: int) -> None:
        places.append(os.lseek(descriptor, 0, os.SEEK_CUR))
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    monkeypatch.setattr(locks, "_WINDOWS", types.SimpleNamespace(locking=locking, LK_NBLCK=2))
    path = tmp_path / "out.csv"
    with held(path), pytest.raises(InputError, match=f"process {os.getpid()} on "), held(path):
        pass
    assert min(places) > 1000
    assert not lock_of(path).exists()
    with held(path):
        pass
