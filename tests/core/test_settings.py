"""Wrong settings are told in plain words: the key, what it was given, what was expected."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from headcount.core.errors import InputError
from headcount.core.settings import Odd, Positive, Settings, checked


class _Inner(Settings):
    side: Odd = 3


class _All(Settings):
    whole: int = Field(default=1, ge=1, lt=1_000_000)
    share: Positive = 0.5
    either: int | tuple[int, int] = 3
    pair: tuple[float, float] = (0, 1)
    names: tuple[str, ...] = Field(default=("a",), min_length=1)
    kind: Literal["red", "blue"] = "red"
    name: str = Field(default="x", min_length=1, max_length=3)
    inner: _Inner = _Inner()
    table: dict[str, Annotated[float, Field(le=1)]] = Field(default_factory=dict)
    on: bool = True


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("whole", "many", "\"whole\" is 'many', but a whole number was expected."),
        ("whole", 0, '"whole" is 0, but a number of at least 1 was expected.'),
        ("whole", 10**9, '"whole" is 1000000000, but a number below 1,000,000 was expected.'),
        ("whole", None, '"whole" is None, but a whole number was expected.'),
        ("share", 0, '"share" is 0, but a number above 0 was expected.'),
        ("share", float("nan"), '"share" is nan, but a finite number was expected.'),
        ("either", "x", "\"either\" is 'x', but a whole number or a list was expected."),
        ("pair", [1], '"pair" is [1], but one value more was expected.'),
        ("pair", [1, 2, 3], '"pair" is [1, 2, 3], but a list of at most 2 values was expected.'),
        ("names", [], '"names" is [], but a list of at least 1 value was expected.'),
        ("kind", "read", "\"kind\" is 'read', but 'red' or 'blue' was expected."),
        ("name", "", "\"name\" is '', but text of at least 1 letter was expected."),
        ("name", "long", "\"name\" is 'long', but text of at most 3 letters was expected."),
        ("inner", 3, '"inner" is 3, but a table of keys and values was expected.'),
        ("inner", {"side": 4}, '"inner.side" is 4, but an odd number was expected.'),
        ("inner", {"sid": 3}, 'there is no key "inner.sid". Did you mean "side"?'),
        ("table", {"a": 2}, '"table.a" is 2, but a number of at most 1 was expected.'),
        ("on", "perhaps", "\"on\" is 'perhaps', but true or false was expected."),
    ],
)
def test_each_kind_of_mistake_is_told_in_words(key: str, value: Any, told: str) -> None:
    with pytest.raises(InputError) as caught:
        checked(_All, {key: value}, "a.yaml")
    assert str(caught.value) == f'"a.yaml": {told}'


def test_the_place_may_depend_on_the_key() -> None:
    with pytest.raises(InputError, match=r'^"inner\.side of it": "inner\.side" is 4'):
        checked(_All, {"inner": {"side": 4}}, lambda key: f"{key} of it")
