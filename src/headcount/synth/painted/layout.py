"""Where people stand: heads spread over a ground plane in perspective, or over the rows of a stand."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.synth.painted.brush import cloud
from headcount.synth.painted.people import HEAD_HALF_HEIGHT, HEAD_HALF_WIDTH

VISIBLE_SHARE = 0.5
"""How much of a head's ellipse must stay uncovered by people nearer to the camera."""

_SMALLEST_HEAD_PX = 3.4
_ROUNDS = 12


@dataclass(frozen=True, slots=True)
class Ground:
    """The crowd's place in the picture: head height grows linearly from ``top_y`` to ``bottom_y``.

    ``roll`` is the camera's tilt as dy/dx; ``rows_y`` are the head lines of a stand's rows, empty on open ground.
    """

    size_wh: tuple[int, int]
    top_y: float
    bottom_y: float
    far_px: float
    near_px: float
    roll: float = 0.0
    rows_y: tuple[float, ...] = ()
    aisles_x: tuple[float, ...] = ()

    def head_px(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) head heights at the head lines ``y`` (measured before the tilt)."""
        share = np.clip((y - self.top_y) / (self.bottom_y - self.top_y), -0.2, 1.3)
        return self.far_px + (self.near_px - self.far_px) * share


@dataclass(frozen=True, slots=True)
class Placement:
    """(n,) arrays, far to near: head centres, head heights, and the ground line that orders them in depth."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    head_px: NDArray[np.float64]
    depth_y: NDArray[np.float64]


def open_ground(rng: np.random.Generator, size_wh: tuple[int, int], count: int) -> Ground:
    """A ground plane on which ``count`` people find room."""
    width, height = size_wh
    top = height * rng.uniform(0.20, 0.40)
    bottom = height * rng.uniform(0.95, 1.0)
    ratio = rng.uniform(0.14, 0.34)
    near_cap = max(height * rng.uniform(0.05, 0.085), 9.0)
    room = math.exp(rng.uniform(math.log(1.3), math.log(3.5)))  # picture area for one person, in squared heads
    near = min(near_cap, math.sqrt(width * (bottom - top) / (room * ratio * max(count, 1))))
    near = max(near, _SMALLEST_HEAD_PX)
    far = max(ratio * near, min(4.2, near))
    return Ground(size_wh, top, bottom, far, near, roll=math.tan(rng.normal(0.0, 0.018)))


def stand_rows(rng: np.random.Generator, size_wh: tuple[int, int], count: int) -> Ground:
    """The tiers of a stand: rows close enough for ``count`` people at an occupancy below one."""
    width, height = size_wh
    top = height * rng.uniform(0.16, 0.28)
    bottom = height * 0.97
    ratio = rng.uniform(0.5, 0.75)
    filled = rng.uniform(0.55, 0.85)
    near = math.sqrt(width * (bottom - top) * filled / (2.6 * ratio * max(count, 1)))
    near = max(min(near, height * 0.055), _SMALLEST_HEAD_PX)
    ground = Ground(size_wh, top, bottom, max(ratio * near, min(_SMALLEST_HEAD_PX, near)), near)
    rows: list[float] = []
    y = top
    while y < bottom:
        rows.append(y)
        y += 1.85 * float(ground.head_px(np.array(y)))
    first_aisle = width * rng.uniform(0.03, 0.13)
    aisles = tuple(first_aisle + index * width / 3.0 for index in range(3)) if width > 13 * near else ()
    return replace(ground, roll=math.tan(rng.normal(0.0, 0.012)), rows_y=tuple(rows), aisles_x=aisles)


def place_people(rng: np.random.Generator, ground: Ground, count: int) -> Placement:
    """Exactly ``count`` heads inside the picture, each with ``VISIBLE_SHARE`` of it uncovered where room allows."""
    darts = _Darts(rng, ground)
    spots = np.empty((0, 3))
    spots = darts.throw(spots, count)
    for _ in range(_ROUNDS):
        spots = spots[np.argsort(spots[:, 2], kind="stable")]
        hidden = hidden_heads(_placement(ground, spots), ground.size_wh)
        if not hidden.any():
            break
        spots = darts.throw(spots[~hidden], int(hidden.sum()))
    return _placement(ground, spots[np.argsort(spots[:, 2], kind="stable")])


def _placement(ground: Ground, spots: NDArray[np.float64]) -> Placement:
    return Placement(spots[:, 0], spots[:, 1], ground.head_px(spots[:, 2]), spots[:, 2])


