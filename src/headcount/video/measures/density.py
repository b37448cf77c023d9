"""Persons per square metre: classic, by Voronoi cells, and in the fullest square metre."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from headcount.core.geometry import Points
from headcount.core.homography import Floats

CUT_OFF_M = 1.0
"""No cell reaches farther from its head: beyond, the ground is empty and belongs to nobody."""
_QUARTER = 8
"""Straight lines for a quarter of a circle."""
_FAR = 20.0
_FARTHEST_M = 10_000.0
"""Who is seen farther off than this, at the horizon, bounds nobody's cell: a diagram that reached there would have no
digits left for the others."""
_CELLS_A_SIDE, _MOST_CELLS = 8, 1_000_000
Cells = NDArray[np.object_]
"""(n,) polygons of shapely."""


def classic_density(points_m: ArrayLike, zone: Any) -> float:
    """People in a zone over its area, per square metre; who stands on its border is not in it.

    Args:
        points_m: (n, 2) where people stand, in metres.
        zone: a shapely polygon in metres.

    >>> classic_density([[0.5, 0.5], [1.5, 0.5], [3, 3]], shapely.box(0, 0, 2, 2))
    0.5
    """
    points = np.asarray(points_m, dtype=np.float64).reshape(-1, 2)
    return float(shapely.contains_xy(zone, points[:, 0], points[:, 1]).sum() / zone.area)


def voronoi_cells(
    points_m: Points, *, cut_off_m: float = CUT_OFF_M, walkable: Any = None, quarter: int = _QUARTER
) -> Cells:
    """(n,) each head's part of the ground: what is nearer to it than to any other head, and within ``cut_off_m``.

    Heads at one place share their cell.

    Args:
        points_m: (n, 2) all heads in view, in metres: those around a zone bound the cells within it.
        cut_off_m: the radius of the circle that cuts each cell.
        walkable: a shapely polygon that cuts all cells, as walls do; None: there is none.
        quarter: straight lines for a quarter of that circle.
    """
    points = np.asarray(points_m, dtype=np.float64).reshape(-1, 2)
    if not len(points):
        return np.zeros(0, dtype=object)
    places, whose = np.unique(points, axis=0, return_inverse=True)
    is_near = (np.abs(places - np.median(places, axis=0)) <= _FARTHEST_M).all(axis=1)
    cells = np.empty(len(places), dtype=object)
    cells[~is_near] = shapely.buffer(shapely.points(places[~is_near]), cut_off_m, quad_segs=quarter)
    if is_near.any():
        cells[is_near] = _cells(places[is_near], cut_off_m, quarter)
    if walkable is not None:
        cells = shapely.intersection(cells, walkable)
    found: Cells = cells[whose.ravel()]
    return found


def _cells(places: Points, cut_off_m: float, quarter: int) -> Cells:
    """``voronoi_cells`` of different places."""
    from scipy.spatial import Voronoi  # start-up time

    # Four heads far out close the outermost cells; the circles end long before they are felt.
    middle = (places.min(axis=0) + places.max(axis=0)) / 2
    far = _FAR * (cut_off_m + float(np.ptp(places, axis=0).max()))
    diagram = Voronoi(np.concatenate([places - middle, far * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])]))
    rings = [diagram.regions[diagram.point_region[at]] for at in range(len(places))]
    corners = diagram.vertices[np.concatenate(rings)] + middle
    of = np.repeat(np.arange(len(places)), [len(ring) for ring in rings])
    cells = shapely.polygons(shapely.linearrings(corners, indices=of))
    # A circle of straight lines lies within the true one: cells that reach less far are whole.
    reach = np.zeros(len(places))
    np.maximum.at(reach, of, np.linalg.norm(corners - places[of], axis=1))
    cut = np.flatnonzero(reach > cut_off_m * math.cos(math.pi / 4 / quarter))
    if len(cut):
        circles = shapely.buffer(shapely.points(places[cut]), cut_off_m, quad_segs=quarter)
        cells[cut] = shapely.intersection(cells[cut], circles)
    found: Cells = cells
    return found


def voronoi_density(cells: Cells, zone: Any, *, weights: Floats | None = None) -> float:
    """People per square metre of a zone, of whom each is spread evenly over their cell.

    ρ = ∫∫ ρ_xy dx dy / A with ρ_xy = 1 / A_i within cell i (Steffen and Seyfried, "Methods for measuring pedestrian
    density, flow, speed and direction with minimal scatter", 2010, equation 8). It changes little from frame to frame
    where the classic one jumps whenever someone steps over the border.

    Args:
        cells: (n,) as of ``voronoi_cells``.
        zone: a shapely polygon in metres.
        weights: (n,) people that each head stands for; None: 1.

    >>> voronoi_density(voronoi_cells(np.array([[0.0, 0], [9, 9]]), cut_off_m=0.5), shapely.box(0, -1, 1, 1))
    0.25
    """
    shapely.prepare(zone)
    near = np.flatnonzero(shapely.intersects(zone, cells)) if len(cells) else np.zeros(0, np.intp)
    if not len(near):
        return 0.0
    area = shapely.area(cells[near])
    within = area.copy()
    cut = np.flatnonzero(~shapely.covers(zone, cells[near]))
    within[cut] = shapely.area(shapely.intersection(cells[near][cut], zone))
    share = np.divide(within, area, out=np.zeros_like(area), where=area > 0)
    # Heads at one place share a cell, and each of them counts.
    return round(float(np.sum(share if weights is None else share * weights[near]) / zone.area), 12)


def fullest_square(
    points_m: ArrayLike, weights: ArrayLike | None = None, *, side_m: float = 1.0
) -> tuple[float, tuple[float, float] | None]:
    """The most people in a square of ``side_m``, sides along x and y, and its middle; (0, None) where nobody is.

    Exact over all positions: a fullest square can be pushed until a point lies on its left and one on its lower side.
    A square holds its left and its lower side and not the others, so that people 1 m apart are not two in a metre.
    Squares are tried in the order of how many people could be in them at most, until no other can hold more.

    Args:
        points_m: (n, 2) where people stand, or the middles of a density's cells.
        weights: (n,) people at each; below 0 counts as 0. None: 1.

    >>> fullest_square([[0, 0], [0.9, 0.5], [1.0, 0.2], [5, 5]])
    (2.0, (0.5, 0.5))
    """
    points = np.asarray(points_m, dtype=np.float64).reshape(-1, 2) / side_m
    held = np.ones(len(points)) if weights is None else np.maximum(np.asarray(weights, dtype=np.float64), 0)
    points, held = points[held > 0], held[held > 0]
    if not len(points):
        return 0.0, None
    order = np.lexsort((points[:, 1], points[:, 0]))
    (x, y), held = points[order].T, held[order]
    until = np.searchsorted(x, x + 1)
    most = _upper_bounds(x, y, held)
    best, place = 0.0, (0.0, 0.0)
    for at in np.argsort(-most, kind="stable").tolist():
        if most[at] <= best * (1 + 1e-12):
            break
        # Squares whose left side is at this point, and that hold it.
        strip = slice(np.searchsorted(x, x[at]), until[at])
        near = np.flatnonzero((y[strip] > y[at] - 1) & (y[strip] < y[at] + 1)) + strip.start
        near = near[np.argsort(y[near], kind="stable")]
        sums = np.concatenate([[0.0], np.cumsum(held[near])])
        first = np.searchsorted(y[near], y[near])
        inside = sums[np.searchsorted(y[near], y[near] + 1)] - sums[first]
        found = int(np.argmax(np.where(y[near] <= y[at], inside, -1)))
        if inside[found] > best:
            best, place = float(inside[found]), (float(x[at]), float(y[near[found]]))
    return best, (side_m * (place[0] + 0.5), side_m * (place[1] + 0.5))


def _upper_bounds(x: Floats, y: Floats, held: Floats) -> Floats:
    """(n,) no square whose left side is at a point, and that holds it, holds more.

    People are put together in cells of an eighth of the square's side, or larger ones where they stand far apart: a
    square reaches over ``span`` of them each way at most.
    """
    x, y = x - x.min(), y - y.min()
    cell = max(1 / _CELLS_A_SIDE, math.sqrt(float((x.max() + 1) * (y.max() + 1)) / _MOST_CELLS))
    span = math.floor(1 / cell) + 1
    column, row = np.floor(x / cell).astype(np.intp), np.floor(y / cell).astype(np.intp)
    # Empty cells around them, so that every window lies within: (columns + span) × (rows + 2 span).
    sums = np.zeros((column.max() + 1 + span, row.max() + 1 + 2 * span))
    np.add.at(sums, (column, row + span), held)
    total = np.pad(sums, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    windows = total[span:, span:] - total[:-span, span:] - total[span:, :-span] + total[:-span, :-span]
    most = np.max([windows[column, row + span - down] for down in range(span)], axis=0)
    found: Floats = most * (1 + 1e-9)  # sums are rounded
    return found
