"""`headcount datasets convert`: exit codes, 80 columns, and what is said of what is not kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from headcount.cli.main import app
from headcount.core.errors import InputError
from headcount.data.formats.table import FORMATS

BOXES = "image,x1,y1,x2,y2,provenance\na.png,1,2,5,6,pseudo\nb.png,,,,,\n"


def run(arguments: list[str]) -> Result:
    return CliRunner().invoke(app, ["datasets", *arguments])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    for name in "ab":
        Image.new("RGB", (8, 6)).save(tmp_path / f"{name}.png")
    (tmp_path / "boxes.csv").write_text(BOXES)
    return tmp_path


def convert(folder: Path, source: str, target: str, *options: str) -> tuple[int, list[str]]:
    result = run(["convert", f"boxes={folder / source}", str(folder / target), *options])
    if isinstance(result.exception, InputError):
        raise result.exception
    return result.exit_code, result.output.splitlines()


def test_the_formats_are_those_of_the_table_that_can_be_written(folder: Path) -> None:
    words = set(run(["convert", "--help"]).output.replace(",", " ").replace(".", " ").split())
    assert {row.name for row in FORMATS.values() if row.writer} <= words
    assert "video" not in words
    refused = run(["convert", "boxes=boxes.csv", "out", "--to", "yollo"])
    assert isinstance(refused.exception, InputError)
    assert str(refused.exception) == 'There is no "yollo" for --to. Did you mean "yolo"?'


def test_all_is_kept_and_that_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    arguments = ["convert", "boxes=boxes.csv", "out.json", "--to", "coco"]
    assert run(arguments).output == "wrote out.json: 2 images, 1 head\n"
    with pytest.raises(InputError, match="exists already"):
        convert(folder, "boxes.csv", "out.json", "--to", "coco")
    assert convert(folder, "boxes.csv", "out.json", "--to", "coco", "--force")[0] == 0


def test_what_is_not_kept_is_said_in_80_columns(folder: Path) -> None:
    code, lines = convert(folder, "boxes.csv", "yolo", "--to", "yolo", "--copy-images")
    assert code == 0
    assert lines[1:3] == ["coordinates come back to within 0.01 px", "not kept:"]
    assert lines[3].startswith("          1 in 1 image         boxes that are not annotated")
    assert all(len(line) <= 80 for line in lines[1:])
    assert not (folder / "yolo/images/train/a.png").is_symlink()


def test_images_left_out_exit_with_1(folder: Path) -> None:
    (folder / "points.csv").write_text("image,x,y\na.png,1,2\nb.png,,\n")
    source = ["convert", f"points={folder / 'points.csv'}", str(folder / "voc"), "--to", "voc"]
    result = run(source)
    assert result.exit_code == 1
    assert "left out: 1 image" in result.output
    assert "heads without a box" in result.output
