"""JSON taken strictly: whatever is not as a model says is refused by file and key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from headcount.core.errors import InputError
from headcount.data.parse.json import Pair, Strict, parse_json, read_json, read_model


class Image(Strict):
    file: str = Field(description="the name of an image file")
    points: list[Pair] = Field(description="list of [x, y]")
    id: int | str | None = Field(None, description="an id")


class File(Strict):
    images: list[Image] = Field(description="list of images")


def read(tmp_path: Path, text: str) -> File:
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    return read_model(tmp_path / "a.json", "points file", File)


def image(**changed: Any) -> str:
    return json.dumps({"images": [{"file": "a.jpg", "points": [[1, 2]], **changed}]})


def test_what_a_model_says_is_read_and_all_else_left_alone(tmp_path: Path) -> None:
    found = read(tmp_path, "\ufeff" + image(id="7", more={"a": [float("nan")]}))
    assert found.images == [Image(file="a.jpg", points=[[1.0, 2.0]], id="7")]
    assert read(tmp_path, '{"images": []}').images == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: this is no valid JSON"),
        ('{"images": [\n{]}', "line 2: this is no valid JSON"),
        ("[" * 100_000, "nested too deeply to be a points file"),
        ("[" + "9" * 5000 + ", {]", "line 1: this is no valid JSON"),
        ("[" + "9" * 5000 + ", " + "[" * 100_000, "nested too deeply to be a points file"),
        ('{"images": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ("[]", r'must be a points file, an object with "images", but is \[\]'),
        ("{}", 'but has no "images"'),
        ('{"image": []}', 'but has no "images". Did you mean "image"?'),
        ('{"images": {}}', "images: a list of images was expected, got {}"),
        ('{"images": [3]}', r"images\[0\]: an object was expected, got 3"),
        ('{"images": [{"flie": "a", "points": []}]}', r"\[0\].file: the name of an image file.*nothing.*\"flie\""),
        (image(file=3), r"images\[0\]\.file: the name of an image file was expected, got 3"),
        (image(points=3), r"images\[0\]\.points: a list of \[x, y\] was expected, got 3"),
        (image(points=[[1, 2], [3]]), r"images\[0\]\.points\[1\]: \[x, y\] was expected, got \[3\]"),
        (image(points=[[1, 2, 3]]), r"points\[0\]: \[x, y\] was expected"),
        (image(points=[[1, float("nan")]]), r"points\[0\]: y must be a number, got nan"),
        (image(points=[[float("inf"), 1]]), r"points\[0\]: x must be a number, got inf"),
        (image(points=[[1, "2"]]), r"points\[0\]: y must be a number, got '2'"),
        (image(points=[[True, 2]]), r"points\[0\]: x must be a number, got True"),
        (image(points=[[10**400, 2]]), r"points\[0\]: x must be a number, got 1000"),
        (image(points=[[1e300, 2]]), r"points\[0\]: x is 1e.300, which lies in no image"),
        (image(id=True), r"images\[0\]\.id: an id was expected, got True"),
        (image().replace("[1", "[1" + "0" * 5000), r"points\[0\]\[0\]: a whole number of thousands"),
        ('{"images": [], "a": {"b": [0, {"c": 1, "c": 2}]}}', r"a\.b\[1\]\.c: this key stands there twice"),
        ('{"a": 1, "a": 2}', "a: this key stands there twice"),
    ],
)  # fmt: skip
def test_what_is_not_as_expected_is_refused_by_its_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=rf'a\.json"?,? ?.*{words}') as caught:
        read(tmp_path, text)
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


def test_the_line_is_told_where_each_has_its_own() -> None:
    with pytest.raises(InputError, match=r'"a\.odgt", line 7: this is no valid JSON'):
        parse_json("{", Path("a.odgt"), "annotation", line=7)
    with pytest.raises(InputError, match=r'"a\.odgt", line 7, a: this key'):
        parse_json('{"a": 1, "a": 1}', Path("a.odgt"), "annotation", line=7)


def test_what_is_looked_at_by_hand_is_an_object(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(InputError, match=r"must be a thing, a JSON object, but is \[1\]"):
        read_json(tmp_path / "a.json", "thing")


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["images", "file", "points", "id", "x"]), inner, max_size=4)
    ),
)


@settings(max_examples=150, deadline=None)
@given(junk | st.builds(lambda images: {"images": images}, st.lists(junk, max_size=2)))
def test_whatever_stands_there_it_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    message = "a.json"
    try:
        read(tmp_path_factory.getbasetemp(), json.dumps(data))
    except InputError as error:
        message = str(error)
    assert "a.json" in message


def test_more_objects_than_memory_holds_are_refused_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headcount.data.parse.json.MAX_CONTAINERS", 5)
    assert parse_json("[[], [], {}, 1]", Path("a.json"), "list") == [[], [], {}, 1]
    with pytest.raises(InputError, match=r'"a\.json" holds over 5 objects and lists'):
        parse_json("[[], [], {}, {}, []]", Path("a.json"), "list")
