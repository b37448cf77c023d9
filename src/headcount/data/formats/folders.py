"""Folders as readers expect them: what to say where there is none, or another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headcount.core.errors import InputError, nearest
from headcount.core.files import is_file, is_folder

_ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"})


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
    names = sorted(child.name for child in path.iterdir() if not child.name.startswith("."))
    found = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") or "nothing"
    first = expected[0].split("/")[0]
    hint = nearest(first, names) if names and first not in names else ""
    hint = hint.replace("Did you mean", "Is it") if hint.startswith(" Did") else ""
    others = f" (or {', '.join(expected[1:])})" if len(expected) > 1 else ""
    return InputError(
        f'"{path}" holds {found}, but {expected[0]}{others} was expected{advice and f": {advice}"}.{hint}'
    )
