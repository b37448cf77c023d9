"""A Scene holds what is known of an image, checked once."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.geometry import as_boxes, as_points
from headcount.core.scene import Scene

PIXELS = np.zeros((6, 8, 3), np.uint8)


@pytest.mark.parametrize(
    ("values", "rows"),
    [([], 0), (np.zeros((0, 2)), 0), (np.zeros(0), 0), ([[1, 2]], 1), (((1.5, 2.5), (0, 0)), 2)],
)
def test_points_of_any_kind_become_float64_rows(values: object, rows: int) -> None:
    points = as_points(values)
    assert (points.shape, points.dtype) == ((rows, 2), np.float64)


@pytest.mark.parametrize(
    ("function", "values", "words"),
    [
        (as_points, [1.0, 2.0], r"\(n, 2\).*\(x, y\).*shape is \(2,\)"),
        (as_points, [[1.0, 2.0, 3.0]], r"\(n, 2\).*\(1, 3\)"),
        (as_points, [[1.0, 2.0], [np.nan, 0.0]], "row 1"),
        (as_points, [[np.inf, 2.0]], "row 0"),
        (as_boxes, [[1.0, 2.0]], r"\(n, 4\).*\(x1, y1, x2, y2\)"),
        (as_boxes, [[0.0, 0.0, 1.0, -np.inf]], "row 0"),
    ],
)
def test_other_shapes_and_infinite_numbers_are_refused(function: object, values: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        function(values)  # type: ignore[operator]


def test_an_empty_scene_counts_nobody() -> None:
    scene = Scene(PIXELS)
    assert (scene.count, scene.points_xy.shape, scene.size_wh) == (0, (0, 2), (8, 6))
    assert (scene.boxes_xyxy, scene.region, scene.box_provenance) == (None, None, ())


def test_the_count_is_the_number_of_points() -> None:
    assert Scene(PIXELS, [[1, 1], [1, 1], [7, 5]]).count == 3  # type: ignore[arg-type]


def test_gray_pixels_become_rgb() -> None:
    assert Scene(np.full((6, 8), 9, np.uint8)).pixels().shape == (6, 8, 3)


def test_pixels_of_another_type_are_refused() -> None:
    with pytest.raises(InputError, match="uint8"):
        Scene(PIXELS.astype(np.float32))  # type: ignore[arg-type]


def test_a_path_as_text_is_no_image() -> None:
    with pytest.raises(InputError, match=r"a str was given: of a file give its pathlib\.Path"):
        Scene("a.jpg")  # type: ignore[arg-type]


def test_a_scene_goes_to_another_process() -> None:
    scene = pickle.loads(pickle.dumps(Scene(PIXELS, [[1, 1]])))  # type: ignore[arg-type]
    assert (scene.count, scene.pixels().tolist()) == (1, PIXELS.tolist())


def test_a_file_is_read_when_asked_for(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "later.png", [[1, 1]])  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"later\.png"):
        scene.pixels()
    Image.fromarray(PIXELS).save(tmp_path / "later.png")
    assert scene.size_wh == (8, 6)
    np.testing.assert_array_equal(scene.pixels(), PIXELS)
    with pytest.raises(InputError, match="over the limit of 40"):
        scene.pixels(max_pixels=40)


def test_each_box_has_one_provenance() -> None:
    boxes = [[0, 0, 1, 1], [1, 1, 2, 2]]
    assert Scene(PIXELS, boxes_xyxy=boxes, box_provenance=("annotated", "pseudo")).box_provenance[1] == "pseudo"  # type: ignore[arg-type]
    with pytest.raises(InputError, match="1 box provenances were given for 2 boxes"):
        Scene(PIXELS, boxes_xyxy=boxes, box_provenance=("annotated",))  # type: ignore[arg-type]


def test_a_scene_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Scene(PIXELS).name = "other"  # type: ignore[misc]
