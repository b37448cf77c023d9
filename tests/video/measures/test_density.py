"""Densities: golden values, an exact search, and another implementation's numbers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.video import students as of_students

from headcount.video.measures.density import classic_density, fullest_square, voronoi_cells, voronoi_density

ZONE = shapely.Polygon([(-4, -3), (2, -3.5), (3, 2), (-1, 4)])
WALKABLE = shapely.box(-9, -9, 8, 10)


def walkers(seed: int = 0, frames: int = 12) -> np.ndarray:
    """Rows of frame, person, x, y, x, y of 60 who walk straight on."""
    random = np.random.default_rng(seed)
    start, step = random.uniform(-8, 8, (60, 2)), random.normal(0, 0.15, (60, 2))
    return np.concatenate(
        [np.column_stack([np.full(60, frame), np.arange(60), *[start + frame * step] * 2]) for frame in range(frames)]
    )


def trajectories(rows: np.ndarray) -> Any:
    pedpy = pytest.importorskip("pedpy")
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(
        {"id": rows[:, 1].astype(int), "frame": rows[:, 0].astype(int), "x": rows[:, 4], "y": rows[:, 5]}
    )
    return pedpy, pedpy.TrajectoryData(data=table, frame_rate=of_students.FRAMES_A_SECOND)


def by_frame(table: Any) -> dict[int, float]:
    return dict(zip(table["frame"], table["density"], strict=True))


@pytest.mark.parametrize("who", ["walkers", pytest.param("students", marks=of_students.needed)])
def test_densities_are_those_of_pedpy(who: str) -> None:
    rows = walkers() if who == "walkers" else of_students.students()
    rows = rows[rows[:, 0] < 25]
    pedpy, walked = trajectories(rows)
    area = pedpy.MeasurementArea(ZONE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        classic = pedpy.compute_classic_density(traj_data=walked, measurement_area=area)
        cells = pedpy.compute_individual_voronoi_polygons(
            traj_data=walked,
            walkable_area=pedpy.WalkableArea(WALKABLE),
            cut_off=pedpy.Cutoff(radius=1.0, quad_segments=8),
        )
        voronoi, _ = pedpy.compute_voronoi_density(individual_voronoi_data=cells, measurement_area=area)
    assert len(np.unique(rows[:, 0])) >= 12
    for frame in np.unique(rows[:, 0]):
        points = rows[rows[:, 0] == frame, 4:]
        assert classic_density(points, ZONE) == pytest.approx(by_frame(classic)[frame], abs=1e-9)
        ours = voronoi_density(voronoi_cells(points, walkable=WALKABLE, quarter=8), ZONE)
        assert ours == pytest.approx(by_frame(voronoi)[frame], abs=1e-6)


def test_a_lattice_has_the_density_of_its_cells() -> None:
    lattice = np.stack(np.meshgrid(np.arange(0, 10, 0.5), np.arange(0, 10, 0.5)), axis=-1).reshape(-1, 2)
    cells = voronoi_cells(lattice)
    assert voronoi_density(cells, shapely.box(2.1, 3.3, 6.4, 7.9)) == pytest.approx(4)
    assert voronoi_density(cells, shapely.box(2.1, 3.3, 6.4, 7.9), weights=np.full(400, 1.5)) == pytest.approx(6)
    assert fullest_square(lattice)[0] == 4


def test_the_cut_off_is_a_circle_and_heads_outside_the_zone_count_by_their_share() -> None:
    zone = shapely.box(0, 0, 10, 10)
    alone = voronoi_cells(np.array([[5.0, 5]]))
    assert shapely.area(alone)[0] == pytest.approx(np.pi, rel=0.01)
    assert voronoi_density(alone, zone) == pytest.approx(0.01)
    assert voronoi_density(voronoi_cells(np.array([[0.0, 5]])), zone) == pytest.approx(0.005)  # half of it is inside
    assert voronoi_density(voronoi_cells(np.array([[-1.5, 5]])), zone) == 0


def test_few_equal_and_lined_up_heads_have_cells() -> None:
    zone = shapely.box(-5, -5, 15, 15)
    for places in ([], [[1, 1]], [[1, 1], [1, 1]], [[1, 1], [2, 2], [3, 3]], [[0, 0], [0, 1], [0, 1], [0, 2]]):
        points = np.array(places, dtype=np.float64).reshape(-1, 2)
        assert voronoi_density(voronoi_cells(points), zone) == pytest.approx(len(places) / 400)


@pytest.mark.parametrize("far_m", [2e4, 1e7, 1e9, 1e12])
def test_a_head_seen_at_the_horizon_changes_no_others_cell(far_m: float) -> None:
    points = np.random.default_rng(2).uniform(0, 20, (300, 2))
    zone = shapely.box(5, 5, 15, 15)
    with_far = voronoi_cells(np.concatenate([points, [[far_m, far_m / 3], [-far_m, 0]]]))
    np.testing.assert_allclose(shapely.area(with_far[:300]), shapely.area(voronoi_cells(points)))
    assert voronoi_density(with_far, zone) == voronoi_density(voronoi_cells(points), zone)
    np.testing.assert_allclose(shapely.area(with_far[300:]), np.pi, rtol=0.01)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 80), st.booleans())
def test_no_head_is_lost_or_counted_twice(seed: int, n: int, utm: bool) -> None:
    """Far from the origin, too, as surveyors' metres are."""
    random = np.random.default_rng(seed)
    points = random.uniform(0, 10, (n, 2)) + (np.array([5e5, 5e6]) if utm else 0)
    zone = shapely.box(*(points.min(axis=0) - 2), *(points.max(axis=0) + 2))
    cells = voronoi_cells(points)
    assert voronoi_density(cells, zone) * zone.area == pytest.approx(n, rel=1e-6)
    # Pair by pair: GEOS's union of many cells that touch loses some of them now and then.
    one, other = shapely.STRtree(cells).query(cells, predicate="intersects")
    overlaps = shapely.area(shapely.intersection(cells[one[one < other]], cells[other[one < other]]))
    assert overlaps.sum() <= 1e-6 * shapely.area(cells).sum()


