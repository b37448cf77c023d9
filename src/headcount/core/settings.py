"""Typed settings: what a user wrote becomes a pydantic model, or one sentence that names the key."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from headcount.core.errors import InputError, nearest

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


def checked(kind: type[_Kind], values: Mapping[str, Any], where: str, *, prefix: str = "") -> _Kind:
    """``values`` as ``kind``; ``where`` names their origin in the message, ``prefix`` stands before the key.

    Raises:
        InputError: names the first wrong key, what it was given, and what was expected.

    >>> class Size(Settings):
    ...     width: int = 1
    >>> checked(Size, {"widht": 2}, "a.yaml")
    Traceback (most recent call last):
    headcount.core.errors.InputError: "a.yaml": there is no key "widht". Did you mean "width"?
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        errors = error.errors()
        first = errors[0]
        inside, path = _follow(kind, first["loc"])
        key = prefix + ".".join(path)
        if first["type"] == "extra_forbidden":
            raise InputError(f'"{where}": there is no key "{key}".{nearest(path[-1], inside)}') from error
        if first["type"] == "missing":
            raise InputError(f'"{where}": the key "{key}" is missing.') from error
        # The members of a union complain one by one, each of the same key.
        complaints = [one["msg"] for one in errors if _follow(kind, one["loc"])[1] == path]
        raise InputError(
            f'"{where}": "{key}" is {_SHORT.repr(first["input"])}: {", or: ".join(complaints)}.'
        ) from error


def _follow(kind: type[BaseModel], loc: Sequence[int | str]) -> tuple[list[str], list[str]]:
    """The keys beside the last of ``loc``, and ``loc`` without the names pydantic gives to a union's members."""
    fields, path = list(kind.model_fields), list[str]()
    inner: type[BaseModel] | None = kind
    in_table = False
    for part in loc:
        if isinstance(part, int) or in_table:
            path.append(str(part))
            in_table = False
        elif inner is not None:
            fields = list(inner.model_fields)
            path.append(part)
            annotation = inner.model_fields[part].annotation if part in fields else None
            inner, in_table = _settings_in(annotation), get_origin(annotation) is dict
    return fields, path


def _settings_in(annotation: Any) -> type[BaseModel] | None:
    for one in (annotation, *get_args(annotation)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None