def hidden_heads(placement: Placement, size_wh: tuple[int, int]) -> NDArray[np.bool_]:
    """(n,) whether nearer heads and shoulders leave less than ``VISIBLE_SHARE`` of a head to see."""
    width, height = size_wh
    labels = np.zeros((height, width), np.int32)
    whole = np.zeros(len(placement.x) + 1, np.int64)
    for index in range(len(placement.x)):
        x, y, unit = placement.x[index], placement.y[index], placement.head_px[index]
        centre = (round((x - 0.5) * 16), round((y - 0.5) * 16))
        torso = np.array([[-0.18, 0.4], [-0.9, 0.76], [-1.1, 2.4], [1.1, 2.4], [0.9, 0.76], [0.18, 0.4]])
        outline = np.rint((torso * unit + (x - 0.5, y - 0.5)) * 16).astype(np.int32)
        cv2.fillConvexPoly(labels, outline, 0, cv2.LINE_8, 4)
        axes = (round(HEAD_HALF_WIDTH * unit * 16), round(HEAD_HALF_HEIGHT * unit * 16))
        cv2.ellipse(labels, centre, axes, 0.0, 0.0, 360.0, index + 1, -1, cv2.LINE_8, 4)
        left, right = max(int(x - unit), 0), int(x + unit) + 2
        top, bottom = max(int(y - unit), 0), int(y + unit) + 2
        whole[index + 1] = np.count_nonzero(labels[top:bottom, left:right] == index + 1)
    seen = np.bincount(labels.ravel(), minlength=len(whole))
    return seen[1:] < VISIBLE_SHARE * whole[1:]


class _Darts:
    """Throws heads one by one, each clear of the others; when room runs out the clearance shrinks."""

    def __init__(self, rng: np.random.Generator, ground: Ground):
        self._rng = rng
        self._ground = ground
        coarse = (max(ground.size_wh[0] // 8, 1), max(ground.size_wh[1] // 8, 1))
        gathering = rng.uniform(0.0, 0.9)
        self._weight = np.clip(0.75 + gathering * cloud(rng, coarse, max(coarse) / 5), 0.04, 1.0)
        if ground.rows_y:
            self._weight = np.sqrt(self._weight)
        self._clear_x, self._clear_y = (1.3, 0.8) if ground.rows_y else (1.0, 0.62)

    def throw(self, spots: NDArray[np.float64], count: int) -> NDArray[np.float64]:
        """(n + count, 3) spots: x, y in the picture, and the head line y before tilt and stature."""
        filled = len(spots)
        total = filled + count
        grown = np.empty((total, 3))
        grown[:filled] = spots
        heads = np.empty(total)
        heads[:filled] = self._ground.head_px(spots[:, 2])
        clear = 1.0
        while filled < total:
            batch = self._candidates(max(64, 2 * (total - filled)))
            sizes = self._ground.head_px(batch[:, 2])
            taken = filled
            for spot, size in zip(batch, sizes, strict=True):
                if filled == total:
                    break
                reach = 0.5 * (heads[:filled] + size) * clear
                far_x = np.abs(grown[:filled, 0] - spot[0]) / (self._clear_x * reach)
                far_y = np.abs(grown[:filled, 1] - spot[1]) / (self._clear_y * reach)
                if filled and float(np.min(far_x * far_x + far_y * far_y)) < 1.0:
                    continue
                grown[filled], heads[filled] = spot, size
                filled += 1
            if filled - taken < len(batch) // 8:
                clear *= 0.93
        return grown

    def _candidates(self, number: int) -> NDArray[np.float64]:
        ground = self._ground
        width, height = ground.size_wh
        u = self._rng.random((number, 5))
        x = u[:, 0] * width
        if ground.rows_y:
            rows = np.array(ground.rows_y)
            weight = np.cumsum(1.0 / ground.head_px(rows))
            line = rows[np.searchsorted(weight, u[:, 1] * weight[-1])]
            size = ground.head_px(line)
            y = line + (u[:, 2] - 0.5) * 0.35 * size
            for aisle in ground.aisles_x:
                x = np.where(np.abs(x - aisle) < 1.7 * size, x + 3.6 * size, x)
        else:
            # Density falls with the squared head height, as it does for people evenly spread on the ground.
            far, near = ground.far_px, ground.near_px
            size = far * near / (near - u[:, 1] * (near - far))
            share = (size - far) / (near - far) if near > far else u[:, 1]
            line = ground.top_y + share * (ground.bottom_y - ground.top_y)
            y = line + (u[:, 2] + u[:, 3] - 0.85) * 0.42 * size
        y = y + ground.roll * (x - width / 2)
        margin = np.maximum(0.4 * size, 1.0)
        inside = (x > margin) & (x < width - margin) & (y > margin) & (y < height - margin)
        rows_at = np.clip((y / height * self._weight.shape[0]).astype(int), 0, self._weight.shape[0] - 1)
        columns_at = np.clip((x / width * self._weight.shape[1]).astype(int), 0, self._weight.shape[1] - 1)
        keep = inside & (u[:, 4] < self._weight[rows_at, columns_at])
        spots: NDArray[np.float64] = np.stack([x, y, line], axis=1)[keep]
        return spots
