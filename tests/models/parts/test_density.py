"""The target and the loss that density methods share."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from headcount.core.scene import Scene
from headcount.losses.density import block_count_loss, density_mse
from headcount.models.method import TargetBatch
from headcount.models.parts.density import DensityOutput, DensitySettings, density_target, total_of
from headcount.targets.density import adaptive_sigma, density_map

POINTS = np.array([[4.0, 5.0], [20.5, 9.5], [30.0, 20.0], [11.0, 22.0], [33.0, 3.0]])
SCENE = Scene(np.zeros((28, 36, 3), np.uint8), POINTS)


def test_the_target_is_the_density_of_the_chosen_kernel() -> None:
    settings = DensitySettings(density_sigma=2.0, kernel_size=7)
    expected = density_map(POINTS, (36, 28), density_sigma=2.0, kernel_size=7)
    np.testing.assert_array_equal(density_target(SCENE, settings), expected)
    adaptive = density_map(POINTS, (36, 28), density_sigma=adaptive_sigma(POINTS), kernel_size=None)
    np.testing.assert_array_equal(density_target(SCENE, DensitySettings(density_sigma="adaptive")), adaptive)


def test_the_target_is_empty_outside_the_region() -> None:
    region = np.zeros((28, 36), np.bool_)
    region[:14] = True
    found = density_target(Scene(SCENE.image, POINTS, region=region), DensitySettings())
    assert found[:14].max() > 0
    assert not found[14:].any()


def _loss(given: torch.Tensor, settings: DensitySettings, **maps: torch.Tensor) -> torch.Tensor:
    return total_of(DensityOutput(settings, 8).loss({"density": given}, TargetBatch(maps, {})))


def test_the_loss_is_the_chosen_one() -> None:
    one, other = torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8)
    assert _loss(one, DensitySettings(), density=other) == density_mse(one, other)
    blocks = DensitySettings(density_loss="blocks", blocks=(1, 4), comparison="l1")
    assert _loss(one, blocks, density=other) == block_count_loss(one, other, blocks=(1, 4), comparison="l1")


@pytest.mark.parametrize("activation", ["relu", "softplus", "linear"])
def test_the_label_scale_is_divided_out_of_maps_and_multiplies_what_is_compared(activation: str) -> None:
    raw = torch.randn(1, 1, 4, 4)
    plain, scaled = (
        DensityOutput(DensitySettings(density_activation=activation, label_scale=scale), 8) for scale in (1.0, 100.0)
    )
    torch.testing.assert_close(scaled.maps(raw)["density"] * 100, plain.maps(raw)["density"])
    density, target = torch.rand(1, 1, 4, 4), torch.rand(1, 1, 4, 4)
    torch.testing.assert_close(_loss(density, scaled.settings, density=target), density_mse(density, target) * 1e4)


@pytest.mark.parametrize("scale", [1.0, 0.5, 100.0])
def test_softplus_starts_near_one_person_in_twenty_cells_whatever_the_label_scale(scale: float) -> None:
    output = DensityOutput(DensitySettings(density_activation="softplus", label_scale=scale), 8)
    last = torch.nn.Conv2d(4, output.channels, 1)
    output.start(last)
    density = output.maps(last(torch.zeros(1, 4, 2, 2)))["density"]
    torch.testing.assert_close(density, torch.full((1, 1, 2, 2), 0.048587))


def test_what_lies_outside_the_region_teaches_nothing() -> None:
    region = np.zeros((28, 36), np.bool_)
    region[:, :12] = True
    output = DensityOutput(DensitySettings(density_loss="blocks", density_activation="softplus"), 8)
    targets = TargetBatch.join([output.targets(Scene(SCENE.image, POINTS, region=region))])
    np.testing.assert_allclose(targets.maps["inside"][0, 0, 0], [1, 0.5, 0, 0, 0])
    density = torch.rand(1, 1, 4, 5, requires_grad=True)
    total_of(output.loss({"density": density}, targets)).backward()
    assert density.grad[..., :2].all()
    assert not density.grad[..., 2:].any()


@pytest.mark.parametrize("values", [{"kernel_size": 4}, {"density_sigma": 0}, {"blocks": ()}, {"comparison": "l3"}])
def test_what_is_out_of_range_is_refused(values: dict) -> None:
    with pytest.raises(ValidationError):
        DensitySettings(**values)
