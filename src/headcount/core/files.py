"""Files: what lies at a path, in one sentence where it is of no use; and writing whole.

A crash leaves the old file or the new one, never half of either.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from headcount.core.addresses import no_file
from headcount.core.errors import DanglingLinkError, InputError, MissingFileError

_numbers = itertools.count()
_RENAME_WAITS_S = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def is_file(path: Path) -> bool:
    """Whether a regular file lies there; False also where the system cannot say (a name too long)."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder lies there; False also where the system cannot say (a name too long)."""
    try:
        return path.is_dir()
    except OSError:
        return False


def file_size(path: Path) -> int:
    """The size in bytes of a regular file, which is not opened: a pipe would wait for its writer.

    Raises:
        MissingFileError: nothing lies there.
        DanglingLinkError: a link does that leads nowhere, or to itself.
        InputError: a folder, a pipe or a device does, or the system does not say; or it is an address.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        if path.is_symlink():
            raise DanglingLinkError(f'"{path}" is a link that leads nowhere.') from error
        reason = no_file(str(path))
        if reason is not None:
            raise InputError(reason) from error
        raise MissingFileError(f'There is no file or folder "{path}": check the path.') from error
    except PermissionError as error:
        raise InputError(f'"{path}" may not be read: change its permissions.') from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise DanglingLinkError(f'"{path}" is a link that leads nowhere.') from error
        raise InputError(f'"{str(path)[:80]}…" cannot be read ({error.strerror}): check the path.') from error
    except ValueError as error:  # a zero byte
        raise InputError(f"{str(path)!r} is no path.") from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f'"{path}" is a folder where one file was expected.')
    if not stat.S_ISREG(status.st_mode):
        if str(path).startswith("/dev/v"):
            raise InputError(no_file(str(path)) or f'"{path}" is a device where one file was expected.')
        raise InputError(f'"{path}" is no regular file (a pipe or a device): save what comes out of it as a file.')
    return status.st_size


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the system says against writing to ``path``, as an InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(f'"{path}" cannot be written ({error.strerror or error}): choose another place.') from error


def refuse_taken(path: Path | None, *, overwrite: bool, makes_folder: bool = False) -> None:
    """Stop before anything is computed where a file could not be written; None is no file.

    ``makes_folder``: whoever writes it makes its folder too.

    Raises:
        InputError: the file exists and ``overwrite`` is False, it is a folder, or its folder is not there.
    """
    if path is None:
        return
    with writing(path):
        if path.is_dir():
            raise InputError(f'"{path}" is a folder: name a file in it.')
        if path.exists() and not overwrite:
            raise InputError(f'"{path}" exists already: choose another name.', remedy="overwrite")
        if not makes_folder and not path.absolute().parent.is_dir():
            raise InputError(f'There is no folder "{path.parent}" to write to: make it first.')


def refuse_suffix(path: Path, *suffixes: str) -> None:
    """Stop where a file to be written has another suffix than those that say what it is.

    Raises:
        InputError: it has.
    """
    if path.suffix.lower() not in suffixes:
        raise InputError(f'The output must be a {" or ".join(suffixes)} file, but it is "{path.name}".')


def partial_beside(path: Path) -> tuple[Path, Path]:
    """Where to write what shall become ``path``: a hidden name with its suffix, and the name to give it at the end.

    No other writer has the hidden name, in this process or another. Where ``path`` is a link, the file that it leads
    to is replaced and the link stays.
    """
    target = Path(os.path.realpath(path))
    return target.with_name(f".{path.stem[:40]}.{os.getpid()}-{next(_numbers)}.partial{path.suffix}"), target


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A hidden name beside ``path``, with its suffix, that takes its place when the block ends without an error."""
    partial, target = partial_beside(path)
    try:
        yield partial
        rename_over(partial, target)
    finally:
        discard(partial)


def rename_over(partial: Path, target: Path) -> None:
    """Give a file, which nobody has open here, the name of another, whose place it takes.

    On Windows that fails while a program reads the other one, often a virus scanner for a moment: it is tried again.

    Raises:
        OSError: it cannot be done.
    """
    for wait_s in (*_RENAME_WAITS_S, None):
        try:
            partial.replace(target)
            return
        except PermissionError:
            if os.name != "nt" or wait_s is None:
                raise
            time.sleep(wait_s)


def flush_folder(folder: Path) -> None:
    """Put the names in a folder on the disk, where the system can: Windows opens no folder, others flush none."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def discard(path: Path) -> None:
    """Delete a file if it is there and can be; said to nobody, since what went wrong before says more."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


@contextmanager
def atomic_text(path: Path) -> Iterator[TextIO]:
    """A UTF-8 text file that appears under its name only when it is whole.

    Raises:
        InputError: it cannot be written, or a text given is none that UTF-8 holds.
    """
    try:
        with writing(path), replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except UnicodeEncodeError as error:
        raise InputError(f'"{path}": an image name is no valid text ({error.reason}): rename the image.') from error


def write_json(path: Path, content: Any) -> None:
    """Write plain data as indented JSON, under its name only when it is whole.

    Raises:
        InputError: it cannot be written.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    # Names that are no valid text reach Python as lone surrogates: \udcXX, which JSON reads back.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    with atomic_text(path) as file:
        file.write(text)
