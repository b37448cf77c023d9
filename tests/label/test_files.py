"""From a file of points to a file of boxes: what is written, what is told, what is refused before any work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.notes import Note
from headcount.core.scene import Scene
from headcount.label.files import estimate_file, interpolate_file


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        Image.new("RGB", (100, 80)).save(f"{name}.png")
    Path("points.csv").write_text("image,x,y\na.png,20,20\na.png,50,40\nb.png,5,5\n")
    Path("presets.csv").write_text("image,x1,y1,x2,y2\na.png,45,35,55,45\na.png,60,60,70,70\nc.png,1,1,5,5\n")
    return tmp_path


def test_notes_tell_what_was_not_as_asked_for(folder: Path) -> None:
    result, notes = interpolate_file(Path("points.csv"), Path("presets.csv"), Path("out.csv"), k=3)
    assert [scene.name for scene in result.scenes] == ["a.png"]
    assert notes == [
        Note("left out, no preset serves them: 1 image (b.png); draw one there", "share"),
        Note("fewer than 3 presets, all of them used: 1 image (a.png)"),
        Note('presets on images that "points.csv" does not name, not used: 1 image (c.png)'),
        Note("1 preset with no point inside: used for sizes, not written"),
    ]
    _, notes = interpolate_file(
        Path("points.csv"), Path("presets.csv"), Path("out.csv"), method="linear", k=3, share="all", overwrite=True
    )
    assert [note.text.partition(":")[0] for note in notes] == [
        'presets on images that "points.csv" does not name, not written', "1 preset with no point inside",
    ]  # fmt: skip


def test_an_image_of_the_points_that_cannot_be_used_is_left_out_and_named(folder: Path) -> None:
    Path("points.csv").write_text("image,x,y\na.png,20,20\na.png,50,40\nnone.png,5,5\n")
    result, notes = interpolate_file(Path("points.csv"), Path("presets.csv"), Path("out.csv"), k=1)
    assert [scene.name for scene in result.scenes] == ["a.png"]
    assert "none.png" in result.left_out
    assert notes[0].text.startswith("left out: ")
    assert 'there is no image "none.png"' in notes[0].text
    Path("points.csv").write_text("image,x,y\nnone.png,5,5\n")
    with pytest.raises(InputError, match="there is no image"):
        interpolate_file(Path("points.csv"), Path("presets.csv"), Path("new.csv"))


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("out.txt", "written as .csv or .json"),
        ("points.csv", "is read here too"),
        ("./points.csv", "is read here too"),
        ("none/out.csv", "no folder"),
        ("taken.csv", "exists already"),
    ],
)
def test_an_unfit_file_is_refused_before_anything_is_read(folder: Path, out: str, words: str) -> None:
    Path("taken.csv").touch()
    with pytest.raises(InputError, match=words):
        interpolate_file(Path("points.csv"), Path("no.csv"), Path(out))
    with pytest.raises(InputError, match=words):
        estimate_file("no-model", "points.csv", Path(out))


def test_an_image_that_cannot_be_measured_is_named_and_the_rest_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def box(scene: Scene) -> Scene:
        if scene.name == "a.png":
            raise InputError("a.png is damaged.")
        sides = np.concatenate([scene.points_xy - 2, scene.points_xy + 2], axis=1)
        return replace(scene, boxes_xyxy=sides, box_provenance=("pseudo",) * scene.count)

    monkeypatch.setattr("headcount.label.files.load_sizes", lambda *_, **__: SimpleNamespace(box=box))
    Path("points.csv").write_text("image,x,y\na.png,20,20\nb.png,5,5\nnone.png,1,1\n")
    read = estimate_file("m", "points.csv", Path("out.csv"), split="all")
    assert [scene.name for scene in read.scenes] == ["b.png"]
    assert [one.name for one in read.skipped] == ["none.png", "a.png"]
    assert Path("out.csv").read_text().count("b.png") == 1
    Path("points.csv").write_text("image,x,y\na.png,20,20\n")
    with pytest.raises(InputError, match=r"a\.png is damaged"):
        estimate_file("m", "points.csv", Path("none.csv"), split="all")
    assert not Path("none.csv").exists()
