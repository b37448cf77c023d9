"""Which scene comes when, and what is kept in memory: every source by its share, never more than the limit."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.data.formats.head_list import write_boxes, write_points
from headcount.data.sets.negatives import read_negatives
from headcount.train.pools import PixelCache, Pool, SampleOrder, read_pools, read_validation
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


def test_pools_are_read_from_data_sets_and_painted_scenes(tmp_path: Path) -> None:
    points = write_points(_files(tmp_path, 3), tmp_path / "p.csv")
    pools = read_pools(DataSettings(sources={"points": str(points)}, painted_scenes=2, shares={"points": 3}))
    assert [(pool.name, len(pool.scenes), pool.share) for pool in pools] == [("points", 3, 3.0), ("painted", 2, 1.0)]
    assert pools[1].scenes[0].name == "painted-100000"
    only = read_pools(DataSettings(sources={"points": str(points)}, painted_scenes=1, shares={"points": 0}))
    assert [pool.name for pool in only] == ["painted"]


def _with_pseudo_boxes(tmp_path: Path) -> tuple[list[Scene], DataSettings]:
    scenes = _files(tmp_path, 6)
    points = write_points(scenes, tmp_path / "points.csv")
    boxed = [
        replace(
            scene,
            boxes_xyxy=np.concatenate([scene.points_xy, scene.points_xy + 4], axis=1).clip(0, 100),
            box_provenance=("pseudo",) * scene.count,
        )
        for scene in scenes
    ]
    boxes = write_boxes(boxed, tmp_path / "boxes.csv")
    return boxed, DataSettings(sources={"points": str(points)}, boxes={"points": str(boxes)})


def test_a_source_of_points_takes_its_boxes_from_a_file(tmp_path: Path) -> None:
    boxed, settings = _with_pseudo_boxes(tmp_path)
    expected = {Path(str(scene.image)).name: scene.boxes_xyxy for scene in boxed}
    found = [*read_pools(settings)[0].scenes, *read_validation(settings)["points"]]
    assert len(found) == 6
    for scene in found:
        assert np.array_equal(scene.boxes_xyxy, expected[Path(str(scene.image)).name])
        assert set(scene.box_provenance) == {"pseudo"}


def test_boxes_that_are_not_of_these_heads_are_refused(tmp_path: Path) -> None:
    _, settings = _with_pseudo_boxes(tmp_path)
    file = Path(settings.boxes["points"])
    file.write_text("\n".join(file.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(InputError, match=r"heads?, but .*boxes\.csv. has .* of their boxes"):
        [*read_pools(settings), *read_validation(settings)]
    with pytest.raises(InputError, match=r'data\.boxes names "pionts".*"points"'):
        read_pools(settings.model_copy(update={"boxes": {"pionts": str(file)}}))


def test_what_the_annotations_lost_is_said_in_a_line_and_a_bad_image_stops_the_run(tmp_path: Path) -> None:
    (image,) = _files(tmp_path, 1)
    boxes = [[1.0, 1, 5, 5], [900.0, 1, 5, 5]]
    annotations = [{"image_id": 1, "category_id": 1, "bbox": box} for box in boxes]
    data = {"images": [{"id": 1, "file_name": str(image.image)}], "annotations": annotations}
    (tmp_path / "c.json").write_text(json.dumps(data), encoding="utf-8")
    said: list[str] = []
    (pool,) = read_pools(DataSettings(sources={"coco": str(tmp_path / "c.json")}), said.append)
    assert pool.scenes[0].count == 1
    assert said == ["coco, train: 1 box of which nothing lies in the image; left out, in 1 image."]
    Path(str(image.image)).write_bytes(b"no image")
    with pytest.raises(InputError, match="not an image"):
        read_pools(DataSettings(sources={"coco": str(tmp_path / "c.json")}))


def test_photographs_of_nobody_are_a_source_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    for name in range(60):
        Image.new("RGB", (9, 8)).save(tmp_path / "many" / f"{name}.png")
    parts = {split: {one.name for one in read_negatives(tmp_path / "many", split)} for split in ("train", "val")}
    pools = read_pools(DataSettings(negatives=str(tmp_path / "many"), shares={"negatives": 0.5}))
    assert [(pool.name, pool.share, {x.name for x in pool.scenes}) for pool in pools] == [
        ("negatives", 0.5, parts["train"])
    ]
    assert {x.name for x in read_validation(DataSettings(negatives=str(tmp_path / "many")))["negatives"]} == parts[
        "val"
    ]


def test_validation_takes_as_many_images_as_it_is_told_evenly(tmp_path: Path) -> None:
    points = str(write_points(_files(tmp_path, 60), tmp_path / "p.csv"))
    whole = [scene.name for scene in read_validation(DataSettings(sources={"points": points}))["points"]]
    assert len(whole) == 12
    for most, places in ((3, [2, 6, 10]), (12, range(12)), (99, range(12))):
        settings = DataSettings(sources={"points": points}, validation_images=most)
        assert [scene.name for scene in read_validation(settings)["points"]] == [whole[k] for k in places]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "nothing to train on"),
        ({"negatives": "nowhere"}, 'no folder "nowhere"'),
        ({"painted_scenes": 1, "shares": {"painted": 0}}, "nothing to train on"),
        ({"shares": {"point": 1.0}, "sources": {"points": "x"}}, '"point".*"points"'),
        ({"sources": {"points": "nowhere.csv"}}, "nowhere.csv"),
    ],
)
def test_a_wrong_mixture_is_explained(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_pools(DataSettings(**settings))


def test_held_out_images_are_validated_on_and_not_learned_from(tmp_path: Path) -> None:
    scenes = _files(tmp_path, 40)
    plain = DataSettings(sources={"points": str(write_points(scenes, tmp_path / "points.csv"))})
    settings = plain.model_copy(update={"held_out": 4})
    learned = {scene.name for scene in read_pools(settings)[0].scenes}
    held_out = {scene.name for scene in read_validation(settings)["points"]}
    assert learned | held_out == {scene.name for scene in read_pools(plain)[0].scenes}
    assert not learned & held_out
    assert 3 <= len(held_out) <= 14
    assert not held_out & {scene.name for scene in read_validation(plain)["points"]}
