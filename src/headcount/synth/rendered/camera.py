"""The camera over the ground plane: where it hangs, what it sees, and the homography between ground and picture.

The world is in metres: x to the right, y ahead, z up, the ground at z = 0, the camera over (0, 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """A camera at ``height_m`` that looks down by ``pitch_deg``, tilted to its side by ``roll_deg``.

    ``fov_deg`` is the angle of view across the picture's width; ``size_wh`` the picture's size in pixels.
    """

    height_m: float
    pitch_deg: float
    fov_deg: float
    size_wh: tuple[int, int]
    roll_deg: float = 0.0

    @property
    def focal_px(self) -> float:
        """The focal length in pixels."""
        return self.size_wh[0] / (2 * math.tan(math.radians(self.fov_deg) / 2))

    @cached_property
    def frame(self) -> Floats:
        """(3, 3): rows are the picture's axes in the world: to the right, down, and away from the camera."""
        pitch, roll = math.radians(self.pitch_deg), math.radians(self.roll_deg)
        right, away = np.array([1.0, 0, 0]), np.array([0, math.cos(pitch), -math.sin(pitch)])
        down = np.cross(away, right)
        return np.stack(
            [math.cos(roll) * right + math.sin(roll) * down, math.cos(roll) * down - math.sin(roll) * right, away]
        )

    @property
    def centre(self) -> Floats:
        """(3,) where the camera is."""
        return np.array([0.0, 0.0, self.height_m])

    @cached_property
    def matrix(self) -> Floats:
        """(3, 4) from the world to the picture: (x, y, z, 1) to (u·w, v·w, w)."""
        width, height = self.size_wh
        inner = np.array([[self.focal_px, 0, width / 2], [0, self.focal_px, height / 2], [0, 0, 1.0]])
        return np.asarray(inner @ self.frame @ np.concatenate([np.eye(3), -self.centre[:, None]], axis=1))

    @cached_property
    def homography(self) -> Floats:
        """(3, 3) from the ground in metres to the picture in pixels: (x, y, 1) to (u·w, v·w, w)."""
        return self.matrix[:, [0, 1, 3]]

    def project(self, places: Floats) -> tuple[Floats, Floats]:
        """Pixels (n, 2) of places (n, 3) in metres, and how far away from the camera's plane (n,) they are.

        What lies behind the camera has a distance of 0 or less and no meaningful pixel.
        """
        u, v, w = self.matrix @ np.concatenate([places, np.ones((len(places), 1))], axis=1).T
        safe = np.where(np.abs(w) > 1e-9, w, 1e-9)
        return np.stack([u / safe, v / safe], axis=1), w

    def to_ground(self, pixels: Floats) -> Floats:
        """(n, 2) places in metres under pixels (n, 2); not a number at and above the horizon."""
        x, y, w = np.linalg.inv(self.homography) @ np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1).T
        place = np.stack([x, y], axis=1) / np.where(np.abs(w) > 1e-12, w, 1e-12)[:, None]
        ahead = self.frame[2, 0] * place[:, 0] + self.frame[2, 1] * place[:, 1] - self.frame[2, 2] * self.height_m
        place[ahead <= 0] = np.nan
        return place

    def clip_matrix(self, near: float = 0.15, far: float = 3000.0) -> Floats:
        """(4, 4) from the world to OpenGL's clip space."""
        width, height = self.size_wh
        u, v, w = self.matrix
        depth = (far + near) / (far - near) * w
        depth = depth.copy()
        depth[3] -= 2 * far * near / (far - near)
        return np.stack([2 * u / width - w, w - 2 * v / height, depth, w])
