"""The study of interpolated head sizes: what it hides, what it keeps, what it prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture
def study(benchmark_named: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_named("interpolation")


def _hall(heads: int, slope: float) -> NDArray[np.float64]:
    """Heads in a row away from the camera, their sizes a line over y."""
    y = np.linspace(100, 900, heads)
    half = 10 + slope * y
    return np.stack([300 - half, y - half, 300 + half, y + half], axis=1)


def test_a_line_is_found_and_one_size_is_not_enough(study: ModuleType) -> None:
    errors = study.study([_hall(20, 0.05), _hall(9, 0.05), _hall(2, 0.05), np.zeros((0, 4))], 8, study.far_to_near)
    assert {len(values) for values in errors.values()} == {12 + 1}
    assert np.median(errors["linear"]) < 1e-9
    assert np.median(errors["y-axis"]) < 0.05 < np.median(errors[study.SAME_SIZE])


def test_draws_are_nested_and_those_of_an_image_alone(study: ModuleType) -> None:
    boxes = _hall(20, 0.05)
    assert study.at_random(boxes, 3, 7).tolist() == study.at_random(boxes, 8, 7)[:3].tolist()
    assert study.at_random(boxes, 8, 7).tolist() != study.at_random(boxes, 8, 8).tolist()
    assert study.far_to_near(boxes, 2, 0).tolist() == [5, 15]


def test_the_table_fits_80_columns_and_ends_where_nothing_is_hidden(study: ModuleType) -> None:
    lines = list(study.table([_hall(5, 0.05)], study.at_random))
    assert len(lines) == 1 + 4
    assert max(map(len, lines)) <= 80
    assert len(list(study.table([], study.at_random))) == 1


def test_a_data_set_without_boxes_is_refused(study: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("image,x,y\n")
    with pytest.raises(SystemExit, match="no image of"):
        study.main(["--data", f"points={tmp_path / 'p.csv'}", "--split", "test"])
    with pytest.raises(SystemExit, match="no data set"):
        study.main(["--data", "pionts=x"])
