"""Heads from a density map by their Gaussian."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from headcount.core.errors import ModelError
from headcount.core.prediction import Prediction
from headcount.decode.gaussian_prior import reconstruct_heads
from headcount.decode.table import open_decoder
from headcount.targets.density import density_map, sum_pool


def decode(density: np.ndarray, size_wh: tuple[int, int], stride: int = 1, **options: float) -> Prediction:
    maps = {"density": density.astype(np.float32)[None]}
    return open_decoder("gaussian_prior", options)(maps, {"density": stride}, size_wh)


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (40, 30)])
def test_nobody(shape: tuple[int, int]) -> None:
    found = decode(np.zeros(shape), (shape[1], shape[0]))
    assert (found.count, found.points_xy.shape, found.points_kind) == (0.0, (0, 2), "heads")


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("xy", [(30.2, 25.7), (0.0, 0.0), (64.0, 48.0), (63.2, 20.1), (5.5, 47.9)])
def test_one_head_is_found_even_on_the_border(xy: tuple[float, float], stride: int) -> None:
    found = decode(sum_pool(density_map(np.array([xy]), (64, 48)), stride), (64, 48), stride)
    assert len(found.points_xy) == 1
    assert np.abs(found.points_xy[0] - xy).max() <= (0.55 if stride == 1 else 0.6 * stride)
    assert (found.points_xy >= 0.5).all()
    assert (found.points_xy <= np.array([63.5, 47.5])).all()
    assert found.count == pytest.approx(1, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 12), st.integers(20, 90), st.integers(20, 90))
def test_well_separated_points_come_back_to_less_than_a_pixel(seed: int, wanted: int, width: int, height: int) -> None:
    rng = np.random.default_rng(seed)
    points = np.zeros((0, 2))
    for point in rng.uniform(0, [width, height], (wanted, 2)):
        if (np.abs(points - point).max(axis=1, initial=0.0) >= 16).all() or len(points) == 0:
            points = np.concatenate([points, point[None]])
    found = decode(density_map(points, (width, height)), (width, height))
    assert len(found.points_xy) == len(points)
    assert found.count == pytest.approx(len(points), abs=1e-3)
    if len(points):
        distance, of = cKDTree(found.points_xy).query(points)
        assert distance.max() < 1
        assert sorted(of) == list(range(len(points)))


@pytest.mark.parametrize("apart", [6, 8, 10, 15])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_two_near_heads_are_two(apart: int, stride: int) -> None:
    points = np.array([[30.5, 30.5], [30.5 + apart, 30.5]])
    found = decode(sum_pool(density_map(points, (72, 64)), stride), (72, 64), stride)
    assert len(found.points_xy) == 2


def test_the_count_is_the_mass_and_heads_are_never_more() -> None:
    rng = np.random.default_rng(5)
    points = rng.uniform(0, [120, 90], (150, 2))
    found = decode(density_map(points, (120, 90)), (120, 90))
    assert found.count == pytest.approx(150, abs=1e-3)
    assert 135 <= len(found.points_xy) <= 150
    assert found.density is not None
    assert found.density.shape == (90, 120)


def test_mass_that_supports_no_head_anywhere_is_counted_and_makes_none() -> None:
    found = decode(np.full((100, 100), 5e-4), (100, 100))
    assert found.count == pytest.approx(5, rel=1e-4)
    assert len(found.points_xy) == 0


def test_half_a_head_is_one_only_where_the_weight_allows() -> None:
    density = density_map(np.array([[20.5, 20.5], [50.5, 20.5]]), (72, 40)) * 0.8
    density[:, 36:] *= 0.5
    assert len(decode(density, (72, 40)).points_xy) == 1
    assert len(decode(density * 1.5, (72, 40)).points_xy) == 2


def test_another_sigma_and_kernel_are_known_from_the_settings() -> None:
    points = np.array([[20.5, 20.5], [29.7, 20.5], [50.3, 30.2]])
    density = density_map(points, (72, 48), density_sigma=2.0, kernel_size=9)
    found = decode(density, (72, 48), density_sigma=2.0, kernel_size=9)
    assert cKDTree(found.points_xy).query(points)[0].max() < 0.5


def test_the_order_of_the_points_changes_nothing() -> None:
    points = np.random.default_rng(2).uniform(0, [90, 70], (20, 2))
    one, two = (reconstruct_heads(density_map(p, (90, 70)), (90, 70))[0] for p in (points, points[::-1]))
    assert one.shape == two.shape
    assert cKDTree(one).query(two)[0].max() < 1e-3


def test_the_map_is_not_changed() -> None:
    density = density_map(np.array([[20.5, 16.5]]), (40, 32))
    kept = density.copy()
    open_decoder("gaussian_prior", {})({"density": density[None]}, {"density": 1}, (40, 32))
    assert np.array_equal(density, kept)


@pytest.mark.parametrize(
    ("maps", "options", "words"),
    [
        ({}, {}, ['needs a map "density"']),
        ({"density": np.full((1, 4, 4), np.nan)}, {}, ['map "density"', "not finite"]),
        ({"density": np.zeros((1, 3, 4))}, {}, ["at least (1, 4, 4)", "(1, 3, 4)"]),
        ({"density": np.zeros((1, 4, 4))}, {"sigma": 1}, ['no key "decoder.settings.sigma"']),
        ({"density": np.zeros((1, 4, 4))}, {"density_sigma": 0}, ["density_sigma", "above 0"]),
        ({"density": np.zeros((1, 4, 4))}, {"kernel_size": 14}, ["odd"]),
        ({"density": np.zeros((1, 4, 4))}, {"least_weight": 0}, ["least_weight"]),
    ],
)
def test_what_does_not_fit_is_named(maps: dict[str, np.ndarray], options: dict[str, float], words: list[str]) -> None:
    with pytest.raises(ModelError) as caught:
        open_decoder("gaussian_prior", options)(maps, dict.fromkeys(maps, 1), (4, 4))
    for word in words:
        assert word in str(caught.value)
