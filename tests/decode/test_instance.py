"""Components to heads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headcount.core.errors import ModelError
from headcount.core.prediction import Prediction
from headcount.decode.table import open_decoder
from headcount.targets.instance import boxes_from_points, instance_map


def _decode(
    confidence: NDArray[np.float32], stride: int = 1, size_wh: tuple[int, int] | None = None, **settings: float
) -> Prediction:
    height, width = confidence.shape
    maps, strides = {"confidence": confidence[None]}, {"confidence": stride}
    return open_decoder("instances", settings)(maps, strides, size_wh or (width * stride, height * stride))


def _blank(height: int = 20, width: int = 30) -> NDArray[np.float32]:
    return np.zeros((height, width), np.float32)


def test_nobody_is_there() -> None:
    found = _decode(_blank())
    assert found.count == 0
    assert found.points_xy.shape == (0, 2)
    assert found.boxes_xyxy is not None
    assert found.boxes_xyxy.shape == (0, 4)
    assert found.points_kind == "heads"


def test_one_head_is_its_centroid_its_rectangle_and_its_mean_confidence() -> None:
    confidence = _blank()
    confidence[4:7, 10:12] = 0.6
    confidence[4, 10] = 0.9
    found = _decode(confidence, stride=4)
    assert found.count == 1
    assert found.points_xy.tolist() == [[44.0, 22.0]]
    assert found.boxes_xyxy is not None
    assert found.boxes_xyxy.tolist() == [[40.0, 16.0, 48.0, 28.0]]
    assert found.scores is not None
    assert found.scores[0] == pytest.approx((5 * 0.6 + 0.9) / 6)


def test_heads_that_touch_at_a_corner_are_two_unless_asked() -> None:
    confidence = _blank()
    confidence[2:4, 2:4] = confidence[4:6, 4:6] = 1
    assert _decode(confidence).count == 2
    assert _decode(confidence, connectivity=8).count == 1


def test_merged_heads_are_split_by_their_peaks_when_asked() -> None:
    rows, columns = np.mgrid[:20, :40]
    humps = [np.exp(-((columns - x) ** 2 + (rows - 10) ** 2) / 30.0) for x in (12, 24)]
    confidence = np.clip(humps[0] + humps[1], 0, 1).astype(np.float32)
    merged = _decode(confidence, threshold=0.2)
    assert merged.count == 1
    found = _decode(confidence, threshold=0.2, split=1)
    assert found.count == 2
    np.testing.assert_allclose(found.points_xy, [[12.5, 10.5], [24.5, 10.5]], atol=1.2)


def test_splitting_leaves_single_peaks_alone() -> None:
    confidence = _blank()
    confidence[4:9, 4:9] = 0.7
    confidence[6, 6] = 0.9
    confidence[12:17, 20:25] = 0.7
    whole, split = _decode(confidence), _decode(confidence, split=1, split_distance=8)
    np.testing.assert_array_equal(whole.points_xy, split.points_xy)


def test_a_head_on_the_border_stays_inside_the_image() -> None:
    confidence = _blank(8, 8)
    confidence[7, 7] = confidence[0, 0] = 1
    found = _decode(confidence, stride=4, size_wh=(29, 29))
    assert found.points_xy.tolist() == [[2.0, 2.0], [28.5, 28.5]]
    assert found.boxes_xyxy is not None
    assert found.boxes_xyxy[1].tolist() == [28.0, 28.0, 29.0, 29.0]


def test_what_lies_in_the_padding_is_nobody() -> None:
    confidence = _blank(8, 8)
    confidence[5:, 5:] = 1
    assert _decode(confidence, stride=4, size_wh=(20, 20)).count == 0


def test_specks_are_left_out_by_their_area_in_the_image() -> None:
    confidence = _blank()
    confidence[3, 3] = confidence[10, 10:13] = 1
    assert _decode(confidence).count == 1  # 1 and 3 px, at least 3
    assert _decode(confidence, stride=2).count == 2  # 4 and 12 px
    assert _decode(confidence, min_area_px=0).count == 2


def test_each_threshold_holds_for_its_own_cells() -> None:
    confidence = np.full((1, 8, 16), 0.5, np.float32)
    threshold = np.array([[[0.4, 0.6]]], np.float32)
    maps = {"confidence": confidence, "threshold": threshold}
    found = open_decoder("instances", {})(maps, {"confidence": 1, "threshold": 8}, (16, 8))
    assert found.count == 1
    assert found.boxes_xyxy is not None
    assert found.boxes_xyxy.tolist() == [[0.0, 0.0, 8.0, 8.0]]
    least = open_decoder("instances", {"least_threshold": 0.55})(maps, {"confidence": 1, "threshold": 8}, (16, 8))
    assert least.count == 0


def test_confidence_at_its_threshold_is_a_head() -> None:
    assert _decode(np.full((2, 2), 0.5, np.float32)).count == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60), st.integers(0, 1000))
def test_squares_apart_come_back_as_their_points(number: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = rng.permutation(20 * 15)[:number]
    points = np.stack([cells % 20, cells // 20], axis=1) * 12.0 + rng.integers(4, 8, (number, 2)) + 0.5
    found = _decode(instance_map(boxes_from_points(points, cap_px=3), (240, 180)))
    assert found.count == number
    nearest = np.abs(found.points_xy[:, None] - points[None]).max(axis=2).min(axis=0) if number else np.zeros(0)
    assert (nearest <= 0.5).all()


def test_thousands_of_heads_at_once() -> None:
    confidence = np.zeros((400, 400), np.float32)
    confidence[1::4, 1::4] = 1
    assert _decode(confidence, min_area_px=1).count == 10_000


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["confidence", "threshold"])
def test_values_that_are_no_numbers_raise_with_the_name_of_the_map(bad: float, name: str) -> None:
    maps = {"confidence": np.zeros((1, 8, 8), np.float32), "threshold": np.full((1, 1, 1), 0.5, np.float32)}
    maps[name][0, 0, 0] = bad
    with pytest.raises(ModelError, match=f'"{name}"'):
        open_decoder("instances", {})(maps, {"confidence": 1, "threshold": 8}, (8, 8))


def test_maps_that_do_not_belong_together_are_named() -> None:
    decode, confidence = open_decoder("instances", {}), np.zeros((1, 8, 8), np.float32)
    with pytest.raises(ModelError, match="whole fraction"):
        decode(
            {"confidence": confidence, "threshold": np.zeros((1, 3, 3), np.float32)},
            {"confidence": 1, "threshold": 8},
            (8, 8),
        )
    with pytest.raises(ModelError, match='needs a map "confidence"'):
        decode({}, {}, (8, 8))
    with pytest.raises(ModelError, match="at least"):
        decode({"confidence": confidence}, {"confidence": 1}, (9, 8))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("tresh", 1.0),
        ("threshold", 0.0),
        ("least_threshold", 1.0),
        ("connectivity", 6),
        ("split", 2),
        ("split_distance", 0),
    ],
)
def test_settings_out_of_range_are_named(setting: str, value: float) -> None:
    with pytest.raises(ModelError, match=setting):
        _decode(_blank(), **{setting: value})
