"""Painted scenes: exact truth, the same bytes for the same seed, and heads that can be seen."""

from __future__ import annotations

import re

import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.synth import MIN_SIDE_PX, PIXELS_PER_PERSON, paint_scene
from headcount.synth.painted.layout import VISIBLE_SHARE, Placement, hidden_heads, open_ground, place_people, stand_rows

pytestmark = pytest.mark.slow

SMALL = (320, 240)


@pytest.mark.parametrize("count", [0, 1, 7, 120])
@pytest.mark.parametrize("seed", [0, 15, 16])  # a street, a stand, a stage
def test_count_is_exact_and_heads_lie_inside(seed: int, count: int) -> None:
    scene = paint_scene(seed, size_wh=SMALL, count=count)
    boxes = scene.boxes_xyxy
    assert scene.count == count
    assert boxes is not None
    assert len(boxes) == count
    assert scene.size_wh == SMALL
    assert scene.pixels().dtype == np.uint8
    assert scene.box_provenance == ("annotated",) * count
    assert scene.name == f"painted-{seed}"
    assert str(seed) in scene.source
    x, y = scene.points_xy.T
    assert ((x > 0) & (x < SMALL[0]) & (y > 0) & (y < SMALL[1])).all()
    assert ((boxes[:, 0] < x) & (x < boxes[:, 2]) & (boxes[:, 1] < y) & (y < boxes[:, 3])).all()
    assert (boxes >= 0).all()
    assert (boxes[:, 2] <= SMALL[0]).all()
    assert (boxes[:, 3] <= SMALL[1]).all()


def test_the_same_seed_paints_the_same_bytes_whatever_the_global_state() -> None:
    first = paint_scene(3, size_wh=SMALL)
    np.random.seed(1)  # noqa: NPY002
    second = paint_scene(3, size_wh=SMALL)
    assert first.pixels().tobytes() == second.pixels().tobytes()
    assert first.points_xy.tobytes() == second.points_xy.tobytes()


def test_a_seed_paints_what_it_always_painted() -> None:
    scene = paint_scene(7, size_wh=(160, 120), count=3)
    assert scene.attributes == {"place": "street", "light": "day"}
    np.testing.assert_allclose(scene.points_xy, [[8.38, 30.895], [60.827, 36.33], [119.213, 89.414]], atol=1e-3)
    assert scene.boxes_xyxy is not None
    np.testing.assert_allclose(scene.boxes_xyxy[0], [6.732, 28.782, 10.029, 33.008], atol=1e-3)
    np.testing.assert_allclose(scene.pixels().mean(axis=(0, 1)), [120.999, 123.284, 118.378], atol=0.5)


def test_different_seeds_paint_different_scenes() -> None:
    scenes = [paint_scene(seed, size_wh=SMALL, count=30) for seed in range(4)]
    assert len({scene.pixels().tobytes() for scene in scenes}) == 4
    assert len({scene.points_xy.tobytes() for scene in scenes}) == 4


def test_drawn_counts_spread_over_the_range_and_follow_the_area() -> None:
    counts = [paint_scene(seed, size_wh=SMALL).count for seed in range(40)]
    scale = SMALL[0] * SMALL[1] / (1024 * 768)
    assert min(counts) >= 1
    assert max(counts) <= round(1500 * scale)
    assert min(counts) < 8
    assert max(counts) > 50


def test_heads_grow_from_far_to_near() -> None:
    scene = paint_scene(0, count=300)  # an open street
    assert scene.boxes_xyxy is not None
    inner = scene.boxes_xyxy[scene.boxes_xyxy[:, 3] < 768]
    heights = inner[:, 3] - inner[:, 1]
    assert heights.min() >= 4
    assert heights.max() <= 70
    assert heights.max() > 3 * heights.min()
    assert np.corrcoef(inner[:, 1], heights)[0, 1] > 0.95


@pytest.mark.parametrize(("ground_of", "count"), [(open_ground, 40), (open_ground, 1500), (stand_rows, 600)])
def test_every_head_can_be_seen(ground_of: object, count: int) -> None:
    rng = np.random.Generator(np.random.Philox(key=5))
    assert callable(ground_of)
    ground = ground_of(rng, (1024, 768), count)
    placement = place_people(rng, ground, count)
    assert len(placement.x) == count
    assert not hidden_heads(placement, (1024, 768)).any(), f"a head shows less than {VISIBLE_SHARE} of itself"


def test_a_head_behind_a_nearer_body_counts_as_hidden() -> None:
    x, y = np.array([100.0, 101.0]), np.array([100.0, 90.0])
    stacked = Placement(x, y, np.array([10.0, 30.0]), np.array([100.0, 120.0]))
    assert hidden_heads(stacked, (200, 200)).tolist() == [True, False]


def test_as_many_as_find_room_can_be_painted() -> None:
    side = MIN_SIDE_PX
    assert paint_scene(1, size_wh=(side, side), count=side * side // PIXELS_PER_PERSON).count == 34


@pytest.mark.parametrize(
    ("seed", "size_wh", "count", "message"),
    [
        (1, SMALL, -1, "must be 0 or more, but it is -1"),
        (1, (63, 200), 1, "at least 64 px wide and high, but 63×200"),
        (1, (0, 0), None, "at least 64 px"),
        (1, SMALL, 641, "at most 640 people, but 641"),
        (-1, SMALL, 1, "seed must be from 0"),
        (2**64, SMALL, 1, "seed must be from 0"),
    ],
)
def test_impossible_wishes_are_refused(seed: int, size_wh: tuple[int, int], count: int | None, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        paint_scene(seed, size_wh=size_wh, count=count)
