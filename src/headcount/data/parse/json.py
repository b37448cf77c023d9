"""JSON of anybody, taken strictly: what is not as a model says is one sentence with file and key.

No true for a number, no text for one, no NaN, no number of thousands of digits, no brackets without end, no key twice.
Keys that a model does not name are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from headcount.core.errors import FaultyFileError, InputError, nearest
from headcount.data.parse.text import read_text
from headcount.data.parse.values import LARGEST_PX, number, quoted

MAX_CONTAINERS = 20_000_000
"""COCO's own annotations of its 118,000 training images, the largest in use, are 6 million objects and lists."""


class Strict(BaseModel):
    """Base of the models of other people's JSON. A field's ``description`` is what is expected of it, in messages.

    A description ``list of [x, y]`` also tells what is expected of a member, and names the numbers in it.
    """

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


Pixels = Annotated[float, Field(ge=-LARGEST_PX, le=LARGEST_PX)]
"""A coordinate or a length: a finite number that some image could have."""
Pair = Annotated[list[Pixels], Field(min_length=2, max_length=2)]
Quad = Annotated[list[Pixels], Field(min_length=4, max_length=4)]
Model = TypeVar("Model", bound=BaseModel)


def read_model(path: Path, kind: str, model: type[Model]) -> Model:
    """A JSON file as a model.

    Raises:
        InputError: as ``read_text``, ``parse_json`` and ``as_model``.
    """
    return as_model(parse_json(read_text(path, kind), path, kind), path, kind, model)


def read_json(path: Path, kind: str) -> dict[str, Any]:
    """The object that a JSON file holds, for who looks at it by hand.

    Raises:
        InputError: as ``read_text`` and ``parse_json``, or no object.
    """
    data = parse_json(read_text(path, kind), path, kind)
    if not isinstance(data, dict):
        raise InputError(f'"{path}" must be a {kind}, a JSON object, but is {quoted(data)}.')
    return data


def parse_json(text: str, path: Path, kind: str, *, line: int = 0) -> Any:
    """What a text of JSON holds; ``line`` is that of the file where each has its own.

    Raises:
        FaultyFileError: it is malformed, nested too deeply or of over ``MAX_CONTAINERS`` objects and lists, has a key
            twice in one object, or a number of thousands of digits.
    """
    place = f'"{path}"' + (f", line {line}" if line else "")
    if text.count("[") + text.count("{") > MAX_CONTAINERS:  # each takes two letters in the file, and 64 bytes once read
        raise FaultyFileError(f"{place} holds over {MAX_CONTAINERS:,} objects and lists: split it.")
    try:
        return _loaded(text, place, kind, line, object_pairs_hook=_object)
    except (_SameKeyTwiceError, ValueError):  # Python reads no whole number of more than 4,300 digits
        # Once more, slower, for the place of what is refused.
        again = _loaded(text, place, kind, line, object_pairs_hook=_Pairs, parse_int=_whole)
    key, what = _refused_at(again)
    raise FaultyFileError(f"{place}{',' if key else ':'} {key}{': ' if key else ''}{what}.")


def _loaded(text: str, place: str, kind: str, line: int, **hooks: Any) -> Any:
    try:
        return json.loads(text, **hooks)
    except json.JSONDecodeError as error:
        where = place if line else f"{place}, line {error.lineno}"
        raise FaultyFileError(f"{where}: this is no valid JSON ({error.msg}).") from error
    except RecursionError as error:
        raise FaultyFileError(f"{place} is nested too deeply to be a {kind}.") from error


class _SameKeyTwiceError(Exception):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _SameKeyTwiceError
    return found


class _Pairs(list[tuple[str, Any]]):
    """An object with its keys as they are written."""


class _Huge:
    """A number of thousands of digits."""


def _whole(digits: str) -> Any:
    return int(digits) if len(digits) < 4000 else _Huge()


def _refused_at(data: Any) -> tuple[str, str]:
    """The key path of the first thing that is refused, and what it is."""
    found = _refusal_of("", data)
    open_: list[tuple[str, Iterator[tuple[int | str, Any]]]] = [("", _members(data))]
    while found is None and open_:
        place, left = open_[-1]
        part, value = next(left, (None, None))
        if part is None:
            open_.pop()
        elif isinstance(value, list | _Huge):
            here = _joined(place, part)
            found = _refusal_of(here, value)
            open_.append((here, _members(value)))
    assert found is not None, "what was refused at first is there"
    return found


