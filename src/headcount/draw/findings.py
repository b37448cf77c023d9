"""What an audit found in an image, drawn on a small picture of it: points as circles, boxes as frames."""

from __future__ import annotations

import cv2
import numpy as np

from headcount.core.geometry import Boxes, Points
from headcount.core.image import RgbImage

POINT_RGB, BOX_RGB = (255, 45, 85), (255, 190, 0)
_RIM_RGB, _PAPER_RGB = (255, 255, 255), (70, 74, 82)
_MARGIN = 0.25  # of the picture's sides, at most, for what lies outside
_BESIDE_PX = 12  # of margin beyond what lies outside
_ENLARGED_PX = 24  # smaller boxes get a ring around them
_FEW = 50  # points that are what was found; more are all the image's


def draw_findings(picture: RgbImage, points_xy: Points, boxes_xyxy: Boxes) -> RgbImage:
    """A copy of the picture with (n, 2) points and (m, 4) boxes, in its pixels; its corners may be swapped.

    Around it there is a gray margin as far as points and boxes lie outside, up to a quarter of the picture; those that
    lie farther are drawn at its end.
    """
    size_wh = np.array([picture.shape[1], picture.shape[0]], np.float64)
    corners = np.concatenate([points_xy, boxes_xyxy.reshape(-1, 2)])
    over = np.maximum(-corners, corners - size_wh).max(axis=0, initial=0.0)
    margin = np.where(over > 0, np.ceil(np.minimum(over + _BESIDE_PX, _MARGIN * size_wh)), 0).astype(int)
    x, y = margin.tolist()
    picture = np.asarray(cv2.copyMakeBorder(picture, y, y, x, x, cv2.BORDER_CONSTANT, value=_PAPER_RGB), np.uint8)
    reach = np.array([picture.shape[1], picture.shape[0]]) - 1
    places = np.clip(corners + margin, 0, reach).round().astype(int)
    points, boxes = places[: len(points_xy)], places[len(points_xy) :].reshape(-1, 2, 2)
    for near, far in boxes.tolist():
        cv2.rectangle(picture, near, far, BOX_RGB, 2, cv2.LINE_AA)
        if max(abs(far[0] - near[0]), abs(far[1] - near[1])) < _ENLARGED_PX:
            centre = ((near[0] + far[0]) // 2, (near[1] + far[1]) // 2)
            cv2.circle(picture, centre, _ENLARGED_PX, BOX_RGB, 2, cv2.LINE_AA)
    # Many are small, so that the image is seen.
    radius, thickness = (9, 2) if len(points) <= _FEW else (2, 1)
    for centre in points.tolist():
        cv2.circle(picture, centre, radius, _RIM_RGB, 2 * thickness, cv2.LINE_AA)
        cv2.circle(picture, centre, radius, POINT_RGB, thickness, cv2.LINE_AA)
    return picture
