"""Folders and patterns: each real folder is walked once, names are taken as they are, what is closed is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headcount.core.errors import InputError
from headcount.data.media.folders import as_pattern, folders_below, list_folder, matches, naturally


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        "a/1.jpg",
        "a/10.jpg",
        "a/2.jpg",
        "a/b/3.jpg",
        "c/4.png",
        "a/.h/5.jpg",
        "a/.6.jpg",
        "x[1]/7.jpg",
        "x1/8.jpg",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def met(pattern: str) -> list[str]:
    base, parts = as_pattern(pattern)
    return [each.as_posix() for each in matches(base, parts) if isinstance(each, Path)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", ["."]),
        ("*", ["a", "c", "x1", "x[1]"]),
        ("a/*.jpg", ["a/1.jpg", "a/2.jpg", "a/10.jpg"]),
        ("a/?.jpg", ["a/1.jpg", "a/2.jpg"]),
        ("a/[!1]*.jpg", ["a/2.jpg"]),
        ("a/.*", [".h", ".6.jpg"]),
        ("**/*.jpg", ["a/1.jpg", "a/2.jpg", "a/10.jpg", "a/b/3.jpg", "x1/8.jpg", "x[1]/7.jpg"]),
        ("a/**", ["a/1.jpg", "a/2.jpg", "a/10.jpg", "a/b", "a/b/3.jpg"]),
        ("**/b/**/*.jpg", ["a/b/3.jpg"]),
        ("x[1]/*.jpg", ["x[1]/7.jpg"]),
        ("x[1]/[78].jpg", ["x[1]/7.jpg"]),
        ("*/[78].jpg", ["x1/8.jpg", "x[1]/7.jpg"]),
        ("a/../c/*", ["a/../c/4.png"]),
        ("*/../c/4.*", ["a/../c/4.png"]),
        ("*" + "/../*" * 200 + "/4.png", ["a/.." + "/a/.." * 198 + "/a/../c/4.png"]),
        ("[" * 50_000, []),
        ("none/*", []),
        ("a/1.jpg/*", []),
    ],
)
def test_what_a_pattern_meets(tree: Path, pattern: str, expected: list[str]) -> None:
    found = met(pattern)
    if pattern == "a/.*":
        found = [name.removeprefix("a/") for name in found]
    assert sorted(found) == sorted(expected)
    assert found == [each.as_posix() for each in naturally(map(Path, found))]


def test_a_pattern_from_the_root(tree: Path) -> None:
    assert met(f"{tree}/a/*.jpg") == [f"{tree}/a/{name}.jpg" for name in (1, 2, 10)]


@pytest.mark.parametrize("links", [1, 2, 5])
def test_links_to_a_parent_end(tree: Path, links: int) -> None:
    for number in range(links):
        (tree / "a" / "b" / f"up{number}").symlink_to("..")
    (tree / "a" / "b" / "self").symlink_to(".")
    assert met("a/**/*.jpg") == ["a/1.jpg", "a/2.jpg", "a/10.jpg", "a/b/3.jpg"]
    assert met("**/**/*.jpg")[:4] == ["a/1.jpg", "a/2.jpg", "a/10.jpg", "a/b/3.jpg"]


def test_a_folder_is_named_by_its_own_name_before_that_of_a_link(tree: Path) -> None:
    (tree / "0").symlink_to("c")
    assert met("**/*.png") == met("*/*.png") == ["c/4.png"]
    (tree / "elsewhere").mkdir()
    (tree / "elsewhere" / "9.png").touch()
    (tree / "c" / "link").symlink_to("../elsewhere")
    assert met("c/**/*.png") == ["c/4.png", "c/link/9.png"]


def test_each_folder_once(tree: Path) -> None:
    folders = [str(each) for each in folders_below(Path("a"))]
    assert folders == ["a", "a/b"]


def test_what_is_there_is_no_pattern(tree: Path) -> None:
    assert as_pattern("x[1]/7.jpg") == (Path("x[1]/7.jpg"), [])
    assert as_pattern("x[1]/9.jpg") == (Path("x[1]/9.jpg"), [])
    assert as_pattern("x[2]/*.jpg") == (Path(), ["x[2]", "*.jpg"])


def test_a_folder_that_cannot_be_read_is_named(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = os.listdir

    def closed(folder: object) -> list[str]:
        if str(folder).endswith("b"):
            raise PermissionError(13, "Permission denied")
        return listed(folder)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(os, "listdir", closed)
    with pytest.raises(InputError, match=r'The folder "a/b" cannot be read \(Permission denied\)'):
        list_folder(Path("a/b"))
    for pattern in ("**/*.jpg", "**/**/*.jpg", "a/b/*", "a/*/*"):
        problems = [str(each) for each in matches(*as_pattern(pattern)) if isinstance(each, InputError)]
        assert problems == ['The folder "a/b" cannot be read (Permission denied).']
    assert [str(each) for each in folders_below(Path("a"))][:2] == ["a", "a/b"]
