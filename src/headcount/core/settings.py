"""Typed settings: what a user wrote becomes a pydantic model, or one sentence that names the key."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from headcount.core.errors import InputError, nearest
from headcount.core.words import plural

# YAML's aliases let a few lines stand for millions of values, none of which belongs into a message.
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 3, 200, 200


class Settings(BaseModel):
    """Base of all settings: unknown keys are errors, numbers are finite, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _refuse_even(value: int) -> int:
    if value % 2 == 0:
        raise ValueError("an odd number was expected")
    return value


Positive = Annotated[float, Field(gt=0)]
Odd = Annotated[int, Field(ge=1), AfterValidator(_refuse_even)]
_Kind = TypeVar("_Kind", bound=BaseModel)


def checked(
    kind: type[_Kind], values: Mapping[str, Any], where: str | Callable[[str], str], *, prefix: str = ""
) -> _Kind:
    """``values`` as ``kind``; ``prefix`` stands before the key.

    ``where`` names their origin in the message: a file, or of each key what was written.

    Raises:
        InputError: names the first wrong key, what it was given, and what was expected.

    >>> class Size(Settings):
    ...     width: int = 1
    >>> checked(Size, {"widht": 2}, "a.yaml")
    Traceback (most recent call last):
    headcount.core.errors.InputError: "a.yaml": there is no key "widht". Did you mean "width"?
    >>> checked(Size, {"width": "wide"}, "a.yaml")
    Traceback (most recent call last):
    headcount.core.errors.InputError: "a.yaml": "width" is 'wide', but a whole number was expected.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise InputError(_complaints(kind, error, where, prefix)[0]) from error


def complaints(kind: type[BaseModel], values: Mapping[str, Any], where: str) -> list[str]:
    """Everything that is wrong with ``values`` as ``kind``, a sentence a key; none where nothing is.

    >>> class Size(Settings):
    ...     width: int = 1
    ...     height: int = 1
    >>> for text in complaints(Size, {"width": "wide", "hieght": 2}, "a.yaml"):
    ...     print(text)
    "a.yaml": "width" is 'wide', but a whole number was expected.
    "a.yaml": there is no key "hieght". Did you mean "height"?
    """
    try:
        kind.model_validate(dict(values))
    except ValidationError as error:
        return [InputError(text).message for text in _complaints(kind, error, where, "")]
    return []


def _complaints(
    kind: type[BaseModel], error: ValidationError, where: str | Callable[[str], str], prefix: str
) -> list[str]:
    """A sentence for each key that is wrong, in the order in which pydantic found them."""
    # The members of a union complain one by one, each of the same key.
    by_key: dict[str, list[Any]] = {}
    for one in error.errors():
        by_key.setdefault(".".join(_follow(kind, _place_of(one))[1]), []).append(one)
    told = []
    for name, errors in by_key.items():
        if any(other.startswith(f"{name}.") for other in by_key):
            continue  # what is wrong is in it, so that it is none of its other kinds, or one too few, either
        first = errors[0]
        inside, path = _follow(kind, _place_of(first))
        key = prefix + name
        place = where if isinstance(where, str) else where(key)
        if first["type"] == "extra_forbidden":
            told.append(f'"{place}": there is no key "{key}".{nearest(path[-1], inside)}')
        elif first["type"] == "missing" and _place_of(first) == first["loc"]:
            told.append(f'"{place}": the key "{key}" is missing.')
        elif first["type"] == "value_error" and isinstance(first["input"], Mapping):
            # What does not go together in a table: the sentence names it, and the whole table would bury it.
            inside_key = f'"{key}": ' if key else ""
            told.append(f'"{place}": {inside_key}{expectation(*errors)}.')
        else:
            given = "not shown" if path and path[-1] in _SECRET else _SHORT.repr(_without_secrets(first["input"]))
            told.append(f'"{place}": "{key}" is {given}, but {expectation(*errors)}.')
    return told


_SECRET = {"secret", "password", "token"}


def _without_secrets(given: Any, depth: int = 0) -> Any:
    """What was given, for a message: what stands at keys of secrets is left out."""
    if depth > _SHORT.maxlevel:
        return given  # so deep nothing is shown
    if isinstance(given, Mapping):
        few = list(given.items())[: _SHORT.maxdict + 1]
        return {key: "…" if key in _SECRET else _without_secrets(value, depth + 1) for key, value in few}
    if isinstance(given, list):
        return [_without_secrets(one, depth + 1) for one in given[: _SHORT.maxlist + 1]]
    return given


def _place_of(error: Mapping[str, Any]) -> Sequence[int | str]:
    """Where a complaint belongs: a list that is too short lacks no key."""
    loc: Sequence[int | str] = error["loc"]
    return loc[:-1] if error["type"] == "missing" and isinstance(loc[-1], int) else loc


def expectation(*errors: Mapping[str, Any]) -> str:
    """What pydantic's complaints of one value expected, in words: ``a whole number or a list was expected``."""
    expected = dict.fromkeys(map(_expected, errors))
    own = [error["msg"].removeprefix("Value error, ") for error in errors if error["type"] == "value_error"]
    return own[0] if own else f"{' or '.join(expected)} was expected"  # a validator of ours says it all


