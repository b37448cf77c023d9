"""The accept file: what is accepted is no problem, more of it is one again, and nothing in the file is lost."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.data.audit.accepted import FILE_NAME, accept, beside, judge, key_of, read_accepted
from headcount.data.audit.findings import CODES, NOTES, Finding

PROBLEMS = sorted(set(CODES) - NOTES)


def found(root: Path) -> list[Finding]:
    return [
        Finding("point-outside", str(root / "images" / "a b.jpg"), "", 3),
        Finding("count-differs", str(root), ""),
        Finding("count-differs", str(root), ""),
        Finding("no-heads", str(root / "images" / "a b.jpg"), ""),
    ]


def test_nothing_accepted(tmp_path: Path) -> None:
    judged = judge(found(tmp_path), {}, tmp_path)
    assert [len(part) for part in (judged.problems, judged.accepted, judged.notes, judged.stale)] == [3, 0, 1, 0]
    assert judge([], {}, tmp_path).problems == ()


def test_a_round_trip(tmp_path: Path) -> None:
    file = beside(tmp_path)
    assert file == tmp_path / FILE_NAME == beside(tmp_path / "points.csv")
    problems = judge(found(tmp_path), {}, tmp_path).problems
    assert accept(file, problems) == 2
    assert read_accepted(file) == {("point-outside", "images/a b.jpg"): 3, ("count-differs", "."): 2}
    judged = judge(found(tmp_path), read_accepted(file), tmp_path)
    assert judged.problems == judged.stale == ()
    assert judged.accepted == problems


def test_more_than_accepted_is_a_problem_again(tmp_path: Path) -> None:
    key = ("point-outside", "images/a b.jpg")
    judged = judge(found(tmp_path), {key: 2}, tmp_path)
    assert judged.exceeded == {key: 2}
    assert "point-outside" in {finding.code for finding in judged.problems}
    for most in (3, 4, None):
        judged = judge(found(tmp_path), {key: most}, tmp_path)
        assert [finding.code for finding in judged.accepted] == ["point-outside"]
        assert judged.exceeded == {}


def test_what_no_longer_occurs_is_said(tmp_path: Path) -> None:
    assert judge(found(tmp_path), {("box-outside", "x.jpg"): 1}, tmp_path).stale == (("box-outside", "x.jpg"),)


def test_accepting_keeps_what_stands_there(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("# seen by me\npoint-outside b.jpg # the old one")
    accept(file, [Finding("point-repeated", str(tmp_path / "c.jpg"), "", 2)])
    assert file.read_text() == "# seen by me\npoint-outside b.jpg # the old one\npoint-repeated c.jpg 2\n"
    before = file.read_bytes()
    assert accept(file, []) == 0
    assert file.read_bytes() == before


def test_a_later_line_holds(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    file.write_text("point-outside a.jpg 1\npoint-outside a.jpg 5\n")
    assert read_accepted(file) == {("point-outside", "a.jpg"): 5}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("point-outside", "a code, a path"),
        ("point-outside a b c", "a code, a path"),
        ("point-outsid a.jpg", '"point-outside"'),
        (f"{'9' * 500} a.jpg", "999…. is no code"),
        ("point-outside a.jpg many", '"many" is no number'),
        ("point-outside a.jpg 0", '"0" is no number'),
        ("point-outside 'a.jpg", "quotation mark"),
    ],
)
def test_a_malformed_line_is_named_and_nothing_added(tmp_path: Path, line: str, words: str) -> None:
    file = tmp_path / FILE_NAME
    file.write_text(f"# comment\n{line}\n")
    with pytest.raises(InputError, match=f"line 2.*{words}"):
        read_accepted(file)
    with pytest.raises(InputError, match="line 2"):
        accept(file, found(tmp_path))
    assert file.read_text() == f"# comment\n{line}\n"


@pytest.mark.parametrize("name", ["a\nb.jpg", "a\rb c.jpg", "\x1b[31m\x85.jpg", "\udcff\u2028.jpg", "url:a%0A.jpg"])
def test_a_name_that_cannot_be_printed_is_read_back_from_one_line(tmp_path: Path, name: str) -> None:
    finding = Finding("point-outside", str(tmp_path / "in" / name), "", 2)
    file = tmp_path / FILE_NAME
    assert accept(file, [finding]) == accept(file, [finding]) == 1
    lines = file.read_text().splitlines()
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)
    assert read_accepted(file) == {("point-outside", f"in/{name}"): 2}
    assert judge([finding], read_accepted(file), tmp_path).accepted == (finding,)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        read_accepted(tmp_path / "none.txt")


NAMES = st.text(alphabet=string.ascii_letters + string.digits + " '\"#$\\éß人.-", min_size=1, max_size=12).filter(
    lambda name: name.strip(".") == name and name
)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(PROBLEMS), NAMES, st.integers(1, 50)), max_size=6))
def test_whatever_is_accepted_is_accepted(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, int]]
) -> None:
    root = tmp_path_factory.mktemp("accepted")
    findings = [Finding(code, str(root / name), "", times) for code, name, times in rows]
    accept(root / FILE_NAME, findings)
    known = read_accepted(root / FILE_NAME) if findings else {}
    judged = judge(findings, known, root)
    assert judged.problems == judged.stale == ()
    assert set(known) == {key_of(finding, root) for finding in findings}
