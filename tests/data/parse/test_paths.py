"""Written names of images: by which rule each is found, and that guesses never lead out of the folder."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.data.parse.paths import Finder, near_name, relative

CAFE = unicodedata.normalize("NFD", "café")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    for name in (
        "a.jpg", "sub/b.JPG", "two words.png", f"{CAFE}/é.png", "twice.jpg", "twice.png", "100%.png", "x%20y.png",
        "images/train/c.jpg", "images/v1.2.jpg", "note.txt",
    ):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (tmp_path / "secret.png").touch()
    return root


@pytest.mark.parametrize(
    ("name", "found", "rule"),
    [
        ("a.jpg", "a.jpg", ""),
        ("./sub/../a.jpg", "a.jpg", ""),
        ("../secret.png", "../secret.png", ""),
        ("100%.png", "100%.png", ""),
        ("x%20y.png", "x%20y.png", ""),
        ("images/train/c.jpg", "images/train/c.jpg", ""),
        (r"sub\b.JPG", "sub/b.JPG", "backslashes"),
        (r".\a.jpg", "a.jpg", "backslashes"),
        (r"..\secret.png", "../secret.png", "backslashes"),
        ("two%20words.png", "two words.png", "percent codes"),
        ("caf\u00e9/\u00e9.png", f"{CAFE}/é.png", "another form of Unicode"),
        ("caf%C3%A9/%C3%A9.png", f"{CAFE}/é.png", "percent codes, another form of Unicode"),
        ("a.png", "a.jpg", "another suffix"),
        ("a", "a.jpg", "another suffix"),
        ("sub/b.jpg", "sub/b.JPG", "another suffix"),
        (r"sub\b.bmp", "sub/b.JPG", "another suffix"),
        ("images/v1.2", "images/v1.2.jpg", "another suffix"),
        ("/home/me/set/sub/b.JPG", "sub/b.JPG", "the end of the path"),
        (r"C:\data\images\train\c.jpg", "images/train/c.jpg", "the end of the path"),
        ("/data/two%20words.png", "two words.png", "percent codes, the end of the path"),
        ("/elsewhere/a.bmp", "a.jpg", "the end of the path, another suffix"),
        (r"1\images/train/c.jpg", "images/train/c.jpg", "the end of the path"),
        ("https://host:80/x/sub/b.JPG?v=1", "sub/b.JPG", "the end of the path"),
        ("/data/local-files/?d=images%2Ftrain/c.jpg", "images/train/c.jpg", "percent codes, the end of the path"),
        ("/data/upload/3/0a1b2c3d-a.jpg", "a.jpg", "the name before it was uploaded"),
        ("images/0a1b2c3d-v1.2.jpg", "images/v1.2.jpg", "the name before it was uploaded"),
    ],
)
def test_a_name_is_found_by_the_first_rule_that_meets_a_file(folder: Path, name: str, found: str, rule: str) -> None:
    place = Finder([folder]).find(name)
    assert (relative(place.path, folder), place.rule) == (found, rule)
    assert place.path.is_file()
    assert place.name == (name if not rule else found if rule != "backslashes" else name.replace("\\", "/"))


@pytest.mark.parametrize(
    "name",
    [
        "none.jpg", "twice", "twice.bmp", "note", "%2e%2e/secret.png", "..%2Fsecret.png", "/x/../../secret.png",
        "../secret.bmp", "b.JPG", "x" * 5000, "%00",
    ],
)  # fmt: skip
def test_what_is_not_there_or_not_one_alone_is_missing(folder: Path, name: str) -> None:
    place = Finder([folder]).find(name)
    assert (place.rule, place.name) == ("missing", name)
    assert not place.path.name or len(name) > 999 or not place.path.exists()


def test_the_first_folder_wins_and_a_miss_is_said_where_others_are(folder: Path) -> None:
    (folder / "images/a.jpg").touch()
    finder = Finder([folder / "none", folder / "images", folder])
    assert finder.find("none.jpg").path == folder / "none/none.jpg"
    assert finder.find("a.jpg").path == folder / "images/a.jpg"
    assert finder.find("sub/b.JPG").path == folder / "sub/b.JPG"
    assert finder.find("none.jpg").path == folder / "images/none.jpg"


def test_two_names_are_never_one_file_by_their_ends(folder: Path) -> None:
    finder = Finder([folder])
    assert [finder.find(name).rule for name in ("x/a.jpg", "y/a.jpg", "x/a.jpg", "a.jpg")] == [
        "the end of the path", "missing", "the end of the path", "",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["", " ", "a\0.jpg", None, 3, "/", "../" * 60])
def test_what_is_no_name_is_refused_by_its_place(folder: Path, name: object) -> None:
    with pytest.raises(InputError, match=r'"a\.csv", line 2: .*(name of an image file|names no file)'):
        Finder([folder]).image(name, Path("a.csv"), "line 2")


def test_the_nearest_name_is_told(folder: Path) -> None:
    assert near_name(folder / "aa.jpg") == ' Did you mean "a.jpg"?'
    assert near_name(folder / "q.webp") == ""
    assert "There is no folder" in near_name(folder / "subb/b.jpg")


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("ab./\\%2eC:é~ "), min_size=1, max_size=12))
def test_guesses_stay_below_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    root = tmp_path_factory.getbasetemp() / "finder"
    for inner in ("set/a", "a.png", "set/b.png"):
        (root / inner).parent.mkdir(parents=True, exist_ok=True)
        (root / inner).touch()
    place = Finder([root / "set"]).find(name)
    if place.rule not in ("", "backslashes", "missing"):
        assert place.path.is_relative_to(root / "set")


def test_a_name_that_no_system_takes_is_refused_at_once(folder: Path) -> None:
    with pytest.raises(InputError, match=r'"x", line 1: .*: it has 20,000,000 letters') as caught:
        Finder([folder]).image("a/" * 10_000_000, Path("x"), "line 1")
    assert len(str(caught.value)) < 200


def test_two_uploads_are_never_one_file(folder: Path) -> None:
    finder = Finder([folder])
    assert [finder.find(f"{mark}-a.jpg").rule for mark in ("0a1b2c3d", "1a1b2c3d")] == [
        "the name before it was uploaded", "missing",
    ]  # fmt: skip


def test_what_should_be_in_a_closed_folder_is_said_to_be_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed, looked = os.listdir, Path.stat

    def closed_list(place: Path) -> list[str]:
        if Path(place).name == "images":
            raise PermissionError
        return listed(place)

    def closed_stat(path: Path, **more: bool) -> os.stat_result:
        if path.parent.name == "images":
            raise PermissionError
        return looked(path, **more)

    monkeypatch.setattr(os, "listdir", closed_list)
    monkeypatch.setattr(Path, "stat", closed_stat)
    found = Finder([folder, folder / "images"]).find("gone.jpg")
    assert (found.path, found.rule) == (folder / "images/gone.jpg", "missing")
