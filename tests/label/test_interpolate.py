"""Boxes from points: sizes follow the presets, whatever the order and the scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.geometry import boxes_around, owners
from headcount.core.scene import Provenance, Scene
from headcount.label.interpolate import INTERPOLATIONS, Interpolation, interpolate_scenes, interpolate_sizes

pytestmark = pytest.mark.slow

Array = NDArray[np.float64]
relaxed = settings(deadline=None, max_examples=60)
methods = st.sampled_from(INTERPOLATIONS)
NOBODY = np.zeros((0, 2))


def _box(x: float, y: float, w: float, h: float) -> list[float]:
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


# Quarters of pixels: middles and sizes are exact, and so is doubling.
quarters = st.integers(0, 4000).map(lambda value: value / 4)
sides = st.integers(1, 400).map(lambda value: value / 2)
points = st.lists(st.tuples(quarters, quarters), max_size=12).map(lambda rows: np.array(rows, float).reshape(-1, 2))
presets = st.lists(st.builds(_box, quarters, quarters, sides, sides), min_size=1, max_size=8).map(np.array)


@relaxed
@given(points, presets, methods, st.integers(1, 10))
def test_sizes_are_positive_and_near_the_presets_own(heads: Array, boxes: Array, method: Interpolation, k: int) -> None:
    sizes = interpolate_sizes(heads, boxes, method=method, k=k)
    preset_wh = boxes[:, 2:] - boxes[:, :2]
    reach = 1.25 if method == "linear" else 1.0
    assert sizes.shape == heads.shape
    assert (sizes >= preset_wh.min(axis=0) / reach).all()
    assert (sizes <= preset_wh.max(axis=0) * reach).all()


@relaxed
@given(points, presets, methods, st.integers(1, 10), st.sampled_from([0.25, 2.0, 64.0]))
def test_scaling_the_image_scales_the_sizes(
    heads: Array, boxes: Array, method: Interpolation, k: int, factor: float
) -> None:
    sizes = interpolate_sizes(heads, boxes, method=method, k=k)
    scaled = interpolate_sizes(heads * factor, boxes * factor, method=method, k=k)
    np.testing.assert_allclose(scaled, sizes * factor, rtol=1e-12)


@relaxed
@given(points, presets, methods, st.integers(1, 10), st.randoms(use_true_random=False))
def test_the_order_of_points_and_of_presets_is_irrelevant(
    heads: Array, boxes: Array, method: Interpolation, k: int, random: object
) -> None:
    order, other = list(range(len(heads))), list(range(len(boxes)))
    random.shuffle(order)  # type: ignore[attr-defined]
    random.shuffle(other)  # type: ignore[attr-defined]
    sizes = interpolate_sizes(heads, boxes, method=method, k=k)
    np.testing.assert_allclose(interpolate_sizes(heads[order], boxes[other], method=method, k=k), sizes[order], 1e-9)


@relaxed
@given(presets, st.sampled_from(["nearest", "y-axis"]), st.integers(1, 10))
def test_presets_reproduce_themselves(boxes: Array, method: Interpolation, k: int) -> None:
    middles, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    seen = middles if method == "nearest" else middles[:, 1:]
    alone = [row for row in range(len(boxes)) if (seen == seen[row]).all(axis=1).sum() == 1]
    np.testing.assert_allclose(interpolate_sizes(middles, boxes, method=method, k=k)[alone], sizes[alone], 1e-12)


@relaxed
@given(points, presets, methods)
def test_one_preset_means_a_constant_and_more_than_there_are_means_all(
    heads: Array, boxes: Array, method: Interpolation
) -> None:
    only = boxes[:1]
    assert (interpolate_sizes(heads, only, method=method) == only[0, 2:] - only[0, :2]).all()
    most, more = (interpolate_sizes(heads, boxes, method=method, k=k) for k in (len(boxes), 1000))
    assert most.tolist() == more.tolist()


def test_two_nearest_are_weighted_as_the_specification_has_it() -> None:
    boxes = np.array([_box(0, 0, 10, 20), _box(30, 40, 20, 60), _box(400, 400, 99, 99)])
    head = np.array([[6.0, 8.0]])  # 10 from the first, 40 from the second
    assert interpolate_sizes(head, boxes).tolist() == [[(40 * 10 + 10 * 20) / 50, (40 * 20 + 10 * 60) / 50]]
    along_y = interpolate_sizes(np.array([[500.0, 8.0]]), boxes, method="y-axis")
    np.testing.assert_allclose(along_y, [[(32 * 10 + 8 * 20) / 40, (32 * 20 + 8 * 60) / 40]])


def test_presets_as_far_as_the_last_one_count_too() -> None:
    boxes = np.array([_box(10, 0, 10, 10), _box(-10, 0, 20, 20), _box(0, 10, 30, 30)])
    assert interpolate_sizes(np.zeros((1, 2)), boxes, k=1).tolist() == [[20.0, 20.0]]


def test_a_line_is_found_despite_a_bad_preset_and_held_beyond_the_presets() -> None:
    boxes = np.array([_box(7 * y % 50, y, y / 10, y / 5) for y in (100.0, 200.0, 300.0, 400.0, 500.0)])
    boxes[2] = _box(0, 300, 200, 5)  # a slip of the hand
    sizes = interpolate_sizes(np.array([[0.0, 150.0], [99.0, 450.0]]), boxes, method="linear")
    np.testing.assert_allclose(sizes, [[15, 30], [45, 90]])
    good = np.delete(boxes, 2, axis=0)
    beyond = interpolate_sizes(np.array([[0.0, 1.0], [0.0, 550.0], [0.0, 9000.0]]), good, method="linear")
    np.testing.assert_allclose(beyond, [[8, 16], [55, 110], [62.5, 125]])  # 10 / 1.25, on the line, 50 · 1.25


def test_presets_side_by_side_have_no_slope() -> None:
    boxes = np.array([_box(0, 100, 20, 20), _box(50, 101, 30, 30), _box(90, 102, 26, 26)])
    assert interpolate_sizes(np.array([[0.0, 900.0]]), boxes, method="linear").tolist() == [[26.0, 26.0]]


def test_many_presets_are_fitted_in_bounded_memory() -> None:
    ys = np.linspace(100, 900, 3000)
    boxes = np.array([_box(5, y, y / 10, y / 10) for y in ys])
    sizes = interpolate_sizes(np.array([[0.0, 500.0]]), boxes, method="linear")
    np.testing.assert_allclose(sizes, [[50, 50]], rtol=1e-9)


ONE = np.array([_box(5, 5, 4, 4)])


@pytest.mark.parametrize(
    ("heads", "boxes", "options", "words"),
    [
        (np.ones((1, 2)), np.zeros((0, 4)), {}, "no preset"),
        (NOBODY, np.zeros((0, 4)), {}, "no preset"),
        (np.array([[np.nan, 1]]), ONE, {}, "points must be finite"),
        (np.ones((1, 2)), np.array([[0, 0, np.nan, 1]]), {}, "boxes must be finite"),
        (np.ones((1, 2)), np.array([[0, 0, 1, 1], [4, 4, 4, 9]]), {}, "row 1"),
        (np.ones((1, 2)), ONE, {"k": 0}, "at least 1"),
        (np.ones((1, 2)), ONE, {"method": "lineal"}, 'Did you mean "linear"'),
        (np.ones((1, 3)), ONE, {}, "points must be"),
    ],
)
def test_what_cannot_be_used_is_refused(heads: Array, boxes: Array, options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        interpolate_sizes(heads, boxes, **options)  # type: ignore[arg-type]


def test_nobody_gets_no_box() -> None:
    for method in INTERPOLATIONS:
        assert interpolate_sizes(NOBODY, ONE, method=method).shape == (0, 2)
    assert boxes_around(NOBODY, NOBODY, (9, 9)).shape == (0, 4)
    assert owners(NOBODY, ONE).tolist() == [-1]
    assert owners(np.ones((2, 2)), np.zeros((0, 4))).tolist() == []


def test_a_presets_head_is_the_point_nearest_to_its_middle_and_nobody_elses() -> None:
    boxes = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [50, 50, 60, 60.0]])
    heads = np.array([[30, 30], [5, 5], [6, 5], [60, 60.0]])
    assert owners(heads, boxes).tolist() == [1, 2, 3]
    assert owners(heads[:2], boxes).tolist() == [1, -1, -1]  # both want it: the nearer has it


# ---- Scenes


@pytest.fixture
def scenes(tmp_path: Path) -> dict[str, Path]:
    made = {}
    for name, size in {"a/1": (100, 80), "a/2": (100, 80), "a/3": (90, 80), "b/1": (100, 80)}.items():
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("L", size).save(path)
        made[name] = path
    return made


def _heads(path: Path, *rows: tuple[float, float]) -> Scene:
    return Scene(path, np.array(rows, float).reshape(-1, 2), name=path.parent.name + "/" + path.stem)


def _drawn(path: Path, *boxes: list[float], provenance: tuple[Provenance, ...] = ()) -> Scene:
    return Scene(path, boxes_xyxy=np.array(boxes), box_provenance=provenance, name=path.stem)


def test_a_presets_own_head_keeps_its_box_and_the_others_are_centred(scenes: dict[str, Path]) -> None:
    heads = _heads(scenes["a/1"], (50, 40), (21, 22), (99, 2))
    result = interpolate_scenes([heads], [_drawn(scenes["a/1"], _box(20, 20, 10, 12))], k=1)
    (scene,) = result.scenes
    assert scene.boxes_xyxy is not None
    assert scene.boxes_xyxy.tolist() == [[45, 34, 55, 46], [15, 14, 25, 26], [94, 0, 100, 8]]
    assert scene.box_provenance == ("interpolated", "annotated", "interpolated")
    assert scene.points_xy.tolist() == heads.points_xy.tolist()
    assert (result.left_out, result.few, result.headless, result.strangers) == ([], [], 0, [])


def test_whom_a_preset_serves_is_said(scenes: dict[str, Path]) -> None:
    heads = [_heads(path, (50, 40)) for path in scenes.values()]
    drawn = [_drawn(scenes["a/1"], _box(9, 9, 10, 12))]
    written = {}
    for share in ("image", "folder", "all"):
        result = interpolate_scenes(heads, drawn, share=share)  # type: ignore[arg-type]
        written[share] = [scene.name for scene in result.scenes], result.left_out
        assert result.headless == 1
        assert result.few == [scene.name for scene in result.scenes]
    assert written == {
        "image": (["a/1"], ["a/2", "a/3", "b/1"]),
        "folder": (["a/1", "a/2"], ["a/3", "b/1"]),  # a/3 is of another size: no photograph of the same camera
        "all": (["a/1", "a/2", "b/1"], ["a/3"]),
    }


def test_an_image_without_heads_needs_no_preset(scenes: dict[str, Path]) -> None:
    heads = [_heads(scenes["a/1"], (50, 40)), _heads(scenes["a/2"])]
    result = interpolate_scenes(heads, [_drawn(scenes["a/1"], _box(50, 40, 10, 12))])
    assert [scene.count for scene in result.scenes] == [1, 0]
    assert result.scenes[1].boxes_xyxy is not None
    assert len(result.scenes[1].boxes_xyxy) == 0


def test_only_boxes_that_a_person_drew_are_presets(scenes: dict[str, Path]) -> None:
    boxes = [_box(50, 40, 10, 12), _box(20, 20, 30, 30)]
    drawn = _drawn(scenes["a/1"], *boxes, provenance=("annotated", "pseudo"))
    result = interpolate_scenes([_heads(scenes["a/1"], (20, 20))], [drawn])
    assert result.not_drawn == 1
    assert result.scenes[0].boxes_xyxy is not None
    assert result.scenes[0].boxes_xyxy.tolist() == [_box(20, 20, 10, 12)]
    drawn = _drawn(scenes["a/1"], boxes[0], provenance=("interpolated",))
    with pytest.raises(InputError, match="no annotated box"):
        interpolate_scenes([_heads(scenes["a/1"], (20, 20))], [drawn])


def test_presets_that_serve_nobody_are_refused_or_named(scenes: dict[str, Path]) -> None:
    drawn = _drawn(scenes["b/1"], _box(50, 40, 10, 12))
    with pytest.raises(InputError, match="No preset serves any of the 1 image"):
        interpolate_scenes([_heads(scenes["a/1"], (20, 20))], [drawn])
    mine = _drawn(scenes["a/1"], _box(50, 40, 10, 12))
    assert interpolate_scenes([_heads(scenes["a/1"], (20, 20))], [mine, drawn]).strangers == ["1"]
    with pytest.raises(InputError, match="no annotated box"):
        interpolate_scenes([], [])
    with pytest.raises(InputError, match="pixels and no file"):
        interpolate_scenes([Scene(np.zeros((4, 4, 3), np.uint8), np.ones((1, 2)))], [mine])
    with pytest.raises(InputError, match='Did you mean "folder"'):
        interpolate_scenes([], [mine], share="folders")  # type: ignore[arg-type]