def _members(value: Any) -> Iterator[tuple[int | str, Any]]:
    if isinstance(value, _Pairs):
        return iter(list.__iter__(value))
    return iter(enumerate(value)) if isinstance(value, list) else iter(())


def _refusal_of(place: str, value: Any) -> tuple[str, str] | None:
    if isinstance(value, _Huge):
        return place, "a whole number of thousands of digits lies in no image"
    if isinstance(value, _Pairs):
        keys: set[str] = set()
        for key, _ in value:
            if key in keys:
                return _joined(place, key), "this key stands there twice: give it once"
            keys.add(key)
    return None


def as_model(data: Any, path: Path, kind: str, model: type[Model], *, where: str = "") -> Model:
    """Data out of JSON as a model; ``where`` is the line or key that it stands at.

    Raises:
        InputError: the first thing that is not as the model says, by its key.

    >>> class Size(Strict):
    ...     width: int = Field(description="a whole number")
    >>> as_model({"width": True}, Path("a.json"), "size file", Size)
    Traceback (most recent call last):
    headcount.core.errors.InputError: "a.json", width: a whole number was expected, got True.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _refusal(first, data, path, kind, model, where) from None


def _refusal(
    error: Any, data: Any, path: Path, kind: str, model: type[BaseModel], where: str
) -> InputError:  # fmt: skip
    key, held, field, at = where, data, None, -1
    fields: dict[str, FieldInfo] = model.model_fields
    parts: list[int | str] = []
    for part in error["loc"]:
        if isinstance(held, dict) and isinstance(part, str) and (part in held or error["type"] == "missing"):
            if part in fields:
                field, at, fields = fields[part], len(parts), _fields_of(fields[part].annotation)
            beside, held = held, held.get(part)
        elif isinstance(held, list) and isinstance(part, int):
            held = held[part]
        else:
            continue  # pydantic's name of a union's member
        parts.append(part)
    value, expected = error["input"], (field.description or "") if field is not None else ""
    if not parts or (error["type"] == "missing" and len(parts) == 1 and not where):
        keys = " and ".join(f'"{name}"' for name, one in model.model_fields.items() if one.is_required())
        got = f"but is {quoted(value)}" if not parts else f'but has no "{parts[0]}"'
        hint = nearest(str(parts[0]), map(str, data)) if parts and data else ""
        return InputError(f'"{path}"{where and f", {where}"} must be a {kind}, an object with {keys}, {got}.{hint}')
    if expected.startswith("list of "):
        member = expected.removeprefix("list of ") if expected.startswith("list of [") else ""
        expected = member if len(parts) > at + 1 else f"a {expected}"
    if error["type"] in _NUMBERS and isinstance(parts[-1], int):
        names = expected.strip("[]").split(", ")
        name = names[parts[-1]] if len(names) > parts[-1] and expected.startswith("[") else "a value"
        for part in parts[:-1]:
            key = _joined(key, part)
        try:
            number(value if not isinstance(value, str) else None, name, path, key)
        except InputError as refused:
            return refused if not isinstance(value, str) else InputError(str(refused).replace("None", quoted(value)))
    for part in parts:
        key = _joined(key, part)
    expected = expected or _EXPECTED.get(error["type"], error["msg"])
    if error["type"] == "missing":
        return InputError(f'"{path}", {key}: {expected} was expected, but nothing is there.{_near(parts[-1], beside)}')
    return InputError(f'"{path}", {key}: {expected} was expected, got {quoted(value)}.')


_NUMBERS = ("float_type", "finite_number", "greater_than_equal", "less_than_equal", "int_type")
_EXPECTED = {
    "float_type": "a number", "finite_number": "a finite number", "int_type": "a whole number", "string_type": "text",
    "list_type": "a list", "dict_type": "an object", "model_type": "an object", "missing": "a value",
}  # fmt: skip


def _near(key: int | str, beside: dict[str, Any]) -> str:
    hint = nearest(str(key), map(str, beside))
    return hint if hint.startswith(" Did") else ""


def _joined(place: str, part: int | str) -> str:
    if isinstance(part, int):
        return f"{place}[{part}]"
    return f"{place}.{part}" if place else str(part)


def _fields_of(annotation: Any) -> dict[str, FieldInfo]:
    """The fields of the model in an annotation, or in the lists and unions of it."""
    left: Sequence[Any] = [annotation]
    while left:
        if isinstance(left[0], type) and issubclass(left[0], BaseModel):
            return left[0].model_fields
        left = [*get_args(left[0]), *left[1:]]
    return {}
