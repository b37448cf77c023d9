"""Single values out of other people's files: what is not as expected is told by file and line or key."""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, get_args

from headcount.core.errors import FaultyFileError, InputError, nearest
from headcount.core.scene import Provenance

HEAD = "head"
"""The class that general formats call a head by."""
LARGEST_PX = 1e7
"""A coordinate beyond this, to either side, belongs to no image."""

HAIR = 1e-3
"""So much of its range (of an image's side) may a value lie outside, since tools round: it is taken, and cut there."""

PROVENANCES: tuple[Provenance, ...] = get_args(Provenance)

_SPLIT_WORDS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "validate": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_HEAD_NAME = re.compile("((human|person|pedestrian) )?heads?")
# The classes of COCO and VOC that are nobody.
_THINGS = frozenset(
    """bicycle,car,motorcycle,motorbike,airplane,aeroplane,bus,train,truck,boat,vehicle,traffic light,fire hydrant,stop
    sign,parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,
    suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,
    bottle,wine glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,
    chair,couch,sofa,potted plant,pottedplant,bed,dining table,diningtable,toilet,tv,tvmonitor,laptop,mouse,remote,
    keyboard,cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,vase,scissors,teddy bear,hair drier,
    toothbrush""".replace("\n    ", " ")
    .replace(", ", ",")
    .split(",")
)

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring = 3, 40


def number(
    value: Any, what: str, path: Path, where: str, *, least: float | None = None, limit: float = LARGEST_PX,
    whole: bool = False,
) -> float:  # fmt: skip
    """A finite number of text or of JSON, where True is none; from ``least`` (−``limit``) to ``limit``.

    Args:
        what: what it is called in the message.
        whole: no fraction is allowed.

    Raises:
        InputError: naming file, place and value.
    """
    low = -limit if least is None else least
    result = math.nan
    # Not all that Python's float takes: no "1_000" and no digits of other scripts; "nan" and "inf" are in no range.
    if type(value) is float or type(value) is int or (type(value) is str and value.isascii() and "_" not in value):
        with suppress(ValueError, OverflowError):
            result = float(value)
            if low <= result <= limit and not whole:
                return result
    if whole and not (result.is_integer() and low <= result <= limit):
        span = "" if least is None else f" from {least:g} to {limit:,.0f}"
        raise InputError(f'"{path}", {where}: {what} must be a whole number{span}, got {quoted(value)}.')
    if not math.isfinite(result):
        raise InputError(f'"{path}", {where}: {what} must be a number, got {quoted(value)}.')
    if least is not None and result < least:
        bound = "must not be negative" if least == 0 else f"must be {least:g} or more"
        raise InputError(f'"{path}", {where}: {what} {bound}, got {result:g}.')
    if abs(result) > limit:
        raise InputError(f'"{path}", {where}: {what} is {result:g}, which lies in no image.')
    return result


def numbers(values: Any, form: str, path: Path, where: str) -> list[float]:
    """A JSON list of as many numbers as ``form`` (``[x, y, width, height]``) names.

    Raises:
        InputError: naming file, place and value.
    """
    names = _names_in(form)
    if not isinstance(values, list) or len(values) != len(names) or str in map(type, values):
        raise InputError(f'"{path}", {where}: {form}, all numbers, was expected, got {quoted(values)}.')
    return [number(value, name, path, where) for value, name in zip(values, names, strict=True)]


@cache
def _names_in(form: str) -> list[str]:
    return form.strip("[]").split(", ")


def size_wh(width: Any, height: Any) -> tuple[int, int] | None:
    """The stated size of an image where it is one; it is only ever compared with the image.

    Whole, positive numbers, or the text of such. All else (nothing, 0, -1) is what tools write that do not know it.

    >>> size_wh("640", 480.0), size_wh(0, 480), size_wh("", None)
    ((640, 480), None, None)
    """
    sides: list[int] = []
    for value in (width, height):
        if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,8}(\.0*)?\s*", value, re.ASCII):
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LARGEST_PX or value % 1:
            return None
        sides.append(int(value))
    return sides[0], sides[1]


def same_id(value: float | str) -> str:
    """An id in the form in which ids are compared: 1, 1.0, "1" and "1.0" are the same, since tools mix them.

    >>> same_id(7), same_id(7.0), same_id(" 7.0 "), same_id("a1")
    ('7', '7', '7', 'a1')
    """
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    found = re.fullmatch(r"(-?[0-9]{1,300})\.0+", text := str(value).strip(), re.ASCII)
    return found[1] if found else text


