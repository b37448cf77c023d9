"""A homography between the ground in metres and a picture in pixels, fitted to points that are known in both."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headcount.core.errors import InputError
from headcount.core.geometry import Points, as_points

Floats = NDArray[np.float64]

_LEAST_POINTS = 4
_FLAT = 0.02
"""Points count as being on a line where they are spread across it by less than this share of their spread along it."""
_RANK = 1e-6
_MOST_ROUNDS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Homography:
    """Which place on a plane is seen at which pixel: (u·w, v·w, w) = ``matrix`` · (x, y, 1), for a straight camera.

    Where w is above 0 the place lies before the camera. What lies at or behind the horizon, or behind the camera, has
    no place and no pixel: it comes out as not a number.

    Attributes:
        matrix: (3, 3) from metres to pixels, scaled so that w is above 0 before the camera.
        residuals_m: (n,) how far from its given place each fitted point's pixel is put; empty where nothing was fitted.
        residuals_px: (n,) how far from its given pixel each point's place is put.

    Raises:
        InputError: the matrix is not (3, 3), not finite, or cannot be inverted.

    >>> ground = Homography(np.array([[100.0, 0, 320], [0, -100, 240], [0, 0, 1]]))
    >>> ground.to_pixels([[1, 2]]).tolist(), ground.to_metres([[420, 40]]).tolist()
    ([[420.0, 40.0]], [[1.0, 2.0]])
    """

    matrix: Floats
    residuals_m: Floats = field(default_factory=lambda: np.zeros(0))
    residuals_px: Floats = field(default_factory=lambda: np.zeros(0))
    _inverse: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        matrix = np.asarray(self.matrix, dtype=np.float64)
        if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
            raise InputError(f"A homography is a (3, 3) matrix of finite numbers, but {matrix.shape} was given.")
        try:
            inverse = np.linalg.inv(matrix)
        except np.linalg.LinAlgError as error:
            raise InputError("This homography maps all of the plane to a line: fit it to other points.") from error
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "_inverse", inverse)

    @classmethod
    def fit(cls, pixels: ArrayLike, metres: ArrayLike) -> Homography:
        """The homography of n ≥ 4 points: exact for four, for more the one with the least squared distances in pixels.

        Begins with the normalised direct linear transformation (Hartley, "In defence of the eight-point algorithm",
        1997; Hartley and Zisserman, "Multiple View Geometry", algorithm 4.2) and is refined by Levenberg-Marquardt.

        Args:
            pixels: (n, 2) where the points are seen.
            metres: (n, 2) where they are on the ground.

        Raises:
            InputError: there are fewer than four points or not as many of both, one is not finite, they lie on a line
                (or three of four do), or no camera sees them so: one of them would lie behind the horizon.
        """
        seen, known = as_points(pixels), as_points(metres)
        _refuse_poor(seen, known)
        pixel_frame, metre_frame = _normaliser(seen), _normaliser(known)
        away, here = _mapped(pixel_frame, seen), _mapped(metre_frame, known)
        start = _linear(here, away)
        start = _before_camera(start, here)
        if len(seen) > _LEAST_POINTS:
            start = _before_camera(_refined(start, here, away), here)
        matrix = np.linalg.inv(pixel_frame) @ start @ metre_frame
        # In the size that numbers are read at: w is 1 in the middle of the points.
        matrix /= float(np.abs(matrix[2] @ np.append(known.mean(axis=0), 1.0)))
        plain = cls(matrix)
        return cls(
            matrix,
            residuals_m=np.linalg.norm(plain.to_metres(seen) - known, axis=1),
            residuals_px=np.linalg.norm(plain.to_pixels(known) - seen, axis=1),
        )

    @property
    def is_mirrored(self) -> bool:
        """Whether a turn to the left in metres is seen as a turn to the right: y ahead, as on a map, seen from above.

        False where metres are counted as pixels are, y towards the viewer. It is the same wherever w is above 0.
        """
        return bool(np.linalg.det(self.matrix) < 0)

    def to_pixels(self, metres: ArrayLike) -> Points:
        """(n, 2) pixels of places (n, 2) in metres; not a number behind the camera."""
        return _mapped(self.matrix, np.asarray(metres, dtype=np.float64).reshape(-1, 2))

    def to_metres(self, pixels: ArrayLike) -> Points:
        """(n, 2) places in metres of pixels (n, 2); not a number at the horizon and beyond it."""
        return _mapped(self._inverse, np.asarray(pixels, dtype=np.float64).reshape(-1, 2))

    def depths(self, metres: ArrayLike) -> Floats:
        """(n,) w of places (n, 2): above 0 before the camera; in units of the matrix."""
        places = np.asarray(metres, dtype=np.float64).reshape(-1, 2)
        depths: Floats = places @ self.matrix[2, :2] + self.matrix[2, 2]
        return depths


def _mapped(matrix: Floats, points: Points) -> Points:
    sent = points @ matrix[:, :2].T + matrix[:, 2]
    w = np.where(sent[:, 2] > 1e-12 * np.abs(matrix[2]).max(), sent[:, 2], np.nan)
    mapped: Points = sent[:, :2] / w[:, None]
    return mapped


def _refuse_poor(pixels: Points, metres: Points) -> None:
    if len(pixels) != len(metres):
        raise InputError(f"{len(pixels)} points in pixels and {len(metres)} in metres were given: give each in both.")
    if len(pixels) < _LEAST_POINTS:
        raise InputError(f"Four points of the ground or more are needed, but {len(pixels)} were given: mark more.")
    for points, unit in ((pixels, "in the picture"), (metres, "on the ground")):
        if _spread_across(points) < _FLAT:
            raise InputError(f"The points lie on one line {unit}: mark points that lie around an area.")
        if len(points) == _LEAST_POINTS:
            for three in combinations(range(_LEAST_POINTS), 3):
                if _spread_across(points[list(three)]) < _FLAT:
                    named = "{}, {} and {}".format(*(one + 1 for one in three))
                    raise InputError(
                        f"The points {named} lie on one line {unit}: move one of them, or mark a fifth point beside it."
                    )


def _spread_across(points: Points) -> float:
    """How far points are spread across the line that fits them best, as a share of their spread along it."""
    long, short = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)[:2]
    return float(short / long) if long > 0 else 0.0


def _normaliser(points: Points) -> Floats:
    """(3, 3) that moves points to around 0, at a mean distance of √2."""
    middle = points.mean(axis=0)
    scale = np.sqrt(2) / np.linalg.norm(points - middle, axis=1).mean()
    return np.array([[scale, 0, -scale * middle[0]], [0, scale, -scale * middle[1]], [0, 0, 1.0]])


def _linear(here: Points, away: Points) -> Floats:
    """The direct linear transformation from ``here`` to ``away``, both normalised."""
    known = np.column_stack([here, np.ones(len(here))])
    none = np.zeros_like(known)
    rows = np.concatenate(
        [np.hstack([known, none, -away[:, :1] * known]), np.hstack([none, known, -away[:, 1:] * known])]
    )
    _, values, right = np.linalg.svd(rows, full_matrices=True)
    if values[7] < _RANK * values[0]:
        raise InputError("All points but one lie on one line: mark points that lie around an area.")
    matrix: Floats = right[-1].reshape(3, 3)
    return matrix


def _before_camera(matrix: Floats, here: Points) -> Floats:
    """The matrix with w above 0 at all points.

    Raises:
        InputError: it is not on one side of 0.
    """
    w = here @ matrix[2, :2] + matrix[2, 2]
    if np.sign(w).sum() < 0:
        matrix, w = -matrix, -w
    behind = np.flatnonzero(w <= 0)
    if len(behind) or abs(np.linalg.det(matrix)) < 1e-9:
        named = f"point {behind[0] + 1}" if len(behind) else "a point"
        raise InputError(
            f"No camera sees the points so: {named} would lie behind the horizon; look whether two points were "
            "exchanged, and whether each has the place in metres that belongs to it."
        )
    return matrix


def _refined(start: Floats, here: Points, away: Points) -> Floats:
    """The matrix of least squared distances to ``away``; of its 9 numbers 8 are free, since its size means nothing."""
    from scipy.optimize import least_squares  # start-up time

    first = start.ravel() / np.linalg.norm(start)
    free = np.linalg.svd(first[None])[2][1:].T  # (9, 8) every way to change it but its size
    known = np.column_stack([here, np.ones(len(here))])

    def sent(steps: Floats) -> tuple[Points, Floats]:
        u, v, w = (first + free @ steps).reshape(3, 3) @ known.T
        return np.stack([u / w, v / w]), w

    def errors(steps: Floats) -> Floats:
        return np.asarray((sent(steps)[0] - away.T).ravel())

    def slopes(steps: Floats) -> Floats:
        (u, v), w = sent(steps)
        over, none = known / w[:, None], np.zeros_like(known)
        return np.asarray(
            np.concatenate([np.hstack([over, none, -u[:, None] * over]), np.hstack([none, over, -v[:, None] * over])])
            @ free
        )

    with np.errstate(all="ignore"):  # a step too far is not taken
        found = least_squares(
            errors, np.zeros(8), jac=slopes, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=_MOST_ROUNDS
        )
    matrix: Floats = (first + free @ found.x).reshape(3, 3)
    return matrix if np.isfinite(matrix).all() else start
