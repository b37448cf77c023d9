"""The target and the loss that density methods share."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from headcount.core.scene import Scene
from headcount.losses.density import block_count_loss, density_mse
from headcount.models.parts.density_targets import DensityTargetSettings, density_loss, density_target
from headcount.targets.density import adaptive_sigma, density_map

POINTS = np.array([[4.0, 5.0], [20.5, 9.5], [30.0, 20.0], [11.0, 22.0], [33.0, 3.0]])
SCENE = Scene(np.zeros((28, 36, 3), np.uint8), POINTS)


def test_the_target_is_the_density_of_the_chosen_kernel() -> None:
    settings = DensityTargetSettings(density_sigma=2.0, kernel_size=7)
    expected = density_map(POINTS, (36, 28), density_sigma=2.0, kernel_size=7)
    np.testing.assert_array_equal(density_target(SCENE, settings), expected)
    adaptive = density_map(POINTS, (36, 28), density_sigma=adaptive_sigma(POINTS), kernel_size=None)
    np.testing.assert_array_equal(density_target(SCENE, DensityTargetSettings(density_sigma="adaptive")), adaptive)


def test_the_target_is_empty_outside_the_region() -> None:
    region = np.zeros((28, 36), np.bool_)
    region[:14] = True
    found = density_target(Scene(SCENE.image, POINTS, region=region), DensityTargetSettings())
    assert found[:14].max() > 0
    assert not found[14:].any()


def test_the_loss_is_the_chosen_one() -> None:
    one, other = torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8)
    assert density_loss(one, other, DensityTargetSettings()) == density_mse(one, other)
    blocks = DensityTargetSettings(density_loss="blocks", blocks=(1, 4), comparison="l1")
    assert density_loss(one, other, blocks) == block_count_loss(one, other, blocks=(1, 4), comparison="l1")


@pytest.mark.parametrize("values", [{"kernel_size": 4}, {"density_sigma": 0}, {"blocks": ()}, {"comparison": "l3"}])
def test_what_is_out_of_range_is_refused(values: dict) -> None:
    with pytest.raises(ValidationError):
        DensityTargetSettings(**values)