def _expected(error: Mapping[str, Any]) -> str:
    kind, told = error["type"], error.get("ctx", {})
    if kind == "literal_error":
        return str(told["expected"])
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        bound = told[key]
        return f"a number {words} {bound:,g}" if isinstance(bound, float) else f"a number {words} {bound:,}"
    for bound, words in (("min_length", "at least"), ("max_length", "at most")):
        if bound in told:
            what = ("text", "letter") if kind.startswith("string") else ("a list", "value")
            return f"{what[0]} of {words} {plural(told[bound], what[1])}"
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(told["pattern"], f"text of the pattern {told['pattern']}")
    return _EXPECTED.get(kind, f"another value ({error['msg']})")


_WHOLE, _NUMBER, _LIST, _TABLE = "a whole number", "a number", "a list", "a table of keys and values"
_EXPECTED = {
    "int_parsing": _WHOLE, "int_type": _WHOLE, "int_from_float": _WHOLE, "int_parsing_size": "a smaller number",
    "float_parsing": _NUMBER, "float_type": _NUMBER, "finite_number": "a finite number",
    "bool_parsing": "true or false", "bool_type": "true or false", "string_type": "text",
    "list_type": _LIST, "tuple_type": _LIST, "dict_type": _TABLE, "mapping_type": _TABLE, "model_type": _TABLE,
    "model_attributes_type": _TABLE, "missing": "one value more",
    "extra_forbidden": "no such key",
}  # fmt: skip
_BOUNDS = {
    "greater_than": ("gt", "above"), "greater_than_equal": ("ge", "of at least"),
    "less_than": ("lt", "below"), "less_than_equal": ("le", "of at most"),
}  # fmt: skip
_PATTERNS = {
    r"^[^/\\\x00-\x1f\x7f-\x9f]*$": "the name of a file, without a folder,",
    r"^[\w.-]+$": 'text of letters, digits, ".", "_" and "-" alone',
    r"^[^:\s]+:\d{1,5}$": "HOST:PORT, as in 127.0.0.1:9320,",
}


def _follow(kind: type[BaseModel], loc: Sequence[int | str]) -> tuple[list[str], list[str]]:
    """The keys beside the last of ``loc``, and ``loc`` without the names pydantic gives to a union's members."""
    fields, path = list(kind.model_fields), list[str]()
    inner: type[BaseModel] | None = kind
    in_table = in_union = False
    for part in loc:
        if in_union:
            in_union = False
        elif isinstance(part, int) or in_table:
            path.append(str(part))
            in_table = False
        elif inner is not None:
            fields = list(inner.model_fields)
            path.append(part)
            annotation = inner.model_fields[part].annotation if part in fields else None
            inner, in_table = _settings_in(annotation), get_origin(annotation) is dict
            in_union = inner is not None and _is_union(annotation)
    return fields, path


def _is_union(annotation: Any) -> bool:
    """Whether it is one of several kinds, None aside, so that pydantic says of which it complains."""
    members = [one for one in get_args(annotation) if one is not type(None)]
    return get_origin(annotation) in (Union, UnionType) and len(members) > 1


def _settings_in(annotation: Any) -> type[BaseModel] | None:
    for one in (annotation, *get_args(annotation)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None
