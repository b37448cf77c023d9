"""Where people stand: a point process on the ground with clusters, queues, rows of seats and free aisles."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Area = tuple[float, float, float, float]
"""(left, near, right, far) of a piece of ground, in metres."""
Free = Callable[[Floats], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, eq=False)
class Spots:
    """Places for people.

    ``at`` (n, 3) in metres, ``facing`` (n,) angles to the left of +y, ``sitting`` (n,) who does, and ``waits`` (n,) who
    stands in a queue and does not walk off.
    """

    at: Floats
    facing: Floats
    sitting: NDArray[np.bool_]
    waits: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.at)

    def __add__(self, other: Spots) -> Spots:
        return Spots(
            np.concatenate([self.at, other.at]), np.concatenate([self.facing, other.facing]),
            np.concatenate([self.sitting, other.sitting]), np.concatenate([self.waits, other.waits]),
        )  # fmt: skip

    def some(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Spots:
        """Those of ``rows``."""
        return Spots(self.at[rows], self.facing[rows], self.sitting[rows], self.waits[rows])


def standing(at: Floats, facing: Floats, *, waits: bool = False) -> Spots:
    """Spots on the ground at ``at`` (n, 2)."""
    n = len(at)
    return Spots(np.column_stack([at, np.zeros(n)]), facing, np.zeros(n, np.bool_), np.full(n, waits))


def nobody() -> Spots:
    """No place at all."""
    return standing(np.zeros((0, 2)), np.zeros(0))


def scatter(
    rng: np.random.Generator, n: int, area: Area, free: Free, *, apart_m: float,
    clustered: float, weight: Callable[[Floats], Floats] | None = None,
) -> Floats:  # fmt: skip
    """At most ``n`` places (m, 2) in ``area`` (left, near, right, far) where ``free``, no two nearer than ``apart_m``.

    A Thomas process (parents at random, children normally around each) thinned to a hard core: ``clustered`` is the
    share of children, ``weight`` (of places, at most 1) how readily each place is taken.
    """
    left, near, right, far = area
    found = np.zeros((0, 2))
    for _ in range(8):
        missing = n - len(found)
        if missing <= 0:
            break
        tries = 2 * missing + 300
        lone = rng.uniform((left, near), (right, far), (tries, 2))
        parents = rng.uniform((left, near), (right, far), (max(missing // 6, 1), 2))
        spread = rng.uniform(0.5, 2.2, len(parents)) * max(apart_m, 0.4)
        pick = rng.integers(0, len(parents), tries)
        children = parents[pick] + rng.normal(0, 1, (len(pick), 2)) * spread[pick][:, None]
        tried = np.where(rng.random((len(lone), 1)) < clustered, children, lone)
        inside = (tried >= (left, near)).all(axis=1) & (tried <= (right, far)).all(axis=1)
        tried = tried[inside & free(tried)]
        if weight is not None:
            tried = tried[rng.random(len(tried)) < weight(tried)]
        before = len(found)
        found = _thinned(np.concatenate([found, tried]), before, apart_m)
        if len(found) - before < 0.01 * n:  # there is hardly room for more
            break
    return found[:n]


def _thinned(places: Floats, kept: int, apart_m: float) -> Floats:
    """Those that are no nearer than ``apart_m`` to one before them; the first ``kept`` are all kept."""
    taken = np.ones(len(places), np.bool_)
    for a, b in sorted(cKDTree(places).query_pairs(apart_m)):
        if taken[a] and b >= kept:
            taken[b] = False
    return places[taken]


def groups_facing(rng: np.random.Generator, at: Floats, main: float, spread: float, together: float) -> Floats:
    """(n,) where people at ``at`` (n, 2) look: mostly ``main`` ± ``spread``; a share talks with the nearest."""
    n = len(at)
    facing = main + rng.normal(0, spread, n)
    if n > 1:
        near = np.asarray(cKDTree(at).query(at, k=2)[1])
        way = at[near[:, 1]] - at
        talking = (np.hypot(way[:, 0], way[:, 1]) < 1.4) & (rng.random(n) < together)
        facing[talking] = np.arctan2(-way[talking, 0], way[talking, 1])
    return facing


def queue(rng: np.random.Generator, n: int, area: Area, lanes: int) -> Spots:
    """People in a queue that goes to and fro in ``lanes``, each behind the other."""
    left, near, right, far = area
    gap, wide = rng.uniform(0.55, 0.85), rng.uniform(0.9, 1.3)
    length = max(right - left, 2.0)
    path = []
    y = near + 0.3
    for lane in range(lanes):
        if y > far:
            break
        steps = np.arange(0, length, gap)
        x = left + steps if lane % 2 == 0 else right - steps
        angle = -math.pi / 2 if lane % 2 == 0 else math.pi / 2
        path.append(np.stack([x, np.full(len(x), y), np.full(len(x), angle)], 1))
        y += wide
    places = np.concatenate(path)[:n] if path else np.zeros((0, 3))
    at = places[:, :2] + rng.normal(0, 0.07, (len(places), 2))
    return standing(at, places[:, 2] + rng.normal(0, 0.35, len(at)), waits=True)


def rows_of_seats(
    rng: np.random.Generator, area: Area, *, between_m: float, apart_m: float, rise_m: float,
    aisles: tuple[float, ...], facing: float,
) -> Spots:  # fmt: skip
    """All seats of rows along x, one row ``between_m`` behind the other and ``rise_m`` higher; none in an aisle."""
    left, near, right, far = area
    spots = []
    for row, y in enumerate(np.arange(near, far, between_m)):
        x = np.arange(left + (row % 2) * 0.5 * apart_m, right, apart_m)
        x = x[np.all(np.abs(x[:, None] - np.array(aisles or (1e9,))[None, :]) > 0.75, axis=1)]
        spots.append(np.stack([x, np.full(len(x), y), np.full(len(x), row * rise_m)], 1))
    at = np.concatenate(spots) if spots else np.zeros((0, 3))
    return Spots(at, np.full(len(at), facing), np.ones(len(at), np.bool_), np.zeros(len(at), np.bool_))
