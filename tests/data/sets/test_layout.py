"""What published readers share: lists of images, files that are kept, rows of JSON."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.data.formats.raw import UnreadableAnnotationError
from headcount.data.sets.layout import join, json_rows, kept, read_list
from headcount.data.sets.published.gcc import read_classes
from headcount.data.sets.published.jhu import read_labels
from headcount.data.sets.published.nwpu_crowd import read_levels


def parse(row: str) -> tuple[str, dict[str, str]] | None:
    name, _, level = row.partition(" ")
    return (name, {"level": level}) if level else None


def test_a_list_keeps_its_order_and_passes_over_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xef\xbb\xbfb 2\r\n\n  \na 1")
    assert read_list(path, "name level", parse) == {"b": {"level": "2"}, "a": {"level": "1"}}
    path.write_text("")
    assert read_list(path, "name level", parse) == {}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a 1\n\nb\n", "list.txt\", line 3: name level was expected, got 'b'"),
        (b"a 1\na 2\n", "list.txt\", line 2: 'a' stands in the list already"),
        (b"\xff", "UTF-8"),
        (None, "There is no list of images"),
    ],
)
def test_a_malformed_list_is_named_with_its_line(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(UnreadableAnnotationError, match=words):
        read_list(tmp_path / "list.txt", "name level", parse)


TOKEN = st.sampled_from(["0001", "2", "-1", "x", "1.5", ",", "scene_1_1", "/scene_1_1", "٣", "\n", "\x0b"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=40) | st.lists(TOKEN, max_size=14).map(" ".join).map(str.encode))
@pytest.mark.parametrize("read", [read_classes, read_labels, read_levels])
def test_any_bytes_are_a_list_or_refused_in_words(tmp_path: Path, read: Callable[[Path], Any], content: bytes) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    with suppress(UnreadableAnnotationError):
        read(tmp_path / "list.txt")


def test_a_file_is_read_once_until_it_changes_and_so_is_one_that_cannot_be(tmp_path: Path) -> None:
    calls: list[Path] = []

    @kept
    def read(path: Path) -> str:
        calls.append(path)
        if path.read_text() == "bad":
            raise InputError("bad")
        return path.read_text()

    path = tmp_path / "a"
    with pytest.raises(InputError):
        read(path)
    path.write_text("good")
    assert [read(path), read(path), len(calls)] == ["good", "good", 1]
    path.write_text("bad")
    for _ in range(3):
        with pytest.raises(InputError, match="bad"):
            read(path)
    assert len(calls) == 2


def test_rows_of_json_have_their_places() -> None:
    rows, where = json_rows({"points": []}, "points", "[x, y]", Path("a.json"))
    assert (rows.shape, where) == ((0, 2), ())
    rows, where = json_rows({"points": [[1, 2.5], [3, 4]]}, "points", "[x, y]", Path("a.json"))
    assert (rows.tolist(), where) == ([[1, 2.5], [3, 4]], ("points[0]", "points[1]"))
    for wrong in ([1], [1, "2"], 3):
        with pytest.raises(InputError, match=r'"a.json", points\[0\]: \[x, y\], all numbers, was expected'):
            json_rows({"points": [wrong]}, "points", "[x, y]", Path("a.json"))


def test_nothing_joined_is_nothing() -> None:
    assert join([]).scenes == join([]).remarks == ()
