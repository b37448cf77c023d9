"""Which scene comes when: a function of seed and step, whatever order it is asked in."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from headcount.core.card import InputSpec
from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.data.points import write_points
from headcount.models.method import Method, build_method
from headcount.train.loaders import Batches, PixelCache, Pool, SampleOrder, normalise, read_pools, to_tensor
from headcount.train.settings import DataSettings


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


def test_the_cache_holds_no_more_than_its_limit(tmp_path: Path) -> None:
    scenes = _files(tmp_path, 40, side=200)  # 0.12 MB each: eight in one megabyte
    cache = PixelCache(1)
    loaded = [cache.load(scene) for scene in scenes]
    assert all((scene.pixels() == k).all() for k, scene in enumerate(loaded))
    held = sum(pixels.nbytes for pixels in cache._pixels.values())
    assert held == cache._held <= 1_000_000
    assert len(cache._pixels) == 8


def test_what_was_used_last_stays_in_the_cache(tmp_path: Path) -> None:
    scenes = _files(tmp_path, 9, side=200)
    cache = PixelCache(1)
    for scene in scenes[:8]:
        cache.load(scene)
    cache.load(scenes[0])
    cache.load(scenes[8])  # pushes out 1, not 0
    for file in tmp_path.iterdir():
        file.unlink()
    assert (cache.load(scenes[0]).pixels() == 0).all()
    with pytest.raises(InputError):
        cache.load(scenes[1])


def test_without_a_cache_images_are_read_anew(tmp_path: Path) -> None:
    scenes = _files(tmp_path, 3)
    cache = PixelCache(0)
    for scene in [*scenes, *scenes]:
        assert (cache.load(scene).pixels() == int(scene.name)).all()
    assert len(cache._pixels) <= 1


def test_pixels_in_memory_are_not_cached_again() -> None:
    cache = PixelCache(10)
    scene = _pool("a", 1).scenes[0]
    assert cache.load(scene) is scene
    assert cache._held == 0


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
