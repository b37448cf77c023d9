"""Where a camera hangs and how it looks, worked out from a plane that it sees.

One plane gives two constraints on the camera's inside (Zhang, "A flexible new technique for camera calibration", 2000,
equations 3 and 4); with square pixels and the principal point in the picture's middle the focal length is the only
unknown. It is refined, with the pose, to the least squared distances of the points in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from headcount.core.geometry import Points
from headcount.core.homography import Floats, Homography

_SHARES = (0.4, 0.8, 1.6, 3.2)
"""Focal lengths to begin with, as shares of the picture's longer side: from wide to narrow lenses."""
_STEP = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """A camera over a plane at z = 0, z upwards, in metres.

    Attributes:
        focal_px: the focal length in pixels.
        rotation: (3, 3), rows are the picture's axes in the world: to the right, down, and away from the camera.
        position_m: (3,) where the camera is.
        size_wh: (width, height) of its picture.
        is_flipped: the plane's y is counted towards the viewer, so that it is y·(−1) here.
    """

    focal_px: float
    rotation: Floats
    position_m: Floats
    size_wh: tuple[int, int]
    is_flipped: bool = False

    @property
    def vertical_fov_degrees(self) -> float:
        """What it sees from its lower to its upper edge."""
        return 2 * math.degrees(math.atan(self.size_wh[1] / 2 / self.focal_px))

    @property
    def down_degrees(self) -> float:
        """How far it looks down: 0 to the horizon, 90 straight down."""
        return math.degrees(math.asin(float(np.clip(-self.rotation[2, 2], -1, 1))))

    def plane(self, height_m: float) -> Homography:
        """Of the plane ``height_m`` above the one at z = 0.

        Raises:
            InputError: the camera lies in that plane.
        """
        middle = np.array([self.size_wh[0] / 2, self.size_wh[1] / 2])
        inner = np.array([[self.focal_px, 0, middle[0]], [0, self.focal_px, middle[1]], [0, 0, 1]])
        seen = inner @ self.rotation
        columns = [seen[:, 0], seen[:, 1] * (-1 if self.is_flipped else 1)]
        return Homography(np.stack([*columns, seen @ (np.array([0, 0, height_m]) - self.position_m)], axis=1))

    @property
    def vertical(self) -> Floats:
        """(3,) what a metre upwards adds to (u·w, v·w, w)."""
        x, y, z = self.rotation[:, 2]
        return np.array([self.focal_px * x + z * self.size_wh[0] / 2, self.focal_px * y + z * self.size_wh[1] / 2, z])


@dataclass(frozen=True, slots=True, eq=False)
class FoundPose:
    """A pose with what it leaves.

    Attributes:
        pose: the camera.
        residuals_m: (n,) how far from its place each point's pixel is put by it.
        unsure_m: by how much (one standard deviation, at the worst of the points) a place that is seen ``away_m`` above
            the plane could be put wrong, since marked pixels are not exact; infinite where the pose is not told.
    """

    pose: Pose
    residuals_m: Floats
    unsure_m: float


