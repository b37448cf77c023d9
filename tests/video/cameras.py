"""Cameras whose every place is known: rendered ones, and what a site's file says of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from headcount.synth.rendered.camera import Camera
from headcount.video.site import CalibrationSettings

SIZE = (1280, 720)
PLACES = np.array([[-4.0, 6], [4, 6], [6, 16], [-6, 16], [0, 10]])
ASLANT = Camera(height_m=6, pitch_deg=25, fov_deg=70, size_wh=SIZE)
DOWN = Camera(height_m=8, pitch_deg=90, fov_deg=70, size_wh=SIZE)
BELOW = np.array([[-3.0, -2], [3, -2], [3, 2], [-3, 2]])


def heads(camera: Camera, places: Any, height_m: float = 1.6) -> np.ndarray:
    """(n, 2) the pixels of heads above places (n, 2) on the ground."""
    places = np.asarray(places, dtype=np.float64).reshape(-1, 2)
    return camera.project(np.column_stack([places, np.full(len(places), height_m)]))[0]


def calibration(
    camera: Camera = ASLANT, places: np.ndarray = PLACES, *, mark_m: float = 0, flip: bool = False, **more: object
) -> CalibrationSettings:
    """As it would be marked without error; ``flip``: with y in metres counted towards the viewer."""
    pixels = heads(camera, places, mark_m)
    metres = places * [1, -1 if flip else 1]
    points = [
        {"pixel": pixel, "metres": place, "height_m": mark_m}
        for pixel, place in zip(pixels.tolist(), metres.tolist(), strict=True)
    ]
    return CalibrationSettings.model_validate({"points": points, "size_wh": camera.size_wh, **more})
