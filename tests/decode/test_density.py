"""Counts and peaks of density maps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.errors import ModelError
from headcount.core.prediction import Prediction
from headcount.decode.density import find_peaks
from headcount.decode.table import open_decoder


def decode(density: np.ndarray, size_wh: tuple[int, int], **options: float) -> Prediction:
    return open_decoder("density", options)({"density": density.astype(np.float32)[None]}, {"density": 8}, size_wh)


def blob(shape: tuple[int, int], x: float, y: float, sigma: float = 0.7) -> np.ndarray:
    rows, columns = np.indices(shape)
    weight = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return weight / weight.sum()


def test_nobody() -> None:
    found = decode(np.zeros((4, 5)), (40, 32))
    assert (found.count, len(found.points_xy), found.points_kind) == (0.0, 0, "peaks")
    assert found.scores is not None
    assert len(found.scores) == 0


@pytest.mark.parametrize("xy", [(5.0, 6.0), (5.3, 6.2), (0.0, 0.0), (15.0, 3.4), (9.5, 9.5)])
def test_one_head_is_found_within_a_fraction_of_a_cell(xy: tuple[float, float]) -> None:
    found = decode(blob((12, 16), *xy), (128, 96))
    assert len(found.points_xy) == 1
    assert np.abs(found.points_xy[0] - (np.array(xy) + 0.5) * 8).max() < 0.35 * 8
    assert found.count == pytest.approx(1, abs=1e-5)


def test_two_heads_three_cells_apart_are_two() -> None:
    found = decode(blob((12, 16), 5, 6) + blob((12, 16), 8, 6), (128, 96))
    assert len(found.points_xy) == 2
    assert found.points_xy[0, 0] < found.points_xy[1, 0]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1), (6, 8)])
def test_a_plateau_is_one_peak_in_its_middle(shape: tuple[int, int]) -> None:
    found = decode(np.full(shape, 0.5), (8 * shape[1], 8 * shape[0]))
    assert len(found.points_xy) == 1
    assert np.abs(found.points_xy[0] - np.array([4 * shape[1], 4 * shape[0]])).max() <= 4


def test_two_equal_cells_are_one_peak_between_them() -> None:
    density = np.zeros((6, 8))
    density[2, 3] = density[2, 4] = 0.5
    assert decode(density, (64, 48)).points_xy.tolist() == [[32.0, 20.0]]


def test_cells_in_the_padding_do_not_count() -> None:
    found = decode(np.ones((4, 4)), (17, 8))
    assert found.count == 3
    assert found.density is not None
    assert found.density.shape == (1, 3)


def test_points_stay_inside_the_image() -> None:
    density = np.zeros((4, 4))
    density[3, 3] = 1
    found = decode(density, (25, 25))
    assert found.points_xy.tolist() == [[24.5, 24.5]]


def test_scale_and_threshold() -> None:
    density = blob((12, 16), 5, 6)
    assert decode(density, (128, 96), density_scale=2.0).count == pytest.approx(2, abs=1e-5)
    assert len(decode(density, (128, 96), peak_threshold=0.99).points_xy) == 0


def test_a_larger_distance_leaves_fewer_peaks() -> None:
    density = np.random.default_rng(0).random((40, 40))
    peaks = [len(find_peaks(density.astype(np.float32), threshold=0, distance=d)[0]) for d in (1, 2, 4)]
    assert peaks[0] > peaks[1] > peaks[2] > 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["density", "mask"])
def test_broken_maps_are_named(value: float, name: str) -> None:
    maps = {key: np.zeros((1, 4, 4), np.float32) for key in ("density", "mask")}
    maps[name][0, 1, 1] = value
    with pytest.raises(ModelError, match=name):
        open_decoder("density", {})(maps, {"density": 8, "mask": 8}, (32, 32))


@pytest.mark.parametrize(
    ("settings_", "words"),
    [
        ({"peak_treshold": 1.0}, "peak_threshold"),
        ({"density_scale": 0.0}, "density_scale.*finite number|density_scale.*above 0"),
        ({"density_scale": float("nan")}, "density_scale.*finite number|density_scale.*above 0"),
        ({"peak_distance": 0}, "peak_distance"),
        ({"peak_distance": 65}, "peak_distance"),
        ({"peak_distance": float("nan")}, "peak_distance"),
    ],
)
def test_wrong_settings_are_named(settings_: dict[str, float], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        decode(np.zeros((4, 4)), (32, 32), **settings_)


def test_wrong_maps_are_refused() -> None:
    with pytest.raises(ModelError, match="at least"):
        decode(np.zeros((3, 4)), (32, 32))
    with pytest.raises(ModelError, match='a map "density"'):
        open_decoder("density", {})({"heat": np.zeros((1, 4, 4), np.float32)}, {"heat": 8}, (32, 32))


@pytest.mark.parametrize(
    ("stride", "words"),
    [
        (4, r"of a 1024×768 image must be at least \(1, 192, 256\), which is stride 4, .* but it is \(1, 96, 128\)"),
        (
            16,
            r"must be at least \(1, 48, 64\), which is stride 16, and no more than padding adds, but it is \(1, 96, 12",
        ),
        (1, r"must be at least \(1, 768, 1024\)"),
        (0, 'stride of the map "density" must be at least 1 pixel, but it is 0'),
        (-8, "but it is -8"),
    ],
)
def test_a_map_of_another_stride_is_refused(stride: int, words: str) -> None:
    maps = {"density": np.zeros((1, 96, 128), np.float32)}  # of stride 8
    with pytest.raises(ModelError, match=words):
        open_decoder("density", {})(maps, {"density": stride}, (1024, 768))


@pytest.mark.parametrize("size_wh", [(1, 1), (17, 23), (129, 64), (1000, 700)])
@pytest.mark.parametrize("divisor", [8, 32, 128])
def test_cells_of_padding_are_no_other_stride(size_wh: tuple[int, int], divisor: int) -> None:
    padded = [-(-side // divisor) * divisor // 8 for side in size_wh[::-1]]
    assert decode(np.zeros(padded), size_wh).count == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32 - 1))
def test_any_map(width: int, height: int, seed: int) -> None:
    density = np.random.default_rng(seed).exponential(0.2, (-(-height // 8) + 1, -(-width // 8) + 2))
    found = decode(density, (width, height))
    assert found.density is not None
    assert found.count == pytest.approx(found.density.sum(dtype=np.float64))
    assert (found.points_xy > 0).all()
    assert (found.points_xy < [width, height]).all()
    assert found.scores is not None
    assert (found.scores >= 0.25 - 1e-6).all()
