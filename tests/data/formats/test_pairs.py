"""Pairing by names: order, suffixes in any case, and what has no partner."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.data.formats.folders import folders_in
from headcount.data.formats.pairs import files_by_name, images_by_name, pair
from headcount.data.formats.raw import RawAnnotation


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a10.jpg", "a9.JPG", ".a8.jpg", "a9_ann.mat", "b_ann.mat", "c.mat", "note.txt"):
        (tmp_path / name).touch()
    return tmp_path


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    assert files_by_name(tmp_path, "*.jpg") == files_by_name(tmp_path / "none", "*.jpg") == {}
    assert pair({}, {}, read) == folders_in(tmp_path) == folders_in(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["*.jpg"], ["a9", "a10"]),
        (["a#.jpg", "c.mat"], ["a9", "a10", "c"]),
        (["{*}_ann.mat"], ["a9", "b"]),
        (["a{#}_ann.mat"], ["9"]),
        (["a.jpg", "[a-z].mat", "A9.JPG"], []),
    ],
)
def test_numbers_are_in_order_and_a_pattern_says_what_is_the_name(
    folder: Path, patterns: list[str], names: list[str]
) -> None:
    assert list(files_by_name(folder, *patterns)) == names
    assert list(images_by_name(folder)) == ["a9", "a10"]


def test_a_folder_that_may_not_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match=re.escape(f'The folder "{folder}" cannot be read (Permission denied)')):
        files_by_name(folder, "*.jpg")


def read(path: Path, attributes: dict[str, str] | None = None) -> RawAnnotation:
    return RawAnnotation(points_xy=np.zeros((len(path.stem), 2)), attributes=attributes or {})


def test_every_file_is_in_one_scene(folder: Path) -> None:
    truths = files_by_name(folder, "{*}_ann.mat")
    known = {"b": {"weather": "rain"}}
    scenes = pair(images_by_name(folder), truths, read, split="val", group=lambda name: name[0], attributes=known)
    assert [(scene.name, scene.split, scene.group) for scene in scenes] == [
        ("val/a9", "val", "a"), ("val/a10", "val", "a"), ("val/b", "val", "b"),
    ]  # fmt: skip
    assert [(scene.image is None, scene.annotation is None) for scene in scenes] == [
        (False, False), (False, True), (True, False),
    ]  # fmt: skip
    assert [len(scene.read().heads_xy) for scene in scenes] == [6, 0, 5]
    assert scenes[2].read().attributes == {"weather": "rain"}
    assert pair({"x": folder}, {}, read)[0].name == "x"
    assert pair({"x": folder}, {}, read, split="val", folder="clip")[0].name == "clip/x"
