"""A head weighs exactly 1, wherever it lies."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.data.augment.spatial import Window, crop, mirror
from headcount.data.sets.registry import read_dataset
from headcount.targets.density import adaptive_sigma, density_map, max_pool, sum_pool
from headcount.targets.mask import density_mask

SHANGHAITECH = Path(__file__).parents[2] / "../shared/data/ShanghaiTech"
NOBODY = np.zeros((0, 2))
relaxed, few = settings(deadline=None, max_examples=60), settings(deadline=None, max_examples=25)


def _slow_density(
    points_xy: NDArray[np.float64], size_wh: tuple[int, int], sigmas: list[float], radii: list[int]
) -> NDArray[np.float64]:
    """The definition, pixel by pixel: a Gaussian cut to a square, what the border leaves of it divided by its sum."""
    width, height = size_wh
    total = np.zeros((height, width))
    for (x, y), sigma, radius in zip(points_xy.tolist(), sigmas, radii, strict=True):
        column, row = min(math.floor(x), width - 1), min(math.floor(y), height - 1)
        head = np.zeros_like(total)
        for r in range(max(0, row - radius), min(height, row + radius + 1)):
            for c in range(max(0, column - radius), min(width, column + radius + 1)):
                squared = (c + 0.5 - x) ** 2 + (r + 0.5 - y) ** 2
                head[r, c] = math.exp(-squared / (2 * sigma**2))
        total += head / head.sum()
    return total


@st.composite
def _crowds(draw: st.DrawFn, largest: int = 60) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Points in an image, however small; many on borders, corners and each other."""
    width, height = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    xs = st.one_of(st.sampled_from([0.0, float(width), width / 2]), st.floats(0, width, width=32))
    ys = st.one_of(st.sampled_from([0.0, float(height), height / 2]), st.floats(0, height, width=32))
    points = draw(st.lists(st.tuples(xs, ys), max_size=25))
    return np.array(points, np.float64).reshape(-1, 2), (width, height)


@relaxed
@given(_crowds(), st.sampled_from([0.3, 1.0, 4.0, 15.0]), st.sampled_from([1, 3, 15, 31, None]))
def test_mass_is_the_number_of_points(
    crowd: tuple[NDArray[np.float64], tuple[int, int]], sigma: float, kernel_size: int | None
) -> None:
    points, size_wh = crowd
    density = density_map(points, size_wh, density_sigma=sigma, kernel_size=kernel_size)
    assert density.shape == (size_wh[1], size_wh[0])
    assert density.dtype == np.float32
    assert density.min() >= 0
    assert density.sum(dtype=np.float64) == pytest.approx(len(points), abs=1e-4)


@relaxed
@given(_crowds())
def test_mass_is_the_number_of_points_with_adaptive_sigma(crowd: tuple[NDArray[np.float64], tuple[int, int]]) -> None:
    points, size_wh = crowd
    density = density_map(points, size_wh, density_sigma=adaptive_sigma(points), kernel_size=None)
    assert density.sum(dtype=np.float64) == pytest.approx(len(points), abs=1e-4)


@pytest.mark.parametrize("size_wh", [(1, 1), (1, 9), (2, 2), (40, 7), (33, 32)])
def test_corners_and_edges_lose_nothing(size_wh: tuple[int, int]) -> None:
    width, height = size_wh
    for x in (0.0, 0.5, width / 2, width - 0.5, float(width)):
        for y in (0.0, 0.5, height / 2, height - 0.5, float(height)):
            density = density_map(np.array([[x, y]]), size_wh)
            assert density.sum(dtype=np.float64) == pytest.approx(1, abs=1e-6)
            row, column = np.unravel_index(density.argmax(), density.shape)
            assert abs(column + 0.5 - x) <= 0.5
            assert abs(row + 0.5 - y) <= 0.5


