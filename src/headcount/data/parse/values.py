"""Values out of other people's JSON, XML and text files: what is not as expected is told by file and line or key."""

from __future__ import annotations

import json
import math
import os
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headcount.core.errors import InputError, nearest
from headcount.core.files import is_folder

HEAD = "head"
"""The class that general formats call a head by."""
LARGEST_PX = 1e7
"""A coordinate beyond this, to either side, belongs to no image."""

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring = 3, 40


def read_text(path: Path, kind: str) -> str:
    """The UTF-8 text of a file; ``kind`` says what was expected (``COCO file``).

    Raises:
        InputError: there is none, it is a folder, or no UTF-8.
    """
    if is_folder(path):
        raise InputError(f'"{path}" is a folder where a {kind} was expected: name the file in it.')
    try:
        # utf-8-sig: some editors put a byte-order mark in front.
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f'There is no {kind} "{path}": check the path.') from error
    except UnicodeDecodeError as error:
        raise InputError(f'"{path}" is no UTF-8 text (byte {error.start}): save it as UTF-8.') from error
    except OSError as error:
        raise InputError(f'"{path}" cannot be read ({error.strerror or error}).') from error


def parse_json(text: str, path: Path, kind: str) -> Any:
    """What the text of a JSON file holds.

    Raises:
        InputError: it is malformed or nested too deeply, or holds a number of thousands of digits.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f'"{path}", line {error.lineno}: this is no valid JSON ({error.msg}).') from error
    except ValueError as error:  # Python reads no whole number of more than 4,300 digits
        raise InputError(f'"{path}" holds a whole number of thousands of digits: this is no {kind}.') from error
    except RecursionError as error:
        raise InputError(f'"{path}" is nested too deeply to be a {kind}.') from error


def read_json(path: Path, kind: str) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        InputError: as ``read_text``; malformed, nested too deeply, or no object.
    """
    data = parse_json(read_text(path, kind), path, kind)
    if not isinstance(data, dict):
        raise InputError(f'"{path}" must be a {kind}, a JSON object, but is {shorten(data)}.')
    return data


def number(value: Any, what: str, path: Path, where: str, *, limit: float = LARGEST_PX) -> float:
    """A finite number of a size that can be; from text or from JSON, where True is none.

    Raises:
        InputError: naming file, place and value.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float) or "_" in str(value):
            raise ValueError
        result = float(value)
    except (ValueError, OverflowError):
        result = math.nan
    if not math.isfinite(result):
        raise InputError(f'"{path}", {where}: {what} must be a number, got {shorten(value)}.')
    if abs(result) > limit:
        raise InputError(f'"{path}", {where}: {what} is {result:g}, which lies in no image.')
    return result


def numbers(values: Any, form: str, path: Path, where: str) -> list[float]:
    """A JSON list of as many numbers as ``form`` (``[x, y, width, height]``) names.

    Raises:
        InputError: naming file, place and value.
    """
    names = form.strip("[]").split(", ")
    if not isinstance(values, list) or len(values) != len(names) or any(isinstance(value, str) for value in values):
        raise InputError(f'"{path}", {where}: {form}, all numbers, was expected, got {shorten(values)}.')
    return [number(value, name, path, where) for value, name in zip(values, names, strict=True)]


def size_wh(width: Any, height: Any) -> tuple[int, int] | None:
    """The stated size of an image where it is one: whole, positive numbers; it is only ever compared with the image."""
    for value in (width, height):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST_PX:
            return None
    return width, height


def attributes(values: Any) -> dict[str, str]:
    """What is said of an image, as text; what is no object of plain values says nothing.

    >>> attributes({"weather": "rain", "level": 3, "more": []})
    {'weather': 'rain', 'level': '3'}
    """
    if not isinstance(values, dict):
        return {}
    return {str(key): str(value) for key, value in values.items() if isinstance(value, str | int | float)}


def head_class(names: Sequence[str], place: str) -> int:
    """Which of a file's classes are heads: the only one, or the one that is called so.

    Raises:
        InputError: there are several, and none or more than one is called ``head``.

    >>> head_class(["person", "Head"], "here")
    1
    """
    called = [index for index, name in enumerate(names) if name.strip().lower() == HEAD]
    if len(called) == 1:
        return called[0]
    if len(names) == 1:
        return 0
    found = cut(", ".join(names)) if names else "none"
    raise InputError(f'{place}: the class to be counted must be called "{HEAD}" once, but there are {found}.')


def split_of(word: str) -> str:
    """``train``, ``val`` or ``test`` by any of its usual names, else empty.

    >>> [split_of(word) for word in ("Train", "valid", "default")]
    ['train', 'val', '']
    """
    word = word.lower()
    return {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}.get(word, "")


def known_shape(kind: Any, known: Sequence[str], path: Path, where: str) -> None:
    """
    Raises:
        InputError: the kind of shape is none that can be a head.
    """
    if kind not in known:
        hint = nearest(kind, known) if isinstance(kind, str) else f" Known: {', '.join(known)}."
        raise InputError(f'"{path}", {where}: {shorten(kind)} is no shape that a head can have.{hint}')


def coordinate(value: Any, name: str, path: Path, where: str) -> float:
    """A finite number, of the text of a CSV or the values of a JSON file.

    Raises:
        InputError: it is none, by file, line or key, and its name.
    """
    try:
        # Python would also take "1_000" and True.
        if isinstance(value, bool) or not isinstance(value, str | int | float) or "_" in str(value):
            raise ValueError
        number = float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f'"{path}", {where}: {name} must be a number, got {shorten(value)}.')
    return number


def cut(text: str, length: int = 80) -> str:
    """Text as it is quoted in a message, at most ``length`` letters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def shorten(value: object) -> str:
    """A value as it is quoted in a message; of lists in lists no more than is shown is ever written out."""
    return cut(_SHORT.repr(value), 40)


def relative(path: Path, folder: Path) -> str:
    """A path as it is written in a file of ``folder``: with forward slashes, absolute only on another drive."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return path.absolute().as_posix()
