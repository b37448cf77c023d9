"""Changes of pixels alone: annotations stay, and the same generator gives the same picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import pytest

from headcount.core.random import generator
from headcount.core.scene import Scene
from headcount.data.augment.photometric import blur, compress, noise, recolour


def _rng(seed: int) -> np.random.Generator:
    return generator(seed, stream=3)


def _scene(width: int = 20, height: int = 10, seed: int = 0) -> Scene:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Scene(
        pixels,
        np.array([[3.0, 4.0]]),
        boxes_xyxy=np.array([[1.0, 1.0, 2.0, 2.0]]),
        region=np.ones((height, width), np.bool_),
        attributes={"camera": "1"},
    )


Change = Callable[[Scene, np.random.Generator], Scene]
CHANGES: dict[str, Change] = {
    "recolour": partial(recolour, strength=0.3, gray=0.0),
    "gray": partial(recolour, strength=0.0, gray=1.0),
    "blur": partial(blur, sigma_px=(0.5, 2.0)),
    "noise": partial(noise, std=(2.0, 9.0)),
    "compress": partial(compress, quality=(30, 90)),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("size_wh", [(20, 10), (1, 1), (1, 9), (33, 2)])
def test_annotations_stay_and_the_picture_repeats_itself(name: str, size_wh: tuple[int, int]) -> None:
    change, scene = CHANGES[name], _scene(*size_wh)
    kept = scene.pixels().copy()
    one, again = change(scene, _rng(5)), change(scene, _rng(5))
    assert one.pixels().dtype == np.uint8
    assert one.pixels().shape == kept.shape
    np.testing.assert_array_equal(one.pixels(), again.pixels())
    np.testing.assert_array_equal(scene.pixels(), kept)  # the input is not changed
    for field in ("points_xy", "boxes_xyxy", "region", "attributes"):
        assert getattr(one, field) is getattr(scene, field)
    if min(size_wh) > 8:
        assert not np.array_equal(one.pixels(), kept)


@pytest.mark.parametrize("strength", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("gray", [0.0, 1.0])
def test_recolouring_keeps_within_its_strength(strength: float, gray: float) -> None:
    scene = _scene()
    one = recolour(scene, _rng(5), strength=strength, gray=gray)
    if gray:
        assert (one.pixels() == one.pixels()[:, :, :1]).all()
    elif strength == 0:
        np.testing.assert_allclose(one.pixels(), scene.pixels(), atol=1)
    else:
        assert not np.array_equal(one.pixels(), recolour(scene, _rng(6), strength=strength, gray=gray).pixels())


def _dot(side: int = 41) -> Scene:
    pixels = np.zeros((side, side, 3), np.uint8)
    cv2.circle(pixels, (side // 2, side // 2), 6, (255, 255, 255), -1)
    return Scene(pixels)


def test_a_blur_moves_nothing_and_loses_no_light() -> None:
    before, after = (
        scene.pixels()[:, :, 0].astype(float) for scene in (_dot(), blur(_dot(), _rng(1), sigma_px=(2, 2)))
    )
    assert after.sum() == pytest.approx(before.sum(), rel=0.01)
    assert after.max() <= before.max()
    rows = np.arange(41) + 0.5
    assert (after.sum(axis=1) @ rows) / after.sum() == pytest.approx(20.5, abs=0.02)
    spread = [np.sqrt((light.sum(axis=1) @ (rows - 20.5) ** 2) / light.sum()) for light in (before, after)]
    assert spread[1] ** 2 - spread[0] ** 2 == pytest.approx(4.0, rel=0.05)  # variances add


def test_a_blur_of_nothing_is_the_picture_itself() -> None:
    scene = _dot()
    assert blur(scene, _rng(1), sigma_px=(0, 0)) is scene


@pytest.mark.parametrize("std", [0.0, 1.0, 8.0])
def test_noise_has_the_deviation_asked_for(std: float) -> None:
    gray = Scene(np.full((80, 90, 3), 120, np.uint8))
    noisy = noise(gray, _rng(2), std=(std, std)).pixels().astype(float)
    assert noisy.mean() == pytest.approx(120, abs=0.2)
    assert noisy.std() == pytest.approx(np.hypot(std, 0.29 if std else 0), abs=0.1)  # and the rounding's
    channels = noisy.reshape(-1, 3)
    if std:
        assert abs(np.corrcoef(channels.T)[0, 1]) < 0.05  # each channel its own


def test_noise_stays_within_black_and_white() -> None:
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:20] = 255
    noisy = noise(Scene(pixels), _rng(2), std=(20, 20)).pixels()
    assert noisy[:20].min() > 100
    assert noisy[20:].max() < 150  # nothing wrapped around


def test_jpeg_loses_more_at_a_lower_quality_and_keeps_colours() -> None:
    smooth = cv2.resize(np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8), (96, 72))
    scene = Scene(smooth)
    losses = [
        np.abs(compress(scene, _rng(1), quality=(q, q)).pixels().astype(int) - smooth).mean() for q in (5, 30, 95)
    ]
    assert losses[0] > losses[1] > losses[2]
    assert losses[2] < 3  # red is still red: the channels are not swapped


def test_qualities_are_drawn_between_their_bounds_and_with_them() -> None:
    scene = _scene(64, 64)
    made = {q: compress(scene, _rng(0), quality=(q, q)).pixels().tobytes() for q in range(40, 44)}
    drawn = {compress(scene, _rng(seed), quality=(40, 43)).pixels().tobytes() for seed in range(40)}
    assert drawn == set(made.values())