@few
@given(_crowds(largest=24), st.sampled_from([0.7, 4.0]), st.sampled_from([1, 5, 15]))
def test_equals_the_definition_pixel_by_pixel(
    crowd: tuple[NDArray[np.float64], tuple[int, int]], sigma: float, kernel_size: int
) -> None:
    points, size_wh = crowd
    slow = _slow_density(points, size_wh, [sigma] * len(points), [kernel_size // 2] * len(points))
    fast = density_map(points, size_wh, density_sigma=sigma, kernel_size=kernel_size)
    np.testing.assert_allclose(fast, slow, rtol=1e-6, atol=1e-7)


def test_equals_the_definition_with_a_sigma_for_each_head() -> None:
    points = np.random.default_rng(0).uniform(0, 30, (12, 2))
    sigmas = adaptive_sigma(points)
    slow = _slow_density(points, (30, 30), sigmas.tolist(), [max(1, round(s * 7 / 4)) for s in sigmas])
    np.testing.assert_allclose(
        density_map(points, (30, 30), density_sigma=sigmas, kernel_size=None), slow, rtol=1e-6, atol=1e-7
    )


def test_inside_the_image_it_is_scipys_truncated_gaussian() -> None:
    impulse = np.zeros((41, 41))
    impulse[20, 20] = 1
    expected = gaussian_filter(impulse, 4.0, radius=7, mode="constant")
    np.testing.assert_allclose(density_map(np.array([[20.5, 20.5]]), (41, 41)), expected, atol=1e-8)


def test_the_kernel_is_cut_to_its_square() -> None:
    density = density_map(np.array([[20.5, 20.5]]), (41, 41), kernel_size=15)
    rows, columns = np.nonzero(density)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (13, 27, 13, 27)
    assert len(rows) == 15 * 15


def test_nobody_gives_an_empty_map() -> None:
    assert not density_map(NOBODY, (5, 3)).any()
    assert density_map(NOBODY, (5, 3)).shape == (3, 5)


@pytest.mark.parametrize("sigma", [0.01, 1e-200])
def test_sigma_far_below_a_pixel_still_weighs_one(sigma: float) -> None:
    density = density_map(np.array([[8.0, 8.0], [3.2, 0.0]]), (16, 16), density_sigma=sigma)
    assert density.sum(dtype=np.float64) == pytest.approx(2, abs=1e-6)


def test_density_outside_the_region_is_dropped() -> None:
    region = np.zeros((20, 30), np.bool_)
    region[:, :15] = True
    points = np.array([[2.0, 10.0], [28.0, 10.0]])
    density = density_map(points, (30, 20), kernel_size=5, region=region)
    assert density[:, 15:].max() == 0
    assert density.sum(dtype=np.float64) == pytest.approx(1, abs=1e-6)
    # a head on the border of the region is cut, not moved inside
    cut = density_map(np.array([[15.0, 10.0]]), (30, 20), kernel_size=15, region=region)
    assert 0.4 < cut.sum() < 0.6


@pytest.mark.parametrize(
    ("points", "options", "words"),
    [
        ([[1.0, 1.0]], {"kernel_size": 4}, "odd"),
        ([[1.0, 1.0]], {"kernel_size": 0}, "odd"),
        ([[1.0, 1.0]], {"kernel_size": -3}, "odd"),
        ([[1.0, 1.0]], {"density_sigma": 0.0}, "positive"),
        ([[1.0, 1.0]], {"density_sigma": -1.0}, "positive"),
        ([[1.0, 1.0]], {"density_sigma": -1.0}, "must be positive, a number of pixels, but it is -1"),
        ([[1.0, 1.0]], {"density_sigma": float("nan")}, "positive"),
        ([[1.0, 1.0]], {"density_sigma": float("inf")}, "positive"),
        ([[1.0, 1.0]] * 2, {"density_sigma": np.array([4.0, -2.5])}, "it is -2.5"),
        ([[1.0, 1.0]] * 2, {"density_sigma": np.ones(3)}, r"one for each of 2 points, but is \(3,\)"),
        ([[1.0, float("nan")]], {}, "inside the 8×6 image"),
        (NOBODY, {"density_sigma": -4.0}, "it is -4"),
        (NOBODY, {"stride": 0}, "stride must be a whole number of pixels, at least 1, but it is 0"),
        ([[1.0, 1.0]], {"stride": -8}, "it is -8"),
        ([[1.0, 1.0]], {"stride": 2.5}, "it is 2.5"),
        ([[8.1, 1.0]], {}, "inside the 8×6 image"),
        ([[1.0, 6.1]], {}, "inside the 8×6 image"),
        ([[-0.1, 1.0]], {}, "inside the 8×6 image"),
        ([[1.0, 1.0]], {"region": np.ones((8, 6), np.bool_)}, "region is 6×8, but the image 8×6"),
    ],
)
def test_what_cannot_be_is_refused(points: list[list[float]], options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        density_map(np.array(points), (8, 6), **options)


def test_adaptive_sigma_is_a_share_of_the_mean_distance_to_three_neighbours() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(0, 60, (40, 2))
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    expected = np.clip(0.3 * np.sort(distance, axis=1)[:, 1:4].mean(axis=1), 0.5, 15)
    np.testing.assert_allclose(adaptive_sigma(points), expected)
    np.testing.assert_allclose(adaptive_sigma(points, cap_px=2), np.minimum(expected, 2))


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (NOBODY, []),
        (np.zeros((1, 2)), [4.0]),
        (np.arange(6.0).reshape(3, 2), [4.0] * 3),
        (np.full((5, 2), 7.0), [0.5] * 5),
        (np.arange(8.0).reshape(4, 2) * 1000, [15.0] * 4),
    ],
)
def test_adaptive_sigma_has_bounds_and_a_fallback(points: NDArray[np.float64], expected: list[float]) -> None:
    assert adaptive_sigma(points).tolist() == expected


@pytest.mark.parametrize("name", ["beta", "cap_px", "fallback_px"])
@pytest.mark.parametrize("value", [0.0, -4.0, float("nan")])
def test_adaptive_sigma_refuses_what_is_not_positive(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{name} must be positive, but it is {value}"):
        adaptive_sigma(NOBODY, **{name: value})


maps = hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.floats(0, 8, width=32))


@relaxed
@given(maps, st.integers(1, 19))
def test_pooling_takes_blocks_from_the_top_left(full: NDArray[np.float32], stride: int) -> None:
    height, width = full.shape
    summed, largest = sum_pool(full, stride), max_pool(full, stride)
    assert summed.shape == largest.shape == (math.ceil(height / stride), math.ceil(width / stride))
    assert summed.dtype == largest.dtype == np.float32
    for row in range(summed.shape[0]):
        for column in range(summed.shape[1]):
            block = full[row * stride : (row + 1) * stride, column * stride : (column + 1) * stride]
            assert summed[row, column] == pytest.approx(block.sum(dtype=np.float64), rel=1e-6)
            assert largest[row, column] == block.max()


@pytest.mark.parametrize("pool", [sum_pool, max_pool])
@pytest.mark.parametrize("stride", [0, -8, 1.5])
def test_a_stride_that_is_none_is_refused(pool: Callable, stride: float) -> None:
    with pytest.raises(InputError, match=f"stride must be .* at least 1, but it is {stride}"):
        pool(np.ones((4, 4), np.float32), stride)


@relaxed
@given(_crowds(), st.integers(1, 40), st.sampled_from([1, 7, 15, None]), st.booleans())
def test_a_stride_is_the_pooled_map_of_pixels(
    crowd: tuple[NDArray[np.float64], tuple[int, int]], stride: int, kernel_size: int | None, in_region: bool
) -> None:
    points, size_wh = crowd
    region = np.random.default_rng(len(points)).uniform(size=size_wh[::-1]) < 0.5 if in_region else None
    sigma = adaptive_sigma(points) if kernel_size is None else 4.0
    options: dict[str, Any] = {"density_sigma": sigma, "kernel_size": kernel_size, "region": region}
    whole, direct = density_map(points, size_wh, **options), density_map(points, size_wh, **options, stride=stride)
    np.testing.assert_allclose(direct, sum_pool(whole, stride), rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(density_mask(direct), max_pool(density_mask(whole), stride))
    inside = whole.sum(dtype=np.float64) if in_region else len(points)
    assert direct.sum(dtype=np.float64) == pytest.approx(inside, abs=1e-4)


@pytest.mark.parametrize("stride", [1, 8])
def test_what_rounding_takes_does_not_add_up(stride: int) -> None:
    """Ten thousand heads alike, each on a pixel's centre, none on another."""
    columns, rows = np.meshgrid(np.arange(7, 1607, 16), np.arange(7, 1607, 16))
    points = np.stack([columns.ravel(), rows.ravel()], axis=1) + 0.5
    density = density_map(points, (1600, 1600), stride=stride)
    assert density.sum(dtype=np.float64) == pytest.approx(10_000, abs=1e-5)


@relaxed
@given(_crowds(largest=90), st.sampled_from([4, 8]), st.floats(0.4, 2.5), st.booleans(), st.integers(0, 99))
def test_mass_comes_through_scaling_mirroring_cropping_and_pooling(
    crowd: tuple[NDArray[np.float64], tuple[int, int]], stride: int, factor: float, turned: bool, seed: int
) -> None:
    """Tiles of a scaled, mirrored scene: the masses of their pooled maps add up to its heads."""
    points, (width, height) = crowd
    scene = Scene(np.zeros((height, width, 3), np.uint8), points)
    size_wh = (max(1, round(width * factor)), max(1, round(height * factor)))
    scene = crop(scene, Window(scene.size_wh, (0, 0, width, height), size_wh, factor))
    scene = mirror(scene) if turned else scene
    side, mass = int(np.random.default_rng(seed).integers(9, 40)), 0.0
    for top in range(0, size_wh[1], side):
        for left in range(0, size_wh[0], side):
            cut = (left, top, min(side, size_wh[0] - left), min(side, size_wh[1] - top))
            tile = crop(scene, Window(size_wh, cut, cut[2:]))
            density = density_map(tile.points_xy, tile.size_wh, stride=stride)
            assert density.sum(dtype=np.float64) == pytest.approx(tile.count, abs=1e-4)
            mass += float(density.sum(dtype=np.float64))
    assert mass == pytest.approx(len(points), abs=1e-4)


@relaxed
@given(_crowds(), st.integers(1, 40))
def test_sum_pooling_keeps_the_count(crowd: tuple[NDArray[np.float64], tuple[int, int]], stride: int) -> None:
    points, size_wh = crowd
    pooled = sum_pool(density_map(points, size_wh), stride)
    assert pooled.sum(dtype=np.float64) == pytest.approx(len(points), abs=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not SHANGHAITECH.is_dir(), reason="ShanghaiTech is not here: ../shared/data/ShanghaiTech")
@pytest.mark.parametrize("part", ["A", "B"])
def test_every_image_of_shanghaitech_train_sums_to_its_points(part: str) -> None:
    scenes: list[Scene] = read_dataset(f"shanghaitech-{part.lower()}={SHANGHAITECH}", "trainval")
    for scene in scenes:
        for options in ({}, {"density_sigma": adaptive_sigma(scene.points_xy), "kernel_size": None}):
            density = density_map(scene.points_xy, scene.size_wh, **options)
            assert density.sum(dtype=np.float64) == pytest.approx(scene.count, abs=1e-4), scene.name
