"""Which scene comes when: a function of seed and step, whatever order it is asked in."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from headcount.core.card import InputSpec
from headcount.core.errors import HeadcountError, InputError, MissingExtraError
from headcount.core.scene import Scene
from headcount.data.formats.head_list import write_points
from headcount.models.method import Method
from headcount.models.normalise import normalise, to_tensor
from headcount.models.table import build_method
from headcount.train.batches import Batches, PixelCache, Pool, SampleOrder, read_pools
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


def _names(order: SampleOrder, epoch: int) -> list[str]:
    return [scene.name for scene in order.epoch(epoch)]


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    pools = [_pool("a", 7), _pool("b", 3)]
    first, again, other = SampleOrder(pools, 20, 1), SampleOrder(pools, 20, 1), SampleOrder(pools, 20, 2)
    forward = [_names(first, epoch) for epoch in range(4)]
    backward = [_names(again, epoch) for epoch in reversed(range(4))][::-1]
    assert forward == backward
    assert len({tuple(names) for names in forward}) == 4
    assert forward != [_names(other, epoch) for epoch in range(4)]


@pytest.mark.parametrize(
    ("shares", "samples", "expected"),
    [
        ([1.0], 5, [5]),
        ([1.0, 1.0], 20, [10, 10]),
        ([0.46, 0.46, 0.08], 2000, [920, 920, 160]),
        ([3.0, 1.0], 8, [6, 2]),
        ([1.0, 1.0, 1.0], 10, [3, 4, 3]),
    ],
)
def test_every_epoch_keeps_the_shares_exactly(shares: list[float], samples: int, expected: list[int]) -> None:
    pools = [_pool(chr(97 + k), 4 + k, share, side=2) for k, share in enumerate(shares)]
    order = SampleOrder(pools, samples, 1)
    for epoch in range(3):
        counts = Counter(name[0] for name in _names(order, epoch))
        assert [counts[pool.name] for pool in pools] == expected


def test_no_scene_comes_again_before_all_have_come() -> None:
    pools = [_pool("a", 7), _pool("b", 5)]
    order = SampleOrder(pools, 9, 3)
    for pool, samples in zip(pools, order.samples, strict=True):
        drawn = [n for epoch in range(35) for n in sorted_by_turn(order, epoch, pool.name)]
        assert len(drawn) == 35 * samples
        counts = Counter(drawn)
        assert len(counts) == len(pool.scenes)
        assert max(counts.values()) - min(counts.values()) <= 1


def sorted_by_turn(order: SampleOrder, epoch: int, name: str) -> list[str]:
    return [n for n in _names(order, epoch) if n[0] == name]


def test_a_turn_within_one_epoch_has_no_repeats() -> None:
    order = SampleOrder([_pool("a", 6)], 6, 3)
    turns = [_names(order, epoch) for epoch in range(5)]
    assert all(len(set(turn)) == 6 for turn in turns)
    assert len({tuple(turn) for turn in turns}) > 1


@pytest.fixture(scope="module")
def method() -> Method:
    torch.manual_seed(0)
    return build_method("mask_aware", {"backbone": "test_efficientnet", "width": 8})


def _batches(method: Method, seed: int = 1, **settings: Any) -> Batches:
    pools = [_pool("a", 5), _pool("b", 3)]
    data = DataSettings(crop=32, **settings)
    return Batches(pools, method, data, batch=3, steps_per_epoch=4, seed=seed)


def _equal(one: Any, two: Any) -> bool:
    return torch.equal(one[0], two[0]) and all(torch.equal(one[1][key], two[1][key]) for key in one[1])


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
    shapes = {key: tuple(value.shape) for key, value in targets.items()}
    assert shapes == {"density": (3, 1, 4, 4), "mask": (3, 1, 4, 4)}


def _files(tmp_path: Path, n: int, side: int = 100) -> list[Scene]:
    scenes = []
    for k in range(n):
        Image.fromarray(np.full((side, side, 3), k, np.uint8)).save(tmp_path / f"{k}.png")
        scenes.append(Scene(tmp_path / f"{k}.png", np.array([[1.0, 1.0]]), name=str(k)))
    return scenes


def test_the_cache_never_holds_more_than_its_limit(tmp_path: Path) -> None:
    scenes = _files(tmp_path, 40, side=200)  # 0.12 MB each: eight in one megabyte
    cache = PixelCache(1)
    for k, scene in enumerate(scenes):
        assert (cache.load(scene).pixels == k).all()
        assert cache.held_bytes == min(k + 1, 8) * 120_000 <= cache.limit_bytes
    assert sum(view.pixels.nbytes for view in cache._views.values()) == cache.held_bytes


def test_an_image_larger_than_the_limit_is_read_but_not_kept(tmp_path: Path) -> None:
    [large] = _files(tmp_path, 1, side=800)  # 1.92 MB
    cache = PixelCache(1)
    for _ in range(2):
        assert cache.load(large).pixels.shape == (800, 800, 3)
        assert cache.held_bytes == 0


def test_a_full_cache_keeps_what_it_has(tmp_path: Path) -> None:
    """Each epoch passes through all: what was read first is what comes first again."""
    scenes = _files(tmp_path, 9, side=200)
    cache = PixelCache(1)
    for scene in scenes:
        cache.load(scene)
    for file in tmp_path.iterdir():
        file.unlink()
    for k, scene in enumerate(scenes[:8]):
        assert (cache.load(scene).pixels == k).all()
        assert cache.size_wh(scene) == (200, 200)
    with pytest.raises(InputError):
        cache.load(scenes[8])


def test_without_a_cache_images_are_read_anew(tmp_path: Path) -> None:
    scenes = _files(tmp_path, 3)
    cache = PixelCache(0)
    for scene in [*scenes, *scenes]:
        assert (cache.load(scene).pixels == int(scene.name)).all()
        assert cache.held_bytes == 0


def test_pixels_in_memory_are_not_cached_again() -> None:
    cache = PixelCache(10)
    scene = _pool("a", 1).scenes[0]
    assert cache.load(scene, 2).pixels is scene.image
    assert cache.held_bytes == 0
    assert cache.size_wh(scene) == (48, 48)


def test_only_a_jpeg_is_held_at_several_sizes(tmp_path: Path) -> None:
    cache = PixelCache(10)
    for suffix, held in ((".png", 100 * 100 * 3), (".jpg", (100 * 100 + 50 * 50) * 3)):
        Image.new("RGB", (100, 100)).save(tmp_path / f"a{suffix}")
        before = cache.held_bytes
        for reduction in (1, 2, 1, 2):
            cache.load(Scene(tmp_path / f"a{suffix}"), reduction)
        assert cache.held_bytes - before == held


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
        assert all(torch.equal(batch[1][key], plain[1][key]) for key in plain[1])
        assert not torch.equal(batch[0], plain[0])
        assert _equal(_batches(method, **{name: 1e-12}).at(3), plain)


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


def test_pools_are_read_from_data_sets_and_painted_scenes(tmp_path: Path) -> None:
    points = write_points(_files(tmp_path, 3), tmp_path / "p.csv")
    pools = read_pools(DataSettings(sources={"points": str(points)}, painted_scenes=2, shares={"points": 3}))
    assert [(pool.name, len(pool.scenes), pool.share) for pool in pools] == [("points", 3, 3.0), ("painted", 2, 1.0)]
    assert pools[1].scenes[0].name == "painted-100000"
    only = read_pools(DataSettings(sources={"points": str(points)}, painted_scenes=1, shares={"points": 0}))
    assert [pool.name for pool in only] == ["painted"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "nothing to train on"),
        ({"painted_scenes": 1, "shares": {"painted": 0}}, "nothing to train on"),
        ({"shares": {"point": 1.0}, "sources": {"points": "x"}}, '"point".*"points"'),
        ({"sources": {"points": "nowhere.csv"}}, "nowhere.csv"),
    ],
)
def test_a_wrong_mixture_is_explained(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_pools(DataSettings(**settings))


def test_pixels_are_normalised_as_the_card_says() -> None:
    spec = InputSpec(mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0))
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[..., 0], pixels[..., 1], pixels[..., 2] = 255, 255, 51
    batch = to_tensor([pixels, pixels], spec)
    assert batch.shape == (2, 3, 2, 4)
    np.testing.assert_allclose(batch[0, :, 0, 0], [1.0, 3.0, 0.2], rtol=1e-6)


def test_one_channel_is_the_luminance() -> None:
    spec = InputSpec(channels=1, mean=(0.5,), std=(0.5,))
    pixels = torch.tensor([[[[255.0]], [[0.0]], [[0.0]]]])
    assert normalise(pixels, spec).item() == pytest.approx((0.299 - 0.5) / 0.5, abs=1e-6)


def test_a_batch_from_a_table_is_the_batch_computed() -> None:
    spec = InputSpec(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    images = [np.random.default_rng(k).integers(0, 256, (24, 32, 3), dtype=np.uint8) for k in range(3)]
    batch = to_tensor(images, spec)
    assert torch.equal(batch, normalise(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2), spec))
    assert batch.is_contiguous(memory_format=torch.channels_last)
    gray = InputSpec(channels=1, mean=(0.5,), std=(0.5,))
    assert to_tensor(images, gray).shape == (3, 1, 24, 32)
