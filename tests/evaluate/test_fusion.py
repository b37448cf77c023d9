"""The weights of a fusion are found again where they are known, and nothing better is missed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.decode.fused import Blocks, FusionSettings
from headcount.evaluate.fusion import CountedBlocks, cross_fitted, fit_fusion


def _blocks(crowding: NDArray[np.float64], size: NDArray[np.float64] | None = None, **counts: object) -> Blocks:
    shape = crowding.shape
    return Blocks(
        {head: np.broadcast_to(np.asarray(count, np.float64), shape).copy() for head, count in counts.items()},
        crowding,
        np.zeros(shape) if size is None else size,
    )


def _crowds(images: int = 40, seed: int = 0) -> CountedBlocks:
    """Where few stand the boxes are right and the density half too many; where many stand boxes miss half."""
    draw = np.random.default_rng(seed)
    blocks, true = [], []
    for _ in range(images):
        people = np.where(draw.uniform(size=(6, 8)) < 0.5, draw.integers(0, 4, (6, 8)), draw.integers(30, 60, (6, 8)))
        is_crowd = people >= 30
        density = np.where(is_crowd, people, 1.5 * people)
        boxes = np.where(is_crowd, 0.5 * people, people)
        crowding = np.log2(1 + people + draw.normal(0, 0.1, people.shape) ** 2)
        blocks.append(_blocks(crowding, density=density, boxes=boxes))
        true.append(int(people.sum()))
    return CountedBlocks(blocks, true)


def test_each_head_is_believed_where_it_is_right() -> None:
    seen = _crowds()
    fitted = fit_fusion([seen], FusionSettings())
    alone = min(seen.result_of(head).mae for head in ("density", "boxes"))
    assert seen.result(fitted).mae < 0.1 * alone
    sparse, dense = (
        _blocks(np.full((1, 1), level), density=1, boxes=1).weights(fitted)["boxes"][0, 0] for level in (1.0, 5.5)
    )
    assert sparse > 0.9
    assert dense < 0.1
    assert fitted.instances_weight == (0, 0, 0)


def test_it_holds_for_images_that_it_was_not_fitted_to() -> None:
    seen = _crowds()
    (crossed,) = cross_fitted([seen], FusionSettings())
    assert crossed.mae < 0.15 * min(seen.result_of(head).mae for head in ("density", "boxes"))
    fitted = fit_fusion([seen], FusionSettings())
    assert _crowds(seed=1).result(fitted).mae < 0.15 * _crowds(seed=1).result_of("boxes").mae


@pytest.mark.parametrize("right", ["density", "instances", "boxes"])
def test_a_head_that_is_always_right_is_taken(right: str) -> None:
    draw = np.random.default_rng(4)
    blocks, true = [], []
    for _ in range(20):
        people = draw.integers(0, 9, (4, 4))
        wrong = {head: people * factor for head, factor in (("density", 3), ("instances", 2.5), ("boxes", 2))}
        blocks.append(_blocks(np.log2(1.0 + people), **{**wrong, right: people}))
        true.append(int(people.sum()))
    seen = CountedBlocks(blocks, true)
    assert seen.result(fit_fusion([seen], FusionSettings())).mae < 0.1 * seen.result(FusionSettings()).mae


def test_what_is_fitted_is_never_worse_than_the_plain_mean_or_a_head_alone() -> None:
    draw = np.random.default_rng(8)
    blocks = [
        _blocks(draw.uniform(0, 6, (3, 5)), draw.normal(size=(3, 5)), density=draw.gamma(2, size=(3, 5)),
                instances=draw.poisson(2, (3, 5)), boxes=draw.poisson(1, (3, 5)))
        for _ in range(12)
    ]  # fmt: skip
    seen = CountedBlocks(blocks, [int(n) for n in draw.integers(10, 60, 12)])
    after = seen.result(fit_fusion([seen], FusionSettings())).mae
    assert after <= seen.result(FusionSettings()).mae
    for head in ("density", "instances", "boxes"):
        assert after <= 1.02 * seen.result_of(head).mae + 0.05


def test_sets_or_images_weigh_alike() -> None:
    few = CountedBlocks([_blocks(np.zeros((1, 1)), density=10, boxes=20)] * 2, [10, 10])
    many = CountedBlocks([_blocks(np.zeros((1, 1)), density=1000, boxes=500)] * 8, [500] * 8)
    by_image = fit_fusion([few, many], FusionSettings(), weigh="images")
    assert many.result(by_image).mae < 10
    assert few.result(by_image).mae > 8


def test_nothing_to_fit_is_told() -> None:
    with pytest.raises(InputError, match="There is no image"):
        fit_fusion([], FusionSettings())
    with pytest.raises(InputError, match="There is no image"):
        fit_fusion([CountedBlocks([], [])], FusionSettings())
    with pytest.raises(InputError, match="one head"):
        fit_fusion([CountedBlocks([_blocks(np.zeros((1, 1)), density=1)], [1])], FusionSettings())
