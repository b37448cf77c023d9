"""What was reached beside the rows of a paper that are of the same data and split."""

from __future__ import annotations

import numpy as np
import pytest

from headcount.evaluate.metrics.counting import counting_result
from headcount.evaluate.metrics.localization import evaluate_localization
from headcount.evaluate.metrics.located import ImagePoints
from headcount.evaluate.metrics.scenes import SceneErrors, ScenesResult
from headcount.evaluate.published import compare, reached
from headcount.train.recipe import Published, published_rows

ROWS = (
    Published(row="Table 1, ours", data="nwpu-crowd", split="val", f1=80, mae=55.6, nae=0.197),
    Published(row="Table 2, a network with a very long name", data="nwpu-crowd", split="val", f1=7),
    Published(row="Table 9", data="nwpu-crowd", split="test", f1=76),
)


@pytest.fixture
def results() -> dict[str, object]:
    image = ImagePoints(
        "a", np.array([[0.0, 0], [50, 50]]), np.array([[1.0, 1]]), np.array([3.0]), np.array([4.0]), np.array([1])
    )
    located = evaluate_localization([image])
    return {"localization": located, "counting": counting_result([2.0, 1.0], [1, 0]), "game": None}


def test_what_is_reached(results: dict[str, object]) -> None:
    found = reached(results)
    assert found == pytest.approx({"F1": 200 / 3, "precision": 50, "recall": 100, "MAE": 1, "RMSE": 1, "NAE": 1})
    nobody = {"counting": counting_result([1.0], [0])}
    assert reached(nobody) == {"MAE": 1, "RMSE": 1}
    without_boxes = evaluate_localization([ImagePoints("a", np.zeros((1, 2)), np.zeros((1, 2)))])
    assert reached({"localization": without_boxes}) == {}


def test_the_lines_stand_below_one_another(results: dict[str, object]) -> None:
    compared = compare("mine", ROWS, results, "nwpu-crowd", "val")
    head, columns, here, first, title, second = compared.lines()
    assert "mine" in head
    assert columns.split() == ["F1", "MAE", "NAE"]
    assert here.split() == ["reached", "here", "66.7", "1.0", "1.000"]
    assert first.split() == ["Table", "1,", "ours", "80.0", "55.6", "0.197"]
    assert (title.strip(), second.split()) == (ROWS[1].row, ["7.0", "–", "–"])
    assert len({len(line) for line in (columns, here, first, second)}) == 1
    assert [row["row"] for row in compared.to_dict()["published"]] == [ROWS[0].row, ROWS[1].row]


def test_other_data_is_said(results: dict[str, object]) -> None:
    (line,) = compare("mine", ROWS, results, "fdst", "test").lines()
    assert line == "published of mine: nothing of this data and split, only of nwpu-crowd val, nwpu-crowd test"
    assert len(compare("mine", ROWS, results, "nwpu-crowd", "").rows) == 3


def test_a_shipped_recipe(results: dict[str, object]) -> None:
    lines = compare("x", published_rows("iim-nwpu-hrnet-box"), results, "nwpu-crowd", "").lines()
    assert max(map(len, lines)) <= 80
    assert any("80.2" in line and "330.9" in line for line in lines)


def test_the_scenes_of_a_paper_stand_beside_those_reached() -> None:
    scenes = tuple(
        SceneErrors(name=f"{k}", number=k if k < 3 else None, images=2, mean_count=9, mae=k, rmse=k, bias=0)
        for k in (1, 2, 3)
    )
    results = {"counting": counting_result([2.0], [1]), "scenes": ScenesResult(scenes)}
    assert reached(results) == {"MAE": 2, "RMSE": 2, "NAE": 1, "S1": 1, "S2": 2}
    lines = compare("x", published_rows("man-worldexpo10-csr"), results, "worldexpo10", "test").lines()
    assert lines[1].split() == ["MAE", "S1", "S2", "S3", "S4", "S5"]
    assert lines[2].split()[2:] == ["2.0", "1.0", "2.0", "–", "–", "–"]
    assert lines[3].split()[-6:] == ["8.3", "2.2", "11.5", "11.6", "13.9", "2.5"]
    assert max(map(len, lines)) <= 80
