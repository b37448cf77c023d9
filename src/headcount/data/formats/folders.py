"""Folders as readers expect them: what is in them, and what to say where there is none, or another.

A folder that may not be read is an error of its own, wherever it is met: what is in it is never said not to be there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from headcount.core.errors import InputError, nearest
from headcount.core.files import is_file, is_folder

MOST_FILES = 2_000_000
"""A folder of more files and folders, inner ones included, is no data set's."""
_ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"})


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, by name; hidden ones left out. A folder that is not there has nothing.

    Raises:
        InputError: it may not be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _closed(error, folder) from error


def folders_in(folder: Path) -> list[Path]:
    """The folders among the ``entries`` of a folder."""
    return [path for path in entries(folder) if is_folder(path)]


def files_below(folder: Path) -> list[Path]:
    """The files of a folder and of those in it, in the order of their paths; hidden ones left out.

    Links to folders are not followed; one that leads nowhere is a file, of which whoever reads it says so.

    Raises:
        InputError: one of the folders may not be read, or there are more than ``MOST_FILES``.
    """
    found: list[Path] = []
    met = 0
    for place, inner, names in os.walk(folder, onerror=partial(_stop, folder)):
        inner[:] = [name for name in inner if not name.startswith(".")]
        met += len(inner) + len(names)
        if met > MOST_FILES:
            raise InputError(f'"{folder}" holds over {MOST_FILES:,} files: give the folder of the data set alone.')
        found += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(found)


def refuse_closed(path: Path) -> None:
    """
    Raises:
        InputError: the file or folder is there, or may be, and the system does not let it be looked at.
    """
    try:
        mode = path.stat().st_mode
    except PermissionError as error:
        raise InputError(f'"{path}" cannot be read ({error.strerror or error}).') from error
    except (OSError, ValueError):  # who reads it says what is wrong with it
        return
    if stat.S_ISDIR(mode):
        try:
            os.scandir(path).close()
        except OSError as error:
            raise _closed(error, path) from error


def _stop(folder: Path, error: OSError) -> NoReturn:
    raise _closed(error, folder) from error


def _closed(error: OSError, folder: Path) -> InputError:
    place = error.filename if isinstance(error.filename, str) else folder
    return InputError(f'The folder "{place}" cannot be read ({error.strerror or error}).')


def need_folder(path: Path, holds: str) -> None:
    """
    Raises:
        InputError: there is no folder; ``holds`` says what should be in it.
    """
    if is_file(path):
        unpack = " an archive: unpack it and" if path.suffix.lower() in _ARCHIVES else " a file:"
        raise InputError(f'"{path}" is{unpack} give the folder that holds {holds}.')
    if not is_folder(path):
        raise InputError(f'There is no folder "{path}": give the one that holds {holds}.')


def wrong_folder(path: Path, expected: Sequence[str], advice: str = "") -> InputError:
    """The error of a layout that is almost right: what was found, what was expected, the nearest name that is there.

    ``expected`` are paths below ``path``, the usual one first.
    """
    names = [child.name for child in entries(path)]
    found = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") or "nothing"
    first = expected[0].split("/")[0]
    hint = nearest(first, names) if names and first not in names else ""
    hint = hint.replace("Did you mean", "Is it") if hint.startswith(" Did") else ""
    others = f" (or {', '.join(expected[1:])})" if len(expected) > 1 else ""
    return InputError(
        f'"{path}" holds {found}, but {expected[0]}{others} was expected{advice and f": {advice}"}.{hint}'
    )