def find_pose(
    homography: Homography,
    pixels: Points,
    metres: Points,
    size_wh: tuple[int, int],
    *,
    away_m: float,
    focal_px: float | None = None,
    height_m: float | None = None,
    noise_px: float = 1.0,
) -> FoundPose | None:
    """The camera that sees a plane's points where they were marked.

    Args:
        homography: of the plane, fitted to the points.
        pixels, metres: (n, 2) the points, n ≥ 4.
        size_wh: (width, height) of the picture in pixels.
        away_m: how far above the plane (below it, where below 0) people are looked for; of ``unsure_m``.
        focal_px: the focal length, where it is known.
        height_m: how high above the plane the camera hangs, where that is known.
        noise_px: how far off marked pixels are at least.

    Returns:
        None where no camera before the points is found at all.
    """
    problem = _Problem(pixels, metres * [1, 1 if homography.is_mirrored else -1], size_wh, focal_px, height_m)
    plane = Homography(homography.matrix * [1, 1 if homography.is_mirrored else -1, 1])
    starts = [start for focal in problem.focals(plane) if (start := problem.start(plane, focal)) is not None]
    solved = [one for one in map(problem.solve, starts) if one is not None]
    if not solved:
        return None
    free, cost = min(solved, key=lambda one: one[1])
    focal, rotation, position = problem.unpack(free)
    pose = Pose(focal, rotation, position, size_wh, is_flipped=not homography.is_mirrored)
    spare = max(1, 2 * len(pixels) - len(free))
    noise = max(noise_px, math.sqrt(cost / spare))
    left = np.linalg.norm(pose.plane(0).to_metres(pixels) - metres, axis=1)
    return FoundPose(pose, np.nan_to_num(left, nan=np.inf), problem.unsure(free, noise, away_m))


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """Points of a plane with x, y, z right-handed, and what is known of their camera.

    The free numbers are a turn (3), the position (3, or 2 where the height is known) and, where it is unknown, the
    logarithm of the focal length.
    """

    pixels: Points
    metres: Points
    size_wh: tuple[int, int]
    focal_px: float | None
    height_m: float | None

    def focals(self, plane: Homography) -> list[float]:
        """Focal lengths to begin with."""
        if self.focal_px is not None:
            return [self.focal_px]
        (a, b), (c, d), (e, f) = self._centred(plane)[:, :2]
        # Zhang's (3) and (4): a·b/f² + … = 0, by least squares for 1/f².
        left = np.array([a * b + c * d, a * a + c * c - b * b - d * d])
        right = np.array([e * f, e * e - f * f])
        size = float(left @ left)
        inverse = -float(left @ right) / size if size > 0 else 0.0
        told = [inverse**-0.5] if inverse > 0 else []
        return told + [share * max(self.size_wh) for share in _SHARES]

    def _centred(self, plane: Homography) -> Floats:
        move = np.array([[1, 0, -self.size_wh[0] / 2], [0, 1, -self.size_wh[1] / 2], [0, 0, 1]])
        return np.asarray(move @ plane.matrix)

    def start(self, plane: Homography, focal: float) -> Floats | None:
        """The free numbers by a focal length alone."""
        from scipy.spatial.transform import Rotation  # start-up time

        seen = self._centred(plane) / np.array([[focal], [focal], [1]])
        scale = 2 / (np.linalg.norm(seen[:, 0]) + np.linalg.norm(seen[:, 1]))
        right, ahead, away = (scale * seen).T
        left, _, other = np.linalg.svd(np.stack([right, ahead, np.cross(right, ahead)], axis=1))
        rotation = left @ other
        if np.linalg.det(rotation) < 0:
            return None
        position = -rotation.T @ away
        free = [*Rotation.from_matrix(rotation).as_rotvec(), *position[: 3 if self.height_m is None else 2]]
        return np.array([*free, *([] if self.focal_px is not None else [math.log(focal)])])

    def unpack(self, free: Floats) -> tuple[float, Floats, Floats]:
        """The focal length, the rotation and the position."""
        from scipy.spatial.transform import Rotation

        focal = self.focal_px if self.focal_px is not None else math.exp(min(float(free[-1]), 50.0))
        height = float(free[5]) if self.height_m is None else self.height_m
        return focal, Rotation.from_rotvec(free[:3]).as_matrix(), np.array([free[3], free[4], height])

    def errors(self, free: Floats) -> Floats:
        """(2n,) how far in pixels the points are seen from where they were marked."""
        focal, rotation, position = self.unpack(free)
        away = np.column_stack([self.metres, np.zeros(len(self.metres))]) - position
        x, y, z = rotation @ away.T
        z = np.where(np.abs(z) > 1e-9, z, 1e-9)
        u, v = focal * x / z + self.size_wh[0] / 2, focal * y / z + self.size_wh[1] / 2
        return np.concatenate([u - self.pixels[:, 0], v - self.pixels[:, 1]])

    def solve(self, start: Floats) -> tuple[Floats, float] | None:
        """The free numbers of least squares and the squared distances in pixels; None: it is no camera."""
        from scipy.optimize import least_squares

        with np.errstate(all="ignore"):
            try:
                found = least_squares(
                    self.errors, start, method="lm", x_scale="jac", xtol=1e-14, ftol=1e-14, gtol=1e-14, max_nfev=400
                )
            except ValueError:  # it went to where nothing is finite
                return None
        focal, rotation, position = self.unpack(found.x)
        depths = (np.column_stack([self.metres, np.zeros(len(self.metres))]) - position) @ rotation[2]
        if not np.isfinite(found.x).all() or position[2] <= 0 or (depths <= 0).any() or focal <= 0:
            return None
        return np.asarray(found.x), float(2 * found.cost)

    def unsure(self, free: Floats, noise_px: float, away_m: float) -> float:
        """See ``FoundPose.unsure_m``: the noise, through the fit, to places above the points."""
        _, values, right = np.linalg.svd(_slopes(self.errors, free), full_matrices=False)
        focal, rotation, position = self.unpack(free)
        heads = np.column_stack([self.metres, np.full(len(self.metres), away_m)])
        x, y, z = rotation @ (heads - position).T
        if values[-1] < 1e-12 * values[0] or (z <= 0).any():
            return math.inf
        seen = np.column_stack([focal * x / z, focal * y / z])

        def below(numbers: Floats) -> Floats:
            focal, rotation, position = self.unpack(numbers)
            ways = np.column_stack([seen, np.full(len(seen), focal)]) @ rotation
            return np.asarray((position[:2] + ways[:, :2] * ((away_m - position[2]) / ways[:, 2])[:, None]).ravel())

        root = noise_px * right.T / values  # root · rootᵀ is the covariance of the free numbers
        moved = (_slopes(below, free) @ root).reshape(len(heads), -1)
        return float(np.sqrt(np.square(moved).sum(axis=1)).max())


def _slopes(function: Callable[[Floats], Floats], free: Floats) -> Floats:
    """(m, k) what a function of k numbers gains by each, in units of the number's own size (1 for small ones)."""
    columns: list[Floats] = []
    for at, unit in enumerate(np.maximum(1.0, np.abs(free))):
        step = np.zeros_like(free)
        step[at] = _STEP * unit
        columns.append((function(free + step) - function(free - step)) / (2 * _STEP))
    return np.stack(columns, axis=1)
