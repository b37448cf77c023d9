"""Texts, tables and numbers of anybody: what each encoding and line end becomes, and what is refused where."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError, MissingFileError
from headcount.data.parse.csv import csv_row, read_rows
from headcount.data.parse.text import read_lines, read_text, split_lines
from headcount.data.parse.values import head_classes, number

NAMES = ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]


@pytest.mark.parametrize("encoding", NAMES)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_a_text_is_the_same_in_every_encoding(tmp_path: Path, encoding: str, end: str, last: str) -> None:
    mark = "\ufeff" if encoding[-2:] in ("le", "be") else ""
    (tmp_path / "a.txt").write_bytes((mark + "é 人" + end + end + "b" + last.replace("\n", end)).encode(encoding))
    assert read_lines(tmp_path / "a.txt", "list") == ["é 人", "", "b"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("café".encode("latin-1"), r"no UTF-8 text \(byte 3 is 0xE9\): save it as UTF-8"),
        ("\ufeffcafé".encode()[:-1], r"no UTF-8 text \(byte 6 is 0xC3\)"),
        (b"\xff\xfea", "no UTF-16 text"),
        ("a\n\nb".encode("utf-16-le"), r"line 1: there is a zero byte"),
        (b"a\r\nb\rc\0", r"line 3: there is a zero byte"),
    ],
)
def test_what_is_no_text_is_refused_by_its_byte(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.txt.*{words}"):
        read_text(tmp_path / "a.txt", "list")


def test_a_path_that_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r'There is no list ".*a\.txt": check the path'):
        read_text(tmp_path / "a.txt", "list")
    with pytest.raises(InputError, match="is a folder where a list was expected"):
        read_text(tmp_path, "list")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="no regular file"):
        read_text(tmp_path / "pipe", "list")
    (tmp_path / "a.txt").write_bytes(b"123456")
    with pytest.raises(InputError, match="6 bytes, over the limit of 5 for a list"):
        read_text(tmp_path / "a.txt", "list", max_bytes=5)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))), st.sampled_from("\r\n"))
def test_lines_are_parted_at_line_ends_alone(lines: list[str], end: str) -> None:
    assert split_lines("".join(line + end for line in lines)) == lines


def table(tmp_path: Path, text: str) -> list[tuple[str, dict[str, str]]]:
    (tmp_path / "t.csv").write_text(text, encoding="utf-8", newline="")
    return list(read_rows(tmp_path / "t.csv", "table", ["a"], ["b", "c"], together=["b", "c"], advice="; see there"))


def test_columns_are_found_by_their_names(tmp_path: Path) -> None:
    assert table(tmp_path, " C ,x,A,b\n1,2, 3,\n\n4,5,6,7\n") == [
        ("line 2", {"a": " 3", "b": "", "c": "1"}), ("line 4", {"a": "6", "b": "7", "c": "4"}),
    ]  # fmt: skip
    assert table(tmp_path, "\n,\na,x\n , \n1,2\n,\n\n") == [("line 5", {"a": "1"})]  # as spreadsheets leave them
    assert table(tmp_path, 'a\r"x\ry"\rz\r') == [("line 3", {"a": "x\ry"}), ("line 4", {"a": "z"})]
    assert table(tmp_path, "a\n") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r'line 1: the header must name the columns a once each.*\("a" 0 times\); see there'),
        ("a,b,c,b\n", r'line 1: .*"a,b,c,b" \("b" 2 times\)'),
        ("a,b\n1,2\n", "line 1: the columns b and c go together"),
        ("a,z\n1\n", "line 2: 2 cells were expected, got 1"),
        ("a,z\n1,2,3\n", "line 2: 2 cells were expected, got 3"),
        ('a\n"1\n', "no valid CSV"),
        ("x" * 5000 + "\n", "xxx…"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=rf"t\.csv.*{words}") as caught:
        table(tmp_path, text)
    assert len(str(caught.value)) < 500


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=2, max_size=2))
def test_a_written_row_is_read_back(tmp_path_factory: pytest.TempPathFactory, cells: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "row.csv"
    assume("".join(cells).strip())
    path.write_text(csv_row(["a", "b"]) + csv_row(cells), encoding="utf-8", newline="")
    ((_, row),) = read_rows(path, "table", ["a", "b"])
    assert [row["a"], row["b"]] == cells


@pytest.mark.parametrize(
    "value", ["", "nan", "inf", "-Infinity", "1_000", "0x10", "1,5", "12 13", "1e400", "٣", None, True, [], 10**400]
)
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(InputError, match=r'"a\.csv", line 3: x must be a number, got'):
        number(value, "x", Path("a.csv"), "line 3")


@pytest.mark.parametrize(
    ("value", "expected"), [(" 3 ", 3), ("-.5", -0.5), ("+1.", 1), ("1E2", 100), (7, 7), (-0.5, -0.5)]
)
def test_numbers_are_read_of_text_and_of_json(value: object, expected: float) -> None:
    assert number(value, "x", Path("a.csv"), "line 3") == expected


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: number("-1", "x", Path("a"), "k", least=0), "x must not be negative, got -1"),
        (lambda: number("1", "x", Path("a"), "k", least=2), "x must be 2 or more, got 1"),
        (lambda: number("-1e9", "x", Path("a"), "k"), "x is -1e.09, which lies in no image"),
        (lambda: number(1.5, "x", Path("a"), "k", whole=True), "x must be a whole number, got 1.5"),
        (lambda: number("8", "x", Path("a"), "k", least=0, limit=7, whole=True), "a whole number from 0 to 7, got '8'"),
    ],
)
def test_a_number_out_of_its_range_is_refused(call: Callable[[], float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()


@pytest.mark.parametrize(
    ("names", "used", "heads"),
    [
        ([], (), set()),
        (["head"], (), {0}),
        (["hat", "Head"], (0, 1), {1}),
        (["hat", "human_head", "HEADS"], (0,), {1, 2}),
        (["objects", "person"], (1,), {1}),
        (["person"], (), {0}),
        (["hat", "hut"], (), set()),
    ],
)
def test_which_class_is_the_head(names: list[str], used: tuple[int, ...], heads: set[int]) -> None:
    assert head_classes(names, set(used), "here") == heads


@pytest.mark.parametrize(
    ("names", "used", "words"),
    [
        (["hat", "hut"], (0, 1), 'may be any of hat, hut: call it "head"'),
        (["hat", "car"], (1,), "is car, which is no head"),
        (["Traffic-Lights"], (0,), "is Traffic-Lights, which is no head"),
    ],
)
def test_cars_are_never_heads(names: list[str], used: tuple[int, ...], words: str) -> None:
    with pytest.raises(InputError, match=f"here: the class to be counted {words}"):
        head_classes(names, set(used), "here")