def attributes(values: Any) -> dict[str, str]:
    """What is said of an image, as text; what is no object of plain values says nothing.

    >>> attributes({"weather": "rain", "level": 3, "more": []})
    {'weather': 'rain', 'level': '3'}
    """
    if not isinstance(values, dict):
        return {}
    return {str(key): str(value) for key, value in values.items() if isinstance(value, str | int | float)}


def head_classes(names: Sequence[str], used: Collection[int], place: str) -> frozenset[int]:
    """Which of a file's classes are heads, the one rule of all formats.

    Those that are called so (``head``, ``human head``; see ``is_head_name``); where there are none, the only class
    that objects are of, or the only one there is, whatever its name, but never a thing such as ``car``. Classes that
    nothing is of never matter.

    Args:
        names: of all classes.
        used: the classes that objects are of.
        place: file and key, for the message.

    Raises:
        FaultyFileError: it is not clear which class is to be counted.

    >>> sorted(head_classes(["person", "Head", "hat"], {0, 1}, "here"))
    [1]
    >>> sorted(head_classes(["group", "person"], {1}, "here"))
    [1]
    """
    called = frozenset(index for index, name in enumerate(names) if is_head_name(name))
    if called or (not used and len(names) != 1):
        return called
    left = sorted(used) or [0]
    if len(left) == 1 and not is_thing(names[left[0]]):
        return frozenset(left)
    if not used:
        return frozenset()
    found = cut(", ".join(names[index] or "one without a name" for index in left))
    what = f"is {found}, which is no head" if len(left) == 1 else f"may be any of {found}"
    raise FaultyFileError(f'{place}: the class to be counted {what}: call it "{HEAD}".')


def is_head_name(name: str) -> bool:
    """Whether a class of this name is one of heads; case, ``_`` and ``-`` do not matter.

    >>> is_head_name(" Human_Heads"), is_head_name("headlight")
    (True, False)
    """
    return _HEAD_NAME.fullmatch(plain_name(name)) is not None


def is_thing(name: str) -> bool:
    """Whether a class of this name is one of nobody, such as ``Car`` or ``cars``.

    >>> is_thing("traffic_lights"), is_thing("Person")
    (True, False)
    """
    plain = plain_name(name)
    return plain in _THINGS or plain.removesuffix("s") in _THINGS or plain.removesuffix("es") in _THINGS


def plain_name(name: str) -> str:
    """The name of a class as it is compared: without case, blanks, ``_`` and ``-`` alike."""
    return re.sub(r"[\s_-]+", " ", name).strip().lower()


def stated_provenance(value: Any, path: Path, where: str) -> Provenance:
    """How a box came to be, as a file states it.

    Raises:
        InputError: it is none of the known words.
    """
    for known in PROVENANCES:
        if value == known:
            return known
    hint = nearest(value, PROVENANCES) if isinstance(value, str) else f" Known: {', '.join(PROVENANCES)}."
    raise InputError(f'"{path}", {where}: {quoted(value)} is no provenance of a box.{hint}')


def split_of(word: str) -> str:
    """``train``, ``val`` or ``test`` by any of its usual names, else empty.

    >>> [split_of(word) for word in ("Train", "valid", "default")]
    ['train', 'val', '']
    """
    return _SPLIT_WORDS.get(word.strip().lower(), "")


def split_in(folders: Iterable[str]) -> str:
    """The split that the first folder named as one tells, else empty.

    >>> split_in(["set", "Valid", "train"])
    'val'
    """
    return next((split for folder in folders if (split := split_of(folder))), "")


def known_shape(kind: Any, known: Sequence[str], path: Path, where: str) -> None:
    """
    Raises:
        InputError: the kind of shape is none that can be a head.
    """
    if kind not in known:
        hint = nearest(kind, known) if isinstance(kind, str) else f" Known: {', '.join(known)}."
        raise InputError(f'"{path}", {where}: {quoted(kind)} is no shape that a head can have.{hint}')


def cut(text: str, length: int = 80) -> str:
    """Text as it is quoted in a message, at most ``length`` letters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def quoted(value: object) -> str:
    """A value as it is quoted in a message; of lists in lists no more than is shown is ever written out."""
    return cut(_SHORT.repr(value), 40)
