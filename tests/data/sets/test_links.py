"""Links that lead nowhere and files that may not be read, in every format: named by check, reading and converting."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.data.audit.check import check_dataset
from headcount.data.formats.table import FORMATS
from headcount.data.sets.convert import convert_dataset, convert_scenes
from headcount.data.sets.registry import read_set

CLOSED = getattr(os, "geteuid", int)() == 0
WRITTEN = [row.name for row in FORMATS.rows() if row.writes]


def written(folder: Path, name: str) -> tuple[str, list[Path]]:
    """A set of three images in a format: as it is named, and where its own images lie."""
    (folder / "in").mkdir()
    scenes = []
    for number in range(3):
        path = folder / "in" / f"{number}.png"
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (96, 128), dtype=np.uint8)).save(path)
        box = np.array([[10.0, 10, 20, 20]])
        scenes.append(Scene(path, (box[:, :2] + box[:, 2:]) / 2, box, name=path.name))
    form = FORMATS[name]
    path = folder / "out" / f"set{form.file_suffixes[0] if form.file_suffixes else ''}"
    convert_scenes(scenes, name, path, copy_images=True)
    images = sorted(path for path in (folder / "out").rglob("*.png") if path.is_file())
    assert len(images) == 3
    return f"{name}={path}", images


def named_by_all(spec: str, words: str, folder: Path) -> None:
    """The one bad image is told by each, and the other two are used."""
    read = read_set(spec, "all")
    assert (len(read.scenes), len(read.skipped)) == (2, 1)
    assert words in read.skipped[0].text
    # YOLO's annotation cannot be read without the size of its image: there are two problems then.
    assert {words in one.message for one in check_dataset(spec) if one.is_problem} == {True}
    report = convert_dataset(spec, "points", folder / "p.csv")
    assert (report.images, report.left_out, len(report.skipped)) == (2, 1, 1)


@pytest.mark.parametrize("target", ["gone.png", "1.png"])
@pytest.mark.parametrize("name", WRITTEN)
def test_an_image_that_is_a_link_to_nowhere_or_to_itself(tmp_path: Path, name: str, target: str) -> None:
    spec, images = written(tmp_path, name)
    images[1].unlink()
    images[1].symlink_to(target)
    named_by_all(spec, "is a link that leads nowhere", tmp_path)


@pytest.mark.parametrize("name", ["yolo", "voc", "labelme"])
def test_an_annotation_that_is_a_link_to_nowhere_is_never_taken_for_nobody(tmp_path: Path, name: str) -> None:
    spec, _ = written(tmp_path, name)
    suffix = {"yolo": "txt", "voc": "xml", "labelme": "json"}[name]
    (file,) = (tmp_path / "out").rglob(f"1.{suffix}")
    file.unlink()
    file.symlink_to("gone")
    named_by_all(spec, "leads nowhere", tmp_path)


@pytest.mark.skipif(CLOSED, reason="nothing is closed to the system's administrator")
@pytest.mark.parametrize("name", WRITTEN)
def test_an_image_behind_a_closed_folder(tmp_path: Path, name: str) -> None:
    spec, images = written(tmp_path, name)
    closed = tmp_path / "closed"
    closed.mkdir()
    images[1].rename(closed / "a.png")
    images[1].symlink_to(closed / "a.png")
    closed.chmod(0)
    try:
        named_by_all(spec, "may not be read", tmp_path)
    finally:
        closed.chmod(0o755)


@pytest.mark.skipif(CLOSED, reason="nothing is closed to the system's administrator")
@pytest.mark.parametrize("name", [name for name in WRITTEN if FORMATS[name].folder])
def test_a_closed_folder_is_said_to_be_closed(tmp_path: Path, name: str) -> None:
    spec, _ = written(tmp_path, name)
    folder = tmp_path / "out"
    folder.chmod(0)
    try:
        for use in (read_set, check_dataset):
            with pytest.raises(InputError, match=r"Permission denied|may not be read"):
                use(spec, *(["all"] if use is read_set else []))  # type: ignore[operator]
    finally:
        folder.chmod(0o755)
