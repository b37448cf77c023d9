"""Which scene comes when: a function of seed and step, whatever order it is asked in."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from headcount.core.errors import HeadcountError, InputError, MissingExtraError
from headcount.core.scene import Scene
from headcount.data.augment.spatial import head_size, whole_window
from headcount.models.method import Method
from headcount.models.table import build_method
from headcount.train.batches import Batches, augmented
from headcount.train.pools import PixelCache, Pool
from headcount.train.recipe import DataSettings

pytestmark = pytest.mark.slow


def _pool(name: str, scenes: int, share: float = 1.0, side: int = 48) -> Pool:
    rng = np.random.default_rng(len(name))
    return Pool(
        name,
        [
            Scene(
                rng.integers(0, 256, (side, side, 3), dtype=np.uint8), rng.uniform(0, side, (5, 2)), name=f"{name}{k}"
            )
            for k in range(scenes)
        ],
        share,
    )


@pytest.fixture(scope="module")
def method() -> Method:
    torch.manual_seed(0)
    return build_method("mask_aware", {"backbone": "test_efficientnet", "width": 8})


def _batches(method: Method, seed: int = 1, **settings: Any) -> Batches:
    pools = [_pool("a", 5), _pool("b", 3)]
    data = DataSettings(crop=32, **settings)
    return Batches(pools, method, data, batch=3, steps_per_epoch=4, seed=seed)


def _equal(one: Any, two: Any) -> bool:
    return torch.equal(one[0], two[0]) and all(torch.equal(one[1].maps[key], two[1].maps[key]) for key in one[1].maps)


def test_the_images_of_a_batch_have_names(method: Method) -> None:
    batches = _batches(method)
    names = [batches.names(step) for step in range(8)]
    assert all(len(each) == 3 for each in names)  # a row each, so that pieces of a batch have their own
    assert names == [_batches(method).names(step) for step in range(8)]
    assert {name for each in names for name in each} > set(names[0])


def test_a_batch_is_the_same_in_whatever_order_it_is_asked_for(method: Method) -> None:
    forward, shuffled = _batches(method), _batches(method)
    expected = [forward.at(step) for step in range(10)]
    for step in (9, 0, 5, 3, 4, 8, 1, 2, 7, 6, 0):
        assert _equal(expected[step], shuffled.at(step)), step
    assert not any(_equal(expected[0], batch) for batch in expected[1:])
    assert not _equal(expected[0], _batches(method, seed=2).at(0))


@pytest.mark.parametrize(("first", "last"), [(0, 0), (3, 3), (0, 6), (3, 9), (5, 6)])
def test_batches_prepared_ahead_are_those_asked_for(method: Method, first: int, last: int) -> None:
    batches, expected = _batches(method), _batches(method)
    ran = list(batches.run(first, last))
    assert [step for step, _ in ran] == list(range(first, last))
    assert all(_equal(batch, expected.at(step)) for step, batch in ran)


def test_a_batch_has_the_shapes_of_crop_and_stride(method: Method) -> None:
    images, targets = _batches(method).at(0)
    assert (images.shape, images.dtype) == ((3, 3, 32, 32), torch.float32)
    shapes = {key: tuple(value.shape) for key, value in targets.maps.items()}
    assert shapes.keys() >= {"density", "mask"}
    assert set(shapes.values()) == {(3, 1, 4, 4)}


def test_whole_images_are_filled_up_to_what_the_network_takes(method: Method) -> None:
    pool = _pool("a", 3, side=50)
    options: dict[str, Any] = {"crop": "whole", "scale": (1, 1), "mirror": False, "colour": 0, "gray": 0}
    batches = Batches([pool], method, DataSettings(**options), batch=2, steps_per_epoch=2, seed=1)
    images, targets = batches.at(0)
    assert images.shape == (2, 3, 64, 64)
    for beyond in (images[:, :, 50:], images[:, :, :, 50:]):  # the mean colour is a network's zero
        assert beyond.abs().max() < 0.5 / 127
    scenes = {scene.name: scene for scene in pool.scenes}
    for image, density, name in zip(images, targets.maps["density"], batches.names(0), strict=True):
        pixels = torch.from_numpy(np.array(scenes[name].image)).permute(2, 0, 1) / 255
        torch.testing.assert_close(image[:, :50, :50], (pixels - 0.5) / 0.5)
        assert float(density.sum(dtype=torch.float64)) == pytest.approx(scenes[name].count, abs=1e-4)


@pytest.mark.parametrize("crop", ["whole", 48])
def test_images_may_be_black_outside_their_region(method: Method, crop: Any) -> None:
    """And what lies there teaches nothing, black or not."""
    rng = np.random.default_rng(2)
    region = np.zeros((64, 64), np.bool_)
    region[:, :32] = True
    scene = Scene(rng.integers(60, 256, (64, 64, 3), dtype=np.uint8), rng.uniform(0, 64, (9, 2)), region=region)
    for blank in (False, True):
        options = {"crop": crop, "scale": (1, 1), "colour": 0, "gray": 0, "blank_outside": blank}
        data = DataSettings.model_validate(options)
        images, targets = Batches([Pool("a", [scene], 1.0)], method, data, batch=1, steps_per_epoch=4, seed=1).at(0)
        dark = (images[0] == -1).all(dim=0)  # black, normalised
        assert dark.any() == blank
        inside = targets.maps["inside"][0, 0]
        if blank:
            full = inside.repeat_interleave(8, 0).repeat_interleave(8, 1)
            assert dark[full == 0].all()
            assert not dark[full == 1].any()
        assert not targets.maps["density"][0, 0][inside == 0].any()


def test_whole_images_of_one_batch_are_of_one_size(method: Method) -> None:
    pools = [_pool("a", 2), _pool("b", 1, side=40)]
    whole = DataSettings(crop="whole", scale=(1, 1))
    with pytest.raises(InputError, match=r'one size, but "a0" 48×48 and "b0" 40×40: take batch=1, or crops'):
        Batches(pools, method, whole, batch=2, steps_per_epoch=1, seed=1)
    with pytest.raises(InputError, match=r"scaled alike, but data\.scale is \[0\.6, 1\.5\]: take \[1, 1\]"):
        Batches(pools[:1], method, DataSettings(crop="whole"), batch=2, steps_per_epoch=1, seed=1)
    one = Batches(pools, method, whole, batch=1, steps_per_epoch=6, seed=1)
    assert {tuple(one.at(step)[0].shape[2:]) for step in range(6)} == {(64, 64)}
    assert len(list(one.run(0, 6))) == 6


def test_a_whole_image_that_is_too_large_is_cut_at_random(method: Method) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (96, 256, 3), dtype=np.uint8)
    pool = Pool("a", [Scene(image, rng.uniform(0, 96, (9, 2)), name="a")], 1.0)
    whole = DataSettings(crop="whole", whole_pixels=96 * 256 // 4, scale=(1, 1))
    batches = Batches([pool], method, whole, batch=1, steps_per_epoch=8, seed=1)
    seen = [batches.at(step)[0] for step in range(8)]
    assert {tuple(one.shape) for one in seen} == {(1, 3, 64, 128)}  # 48×128 of it, filled up
    assert len({one.numpy().tobytes() for one in seen}) == 8
    large = whole_window((4096, 3072), rng, divisor=8, most_pixels=2_000_000)
    assert 0.99 * 2_000_000 < np.prod(large.size_wh) < 1.02 * 2_000_000


def _files(tmp_path: Path, n: int, side: int = 100) -> list[Scene]:
    scenes = []
    for k in range(n):
        Image.fromarray(np.full((side, side, 3), k, np.uint8)).save(tmp_path / f"{k}.png")
        scenes.append(Scene(tmp_path / f"{k}.png", np.array([[1.0, 1.0]]), name=str(k)))
    return scenes


def _jpegs(tmp_path: Path, n: int, side: int = 160) -> Pool:
    rng = np.random.default_rng(1)
    scenes = []
    for k in range(n):
        path = tmp_path / f"{k}.jpg"
        Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(path)
        scenes.append(Scene(path, rng.uniform(0, side, (9, 2)), name=str(k)))
    return Pool("files", scenes, 1.0)


EVERYTHING: dict[str, Any] = {
    "crop": [32, 64], "scale": [0.3, 2], "min_context": 24, "blur": 0.5, "noise": 0.5, "jpeg": 0.5, "gray": 0.3,
}  # fmt: skip


def _from_files(tmp_path: Path, method: Method, pool: Pool | None = None, **settings: Any) -> Batches:
    data = DataSettings.model_validate({**EVERYTHING, **settings})
    return Batches([pool or _jpegs(tmp_path, 7)], method, data, batch=3, steps_per_epoch=4, seed=1)


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("cache_mb", [0, 1, 100])
def test_neither_threads_nor_the_cache_change_a_batch(
    tmp_path: Path, method: Method, monkeypatch: pytest.MonkeyPatch, workers: int, cache_mb: int
) -> None:
    pool = _jpegs(tmp_path, 7)
    expected = _from_files(tmp_path, method, pool)
    batches = _from_files(tmp_path, method, pool, workers=workers, cache_mb=cache_mb)
    load, lock, pauses = PixelCache.load, threading.Lock(), np.random.default_rng(workers)

    def late(self: PixelCache, scene: Scene, reduction: int = 1) -> Any:
        with lock:
            pause = pauses.uniform(0, 0.004)
        time.sleep(pause)
        return load(self, scene, reduction)

    monkeypatch.setattr(PixelCache, "load", late)
    ran = list(batches.run(2, 14))
    monkeypatch.undo()
    assert [step for step, _ in ran] == list(range(2, 14))
    assert all(_equal(batch, expected.at(step)) for step, batch in ran)
    assert ran[0][1][0].shape == (3, 3, 32, 64)


def test_an_augmentation_switched_on_moves_no_other_draw(method: Method) -> None:
    """Targets tell where a crop was cut: they stay, whatever is done to its pixels."""
    plain = _batches(method).at(3)
    for name in ("blur", "noise", "jpeg"):
        batch = _batches(method, **{name: 1.0}).at(3)
        assert all(torch.equal(batch[1].maps[key], plain[1].maps[key]) for key in plain[1].maps)
        assert not torch.equal(batch[0], plain[0])
        assert _equal(_batches(method, **{name: 1e-12}).at(3), plain)


def test_crops_keep_the_heads_of_each_scene_within_bounds() -> None:
    grid = np.stack(np.meshgrid(np.arange(8, 400, 16.0), np.arange(8, 400, 16.0)), axis=-1).reshape(-1, 2)
    scene = Scene(np.zeros((400, 400, 3), np.uint8), grid)
    data = DataSettings(crop=160, scale=(0.1, 9.0), head_px=(8, 32))
    cache = PixelCache(0)
    seen = [
        head_size(augmented(scene, data, cache, lambda stream, k=k: np.random.default_rng([stream, k])))  # type: ignore[misc]
        for k in range(30)
    ]
    sizes = [size for size in seen if size is not None]
    assert len(sizes) == 30
    assert 7.5 < min(sizes) < 11
    assert 25 < max(sizes) < 33


def _fails_naming(batches: Batches, name: str) -> HeadcountError:
    before = threading.active_count()
    with pytest.raises(HeadcountError) as caught:
        list(batches.run(0, 8))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert threading.active_count() == before  # the other threads have ended as well
    return caught.value


@pytest.mark.parametrize("workers", [1, 3])
def test_an_image_that_cannot_be_read_is_named(tmp_path: Path, method: Method, workers: int) -> None:
    pool = _jpegs(tmp_path, 7)
    bad = tmp_path / "4.jpg"
    bad.write_bytes(bad.read_bytes()[:900])
    error = _fails_naming(_from_files(tmp_path, method, pool, workers=workers), str(bad))
    assert isinstance(error, InputError)
    assert "cut short" in str(error)


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (ValueError("of two\nlines"), "ValueError: of two"),
        (MemoryError(), "MemoryError"),
        (InputError("Something is wrong."), "cannot be learned from: Something is wrong."),
        (MissingExtraError("This", "train"), "train"),
    ],
)
def test_whatever_goes_wrong_in_a_thread_names_the_image(
    tmp_path: Path, method: Method, monkeypatch: pytest.MonkeyPatch, raised: Exception, words: str
) -> None:
    targets = type(method).targets

    def broken(self: Method, scene: Scene) -> Any:
        if scene.name == "5":
            raise raised
        return targets(self, scene)

    monkeypatch.setattr(type(method), "targets", broken)
    error = _fails_naming(_from_files(tmp_path, method), str(tmp_path / "5.jpg"))
    assert words in str(error)
    assert error.__cause__ is raised


def test_a_scene_in_memory_is_named_by_its_name(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Method, scene: Scene) -> Any:
        raise RuntimeError("no")

    monkeypatch.setattr(type(method), "targets", broken)
    with pytest.raises(HeadcountError, match=r'"[ab]\d" could not be made ready'):
        _batches(method).at(0)


def test_a_run_that_is_left_early_ends_its_threads(tmp_path: Path, method: Method) -> None:
    before = threading.active_count()
    running = _from_files(tmp_path, method, workers=3).run(0, 400)
    next(running)
    running.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_memory_is_flat_over_epochs(tmp_path: Path, method: Method) -> None:
    """Once the cache is full, epochs more take no memory more."""
    batches = _from_files(tmp_path, method, _jpegs(tmp_path, 12, side=200), cache_mb=1, workers=2)

    def after(first: int, last: int) -> int:
        for _ in batches.run(first, last):
            pass
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        warm = after(0, 12)
        assert after(12, 40) - warm < 200_000  # less than two of the twelve images
        assert batches.cache.held_bytes <= batches.cache.limit_bytes
        assert tracemalloc.get_traced_memory()[1] < batches.cache.limit_bytes + 4_000_000
    finally:
        tracemalloc.stop()
