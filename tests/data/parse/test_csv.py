"""Cells that spreadsheets compute nothing in, and that programs read back as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.data.formats.head_list import read_points, write_points
from headcount.data.formats.predictions import PredictionFile
from headcount.data.parse.csv import plain_cell, text_of_cell

FORMULAS = ("=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠1", "'=1", "''=1")


@given(st.one_of(st.text(max_size=8), st.text(alphabet="'=+-@\t\r\n＝a", max_size=6)))
def test_a_cell_is_no_formula_and_gives_its_text_back(text: str) -> None:
    cell = plain_cell(text)
    assert isinstance(cell, str)
    assert not cell.startswith(tuple("=+-@\t\r\n＝＋－＠"))
    assert text_of_cell(cell) == text


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_gets_an_apostrophe_and_numbers_none(text: str) -> None:
    assert plain_cell(text) == f"'{text}"
    assert plain_cell(-1.5) == -1.5
    assert plain_cell("it's 1=1") == "it's 1=1"


def test_results_on_images_of_such_names_are_gone_on_with(tmp_path: Path) -> None:
    names = [f"{name}.png" for name in FORMULAS]
    with PredictionFile(tmp_path / "a.csv") as file:
        for name in names:
            file.add(Prediction(count=2, size_wh=(9, 9), model="=m", runtime="r", source=name))
    before = (tmp_path / "a.csv").read_bytes()
    with PredictionFile(tmp_path / "a.csv", resume=True) as file:
        assert [row.source for row in file.rows_before] == names
        assert {row.model for row in file.rows_before} == {"=m"}
        file.keep(file.rows_before)
    assert (tmp_path / "a.csv").read_bytes() == before


def test_heads_on_images_of_such_names_come_back(tmp_path: Path) -> None:
    scenes = []
    for name in ("=1+1.png", "-1.png", "@a.png", "a=1.png"):
        Image.new("RGB", (9, 9)).save(tmp_path / name)
        scenes.append(Scene(tmp_path / name, points_xy=np.array([[1.0, 2.0]]), source=name))
    write_points(scenes, tmp_path / "heads.csv")
    rows = (tmp_path / "heads.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["./=1+1.png", "./-1.png", "./@a.png", "a=1.png"]
    assert [Path(str(scene.image)) for scene in read_points(tmp_path / "heads.csv")] == [
        scene.image for scene in scenes
    ]
