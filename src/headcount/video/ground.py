"""The ground that a camera sees: from heads in pixels to where people stand in metres, and back."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headcount.core.errors import InputError
from headcount.core.geometry import Points
from headcount.core.homography import Floats, Homography
from headcount.video.pose import FoundPose, Pose, find_pose
from headcount.video.site import CalibrationSettings

_SAME_SHAPE = 0.01
"""Frames of another size may be so much wider or narrower in shape: sizes are whole, and some are rounded up to 16."""
_NOISE = 1 / 720
"""How far off a marked pixel is, as a share of the picture's height: 1 in 720."""
_SAME_HEIGHT_M = 1e-6


class Ground:
    """A calibrated camera's ground.

    A head is not on the ground: it is seen at the pixel of the plane at the head's height, which the camera's pose puts
    above the ground. The pose comes from the points alone where the camera looks aslant (see ``headcount.video.pose``),
    and is not needed where the points were marked at the height of heads.

    Pixels are those of a picture of ``size_wh``; the calibration's are scaled to it.

    Attributes:
        settings: the calibration.
        homography: of the plane that the points lie in, in pixels of the calibration's picture.
        camera: the camera's pose over that plane, or None where it could not be had and is not needed.

    Raises:
        InputError: the points do not fit a plane, are off by more than ``most_residual_m``, fit no camera, or do not
            tell the camera's pose where it is needed; the sentence says what to add.
    """

    def __init__(self, settings: CalibrationSettings) -> None:
        self.settings = settings
        self._pixels = np.array([point.pixel for point in settings.points], dtype=np.float64)
        self._metres = np.array([point.metres for point in settings.points], dtype=np.float64)
        heights = {point.height_m for point in settings.points}
        if len(heights) > 1:
            raise InputError(
                f"The points of the calibration are at the heights {min(heights):g} to {max(heights):g} m: mark all on "
                "the ground, or all at one height."
            )
        self._marked_m = heights.pop()
        self.homography = Homography.fit(self._pixels, self._metres)
        self._refuse_residuals(self.residuals_m)
        self._planes = {self._marked_m: self.homography}
        found = self._find_pose()
        self.camera: Pose | None = None if found is None else found.pose
        self._no_camera = self._poor(found)
        if self._no_camera:
            self.camera = None
            if not self._is_marked(settings.person_m):
                raise InputError(self._no_camera)

    @property
    def residuals_m(self) -> Floats:
        """(n,) how far from its given place each of the calibration's points is put; 0 of four, which always fit."""
        return self.homography.residuals_m

    @property
    def is_mirrored(self) -> bool:
        """Whether left and right in metres, seen from above, are those of the picture; see ``Homography``."""
        return self.homography.is_mirrored

    def to_metres(self, head_pixels: ArrayLike, size_wh: tuple[int, int], *, height_m: float | None = None) -> Points:
        """(n, 2) where people stand whose heads are at pixels (n, 2) of a picture of ``size_wh``.

        ``height_m``: of what is seen there above the ground; None: of heads, 0: the ground itself. What lies at the
        horizon or above it comes out as not a number.

        Raises:
            InputError: the picture has another shape, or the height needs a pose that the points do not tell.
        """
        pixels = np.asarray(head_pixels, dtype=np.float64).reshape(-1, 2)
        return self._plane(height_m).to_metres(pixels / self._scale(size_wh))

    def to_pixels(self, metres: ArrayLike, size_wh: tuple[int, int], *, height_m: float | None = None) -> Points:
        """(n, 2) the pixels at which heads (or what is at ``height_m``) above places (n, 2) are seen; the inverse of
        ``to_metres``. What lies behind the camera comes out as not a number.

        Raises:
            InputError: as ``to_metres``.
        """
        return self._plane(height_m).to_pixels(metres) * self._scale(size_wh)

    def depths(self, metres: ArrayLike, *, height_m: float | None = None) -> Floats:
        """(n,) above 0 where a place lies before the camera, growing with the distance; 1 amid the marked points.

        Raises:
            InputError: the height needs a pose that the points do not tell.
        """
        return self._plane(height_m).depths(metres)

    def depth_slope(self, *, height_m: float | None = None) -> Floats:
        """(3,) a, b, c of ``depths``: a·x + b·y + c.

        Raises:
            InputError: the height needs a pose that the points do not tell.
        """
        slope: Floats = self._plane(height_m).matrix[2]
        return slope

    def visible(self, metres: ArrayLike) -> NDArray[np.bool_]:
        """(n,) whether the heads of people at places (n, 2) are within the picture."""
        pixels = self.to_pixels(metres, self.settings.size_wh)
        with np.errstate(invalid="ignore"):
            return np.asarray(((pixels >= 0) & (pixels <= np.array(self.settings.size_wh))).all(axis=1))

    def _is_marked(self, height_m: float) -> bool:
        return abs(height_m - self._marked_m) < _SAME_HEIGHT_M

    def _plane(self, height_m: float | None) -> Homography:
        height = self.settings.person_m if height_m is None else height_m
        if self._is_marked(height):
            return self.homography
        if self.camera is None:
            raise InputError(self._no_camera)
        if height not in self._planes:
            # What was fitted stays as it is; only the way upwards is the camera's. Both are compared amid the points.
            middle = np.append(self._metres.mean(axis=0), 1.0)
            size = float(self.homography.matrix[2] @ middle / (self.camera.plane(0).matrix[2] @ middle))
            matrix = self.homography.matrix.copy()
            matrix[:, 2] += (height - self._marked_m) * size * self.camera.vertical
            self._planes[height] = Homography(matrix)
        return self._planes[height]

    def _scale(self, size_wh: tuple[int, int]) -> Floats:
        scale = np.array(size_wh, dtype=np.float64) / self.settings.size_wh
        if abs(scale[0] / scale[1] - 1) > _SAME_SHAPE:
            width, height = self.settings.size_wh
            raise InputError(
                f"The frame has {size_wh[0]}×{size_wh[1]} pixels, but the calibration was marked in a picture of "
                f"{width}×{height}, of another shape: mark the points in a frame of the camera as it is now."
            )
        return scale

    def _refuse_residuals(self, residuals_m: Floats) -> None:
        worst = int(np.argmax(residuals_m))
        if residuals_m[worst] > self.settings.most_residual_m:
            x, y = self._metres[worst]
            raise InputError(
                f"Point {worst + 1} of the calibration, at ({x:g}, {y:g}) m, lies {residuals_m[worst]:.2f} m from "
                f"where the other points put it, over the limit of {self.settings.most_residual_m:g} m: mark it again, "
                "or measure it again."
            )

    def _find_pose(self) -> FoundPose | None:
        settings = self.settings
        height_px = settings.size_wh[1]
        focal = None
        if settings.vertical_fov_degrees is not None:
            focal = height_px / 2 / math.tan(math.radians(settings.vertical_fov_degrees) / 2)
        above = settings.camera_height_m
        if above is not None and above <= max(self._marked_m, settings.person_m):
            raise InputError(
                f"The camera is said to hang at {above:g} m, which is not above heads at {settings.person_m:g} m: give "
                "its height above the ground, or hang it higher."
            )
        return find_pose(
            self.homography, self._pixels, self._metres, settings.size_wh,
            away_m=max(settings.person_m - self._marked_m, -self._marked_m, key=abs), focal_px=focal,
            height_m=None if above is None else above - self._marked_m, noise_px=height_px * _NOISE,
        )  # fmt: skip

    def _poor(self, found: FoundPose | None) -> str:
        """Why no pose can be had, in a sentence; empty where it can."""
        settings, mark = self.settings, f"mark the points at the height of heads (height_m: {self.settings.person_m:g})"
        known = settings.vertical_fov_degrees is not None or settings.camera_height_m is not None
        most = settings.most_residual_m
        worst = 0 if found is None else int(np.argmax(found.residuals_m))
        if found is None or found.residuals_m[worst] > most:
            off = "" if found is None else f" (point {worst + 1} is {found.residuals_m[worst]:.2f} m off)"
            given = " with the angle or height that was given" if known else ""
            return (
                f"No camera{given} sees the calibration's points so{off}: mark them again in the whole picture of the "
                f"camera, {'correct vertical_fov_degrees or camera_height_m' if known else 'give vertical_fov_degrees'}"
                f", or {mark}."
            )
        if not known and found.unsure_m > most:
            off = (
                f"heads could be put {found.unsure_m:.1f} m wrong" if found.unsure_m < 100 else "it looks straight down"
            )
            return (
                f"The calibration's points do not tell how high the camera hangs ({off}): give camera_height_m or "
                f"vertical_fov_degrees, mark points farther apart, or {mark}."
            )
        hangs_m = float(found.pose.position_m[2]) + self._marked_m
        if hangs_m <= settings.person_m:
            return (
                f"By the calibration's points the camera hangs at {hangs_m:.1f} m, which is not above heads at "
                f"{settings.person_m:g} m: mark the points again, or hang the camera higher."
            )
        return ""
