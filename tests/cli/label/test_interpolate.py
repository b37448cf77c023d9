"""`headcount label`: every head gets a box, and who does not is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from headcount.data.formats.head_list import read_boxes, read_points

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a", "b", "c"):
        Image.new("RGB", (100, 80)).save(tmp_path / f"{name}.png")
    (tmp_path / "points.csv").write_text("image,x,y\na.png,20,20\na.png,50,40\na.png,50,60\nb.png,5,5\nc.png,,\n")
    (tmp_path / "presets.csv").write_text("image,x1,y1,x2,y2\na.png,45,35,55,45\na.png,10,50,30,70\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def test_boxes_are_written_and_what_was_not_as_asked_is_said(folder: Path, run_cli: Run) -> None:
    code, out, err = run_cli("label", "interpolate", "points.csv", "presets.csv", "out.json")
    assert code == 1  # some images were left out
    assert out == "wrote out.json: 3 heads on 2 images, 1 as drawn, 2 interpolated\n"
    assert "left out, no preset serves them: 1 image (b.png); draw one there, or share presets with --share\n" in err
    assert "1 preset with no point inside" in err
    first, empty = read_boxes(folder / "out.json")
    assert first.box_provenance == ("interpolated", "annotated", "interpolated")
    assert first.points_xy.tolist() == [[20, 20], [50, 40], [50, 60]]
    assert empty.name == "c.png"
    assert read_points(folder / "out.json")[0].count == 3


@pytest.mark.parametrize("method", ["nearest", "y-axis", "linear"])
def test_shared_presets_serve_every_image(folder: Path, run_cli: Run, method: str) -> None:
    arguments = ("label", "interpolate", "points.csv", "presets.csv", "out.csv", "--share", "all")
    code, out, _ = run_cli(*arguments, "--method", method)
    assert (code, out) == (0, "wrote out.csv: 4 heads on 3 images, 1 as drawn, 3 interpolated\n")


def test_nothing_is_overwritten_unasked_and_no_input_ever(folder: Path, run_cli: Run) -> None:
    arguments = ("label", "interpolate", "points.csv", "presets.csv")
    (folder / "out.csv").write_text("mine")
    code, _, err = run_cli(*arguments, "out.csv")
    assert (code, (folder / "out.csv").read_text()) == (2, "mine")
    assert "--force" in err
    for name in ("points.csv", "presets.csv"):
        before = (folder / name).read_text()
        assert run_cli(*arguments, f"../{folder.name}/{name}", "--force")[0] == 2
        assert (folder / name).read_text() == before
    assert run_cli(*arguments, "out.csv", "--force")[0] == 1
    assert len(read_boxes(folder / "out.csv")) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.csv", "presets.csv", "out.csv"), "no points file"),
        (("points.csv", "none.csv", "out.csv"), "no boxes file"),
        (("points.csv", "points.csv", "out.csv"), 'line 1: the header must name the columns image,x1'),
        (("points.csv", "presets.csv", "out.txt"), ".csv or .json"),
        (("points.csv", "presets.csv", "none/out.csv"), "no folder"),
        (("points.csv", "presets.csv", "out.csv", "--k", "0"), "--k"),
    ],
)  # fmt: skip
def test_bad_input_ends_in_one_sentence(folder: Path, run_cli: Run, arguments: tuple[str, ...], words: str) -> None:
    code, out, err = run_cli("label", "interpolate", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert not (folder / "out.csv").exists()
