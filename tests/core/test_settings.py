"""Wrong settings are told in plain words: the key, what it was given, what was expected."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import pytest
from pydantic import Field, model_validator

from headcount.core.errors import InputError
from headcount.core.settings import Odd, Positive, Settings, checked, complaints


class _Inner(Settings):
    side: Odd = 3


class _Ladder(Settings):
    step: Positive = 1.0

    @model_validator(mode="after")
    def _short(self) -> Self:
        if self.step > 9:
            raise ValueError("a step of at most 9 was expected")
        return self


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
    ladder: _Ladder | Literal[False] | None = None
    many: tuple[_Inner, ...] = Field(default=(_Inner(),), min_length=1)


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
        ("ladder", {"step": 10}, '"ladder": a step of at most 9 was expected.'),
        ("ladder", {"step": 0}, '"ladder.step" is 0, but a number above 0 was expected.'),
        ("ladder", {"stp": 1}, 'there is no key "ladder.stp". Did you mean "step"?'),
        ("ladder", 5, '"ladder" is 5, but a table of keys and values or False was expected.'),
        ("many", [{"side": 2}], '"many.0.side" is 2, but an odd number was expected.'),
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


def test_all_that_is_wrong_is_told_a_sentence_a_key() -> None:
    wrong = {"whole": "many", "ladder": {"step": 0}, "many": [{"side": 2}], "colour": 1}
    assert complaints(_All, wrong, "a.yaml") == [
        '"a.yaml": "whole" is \'many\', but a whole number was expected.',
        '"a.yaml": "ladder.step" is 0, but a number above 0 was expected.',
        '"a.yaml": "many.0.side" is 2, but an odd number was expected.',
        '"a.yaml": there is no key "colour". Known: either, inner, kind, ladder, many, name, names, on, pair, share, '
        "table, whole.",
    ]
    assert complaints(_All, {}, "a.yaml") == []


class _Hook(Settings):
    url: str = ""
    secret: str = ""


class _Told(Settings):
    hooks: tuple[_Hook, ...] = ()
    metrics: str = Field(default="", pattern=r"^[^:\s]+:\d{1,5}$")


@pytest.mark.parametrize(
    "hooks",
    [[{"secret": 8812345678}], {"url": "https://a.example", "secret": "8812345678"}, [[{"secret": "8812345678"}]]],
)
def test_a_secret_is_in_no_message(hooks: Any) -> None:
    """Also one that YAML takes for a number, and one in a table of the wrong place."""
    with pytest.raises(InputError) as caught:
        checked(_Told, {"hooks": hooks}, "a.yaml")
    assert "8812345678" not in str(caught.value)
    assert '"hooks' in str(caught.value)


def test_what_does_not_go_together_is_told_without_the_whole_table() -> None:
    with pytest.raises(InputError) as caught:
        checked(_All, {"ladder": {"step": 12}}, "a.yaml")
    assert str(caught.value) == '"a.yaml": "ladder": a step of at most 9 was expected.'
    with pytest.raises(InputError) as caught:
        checked(_Ladder, {"step": 12}, "a.yaml")
    assert str(caught.value) == '"a.yaml": a step of at most 9 was expected.'


def test_an_address_is_asked_for_in_words() -> None:
    with pytest.raises(InputError, match=r"but HOST:PORT, as in 127\.0\.0\.1:9320, was expected"):
        checked(_Told, {"metrics": "nonsense"}, "a.yaml")
