"""Frames of videos in training: cached under their own names, and the same crops as from images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.data.media.video import Video
from headcount.models.table import build_method
from headcount.train.batches import Batches
from headcount.train.pools import PixelCache, Pool
from headcount.train.recipe import DataSettings

SIZE_WH = (96, 64)


@pytest.fixture
def video(tmp_path: Path) -> Video:
    path = tmp_path / "queue.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, SIZE_WH)
    draw = np.random.default_rng(2)
    for number in range(6):
        writer.write(draw.integers(0, 30, (*SIZE_WH[::-1], 3), np.uint8) + np.uint8(40 * number))
    writer.release()
    return Video(path)


def test_each_frame_is_decoded_once_and_kept_apart(video: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = PixelCache(limit_mb=1)
    scenes = [Scene(video.frame(number)) for number in (4, 1)]
    shown = [cache.load(scene, 4) for scene in scenes]
    assert [view.reduction for view in shown] == [1, 1]  # only JPEG files are decoded smaller
    assert [cache.size_wh(scene) for scene in scenes] == [SIZE_WH] * 2
    assert shown[0].pixels.mean() > shown[1].pixels.mean() + 100
    assert cache.held_bytes == 2 * 3 * SIZE_WH[0] * SIZE_WH[1]
    monkeypatch.setattr(Video, "read", lambda *_: pytest.fail("decoded again"))
    for scene, view in zip(scenes, shown, strict=True):
        np.testing.assert_array_equal(cache.load(scene).pixels, view.pixels)


def _batches(images: list[object]) -> Batches:
    scenes = [Scene(image, np.array([[30.0, 20.0]]), name=str(k)) for k, image in enumerate(images)]  # type: ignore[arg-type]
    settings = DataSettings(crop=32)
    method = build_method("mask_aware", {"backbone": "test_efficientnet", "width": 8})
    return Batches([Pool("x", scenes, 1.0)], method, settings, batch=3, steps_per_epoch=2, seed=3)


def test_batches_are_those_of_the_same_images(video: Video) -> None:
    frames = [video.frame(number) for number in range(6)]
    of_frames, of_images = (_batches(images) for images in (frames, [frame.pixels() for frame in frames]))
    for step in range(2):
        np.testing.assert_array_equal(of_frames.at(step)[0], of_images.at(step)[0])


def test_a_frame_that_is_not_there_is_named(video: Video) -> None:
    with pytest.raises(InputError, match=r"queue\.avi.*no frame 60"):
        _batches([video.frame(60)]).at(0)
