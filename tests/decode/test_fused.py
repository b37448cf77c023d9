"""Density, instances and boxes fused block by block."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from headcount.core.errors import ModelError
from headcount.core.prediction import Prediction
from headcount.core.region import Region
from headcount.decode.fused import FusedDecoderSettings, blocks_of, decode_fused, find_each

Maps = dict[str, NDArray[np.float32]]
STRIDES = {"density": 8, "mask": 8, "confidence": 2, "threshold": 8, "heat": 4, "size": 4, "offset": 4}
SIZE = (256, 128)
SURE = {"density": -50.0, "instances": -50.0, "boxes": -50.0}


def _maps(density: float = 0.0, instances: Any = (), boxes: Any = (), size: float = 12.0) -> Maps:
    """Maps of a 256×128 image: so many people of the density in its first cell, and heads at (x, y)."""
    maps = {
        "density": np.zeros((1, 16, 32), np.float32), "mask": np.zeros((1, 16, 32), np.float32),
        "confidence": np.zeros((1, 64, 128), np.float32), "threshold": np.full((1, 16, 32), 0.5, np.float32),
        "heat": np.zeros((1, 32, 64), np.float32), "size": np.full((2, 32, 64), size, np.float32),
        "offset": np.zeros((2, 32, 64), np.float32),
    }  # fmt: skip
    maps["density"][0, 0, 0] = density
    for x, y in instances:
        maps["confidence"][0, y // 2, x // 2] = 0.9
    for x, y in boxes:
        maps["heat"][0, y // 4, x // 4] = 0.9
    return maps


def _settings(**changes: Any) -> FusedDecoderSettings:
    return FusedDecoderSettings(**changes)


def _decode(maps: Maps, settings: FusedDecoderSettings | None = None) -> Prediction:
    return decode_fused(maps, STRIDES, settings or _settings(), SIZE)


def _only(*heads: str) -> FusedDecoderSettings:
    """Weights that believe the first of the heads alone, or the density where it is named."""
    far = {f"{head}_weight": (80.0 if head == heads[0] else -80.0, 0.0, 0.0) for head in ("instances", "boxes")}
    if heads[0] == "density":
        far = {f"{head}_weight": (-80.0, 0.0, 0.0) for head in ("instances", "boxes")}
    return _settings(**far)


def test_nobody_is_nobody() -> None:
    found = _decode(_maps())
    assert found.count == 0
    assert found.counts == {"density": 0, "instances": 0, "boxes": 0}
    assert len(found.points_xy) == 0
    assert found.warnings == ()


def test_without_a_calibration_the_count_is_the_mean_of_the_heads() -> None:
    found = _decode(_maps(density=4, instances=[(21, 21), (101, 51)], boxes=[(22, 22), (102, 50), (180, 100)]))
    assert found.counts == {"density": 4, "instances": 2, "boxes": 3}
    assert found.count == pytest.approx(3)


@pytest.mark.parametrize("head", ["density", "instances", "boxes"])
def test_a_head_that_alone_is_believed_gives_its_count(head: str) -> None:
    found = _decode(_maps(density=4, instances=[(21, 21)], boxes=[(22, 22), (102, 50)]), _only(head))
    assert found.count == pytest.approx(found.counts[head])


@given(arrays(np.float32, (1, 16, 32), elements=st.floats(0, 4, width=32)), st.integers(0, 2**32 - 1))
def test_the_density_sums_to_the_count_and_lies_between_the_heads(density: NDArray[np.float32], seed: int) -> None:
    draw = np.random.default_rng(seed)
    maps = _maps(instances=draw.integers(0, [256, 128], (9, 2)), boxes=draw.integers(0, [256, 128], (9, 2)))
    maps["density"] = density
    weights = draw.normal(size=(2, 3))
    found = _decode(maps, _settings(instances_weight=tuple(weights[0]), boxes_weight=tuple(weights[1])))
    assert found.density is not None
    assert found.density.sum(dtype=np.float64) == pytest.approx(found.count, rel=1e-5, abs=1e-5)
    per_block = blocks_of(find_each(maps, STRIDES, _settings(), SIZE), 64).counts
    low, high = (pick(np.stack(list(per_block.values())), axis=0).sum() for pick in (np.min, np.max))
    assert low - 1e-6 <= found.count <= high + 1e-6


@given(st.integers(0, 2**32 - 1), st.sampled_from([16, 32, 64, 128]))
def test_what_is_fitted_is_what_is_counted(seed: int, block: int) -> None:
    draw = np.random.default_rng(seed)
    maps = _maps(instances=draw.integers(0, [256, 128], (20, 2)), boxes=draw.integers(0, [256, 128], (20, 2)))
    maps["density"][0] = draw.gamma(0.1, size=(16, 32))
    weights = {f"{head}_weight": tuple(draw.normal(size=3)) for head in ("instances", "boxes")}
    settings = _settings(block_px=block, **weights)
    blocks = blocks_of(find_each(maps, STRIDES, settings, SIZE), block)
    assert blocks.total(settings) == pytest.approx(_decode(maps, settings).count)
    assert np.allclose(sum(blocks.weights(settings).values()), 1)


def test_crowded_blocks_may_believe_the_density_and_empty_ones_the_boxes() -> None:
    maps = _maps(density=40, boxes=[(230, 100)])
    maps["density"][0, 12, 28] = 0.4
    settings = _settings(instances_weight=(-80, 0, 0), boxes_weight=(40, -20, 0))
    assert _decode(maps, settings).count == pytest.approx(41, abs=0.01)


def test_large_heads_may_believe_the_boxes() -> None:
    settings = _settings(instances_weight=(-80, 0, 0), boxes_weight=(-60, 0, 20))
    one = [(30, 30)]
    assert _decode(_maps(3, boxes=one, size=8), settings).count == pytest.approx(3)
    assert _decode(_maps(3, boxes=one, size=512), settings).count == pytest.approx(1, abs=1e-3)


def test_points_are_of_whichever_is_believed_more() -> None:
    maps = _maps(instances=[(21, 21), (41, 41)], boxes=[(102, 50)])
    assert len(_decode(maps, _only("instances")).points_xy) == 2
    assert len(_decode(maps, _only("boxes")).points_xy) == 1


def test_instances_take_their_size_from_the_size_map() -> None:
    found = _decode(_maps(instances=[(100, 60)], size=20), _only("instances"))
    assert found.boxes_kind == "heads"
    assert found.boxes_xyxy is not None
    assert found.boxes_xyxy.tolist() == [[91, 51, 111, 71]]


def test_a_head_on_a_seam_is_found_once() -> None:
    # The instance's middle lies left of the line between two blocks, the box's right of it.
    maps = _maps(density=30, instances=[(62, 20)], boxes=[(66, 20)])
    maps["density"][0, 0, 0] = 30
    settings = _settings(instances_weight=(0, 0, 0), boxes_weight=(0, 0, 0))
    blocks = blocks_of(find_each(maps, STRIDES, settings, SIZE), 64)
    left, right = blocks.crowding[0, 0], blocks.crowding[0, 2]
    assert left > right
    middle = (blocks.crowding[0, 1] + blocks.crowding[0, 0]) / 2
    tilted = _settings(instances_weight=(-10 * middle, 10, 0), boxes_weight=(0, 0, 0))
    assert len(_decode(maps, tilted).points_xy) == 1


def test_points_come_row_by_row_and_each_has_a_score() -> None:
    found = _decode(_maps(boxes=[(200, 20), (100, 60), (40, 20)]), _only("boxes"))
    assert found.points_xy[:, 1].tolist() == sorted(found.points_xy[:, 1])
    assert found.scores is not None
    assert len(found.scores) == 3


def test_disagreement_is_told() -> None:
    found = _decode(_maps(density=60, boxes=[(22, 22)]))
    assert found.warnings == (
        "The parts of the model disagree (density 60, instances 0, boxes 1): look at the picture before you trust the "
        "count.",
    )
    assert _decode(_maps(density=4, boxes=[(22, 22)])).warnings == ()


@pytest.mark.parametrize(
    ("kept", "heads"),
    [
        (("density", "mask"), ["density"]),
        (("confidence", "threshold"), ["instances"]),
        (("heat", "size", "offset"), ["boxes"]),
        (("density", "mask", "heat", "size", "offset"), ["density", "boxes"]),
    ],
)
def test_it_makes_do_with_the_heads_there_are(kept: tuple[str, ...], heads: list[str]) -> None:
    maps = _maps(density=2, instances=[(20, 20), (60, 60)], boxes=[(20, 20), (60, 60)])
    maps = {name: maps[name] for name in kept}
    found = decode_fused(maps, {name: STRIDES[name] for name in kept}, _settings(), SIZE)
    assert list(found.counts) == heads
    assert found.count == pytest.approx(2)


def test_in_a_region_the_fused_count_is_that_of_its_part_and_says_nothing_of_the_heads() -> None:
    from headcount.core.region import inside

    found = _decode(_maps(density=4, instances=[(21, 21)], boxes=[(22, 22), (202, 50)]))
    left = inside(found, Region((np.array([[0, 0], [128, 0], [128, 128], [0, 128.0]]),)))
    assert left.count == pytest.approx(found.count - 1 / 3)
    assert left.counts == {}


def test_its_counts_survive_json() -> None:
    found = replace(_decode(_maps(density=4, boxes=[(22, 22)])), source="a.jpg")
    assert Prediction.from_dict(found.to_dict()).counts == found.counts
    assert Prediction.from_dict({"count": 1, "size_wh": [4, 4]}).counts == {}


def test_what_is_wrong_is_told() -> None:
    with pytest.raises(ModelError, match='needs a map "density", "confidence" or "heat", but the model makes other'):
        decode_fused({"other": np.zeros((1, 2, 2), np.float32)}, {"other": 8}, _settings(), (16, 16))
    with pytest.raises(ModelError, match="block_px is 20, but a multiple of the density's stride, 8"):
        _decode(_maps(), _settings(block_px=20))
    broken = _maps()
    broken["mask"][0, 0, 0] = np.nan
    with pytest.raises(ModelError, match='"mask" holds values that are not finite'):
        _decode(broken)
