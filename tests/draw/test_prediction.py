"""What is drawn lies where it was found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.core.geometry import centres
from headcount.core.prediction import Prediction
from headcount.core.region import as_region
from headcount.draw.prediction import caption_of, draw_boxes, draw_density, draw_points


def centroid_xy(weight: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(weight.shape)
    return np.array([(weight * (columns + 0.5)).sum(), (weight * (rows + 0.5)).sum()]) / weight.sum()


@pytest.mark.parametrize("point", [(50.0, 40.0), (50.5, 40.5), (31.25, 22.75), (70.9, 60.1)])
def test_dots_are_centred_to_a_fraction_of_a_pixel(point: tuple[float, float]) -> None:
    image = np.zeros((96, 128, 3), np.uint8)
    drawn = draw_points(image, np.array([point]), radius_px=6.0)
    assert np.abs(centroid_xy(drawn.astype(float).sum(axis=2)) - point).max() < 0.15
    assert not image.any(), "the image given was changed"


@pytest.mark.parametrize("size_wh", [(128, 96), (125, 91), (121, 89)])
@pytest.mark.parametrize("cell", [(0, 0), (3, 5), (11, 15), (7, 2)])
def test_heat_lies_on_its_cell(size_wh: tuple[int, int], cell: tuple[int, int]) -> None:
    stride = 8
    width, height = size_wh
    density = np.zeros((-(-height // stride), -(-width // stride)), np.float32)
    density[cell] = 1
    image = np.full((height, width, 3), 90, np.uint8)
    cold = draw_density(image, np.zeros_like(density), stride)
    heat = np.abs(draw_density(image, density, stride).astype(float) - cold).sum(axis=2)
    x, y = centroid_xy(np.where(heat >= 0.9 * heat.max(), heat, 0))  # of a cut cell only the inner side is seen
    assert cell[1] * stride <= x < (cell[1] + 1) * stride
    assert cell[0] * stride <= y < (cell[0] + 1) * stride


@pytest.mark.parametrize("size_wh", [(1, 1), (3, 700), (700, 3), (33, 33)])
@pytest.mark.parametrize("kind", ["auto", "points", "density"])
def test_any_size_is_drawn(size_wh: tuple[int, int], kind: str) -> None:
    width, height = size_wh
    density = np.full((-(-height // 8), -(-width // 8)), 0.1, np.float32)
    prediction = Prediction(
        float(density.sum()), size_wh, points_xy=np.array([[0.5, 0.5]]), density=density, density_stride=8
    )
    picture = prediction.draw(np.zeros((height, width, 3), np.uint8), kind=kind)  # type: ignore[arg-type]
    assert picture.shape == (height, width, 3)


def test_wrong_image_and_wrong_kind_are_refused() -> None:
    prediction = Prediction(0.0, (10, 10))
    with pytest.raises(InputError, match="10×10"):
        prediction.draw(np.zeros((9, 10, 3), np.uint8))
    with pytest.raises(InputError, match="no density map"):
        prediction.draw(np.zeros((10, 10, 3), np.uint8), kind="density")
    with pytest.raises(InputError, match='Did you mean "density"'):
        prediction.draw(np.zeros((10, 10, 3), np.uint8), kind="densty")  # type: ignore[arg-type]


def test_the_caption_counts_peaks_apart() -> None:
    peaks = Prediction(86.3, (64, 48), points_xy=np.ones((57, 2)), points_kind="peaks", interval=(70, 98.2))
    assert caption_of(peaks) == "86 people, 70 to 99"
    assert caption_of(peaks, marked=True) == "86 people, 70 to 99 (57 peaks marked)"
    assert caption_of(replace(peaks, interval_level=0.9)) == "86 people, 90 %: 70 to 99"
    assert (
        caption_of(Prediction(1, (64, 48), points_xy=np.ones((1, 2)), points_kind="heads"), marked=True) == "1 person"
    )


BOXES = np.array([[20.0, 30.0, 60.0, 70.0], [80.0, 10.0, 90.0, 24.0]])


def test_the_lines_of_boxes_lie_on_their_sides() -> None:
    drawn = draw_boxes(np.zeros((96, 128, 3), np.uint8), BOXES, line_px=1.0)
    shown = drawn.astype(int).sum(axis=2) > 0
    rows, columns = np.nonzero(shown[:, :70])
    assert abs((columns.min() + columns.max() + 1) / 2 - 40) <= 0.5
    assert abs((rows.min() + rows.max() + 1) / 2 - 50) <= 0.5
    assert not shown[35:65, 25:55].any()
    assert not draw_boxes(np.zeros((9, 9, 3), np.uint8), np.zeros((0, 4))).any()


def test_lines_and_dots_are_no_wider_than_small_heads_allow() -> None:
    image = np.zeros((1300, 1300, 3), np.uint8)
    for side, most in ((12, 6), (48, 18)):  # pixels of the two sides of a box that a row crosses
        boxes = np.array([[100.0, 100, 100 + side, 100 + side]])
        assert np.count_nonzero(draw_boxes(image, boxes)[100 + side // 2].any(axis=1)) <= most
    grid = np.array([[x, y] for x in range(200, 240, 8) for y in range(200, 240, 8)], np.float64)
    assert np.count_nonzero(draw_points(image, grid).any(axis=2)[190:250, 190:250]) < 0.8 * 40 * 40


def test_boxes_of_heads_are_what_is_drawn_of_them_and_those_of_parts_are_not() -> None:
    image = np.zeros((96, 128, 3), np.uint8)
    fields = {"points_xy": centres(BOXES), "points_kind": "heads", "scores": np.ones(2), "boxes_xyxy": BOXES}
    heads, parts = Prediction(2, (128, 96), **fields), Prediction(2, (128, 96), **fields, boxes_kind="parts")
    assert np.array_equal(heads.draw(image), heads.draw(image, kind="boxes"))
    assert np.array_equal(parts.draw(image), parts.draw(image, kind="points"))
    assert np.array_equal(parts.draw(image, kind="boxes")[-96:], heads.draw(image)[-96:])
    with pytest.raises(InputError, match="no boxes"):
        Prediction(0, (128, 96)).draw(image, kind="boxes")


def test_a_region_is_outlined_and_the_rest_dimmed() -> None:
    image = np.full((96, 128, 3), 200, np.uint8)
    region = as_region([[64, 0], [128, 0], [128, 96], [64, 96]])
    found = Prediction(3.0, (128, 96), region=region)
    drawn = found.draw(image, kind="points")[-96:]
    assert (drawn[60:90, :56] == drawn[80, 20]).all()
    assert drawn[80, 20].tolist() == [120] * 3
    assert drawn[80, 100].tolist() == [200] * 3
    assert (drawn[80, 60:68] != 200).any()
    assert caption_of(found) == "3 people (in the region)"
    assert (image == 200).all(), "the image given was changed"
    known = Prediction.from_dict(Prediction(3.0, (128, 96), region=as_region(np.eye(96, 128) > 0)).to_dict())
    assert (known.draw(image, kind="points")[-16] == 200).all()
