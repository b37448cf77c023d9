"""One writer at a time: what a run writes to is held while it runs, and another run is told who holds it.

The system gives the lock back when its holder ends, however it ends, so the file that a dead process leaves is no
obstacle. (The package filelock leaves its file behind after every release, and empties it before it is held, so that
nobody could be told who holds it.)
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from headcount.core.errors import InputError
from headcount.core.files import discard, writing

_NAME_BYTES_MAX = 240  # file systems take 255
_OFFSET = 1 << 20  # Windows lets nobody read a locked byte: lock one behind what is written there
_WINDOWS: Any = None if importlib.util.find_spec("fcntl") else importlib.import_module("msvcrt")
_CONTENDED = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a file to be written, or a folder that is there, against every other run, in this process or another.

    The lock is a hidden file, ``.NAME.lock`` beside a file (behind its links) and ``.lock`` in a folder; it is gone
    again afterwards. Make a new folder before you hold it: a path that is not there is taken for a file. Where a file
    system has no locks, nothing is held.

    Raises:
        InputError: another run holds it, or its folder cannot be written to.
    """
    lock = lock_of(path)
    with writing(path):
        descriptor = _acquire(lock, path)
    try:
        yield
    finally:
        _release(descriptor, lock)


def lock_of(path: Path) -> Path:
    """The hidden file that is held for ``path``."""
    target = Path(os.path.realpath(path))
    if target.is_dir():
        return target / ".lock"
    name = target.name
    while len(os.fsencode(name)) > _NAME_BYTES_MAX - 9:
        name = name[:-1]
    if name != target.name:
        name += "-" + hashlib.sha256(os.fsencode(target.name)).hexdigest()[:8]
    return target.with_name(f".{name}.lock")


def _acquire(lock: Path, path: Path) -> int:
    """An open descriptor of the lock's file, held."""
    while True:
        descriptor = _open(lock)
        try:
            if not _lock(descriptor):
                raise InputError(
                    f'"{path}" is being written by another run{_holder(descriptor)}: '
                    "wait until that has ended, or choose another place."
                )
            if _is_still(descriptor, lock):
                _sign(descriptor)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its holder has just deleted it: hold the next one


def _open(lock: Path) -> int:
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        if not lock.exists():
            raise
        return os.open(lock, os.O_RDONLY)  # left by another user: it can be held as well


def _release(descriptor: int, lock: Path) -> None:
    if _WINDOWS is None:
        if _is_still(descriptor, lock):
            discard(lock)
        _lock(descriptor, give_back=True)  # a child that was forked meanwhile has the descriptor too
        os.close(descriptor)
    else:
        os.close(descriptor)  # an open file cannot be deleted there, nor one that the next run has opened by now
        discard(lock)


def _lock(descriptor: int, *, give_back: bool = False) -> bool:
    """Whether the file is held now, or need not be; False where another holds it."""
    try:
        if _WINDOWS is None:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_UN if give_back else fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            os.lseek(descriptor, _OFFSET, os.SEEK_SET)
            _WINDOWS.locking(descriptor, _WINDOWS.LK_NBLCK, 1)
    except OSError as error:
        return error.errno not in _CONTENDED
    return True


def _is_still(descriptor: int, lock: Path) -> bool:
    """Whether the open file is the one at the path."""
    try:
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except OSError:
        return False


def _sign(descriptor: int) -> None:
    """Write down who holds it."""
    text = f"process {os.getpid()} on {platform.node()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}"
    with suppress(OSError):  # a full disk: it is held all the same
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, text.encode())


def _holder(descriptor: int) -> str:
    """Who holds it, in brackets; empty where that cannot be read."""
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        text = os.read(descriptor, 200).decode(errors="replace")
    except OSError:
        return ""
    return f" ({text})" if text else ""