def every_square(points: np.ndarray, weights: np.ndarray) -> float:
    """All squares with a point on their left and one on their lower side, one after the other."""
    return max(
        weights[(points[:, 0] >= x) & (points[:, 0] < x + 1) & (points[:, 1] >= y) & (points[:, 1] < y + 1)].sum()
        for x in points[:, 0]
        for y in points[:, 1]
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.floats(0.5, 6), st.booleans(), st.booleans())
def test_the_fullest_square_is_exact(seed: int, n: int, side: float, on_grid: bool, weighted: bool) -> None:
    random = np.random.default_rng(seed)
    points = random.uniform(-side, side, (n, 2))
    points = np.round(points * 4) / 4 if on_grid else points
    weights = random.integers(1, 9, n) / 4 if weighted else np.ones(n)
    found, middle = fullest_square(points, weights if weighted else None)
    assert found == pytest.approx(every_square(points, weights))
    assert middle is not None
    inside = ((points >= np.array(middle) - 0.5 - 1e-9) & (points < np.array(middle) + 0.5 - 1e-9)).all(axis=1)
    assert weights[inside].sum() == pytest.approx(found)


def test_the_fullest_square_of_nobody_and_of_those_a_metre_apart() -> None:
    assert fullest_square(np.zeros((0, 2))) == (0.0, None)
    assert fullest_square([[0, 0]], [-1.0]) == (0.0, None)
    assert fullest_square([[0, 0], [1, 0], [0, 1], [1, 1]])[0] == 1
    assert fullest_square([[0, 0], [1.5, 0]], side_m=2)[0] == 2
