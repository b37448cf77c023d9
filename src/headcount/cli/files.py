"""JSON reports on disk: refused before the long run, whole or not there after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def refuse_report(path: Path | None, *, force: bool) -> None:
    """Stop before anything is computed where the report could not be written.

    Raises:
        InputError: the file exists and ``force`` is False, or its folder does not.
    """
    from headcount.core.errors import InputError
    from headcount.core.files import writing

    if path is None:
        return
    with writing(path):
        if path.is_dir():
            raise InputError(f'"{path}" is a folder: name a file in it.')
        if path.exists() and not force:
            raise InputError(f'"{path}" exists already: choose another name, or pass --force.')
        if not path.absolute().parent.is_dir():
            raise InputError(f'There is no folder "{path.parent}" for the report: make it first.')


def write_report(path: Path, content: dict[str, Any]) -> None:
    """Write a report as indented JSON, under its name only when it is whole.

    Raises:
        InputError: it cannot be written.
    """
    import json

    from headcount.core.files import atomic_text

    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with atomic_text(path) as file:
        file.write(text)
